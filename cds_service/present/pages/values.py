"""A record's value as a page shows it: as recorded, what was made of it, its day, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from cds_service.facts import shown
from cds_service.facts.fact import Evidence
from cds_service.facts.phrase import say
from cds_service.present.safe_text import plain
from cds_service.present.speaker import Speaker

_MOST: Final = 240


@dataclass(frozen=True)
class ShownValue:
    """One value.

    Args:
        amount: value and unit as recorded, or what people read instead.
        made: what was made of it ("= 121 g/L", "0.81 × ULN (upper limit 21 µmol/L)"), "" for nothing.
        day: written in the record.
        resource: the FHIR resource.
        test: the name of the test, where a criterion reads several.
    """

    amount: str
    made: str
    day: str
    resource: str
    test: str = ""


def unit_of(unit: str | None, speaker: Speaker) -> str:
    """Write a unit for people; of a score, which has none, that it is one."""
    told = shown.unit(unit)
    return speaker.t(say("score")) if told == "score" else told


def shown_value(evidence: Evidence, speaker: Speaker, test: str = "") -> ShownValue:
    """Write a value.

    Args:
        evidence: the record.
        speaker: of the page.
        test: its name, already said; it is left out where the unit says it ("1.03 INR").
    """
    value = format(evidence.value, "f") if isinstance(evidence.value, Decimal) else speaker.said(evidence.value or "")
    amount = speaker.said(evidence.instead) or " ".join(part for part in (value, shown.unit(evidence.unit)) if part)
    return ShownValue(
        amount=plain(amount, _MOST),
        made="" if evidence.instead else plain(speaker.said(evidence.note), _MOST),
        day=plain(speaker.day(evidence.date), 60),
        resource=plain(evidence.resource, 120),
        test="" if test in amount else plain(test, 120),
    )


def in_one_line(value: ShownValue, speaker: Speaker) -> str:
    """Write a value for the middle of a sentence: "AST 40 U/L = 1.14 × ULN, 26 Feb 2026"."""
    made = value.made if value.made.startswith("=") or not value.made else f"({value.made})"
    amount = " ".join(part for part in (value.test, value.amount, made) if part)
    return speaker.joined([amount, value.day], ", ")


def how_old(evidence: Evidence, as_of: date, speaker: Speaker, today: date | None = None) -> str:
    """Say how old a value is; "" when its day is not known, or read on another day than ``as_of``: its date tells."""
    if today not in (None, as_of):
        return ""
    try:
        days = (as_of - date.fromisoformat(evidence.date or "")).days
    except ValueError:
        return ""
    return speaker.t({0: say("today"), 1: say("yesterday")}.get(days, say("{days} days ago", days=days)))
