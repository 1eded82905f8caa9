"""Feedback on cards, checked field by field: what was accepted, what was set aside and why.

Source: CDS Hooks 2.0.1, Feedback. Real clients send milliseconds, a reason without display, or no reason at all.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from flask import Blueprint, Response

from cds_service.bootstrap import Services
from cds_service.errors import RequestError
from cds_service.screening.memory import Told, take_feedback, tenant_key
from cds_service.store import Answer, CardFeedback
from cds_service.web.answers import answer, read_body
from cds_service.web.auth import caller_of

log = logging.getLogger("cds_service.web")

MAX_BYTES: Final = 64 * 2**10
MAX_COMMENT: Final = 1000  # characters; what is longer is cut, since a lost override would cost more
_MAX_CODE: Final = 200
_MAX_SUGGESTIONS: Final = 100
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def routes(services: Services) -> Blueprint:
    """Return the address that takes feedback."""
    blueprint = Blueprint("feedback", __name__)
    offered = {service.id for service in services.settings.services}

    @blueprint.post("/cds-services/<service_id>/feedback")
    def take(service_id: str) -> Response:
        caller = caller_of(services)
        if service_id not in offered:
            raise RequestError("There is no such service; GET /cds-services lists them.", field="id", status=404)
        told = read_feedback(read_body(MAX_BYTES), services.now())
        new, unknown = take_feedback(services.store, tenant_key(caller.issuer, caller.tenant), told)
        items = "1 item" if len(told) == 1 else f"{len(told)} items"
        log.info("feedback: %s, %d new, %d on cards not known here", items, new, unknown)
        return answer({})

    return blueprint


def read_feedback(body: Any, received: datetime) -> list[Told]:
    """Check a feedback body. Fields nobody defined are ignored.

    Args:
        body: parsed JSON of any shape.
        received: the present instant.

    Raises:
        RequestError: naming the first field that is wrong.
    """
    if not isinstance(body, dict):
        raise RequestError("The body must be a JSON object.", field="body")
    items = body.get("feedback")
    if not isinstance(items, list) or not items:
        raise RequestError("feedback must be a list of at least one item.", field="feedback")
    return [_item(item, f"feedback[{at}]", received) for at, item in enumerate(items)]


def _item(item: Any, where: str, received: datetime) -> Told:
    if not isinstance(item, dict):
        raise RequestError(f"{where} must be an object.", field=where)
    card = item.get("card")
    if not isinstance(card, str) or not _UUID.fullmatch(card):
        raise RequestError(f"{where}.card must be the uuid of a card.", field=f"{where}.card")
    if item.get("outcome") not in list(Answer):
        raise RequestError(f"{where}.outcome must be accepted or overridden.", field=f"{where}.outcome")
    outcome = Answer(item["outcome"])
    at = _time(item.get("outcomeTimestamp"), f"{where}.outcomeTimestamp")
    bare = CardFeedback(str(UUID(card)), outcome, at, received)
    if outcome is Answer.ACCEPTED:
        taken = _suggestions(item.get("acceptedSuggestions"), f"{where}.acceptedSuggestions")
        return Told(CardFeedback(bare.card, outcome, at, received, suggestions=taken))
    return _override(item.get("overrideReason"), bare, f"{where}.overrideReason")


def _time(value: Any, where: str) -> datetime:
    try:
        if isinstance(value, str) and _TIME.fullmatch(value):
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise RequestError(f"{where} must be an instant such as 2026-03-01T09:30:00Z.", field=where)


def _suggestions(value: Any, where: str) -> list[str]:
    """Check ``acceptedSuggestions``, which an accepted card must have (invariant cds-fb-2)."""
    if not isinstance(value, list) or not 0 < len(value) <= _MAX_SUGGESTIONS:
        raise RequestError(f"{where} must be a list of 1 to {_MAX_SUGGESTIONS} suggestions.", field=where)
    ids = []
    for at, one in enumerate(value):
        found = one.get("id") if isinstance(one, dict) else None
        if not isinstance(found, str) or not found:
            raise RequestError(f"{where}[{at}].id must be the uuid of a suggestion.", field=f"{where}[{at}].id")
        ids.append(found.lower())
    return ids


def _override(value: Any, bare: CardFeedback, where: str) -> Told:
    """Check ``overrideReason``: a Coding, a comment, both, or nothing at all."""
    if value is None:
        return Told(bare)
    if not isinstance(value, dict):
        raise RequestError(f"{where} must be an object.", field=where)
    comment = value.get("userComment")
    if comment is not None and not isinstance(comment, str):
        raise RequestError(f"{where}.userComment must be a string.", field=f"{where}.userComment")
    told = CardFeedback(bare.card, bare.outcome, bare.at, bare.received, comment=_storable(comment or ""))
    reason = value.get("reason")
    if reason is None:
        return Told(told)
    if not isinstance(reason, dict):
        raise RequestError(f"{where}.reason must be a Coding.", field=f"{where}.reason")
    for part in ("code", "system"):
        text = reason.get(part)
        if not isinstance(text, str) or not 0 < len(text) <= _MAX_CODE:
            field = f"{where}.reason.{part}"
            raise RequestError(f"{field} must be a string of 1 to {_MAX_CODE} characters.", field=field)
    return Told(told, reason["system"], reason["code"])


def _storable(text: str) -> str:
    """Cut a comment, and leave out what no database keeps: NUL and lone surrogates."""
    whole = text.encode("utf-8", "ignore").decode("utf-8").replace("\0", "")
    return whole.strip()[:MAX_COMMENT]
