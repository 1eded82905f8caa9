"""Calls as clients make them: full prefetch, what Epic and the Sandbox add, every kind of user."""

from __future__ import annotations

import statistics
from typing import Final

from cds_service.conformance.hooks import HOOKS
from cds_service.conformance.session import Service, Session

_ORDER_OF_500_MS: Final = 0.5
_TIMED: Final = 5
_SCOPES: Final = {
    "SMART 1": "patient/Patient.read patient/Observation.read",
    "SMART 2": "patient/Patient.rs patient/Observation.rs?category=laboratory",
}


def check_calls(session: Session, service: Service) -> None:
    """Call one service in every right way."""

    def ask(check: str, sent: str, headers: dict[str, str] | None = None, **changes: object) -> None:
        reply = session.call(service, session.body(service, **changes), sent, headers=headers)
        session.note(check, service, sent, reply, "" if reply.status == 200 else "200 is needed")

    timed = []
    for _ in range(_TIMED):
        sent = f"{service.hook}, full prefetch"
        reply = session.call(service, session.body(service), sent)
        session.note("C01", service, sent, reply, "" if reply.status == 200 else "200 is needed")
        timed.append(reply.seconds)
    median = statistics.median(timed)
    fault = "slower than 500 ms" if median > _ORDER_OF_500_MS else ""
    session.findings.note("C12", fault, service=service.id, sent=f"{_TIMED} calls", came="")

    own = session.body(service)["context"]
    if service.templates:
        bare = session.chart.bare(service.templates, own)
        ask("C04", "prefetch: the Patient and nothing else", prefetch=bare)
    ask(
        "C05",
        "extension objects in the call and its context",
        extension={"com.epic.cdshooks.request.bpa-trigger-action": "60", "org.example.more": {"a": [1]}},
        context={**own, "extension": {"org.example.more": "1"}},
    )
    ask("C06", "unknown fields", unknown={"a": 1}, context={**own, "unknown": [1]})
    for kind in HOOKS[service.hook].users:
        ask("C07", f"userId of a {kind}", context={**own, "userId": f"{kind}/conformance"})
    again = session.body(service)
    statuses = {session.call(service, again, "the same call twice").status for _ in range(2)}
    fault = "" if len(statuses) == 1 else "two answers to the same call"
    session.findings.note("C08", fault, service=service.id, sent="the same call twice", came=str(sorted(statuses)))
    if session.stand is not None:
        session.stand.behave("good")
        for name, scope in _SCOPES.items():
            granted = session.authorization(scope=scope)
            ask("C09", f"scopes of {name}", fhirServer=session.stand.base, fhirAuthorization=granted)
    if "draftOrders" in own:
        drafts = {name: value for name, value in own["draftOrders"].items() if name != "type"}
        ask("C10", "draftOrders without type", context={**own, "draftOrders": drafts})
    for kind in ("application/json; charset=utf-8", "application/json;charset=UTF-8"):
        ask("C11", f"Content-Type: {kind}", {"Content-Type": kind})
