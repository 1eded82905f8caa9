"""Shapes and words of the pages: a state is told by both, and colour only helps. Never "eligible": people decide."""

from __future__ import annotations

from datetime import date
from typing import Final

from cds_service.evaluation.outcome import Status
from cds_service.facts import shown
from cds_service.facts.phrase import Phrase, say
from cds_service.present.wording import STATUS_IN_SHORT, VERDICT

STATUS_MARK: Final = {
    Status.CANDIDATE: "◆",
    Status.NEEDS_DATA: "◐",
    Status.NOT_NOW: "◇",
    Status.EXCLUDED: "⊘",
}
# A candidate whose results no longer count: neither a filled diamond nor an empty one.
LAPSED: Final = "lapsed"
LAPSED_MARK: Final = "◈"
STATUS: Final = STATUS_IN_SHORT
# What people set; the words of the store's states.
STATES: Final[dict[str, Phrase]] = {
    "new": say("new"),
    "reviewing": say("in review"),
    "contacted": say("contacted"),
    "consented": say("consented"),
    "enrolled": say("enrolled"),
    "declined": say("declined by the patient"),
    "not-suitable": say("not suitable"),
}
GENDER: Final[dict[str, Phrase]] = {
    "male": say("male"),
    "female": say("female"),
    "other": say("other"),
    "unknown": say("not known"),
}
SETTLED_BY: Final[dict[str, Phrase]] = {
    "lab": say("laboratory test"),
    "measurement": say("measurement"),
    "pathology": say("pathology report"),
    "imaging": say("imaging report"),
    "question": say("a question to the team or the patient"),
    "access": say("reading the record again"),
}
ALL_READ: Final = say("not all of the record could be read")

__all__ = [
    "ALL_READ",
    "GENDER",
    "LAPSED",
    "LAPSED_MARK",
    "SETTLED_BY",
    "STATES",
    "STATUS",
    "STATUS_MARK",
    "VERDICT",
    "candidate_as_of",
    "lapsed_after",
    "look_again",
]


def candidate_as_of(day: str) -> str:
    """Say of whom that was a candidate once."""
    return say("candidate as of {day}", day=day)


def lapsed_after(day: str) -> str:
    """Say that results no longer count."""
    return say("results lapsed after {day}", day=day)


def look_again(day: date, today: date | None) -> str:
    """Say when "not now" may turn, or that the day has come."""
    if today is not None and day <= today:
        return say("look again since {day}", day=shown.day(day))
    return say("look again from {day}", day=shown.day(day))
