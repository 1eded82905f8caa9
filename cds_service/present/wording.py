"""Every word that people read, in one place. Never "eligible": people decide."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from cds_service.evaluation.outcome import Status, Verdict
from cds_service.facts.fact import Evidence, Reason

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

TYPES: Final = {
    "Condition": "the problem list",
    "Observation": "laboratory results and findings",
    "MedicationStatement": "medication statements",
    "MedicationRequest": "medication orders",
    "MedicationAdministration": "medication administrations",
    "Procedure": "procedures",
}
STATUS: Final = {
    Status.CANDIDATE: "may be a candidate, for review",
    Status.NEEDS_DATA: "needs data",
    Status.NOT_NOW: "not now",
    Status.EXCLUDED: "cannot enter",
}
MARK: Final = {Verdict.PASS: "✔", Verdict.FAIL: "✘", Verdict.UNKNOWN: "?"}
REASON: Final = {
    Reason.NOT_FETCHED: "could not be read",
    Reason.NO_RECORD: "nothing on record",
    Reason.STALE: "too old",
    Reason.NOT_FINAL: "not final",
    Reason.NO_VALUE: "recorded without a value",
    Reason.UNIT_UNUSABLE: "its unit cannot be used",
    Reason.NO_REFERENCE_RANGE: "no reference range",
    Reason.COMPARATOR: "given only as a limit",
    Reason.IMPRECISE_DATE: "its date is not exact",
    Reason.CONFLICT: "records contradict each other",
    Reason.EDITION_UNKNOWN: "the staging edition is not recorded",
    Reason.NOT_SPECIFIC: "recorded too generally",
    Reason.UNMAPPED_CODE: "recorded in words not known here",
    Reason.CLINICIAN: "for a person to judge",
}
LEANING: Final = {Verdict.PASS: "would pass", Verdict.FAIL: "would fail"}
NOT_ENCODED: Final = "exclusion criteria not encoded"
REGISTRY: Final = "Registry record"
CONFIRM: Final = "For you to confirm"
MISSING: Final = "What decides"
UNREAD: Final = "Could not be read"
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
    return f"{exact.day} {MONTHS[exact.month - 1]}" + (f" {exact.year}" if year else "")


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
    return {0: "today", 1: "yesterday"}.get(days, f"{days} days ago")


def listed(names: Sequence[str]) -> str:
    """Join names: "a", "a and b", "a, b and c"."""
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1] if names else ""


def counted(number: int, one: str, many: str) -> str:
    """Write a number with the right noun."""
    return f"{number} {one if number == 1 else many}"
