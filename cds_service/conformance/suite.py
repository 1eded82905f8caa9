"""The whole run: discovery first, then every service, then what all the answers have in common."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from cds_service.conformance import bad_requests, cards, fhir_access, fhir_stand, trust
from cds_service.conformance.calls import check_calls
from cds_service.conformance.chart import BUILT_IN, Chart
from cds_service.conformance.cors import check_cors
from cds_service.conformance.discovery import read_discovery
from cds_service.conformance.feedback import check_feedback
from cds_service.conformance.findings import Finding, Findings
from cds_service.conformance.prefetching import check_prefetch
from cds_service.conformance.session import Service, Session, fresh_access_token
from cds_service.conformance.tokens import Signer
from cds_service.conformance.wire import Host
from cds_service.errors import RequestError

Client = Literal["generic", "epic", "oracle", "sandbox"]
CLIENTS: Final[tuple[Client, ...]] = get_args(Client)
# Where the authors of the CDS Hooks Sandbox run it on their machines.
ORIGIN: Final = "http://localhost:8080"


@dataclass(frozen=True)
class Run:
    """What a run is to do.

    Args:
        base: the service's base URL.
        services: ids of the services to call; empty for all.
        client: the product to play.
        chart: the patient.
        orders: draft orders, a Bundle; None for a laboratory test.
        signer: makes tokens; None to send none.
        origin: of a page that may call.
        timeout: seconds for one call.
        fhir_port: of the FHIR server that is played; 0 for a free one.
    """

    base: str
    services: tuple[str, ...] = ()
    client: Client = "generic"
    chart: Chart = BUILT_IN
    orders: Mapping[str, Any] | None = None
    signer: Signer | None = None
    origin: str = ORIGIN
    timeout: float = 10.0
    fhir_port: int = 0


def check(run: Run) -> tuple[Finding, ...]:
    """Check a service.

    Args:
        run: what to do.

    Raises:
        RequestError: the base is no URL, or a service asked for is not offered.
        GatherError: nobody answers there.
    """
    host = Host(run.base, run.timeout)
    findings = Findings()
    with ExitStack() as stack:
        # Another machine cannot reach a server on this one's loopback.
        stand = None
        if host.loopback:
            running = fhir_stand.running(run.chart, fresh_access_token(), run.fhir_port)
            stand = stack.enter_context(running)
        session = Session(host, findings, run.chart, stand, run.client, run.signer, run.origin, run.orders)
        offered = read_discovery(session)
        strangers = set(run.services) - {one.id for one in offered}
        if strangers and offered:
            raise RequestError("--service names a service that discovery does not list.", field="--service")
        chosen = [one for one in offered if (not run.services or one.id in run.services) and cards.known(one)]
        for service in chosen:
            _check_service(session, service)
        # Last: an override silences cards, perhaps those of the other services too.
        for service in chosen:
            check_feedback(session, service)
        if chosen:
            bad_requests.check_unknown(session, chosen)
        fhir_access.check_secrecy(session)
        bad_requests.check_errors(session)
        cards.check_cards(session)
    return findings.all()


def _check_service(session: Session, service: Service) -> None:
    check_calls(session, service)
    check_prefetch(session, service)
    fhir_access.check_fhir_access(session, service)
    bad_requests.check_bad_requests(session, service)
    cards.provoke_hostile(session, service)
    check_cors(session, service)
    trust.check_trust(session, service)
