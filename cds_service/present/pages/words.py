"""Shapes and words of the pages: a state is told by both, and colour only helps. Never "eligible": people decide."""

from __future__ import annotations

from typing import Final

from cds_service.evaluation.outcome import Status, Verdict
from cds_service.facts.phrase import Phrase, say

STATUS_MARK: Final = {
    Status.CANDIDATE: "◆",
    Status.NEEDS_DATA: "◐",
    Status.NOT_NOW: "◇",
    Status.EXCLUDED: "⊘",
}
STATUS: Final = {
    Status.CANDIDATE: say("candidate, for review"),
    Status.NEEDS_DATA: say("needs data"),
    Status.NOT_NOW: say("not now"),
    Status.EXCLUDED: say("cannot enter"),
}
VERDICT: Final = {Verdict.PASS: say("pass"), Verdict.FAIL: say("fail"), Verdict.UNKNOWN: say("unknown")}
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
