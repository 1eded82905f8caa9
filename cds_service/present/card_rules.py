"""Cards checked before they are sent: the specification's rules, and what the client's product takes besides.

A card that breaks a rule is a defect of ours. It is withheld, and the answer says so: an EHR would drop it without a
word, and that would read like good news.

Source: CDS Hooks 2.0.1 and 3.0 ballot, Card Attributes, Suggestion, Action, Link; for Epic its CDS Hooks page (only
``any``, one action for a suggestion, a short alphanumeric topic); for Oracle Health its CDS Hooks guide (suggestions
are not shown).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit
from uuid import UUID

from fhir.resources.R4B.servicerequest import ServiceRequest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from cds_service.facts.phrase import say
from cds_service.present.safe_text import SUMMARY_LIMIT
from cds_service.present.speaker import ENGLISH, Speaker
from cds_service.settings import Profile

log = logging.getLogger("cds_service.present")

WITHHELD: Final = say(
    "A clinical trial card was withheld: it could not be written rightly. The service's log says where."
)
_RAW: Final = re.compile(r"<|(?<!\\)\]\(|(?<!\\)!\[")  # HTML, links and images: none is ever written in a detail
# What Oracle Health's guide shows of a card, and the id that feedback needs.
_ORACLE: Final = frozenset({"uuid", "summary", "detail", "indicator", "source", "links"})


def adapted(cards: Sequence[Mapping[str, Any]], profile: Profile) -> list[dict[str, Any]]:
    """Leave out what the client's product does not take; what a card says stays the same.

    Args:
        cards: as written for a client that takes everything.
        profile: the client's product.
    """
    if profile != "oracle":
        return [dict(card) for card in cards]
    return [{name: value for name, value in card.items() if name in _ORACLE} for card in cards]


def checked(cards: Sequence[Mapping[str, Any]], profile: Profile, speaker: Speaker = ENGLISH) -> list[dict[str, Any]]:
    """Return the cards that keep every rule, each other one replaced by a card that says it was withheld.

    Args:
        cards: as they would be sent.
        profile: the client's product.
        speaker: in whose language a withheld card is told.
    """
    return [dict(card) if not _logged(broken(card, profile)) else _withheld(speaker) for card in cards]


def _withheld(speaker: Speaker) -> dict[str, Any]:
    return {"summary": speaker.said(WITHHELD), "indicator": "info", "source": {"label": speaker.t("Trial rules")}}


def broken(card: Mapping[str, Any], profile: Profile) -> list[str]:
    """Return each broken rule as "where: what", without any value of the card.

    Args:
        card: as it would be sent.
        profile: the client's product.
    """
    faults = [f"{where}: empty" for where in _empties(card, "card")]
    try:
        model = _Card.model_validate(card)
    except ValidationError as error:
        found = error.errors(include_input=False, include_context=False, include_url=False)
        return [*faults, *(f"{'.'.join(map(str, one['loc'])) or 'card'}: {one['msg']}" for one in found)]
    if profile == "epic":
        faults += _epic(model)
    if profile == "oracle":
        faults += [f"{name}: not taken by this client" for name in card if name not in _ORACLE]
    return faults


def _logged(faults: Sequence[str]) -> bool:
    for fault in faults:
        log.error("defect: a card was withheld: %s", fault)
    return bool(faults)


def _epic(card: _Card) -> Iterator[str]:
    if card.selection_behavior not in (None, "any"):
        yield "selectionBehavior: this client takes only any"
    if any(len(one.actions or ()) > 1 for one in card.suggestions or ()):
        yield "suggestions: this client takes one action each"
    topic = card.source.topic
    if topic is not None and not re.fullmatch(r"[A-Za-z0-9]{1,100}", topic.code):
        yield "source.topic.code: this client takes 1 to 100 letters and digits"


def _empties(value: Any, where: str) -> Iterator[str]:
    """Find what JSON of CDS Hooks never holds: null, "", [] and {}."""
    if value is None or value in ("", [], (), {}) or (isinstance(value, str) and not value.strip()):
        yield where
    elif isinstance(value, Mapping):
        for name, part in value.items():
            yield from _empties(part, f"{where}.{name}")
    elif isinstance(value, (list, tuple)):
        for at, part in enumerate(value):
            yield from _empties(part, f"{where}.{at}")


def _absolute(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or re.search(r"\s", url):
        raise ValueError("an absolute http or https URL is needed")
    return url


def _uuid(text: str) -> str:
    UUID(text)
    return text


def _one_line(text: str) -> str:
    if "\n" in text or "\r" in text:
        raise ValueError("one line is needed")
    return text


def _harmless(text: str) -> str:
    if _RAW.search(text):
        raise ValueError("no raw HTML, link or image may stand in Markdown")
    return text


_Url = Annotated[str, AfterValidator(_absolute)]
_Uuid = Annotated[str, AfterValidator(_uuid)]
_Line = Annotated[str, Field(min_length=1), AfterValidator(_one_line)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class _Coding(_Wire):
    system: _Line
    code: _Line
    display: _Line | None = None


class _Reason(_Coding):
    display: _Line


class _Source(_Wire):
    label: _Line
    url: _Url | None = None
    icon: _Url | None = None
    topic: _Coding | None = None


class _Link(_Wire):
    label: _Line
    url: _Url
    type: Literal["absolute", "smart"]
    appContext: str | None = None  # noqa: N815 (the name on the wire)

    @model_validator(mode="after")
    def _context_for_apps(self) -> Self:
        if self.appContext is not None and self.type != "smart":
            raise ValueError("appContext is for smart links only")
        return self


class _Action(_Wire):
    """An order to draft; nothing here ever updates or deletes."""

    type: Literal["create"]
    description: _Line
    resource: dict[str, Any]

    @model_validator(mode="after")
    def _a_draft(self) -> Self:
        if self.resource.get("resourceType") != "ServiceRequest" or self.resource.get("status") != "draft":
            raise ValueError("a draft ServiceRequest is needed")
        try:
            ServiceRequest.model_validate(self.resource)
        except ValidationError:
            raise ValueError("the ServiceRequest is not valid FHIR R4") from None
        return self


class _Suggestion(_Wire):
    label: _Line
    uuid: _Uuid
    isRecommended: bool | None = None  # noqa: N815
    actions: tuple[_Action, ...] | None = Field(default=None, strict=False)


class _Card(_Wire):
    uuid: _Uuid | None = None
    summary: _Line = Field(max_length=SUMMARY_LIMIT)
    detail: Annotated[str, AfterValidator(_harmless)] | None = None
    indicator: Literal["info", "warning"]  # "critical" is for hard stops; a trial never is one
    source: _Source
    suggestions: tuple[_Suggestion, ...] | None = Field(default=None, strict=False)
    selection_behavior: Literal["at-most-one", "any"] | None = Field(default=None, alias="selectionBehavior")
    overrideReasons: tuple[_Reason, ...] | None = Field(default=None, strict=False)  # noqa: N815
    links: tuple[_Link, ...] | None = Field(default=None, strict=False)

    @model_validator(mode="after")
    def _together(self) -> Self:
        if bool(self.suggestions) != (self.selection_behavior is not None):
            raise ValueError("suggestions and selectionBehavior go together")
        if self.selection_behavior == "at-most-one" and sum(bool(s.isRecommended) for s in self.suggestions or ()) > 1:
            raise ValueError("more than one recommended suggestion needs selectionBehavior any")
        ids = [self.uuid, *(one.uuid for one in self.suggestions or ())]
        if len(set(ids)) != len(ids):
            raise ValueError("every uuid once")
        return self
