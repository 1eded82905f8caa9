"""Every word that people read, in one place. Never "eligible": people decide."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from functools import reduce
from typing import Final

from cds_service.evaluation.outcome import Status, Verdict
from cds_service.facts import shown
from cds_service.facts.fact import Evidence, Reason
from cds_service.facts.phrase import say

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
# Shorter: a cell of a list or a page, not a sentence.
STATUS_IN_SHORT: Final = {
    Status.CANDIDATE: say("candidate, for review"),
    Status.NEEDS_DATA: say("needs data"),
    Status.NOT_NOW: say("not now"),
    Status.EXCLUDED: say("cannot enter"),
}
VERDICT: Final = {Verdict.PASS: say("pass"), Verdict.FAIL: say("fail"), Verdict.UNKNOWN: say("unknown")}
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
REGISTRY: Final = say("Registry record")
CONFIRM: Final = say("For you to confirm")
MISSING: Final = say("What decides")
UNREAD: Final = say("Could not be read")
NOTHING_SAID: Final = say("This says nothing about the patient. Open the chart again, or check by hand.")
ORDERED: Final = say("In this order")
ALL_ORDERED: Final = say("In these orders")
BROKEN: Final = say("What would break")
ALONE: Final = say("As the record stands")
AN_ORDER: Final = say("an order")
WHOM_TO_CALL: Final = say(
    "If the trial may be wanted, call its team (see the registry record) before signing. "
    "For a patient who is already in the trial this does not apply. Nothing is blocked."
)
OWN_TREATMENT: Final = say("The trial begins with treatment of this kind:")


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


def age(evidence: Evidence, as_of: date) -> str:
    """Say how old a value is: "19 days ago"; "" when its day is not known."""
    try:
        days = (as_of - date.fromisoformat(evidence.date or "")).days
    except ValueError:
        return ""
    return {0: say("today"), 1: say("yesterday")}.get(days, say("{days} days ago", days=days))


def listed(names: Iterable[str]) -> str:
    """Join names: "a", "a and b", "a, b and c"."""
    *most, last = list(names) or [""]
    first = enumerated(dict.fromkeys(most))
    return say("{names} and {last}", names=first, last=last) if first not in ("", last) else last


def either(names: Iterable[str]) -> str:
    """Join names any of which will do: "a or b"."""
    return reduce(lambda one, other: say("{names} or {last}", names=one, last=other), names)


def enumerated(names: Iterable[str]) -> str:
    """Join names by commas, "" for none; Chinese has a sign of its own between the things of a list."""
    row: list[str] = list(names)
    return reduce(lambda one, other: say("{names}, {next}", names=one, next=other), row) if row else ""
