"""Prefetch in every form that the specification has, with no FHIR server to fall back on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cds_service.conformance.session import CANARY, Service, Session
from cds_service.conformance.wire import Reply

FAILED: Final = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "timeout", "diagnostics": "the record system did not answer"}],
}


def answered(reply: Reply) -> str:
    """Say what is wrong with an answer to a legal call, whatever its data are."""
    return "" if reply.status in (200, 412) else "200 or 412 is needed"


def heard(reply: Reply) -> str:
    """Say what is wrong when data could not be had: silence would read as good news."""
    return "silence: nothing says that data could not be had" if reply.status == 200 and reply.cards() == [] else ""


def check_prefetch(session: Session, service: Service) -> None:
    """Call one service with every form of prefetch."""

    def ask(sent: str, prefetch: Any, *checks: str) -> Reply:
        reply = session.call(service, session.body(service, prefetch=prefetch), sent)
        for check in checks:
            session.note(check, service, sent, reply, answered(reply))
        return reply

    none = ask("no prefetch", ..., "P01")
    ask("an empty prefetch", {}, "P02")
    if not service.templates:
        return
    full: dict[str, Any] = session.body(service)["prefetch"]
    if not full:  # no template of which a client could fill the tokens
        return
    if none.status in (200, 412):
        session.note("P03", service, "no prefetch", none, heard(none))
    ask("null under every key", dict.fromkeys(full), "P04")
    failed = ask("an OperationOutcome under every key", dict.fromkeys(full, FAILED), "P05")
    if failed.status in (200, 412):
        session.note("P06", service, "an OperationOutcome under every key", failed, heard(failed))
    for key in full:
        ask(f"an OperationOutcome under {key}", {**full, key: FAILED}, "P07")
        ask(f"nothing but {key}", {key: full[key]}, "P09")
    ask("Bundles with a next link", {key: _paged(value) for key, value in full.items()}, "P08")
    ask("keys of the client's own", {f"own{at}": value for at, value in enumerate(full.values())}, "P10")
    turns = {key: (None, FAILED, value)[at % 3] for at, (key, value) in enumerate(full.items())}
    ask("null, OperationOutcome and data in turns", turns, "P13")
    _check_wrong(session, service, full)


def _check_wrong(session: Session, service: Service, full: Mapping[str, Any]) -> None:
    """Check what has to be refused: another patient's chart, and text for a resource."""
    key = next((key for key, value in full.items() if _is_patient(value)), None)
    if key is not None:
        sent = "the Patient of another id"
        other = {**full, key: {**full[key], "id": "conformance-another"}}
        reply = session.call(service, session.body(service, prefetch=other), sent)
        session.note("P11", service, sent, reply, "" if reply.refused else "a refusal is needed")
    sent = "text under a key"
    reply = session.call(service, session.body(service, prefetch={**full, next(iter(full)): CANARY}), sent)
    session.note("P12", service, sent, reply, "" if reply.refused else "4xx is needed")


def _is_patient(value: Any) -> bool:
    return isinstance(value, dict) and value.get("resourceType") == "Patient"


def _paged(value: Any) -> Any:
    if not isinstance(value, dict) or value.get("resourceType") != "Bundle":
        return value
    # Port 9 is "discard": nobody answers there.
    return {
        **value,
        "total": value["total"] + 1,
        "link": [{"relation": "next", "url": "http://127.0.0.1:9/fhir?page=2"}],
    }
