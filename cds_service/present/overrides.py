"""The reasons that a card offers for setting it aside: a few of HL7's own, and what only a trial's card can ask.

Source of HL7's codes: CDS Hooks 3.0.0-ballot, CodeSystem non-adherence-reason-codes, with its displays.
"""

from __future__ import annotations

from typing import Final

from cds_service.evaluation.outcome import TrialOutcome
from cds_service.facts.phrase import say
from cds_service.present.safe_text import plain
from cds_service.present.speaker import ENGLISH, Speaker

HL7: Final = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
OWN: Final = "urn:cds-service:override-reason"

DECLINED: Final = "declined"
ON_A_TRIAL: Final = "on-a-trial"
NOT_NOW: Final = "not-now"
NOT_FIT: Final = "not-fit."  # and the criterion's id behind it

# More than this nobody reads; what is left over is "does not meet eligibility".
MOST_CRITERIA: Final = 8
_FIRST: Final = (
    (OWN, DECLINED, say("Patient declined the trial")),
    (OWN, ON_A_TRIAL, say("Already on a trial")),
)
_LAST: Final = (
    (HL7, "patient-ineligible", say("Patient does not meet eligibility for recommended action")),
    (OWN, NOT_NOW, say("Not now: ask again later")),
    (HL7, "action-completed", say("Recommended action was already completed")),
    (HL7, "inappropriate-recipient", say("PC CDS delivered to inappropriate recipient/role")),
)


def reason_words(code: str) -> str:
    """Return what people read for a reason that a card offers; any other code, such as the rest of HL7's, as it is."""
    if code.startswith(NOT_FIT):
        return say("Known not to fit: {criterion}", criterion=code.removeprefix(NOT_FIT))
    return next((display for _system, own, display in (*_FIRST, *_LAST) if own == code), code)


def override_reasons(outcome: TrialOutcome, speaker: Speaker = ENGLISH) -> list[dict[str, str]]:
    """Return the reasons to offer on a card about a trial, as CDS Hooks Codings.

    Args:
        outcome: of the card's trial; each criterion that is not settled may be the one that is known not to fit.
        speaker: in whose language; the codes are the same in all, so feedback works across them.
    """
    shorts = {one.criterion.id: one.criterion.short for one in outcome.criteria}
    open_ones = [*outcome.to_confirm, *(name for one in outcome.decisive for name in one.criteria)]
    named = [name for name in dict.fromkeys(open_ones) if name in shorts][:MOST_CRITERIA]
    said = {name: plain(speaker.rules(shorts[name]), 120) for name in named}
    known = [(OWN, f"{NOT_FIT}{name}", say("Known not to fit: {criterion}", criterion=said[name])) for name in named]
    return [
        {"code": code, "system": system, "display": speaker.said(display)}
        for system, code, display in (*_FIRST, *known, *_LAST)
    ]
