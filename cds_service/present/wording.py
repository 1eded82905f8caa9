"""Every word that people read, in one place. Never "eligible": people decide."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from cds_service.evaluation.outcome import Status, Verdict
from cds_service.facts.fact import Evidence, Reason
from cds_service.facts.phrase import joined, say

MONTHS: Final = (
    say("Jan"),
    say("Feb"),
    say("Mar"),
    say("Apr"),
    say("May"),
    say("Jun"),
    say("Jul"),
    say("Aug"),
    say("Sep"),
    say("Oct"),
    say("Nov"),
    say("Dec"),
)

TYPES: Final = {
    "Condition": say("the problem list"),
    "Observation": say("laboratory results and findings"),
    "MedicationStatement": say("medication statements"),
    "MedicationRequest": say("medication orders"),
    "MedicationAdministration": say("medication administrations"),
    "Procedure": say("procedures"),
}
STATUS: Final = {
    Status.CANDIDATE: say("may be a candidate, for review"),
    Status.NEEDS_DATA: say("needs data"),
    Status.NOT_NOW: say("not now"),
    Status.EXCLUDED: say("cannot enter"),
}
MARK: Final = {Verdict.PASS: "✔", Verdict.FAIL: "✘", Verdict.UNKNOWN: "?"}
REASON: Final = {
    Reason.NOT_FETCHED: say("could not be read"),
    Reason.NO_RECORD: say("nothing on record"),
    Reason.STALE: say("too old"),
    Reason.NOT_FINAL: say("not final"),
    Reason.NO_VALUE: say("recorded without a value"),
    Reason.UNIT_UNUSABLE: say("its unit cannot be used"),
    Reason.NO_REFERENCE_RANGE: say("no reference range"),
    Reason.COMPARATOR: say("given only as a limit"),
    Reason.IMPRECISE_DATE: say("its date is not exact"),
    Reason.CONFLICT: say("records contradict each other"),
    Reason.EDITION_UNKNOWN: say("the staging edition is not recorded"),
    Reason.NOT_SPECIFIC: say("recorded too generally"),
    Reason.UNMAPPED_CODE: say("recorded in words not known here"),
    Reason.CLINICIAN: say("for a person to judge"),
}
LEANING: Final = {Verdict.PASS: say("would pass"), Verdict.FAIL: say("would fail")}
BLOCKED: Final = {"deceased": say("deceased")}
NOT_ENCODED: Final = say("exclusion criteria not encoded")
REGISTRY: Final = "Registry record"
CONFIRM: Final = say("For you to confirm")
MISSING: Final = say("What decides")
UNREAD: Final = say("Could not be read")
NOTHING_SAID: Final = "This says nothing about the patient. Open the chart again, or check by hand."


def day(value: date | str | None, *, year: bool = True) -> str:
    """Write a day for people: "1 Mar 2026"; part of a date stays as it is.

    >>> day("2026-02"), day(date(2026, 3, 1), year=False)
    ('2026-02', '1 Mar')
    """
    if value is None:
        return ""
    try:
        exact = date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return str(value)
    month = MONTHS[exact.month - 1]
    if not year:
        return say("{day} {month}", day=exact.day, month=month)
    return say("{day} {month} {year}", day=exact.day, month=month, year=exact.year)


def amount(evidence: Evidence) -> str:
    """Write a value with its unit, both as recorded.

    >>> amount(Evidence("Observation/1", Decimal("12.10"), "g/dL"))
    '12.10 g/dL'
    """
    value = format(evidence.value, "f") if isinstance(evidence.value, Decimal) else evidence.value
    unit = (evidence.unit or "").strip()
    if unit == "1":
        unit = ""  # UCUM for "no unit"
    elif unit.startswith("{") and unit.endswith("}"):
        unit = unit[1:-1]  # a UCUM annotation, such as {INR}
    return " ".join(str(part) for part in (value, unit) if part not in (None, ""))


def inside(label: str) -> str:
    """Write a label for the middle of a sentence; names such as ECOG keep their capitals.

    >>> inside("Total bilirubin"), inside("AST")
    ('total bilirubin', 'AST')
    """
    return label[:1].lower() + label[1:] if label[1:2].islower() else label


def noted(note: str) -> str:
    """Write what was made of a value, for after it: " = 121 g/L", or in brackets."""
    if not note:
        return ""
    return f" {note}" if note.startswith("=") else f" ({note})"


def age(evidence: Evidence, as_of: date) -> str:
    """Say how old a value is: "19 days ago"; "" when its day is not known."""
    try:
        days = (as_of - date.fromisoformat(evidence.date or "")).days
    except ValueError:
        return ""
    return {0: say("today"), 1: say("yesterday")}.get(days, say("{days} days ago", days=days))


def listed(names: Sequence[str]) -> str:
    """Join names: "a", "a and b", "a, b and c"."""
    return joined([joined(names[:-1], ", "), *names[-1:]], " and ")


def counted(number: int, one: str, many: str) -> str:
    """Write a number with the right noun."""
    return f"{number} {one if number == 1 else many}"
