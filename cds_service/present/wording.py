"""Every word that people read, in one place. Never "eligible": people decide."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from cds_service.evaluation.outcome import Status, Verdict
from cds_service.facts import shown
from cds_service.facts.fact import Evidence, Reason
from cds_service.facts.phrase import joined, say

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
ORDERED: Final = "In this order"
ALL_ORDERED: Final = "In these orders"
BROKEN: Final = "What would break"
ALONE: Final = "As the record stands"
AN_ORDER: Final = "an order"
WHOM_TO_CALL: Final = (
    "If the trial may be wanted, call its team (see the registry record) before signing. "
    "For a patient who is already in the trial this does not apply. Nothing is blocked."
)
OWN_TREATMENT: Final = "The trial begins with treatment of this kind:"


day: Final = shown.day


def amount(evidence: Evidence) -> str:
    """Write a value as recorded with its unit as printed, or what people read instead.

    >>> amount(Evidence("Observation/1", Decimal("12.10"), "g/dL"))
    '12.10 g/dL'
    """
    value = format(evidence.value, "f") if isinstance(evidence.value, Decimal) else evidence.value
    return evidence.instead or " ".join(
        str(part) for part in (value, shown.unit(evidence.unit)) if part not in (None, "")
    )


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
