"""Faults that take more than one scripted server: no server, no handshake, a name that flips, a prefetch that lies."""

from __future__ import annotations

import copy
import datetime
import ipaddress
import socket
import ssl
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fault_chart import Chart, next_link
from fault_kinds import FREE, NOT_READ, OBSERVED, OTHERS, SHORT, SOME, Fault, gone
from fault_plays import OUTCOME, Asked, plain
from fault_runs import PATIENT, Run, example, open_chart
from fault_server import FaultServer

HONEST = Chart(example())


def refused() -> Run:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    return open_chart(f"http://127.0.0.1:{port}/fhir")


def black_hole() -> Run:
    """A door whose queue is full: the kernel drops further SYNs."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as door:
        address = door.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(address)
            return open_chart(f"http://127.0.0.1:{address[1]}/fhir", gather_seconds=SHORT)
        finally:
            for one in waiting:
                one.close()


def self_signed() -> Run:
    with FaultServer(HONEST.script, tls=_context()) as server:
        run = open_chart(server.base)
        return Run(**{**vars(run), "asked": {"connections": server.connections, **server.counts()}})


def no_tls() -> Run:
    with FaultServer(HONEST.script) as server:
        return open_chart(server.base.replace("http:", "https:"))


def no_handshake() -> Run:
    with socket.create_server(("127.0.0.1", 0)) as door:
        return open_chart(f"https://127.0.0.1:{door.getsockname()[1]}/fhir", gather_seconds=SHORT)


@cache
def _context() -> ssl.SSLContext:
    """TLS with a certificate that nobody vouches for, and that ended yesterday."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=9))
        .not_valid_after(now - datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=True)
        .sign(key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "server.pem")
        path.write_bytes(private + certificate.public_bytes(pem))
        context.load_cert_chain(path)
    return context


def name_that_leads_to(*addresses: str) -> Callable[[], Run]:
    """The name was the FHIR server's for one call; now it is somebody else's."""

    def stage() -> Run:
        real, led = socket.getaddrinfo, ["127.0.0.1"]

        def look_up(host: Any, port: Any, *rest: Any, **named: Any) -> list[Any]:
            if host != "localhost":
                return real(host, port, *rest, **named)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in led]

        with FaultServer(HONEST.script) as server, mock.patch("socket.getaddrinfo", look_up):
            base = server.base.replace("127.0.0.1", "localhost")
            before = open_chart(base)
            assert before.says == FREE
            led[:] = addresses
            asked = len(server.asked)
            run = open_chart(base)
            return Run(**{**vars(run), "strays": len(server.asked) - asked})

    return stage


# Prefetch.

KINDS = {
    "conditions": "Condition",
    "observations": "Observation",
    "medicationStatements": "MedicationStatement",
    "medicationRequests": "MedicationRequest",
    "medicationAdministrations": "MedicationAdministration",
    "procedures": "Procedure",
}
NOWHERE = "http://fhir.invalid/fhir"


def whole(kind: str, **changes: Any) -> dict[str, Any]:
    return copy.deepcopy(HONEST.searchset(Asked(f"/fhir/{kind}", NOWHERE), **changes))


def prefetched(*absent: str, **changes: Any) -> Callable[[], Run]:
    """Everything comes with the call, but for what is absent or changed; the server is without a fault."""

    def stage() -> Run:
        given = {"patient": HONEST.patient, **{key: whole(kind) for key, kind in KINDS.items()}, **changes}
        with FaultServer(HONEST.script) as server:
            for value in given.values():
                if isinstance(value, dict) and "link" in value:
                    value["link"] = next_link(f"{server.base}/Observation?patient=Patient%2F{PATIENT}&_page=1")
            server.script = lambda asked: plain(HONEST.searchset(asked, size=None if "_page" not in asked.query else 4))
            run = open_chart(server.base, prefetch={key: value for key, value in given.items() if key not in absent})
            return Run(**{**vars(run), "asked": {"Observation": 0, "Procedure": 0, **server.counts()}})

    return stage


def staged(number: int, name: str, does: str, stage: Callable[[], Run], **more: Any) -> Fault:
    return Fault(number, name, does, HONEST.script, stage=stage, **more)


ADDRESS = "the server's name leads to an address that is never asked"
MIXED = whole("Observation")
MIXED["entry"].append({"resource": OTHERS})
MIXED["total"] += 1
NOT_SENT = {"unread": OBSERVED, "asked": {"Observation": 0}}

STAGED = (
    gone(1, "refuses the connection", "tries once more", HONEST.script, "no connection", stage=refused),
    gone(2, "a connection that is never taken", "answers at the deadline", HONEST.script, "time-out", stage=black_hole),
    gone(
        3,
        "a certificate that ended, of nobody known",
        "sends nothing, does not try again",
        HONEST.script,
        "no trusted connection",
        stage=self_signed,
        asked={"connections": 8},
    ),
    gone(3, "no TLS behind https", "sends nothing", HONEST.script, "no trusted connection", stage=no_tls),
    gone(3, "a handshake that never ends", "answers at the deadline", HONEST.script, "time-out", stage=no_handshake),
    gone(
        29,
        "its name leads to 169.254.169.254 from one call to the next",
        "connects to the address that it looked at, and not to this one",
        HONEST.script,
        ADDRESS,
        stage=name_that_leads_to("169.254.169.254"),
    ),
    gone(
        29,
        "its name leads to itself and to 169.254.169.254",
        "connects to neither",
        HONEST.script,
        ADDRESS,
        stage=name_that_leads_to("127.0.0.1", "169.254.169.254"),
    ),
    staged(36, "a key is absent", "asks the server for it", prefetched("procedures"), asked={"Procedure": 1}),
    staged(36, "a key is null", "takes it for empty", prefetched(procedures=None), asked={"Procedure": 0}),
    staged(
        36,
        "a key holds an OperationOutcome",
        "does not ask again for what the EHR could not read",
        prefetched(observations=OUTCOME),
        sees=NOT_READ.format(why="the EHR could not read it", met=3),
        log="not read completely: Observation (the EHR could not read it)",
        **NOT_SENT,
    ),
    staged(
        36,
        "a Bundle that announces more than it holds",
        "uses it, concludes nothing from what is absent",
        prefetched(observations=whole("Observation", total=99)),
        sees=SOME,
        log="not read completely: Observation (fewer records were sent than announced)",
        asked={"Observation": 0},
    ),
    staged(
        36,
        "a Bundle with further pages",
        "follows them on the server, with the call's token",
        prefetched(observations=whole("Observation", size=4)),
        asked={"Observation": 4},
    ),
    staged(
        36,
        "a resource of another type",
        "takes nothing from it",
        prefetched(observations={"resourceType": "Parameters"}),
        sees=NOT_READ.format(why="a resource of another type came", met=3),
        log="not read completely: Observation (a resource of another type came)",
        **NOT_SENT,
    ),
    staged(
        37,
        "another patient than the context's",
        "judges nothing",
        prefetched(patient={**HONEST.patient, "id": "somebody-else"}),
        sees="The Patient that was sent is not the one in context.patientId.",
        log="not judged: The Patient that was sent is not the one in context.patientId.",
        status=412,
    ),
    staged(
        37,
        "another patient's record in a Bundle",
        "drops it; the type is no longer complete",
        prefetched(observations=MIXED),
        sees=SOME,
        log="not read completely: Observation (records that are not this patient's were in the answer)",
        asked={"Observation": 0},
    ),
)
