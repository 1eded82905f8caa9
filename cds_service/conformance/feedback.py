"""Feedback, as it is rightly given and wrongly."""

from __future__ import annotations

from typing import Any, Final
from uuid import uuid4

from cds_service.conformance.session import CANARY, Service, Session
from cds_service.conformance.wire import Reply

_WHEN: Final = "2026-03-01T10:30:00Z"
_REASON: Final = {"code": "patient-preference", "system": "http://example.org/conformance/reasons"}


def check_feedback(session: Session, service: Service) -> None:
    """Give feedback on the cards of a service; nothing is noted where it takes none."""
    given = session.call(service, session.body(service), "full prefetch")
    card, suggestion = _ids(given)

    def give(check: str, sent: str, *items: Any, wrong: bool = False) -> Reply:
        body = items[0] if len(items) == 1 and not isinstance(items[0], dict) else {"feedback": list(items)}
        reply = session.send("POST", f"{service.path}/feedback", body, sent=sent, service=service.id)
        right = reply.refused if wrong else reply.good
        needed = "4xx is needed" if wrong else "2xx is needed"
        session.note(check, service, sent, reply, "" if right else needed)
        return reply

    accepted = {
        "card": card,
        "outcome": "accepted",
        "acceptedSuggestions": [{"id": suggestion}],
        "outcomeTimestamp": _WHEN,
    }
    overridden = {"card": card, "outcome": "overridden", "outcomeTimestamp": _WHEN}
    reasoned = {**overridden, "overrideReason": {"reason": {**_REASON, "display": "Patient preference"}}}
    probe = session.send(
        "POST", f"{service.path}/feedback", {"feedback": [accepted]}, sent="accepted", service=service.id
    )
    if probe.status in (404, 405, 501):
        session.seen.pop()  # that it is not there is no error to look at
        return
    session.note("F01", service, "accepted", probe, "" if probe.good else "2xx is needed")
    give("F02", "overridden, a coded reason", reasoned)
    sandbox = {**overridden, "overrideReason": {"reason": _REASON}, "outcomeTimestamp": "2026-03-01T10:30:00.123Z"}
    give("F03", "a reason without display, milliseconds", sandbox)
    give("F04", "a comment alone", {**overridden, "overrideReason": {"userComment": "Seen at the tumour board."}})
    give("F05", "overridden without a reason", overridden)
    give("F06", "two items in a call", accepted, {**overridden, "card": str(uuid4())})
    for _ in range(2):
        give("F07", "the same feedback twice", reasoned)
    give("F08", "no array feedback", b'{"feedback": {}}', wrong=True)
    give("F08", "an empty object", b"{}", wrong=True)
    give("F09", "an outcome nobody defined", {**overridden, "outcome": CANARY}, wrong=True)
    give("F10", "accepted without suggestions", _without(accepted, "acceptedSuggestions"), wrong=True)
    give("F11", "no card", _without(overridden, "card"), wrong=True)
    for when in (CANARY, 5):
        give("F12", "outcomeTimestamp is no time", {**overridden, "outcomeTimestamp": when}, wrong=True)
    give("F13", "no JSON", f'{{"{CANARY}": }}'.encode(), wrong=True)


def _ids(given: Reply) -> tuple[str, str]:
    """Return the ids of a card and a suggestion that came, or made-up ones."""
    for card in given.cards() or []:
        if isinstance(card, dict) and isinstance(card.get("uuid"), str):
            suggestions = card.get("suggestions")
            first = suggestions[0] if isinstance(suggestions, list) and suggestions else None
            known = first.get("uuid") if isinstance(first, dict) else None
            return card["uuid"], known if isinstance(known, str) else str(uuid4())
    return str(uuid4()), str(uuid4())


def _without(item: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != name}
