"""The conformance suite run on this service, in each of its modes, over real HTTP on this machine."""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePrivateKey, generate_private_key
from jwt.algorithms import ECAlgorithm

from cds_service.bootstrap import build
from cds_service.cli.listening import in_background, listening
from cds_service.conformance.chart import Chart
from cds_service.conformance.findings import Finding
from cds_service.conformance.suite import Client, Run, check
from cds_service.conformance.tokens import Signer
from cds_service.settings import Settings, load_settings
from cds_service.web import create_app

ROOT = Path(__file__).resolve().parents[2]
# The day that the example patients were written for.
DAY = date(2026, 3, 1)
STORY = "stale-bilirubin"
TWO = ("npc-trials-patient-view", "npc-trials-order-sign")
ISSUER = "https://ehr.example"


def chart() -> Chart:
    """Return an example patient who gets a card with a suggestion."""
    return Chart.of(json.loads((ROOT / "fhir_examples/patients" / STORY / "bundle.json").read_text(encoding="utf-8")))


def orders() -> dict[str, Any]:
    """Return draft orders for the same patient that would close the trial."""
    text = (ROOT / "fhir_examples/hooks/order-sign.radiotherapy.json").read_text(encoding="utf-8")
    drawn_for = f"Patient/{json.loads(text)['context']['patientId']}"
    found: dict[str, Any] = json.loads(text.replace(drawn_for, f"Patient/{chart().id}"))["context"]["draftOrders"]
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(settings: Settings) -> Iterator[str]:
    app = create_app(build(settings, clock=lambda: DAY))
    with listening(app, "127.0.0.1", settings.port) as server, in_background(server):
        yield f"http://127.0.0.1:{server.port}"


@contextmanager
def verified(key: EllipticCurvePrivateKey) -> Iterator[tuple[str, int]]:
    """Serve in verified mode; gives the base and the port that the FHIR server has to have."""
    port, fhir = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        jwk = {**json.loads(ECAlgorithm.to_jwk(key.public_key())), "kid": "one", "use": "sig", "alg": "ES384"}
        keys = Path(folder, "keys.json")
        keys.write_text(json.dumps({"keys": [jwk]}), encoding="utf-8")
        client = {"issuer": ISSUER, "jwks_file": keys, "fhir_servers": [f"http://127.0.0.1:{fhir}/fhir"]}
        base = f"http://127.0.0.1:{port}"
        settings = load_settings(
            mode="verified",
            public_base_url=base,
            clients=[client],
            store=f"sqlite:///{folder}/store.db",
            cors_origins=["http://localhost:8080"],
            port=port,
        )
        with serving(settings):
            yield base, fhir


@cache
def results(name: str) -> tuple[Finding, ...]:
    """Return the findings of one run: "open", "verified", "epic", "oracle" or "sandbox"."""
    with ExitStack() as stack:
        if name == "verified":
            key = generate_private_key(SECP384R1())
            base, fhir = stack.enter_context(verified(key))
            signer = Signer(key, ISSUER, "one")
            return check(Run(base, TWO, chart=chart(), orders=orders(), signer=signer, fhir_port=fhir))
        client: Client = "generic" if name == "open" else name  # type: ignore[assignment]
        base = stack.enter_context(serving(load_settings(mode="open", profile=client, port=0)))
        return check(Run(base, () if name == "open" else TWO, client, chart(), orders()))


RUNS = ("open", "verified", "epic", "oracle")
