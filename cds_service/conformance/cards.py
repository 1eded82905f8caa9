"""The rules for cards, read off every success that came."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from cds_service.conformance.chart import HOSTILE
from cds_service.conformance.empties import empties
from cds_service.conformance.hooks import HOOKS
from cds_service.conformance.session import Seen, Service, Session

_FHIR_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_REFERENCE: Final = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}")
_ESCAPED: Final = re.compile(r"\\<")

Fault = tuple[str, str]  # the check, and what is wrong ("" when nothing is)


def provoke_hostile(session: Session, service: Service) -> None:
    """Send a chart full of markup, so that the cards about it can be looked at."""
    hostile = session.chart.hostile()
    body = session.body(service)
    prefetch = hostile.prefetch(service.templates, body["context"])
    sent = "a chart full of markup"
    reply = session.call(service, {**body, "prefetch": prefetch}, sent)
    for card in reply.cards() or []:
        shown = _ESCAPED.sub("", str(card.get("detail", ""))) if isinstance(card, dict) else ""
        fault = "markup from the chart stands in the detail" if HOSTILE[:4] in shown else ""
        session.note("K07", service, sent, reply, fault)


def check_cards(session: Session) -> None:
    """Judge every success of a service that was seen."""
    topics: dict[str, set[str]] = {}
    for one in session.seen:
        if not one.call or one.reply.status != 200:
            continue
        _check_answer(session, one, topics)
    if session.client == "epic":
        for service, codes in topics.items():
            good = all(re.fullmatch(r"[A-Za-z0-9]{1,100}", code) for code in codes)
            # A topic for a trial and one for another are two; one for each call would be dozens.
            few = len(codes) <= _most_cards(session)
            fault = "" if good else "not 1 to 100 letters and digits"
            session.findings.note("E03", fault or ("" if few else "another topic in each call"), service=service)


def _most_cards(session: Session) -> int:
    return max((len(one.reply.cards() or []) for one in session.seen if one.service), default=0)


def _check_answer(session: Session, one: Seen, topics: dict[str, set[str]]) -> None:
    def note(check: str, fault: str = "") -> None:
        session.findings.note(check, fault, service=one.service, sent=one.sent, came=str(one.reply))

    try:
        value = one.reply.value()
    except ValueError as error:
        note("C02", f"the body is {error}")
        return
    note("C02", "" if one.reply.json_type else "Content-Type is not JSON")
    cards = value.get("cards") if isinstance(value, dict) else None
    if not isinstance(cards, list) or not isinstance(value.get("systemActions", []), list):
        note("C03", "no array cards, or systemActions is none")
        return
    note("C03")
    found = [where for where in empties(value) if where != "cards"]
    note("K18", f"{found[0]} is null or empty" if found else "")
    for action in value.get("systemActions", []):
        note("K16", next((fault for _check, fault in _action(action) if fault), ""))
    ids = [card["uuid"] for card in cards if isinstance(card, dict) and "uuid" in card]
    for card in cards:
        if not isinstance(card, dict):
            note("C03", "a card is no object")
            continue
        for check, fault in [*_card(card), *_links(card), *_suggestions(card), *_client(session, card)]:
            note(check, fault)
        if "uuid" in card:
            right = isinstance(card["uuid"], str) and ids.count(card["uuid"]) == 1
            note("K05", "" if right else "uuid is no string, or stands twice")
        topic = card.get("source", {}).get("topic") if isinstance(card.get("source"), dict) else None
        if isinstance(topic, dict):
            topics.setdefault(one.service, set()).add(str(topic.get("code")))


def _card(card: dict[str, Any]) -> Iterator[Fault]:
    summary = card.get("summary")
    right = isinstance(summary, str) and 0 < len(summary) < 140 and "\n" not in summary
    yield "K01", "" if right else "summary is not one line of 1 to 139 characters"
    yield "K02", "" if card.get("indicator") in ("info", "warning", "critical") else "no such indicator"
    source = card.get("source")
    source = source if isinstance(source, dict) else {}
    urls = [source[name] for name in ("url", "icon") if name in source]
    right = _text(source.get("label")) and all(map(_absolute, urls))
    yield "K03", "" if right else "source has no label, or an address that is not absolute"
    if "topic" in source:
        yield "K04", "" if _coding(source["topic"]) else "source.topic has no code and system"
    if "detail" in card:
        yield "K06", "" if isinstance(card["detail"], str) else "detail is no string"
    if "overrideReasons" in card:
        reasons = card["overrideReasons"]
        right = isinstance(reasons, list) and all(_coding(one) and _text(one.get("display")) for one in reasons)
        yield "K13", "" if right else "an override reason without code, system or display"
    yield "K17", "" if isinstance(card.get("extension", {}), dict) else "extension is no object"


def _links(card: dict[str, Any]) -> Iterator[Fault]:
    for link in _items(card, "links"):
        kind = link.get("type")
        right = _text(link.get("label")) and _absolute(link.get("url")) and kind in ("absolute", "smart")
        context = isinstance(link.get("appContext", ""), str) and (kind == "smart" or "appContext" not in link)
        yield "K14", "" if right and context else "a link without label, absolute url or type, or a stray appContext"
        if "autolaunchable" in link:
            yield "K15", "" if isinstance(link["autolaunchable"], bool) else "autolaunchable is no boolean"


def _suggestions(card: dict[str, Any]) -> Iterator[Fault]:
    suggestions = _items(card, "suggestions")
    if not suggestions:
        return
    behaviour = card.get("selectionBehavior")
    yield "K08", "" if behaviour in ("at-most-one", "any") else "selectionBehavior is missing or unknown"
    for one in suggestions:
        right = (
            _text(one.get("label"))
            and isinstance(one.get("uuid", ""), str)
            and isinstance(one.get("isRecommended", True), bool)
        )
        yield "K09", "" if right else "a suggestion without label, or with a wrong uuid or isRecommended"
        yield "K10", "actionSelectionBehavior is used" if "actionSelectionBehavior" in one else ""
        for action in _items(one, "actions"):
            yield from _action(action)
    recommended = sum(one.get("isRecommended") is True for one in suggestions)
    yield (
        "K09",
        "" if recommended < 2 or behaviour != "at-most-one" else "several are recommended, at most one may be taken",
    )


def _action(action: Any) -> Iterator[Fault]:
    if not isinstance(action, dict):
        yield "K11", "an action is no object"
        return
    kind, resource = action.get("type"), action.get("resource")
    right = _text(action.get("description")) and kind in ("create", "update", "delete")
    if kind in ("create", "update"):
        right = right and isinstance(resource, dict)
    if kind == "delete":
        right = right and (isinstance(resource, dict) or bool(_REFERENCE.fullmatch(str(action.get("resourceId")))))
    yield "K11", "" if right else "an action without description, known type, or what its type needs"
    if isinstance(resource, dict):
        own_id = resource.get("id")
        named = isinstance(resource.get("resourceType"), str)
        identified = own_id is None or (isinstance(own_id, str) and bool(_FHIR_ID.fullmatch(own_id)))
        identified = identified and (kind != "update" or own_id is not None)
        yield "K12", "" if named and identified and not any(empties(resource)) else "the resource is not FHIR JSON"


def _client(session: Session, card: dict[str, Any]) -> Iterator[Fault]:
    suggestions = _items(card, "suggestions")
    if session.client == "epic" and suggestions:
        yield "E01", "" if card.get("selectionBehavior") == "any" else "another selectionBehavior"
        one_each = all(len(_items(one, "actions")) <= 1 for one in suggestions)
        yield "E02", "" if one_each else "several actions for a suggestion"
    if session.client == "oracle":
        yield "E04", "suggestions are sent" if "suggestions" in card else ""


def known(service: Service) -> bool:
    """Say whether the suite knows how to call a service's hook."""
    return service.hook in HOOKS


def _items(holder: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = holder.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _coding(value: Any) -> bool:
    return isinstance(value, dict) and _text(value.get("code")) and _text(value.get("system"))


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _absolute(url: Any) -> bool:
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc) and parts.scheme in ("http", "https")
