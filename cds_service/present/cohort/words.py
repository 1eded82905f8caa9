"""The words of lists, tables and the page of a run, in one place. Never "eligible": people decide."""

from __future__ import annotations

from typing import Final

from cds_service.evaluation.outcome import Verdict
from cds_service.facts.phrase import Translate, in_language, say
from cds_service.present.wording import STATUS_IN_SHORT, VERDICT

STATUS: Final = STATUS_IN_SHORT
VERDICT_ORDER: Final = (Verdict.PASS, Verdict.UNKNOWN, Verdict.FAIL)

RANK: Final = say("Rank")
TRIAL: Final = say("Trial")
PATIENT: Final = say("Patient")
STATUS_HEADING: Final = say("Status")
GATE: Final = say("Moment of the protocol")
DECISIVE: Final = say("Missing data that decide")
AGAINST: Final = say("What stands against")
CONFIRM: Final = say("To confirm")
UNTIL: Final = say("Results count until")
LOOK_AGAIN: Final = say("Look again from")
DECIDED: Final = say("Criteria decided")
TOTAL: Final = say("of criteria")
EXCLUSIONS: Final = say("Exclusion criteria")
ENCODED: Final = {"encoded": say("encoded"), "not-published": say("not encoded")}

ABOUT: Final = say("About")
TITLE: Final = say("Prescreening")
AS_OF: Final = say("Judged as of")
ANCHOR: Final = say("Planned first dose")
SITE: Final = say("Site")
SOURCE: Final = say("Source")
RULES: Final = say("Rules")
COUNT: Final = {
    "patients": say("patients"),
    "resources": say("records"),
    "used": say("records used"),
    "not_needed": say("records not needed"),
    "quarantined": say("records that could not be read"),
    "unassigned": say("records that are of no patient"),
    "without_patient": say("records whose patient is not in the source"),
    "judged": say("patients judged"),
}
UNJUDGED: Final = say("patients who could not be judged")
NOT_READ: Final = say("Not read completely")
CONFIDENTIAL: Final = say("Contains personal health data.")
FOR_REVIEW: Final = say("For review by people: nobody is enrolled or ruled out by this list.")
FUNNEL: Final = say("Funnel")
STEP: Final = say("Step")
ENTERED: Final = say("Patients at this step")
NOBODY: Final = say("Nobody.")

TRIALS: Final = say("Trials")
RUN: Final = say("This run")
WITHOUT: Final = say("Outside the trial's population")
UNSURE: Final = say("Not known whether in the trial's population")
UNSURE_NOTE: Final = say(
    "Whether these patients are of the kind that the trial is about is not known. They are in no ranking."
)
LIST: Final = say("Ranked list")
LIST_NOTE: Final = say(
    "Candidates, the soonest to lapse first; those who need data, the least missing first; not now, by the day it may "
    "turn; those who cannot enter. Only patients in the trial's population."
)
MATRIX: Final = say("Criteria, patient by patient")
NOT_ASKED: Final = say("not asked at this moment")
FUNNEL_NOTE: Final = say(
    "After the first step only those who pass it go on; at the criteria all who do not fail go on: "
    "an unknown loses nobody. The bar of the first step has a scale of its own."
)
DISTRIBUTION: Final = say("As a bar")
DAY: Final = say("Day to watch")


def verdict(one: Verdict, translate: Translate) -> str:
    """Say a verdict in a cell; the text report pads the same word."""
    return in_language(VERDICT[one], translate).strip()


def rest(number: int) -> str:
    """Say that a sheet does not hold all rows."""
    return say("The first {number} rows are here; the CSV file has all.", number=number)


def first_of(number: int, total: int) -> str:
    """Say that a list on the page is not whole."""
    return say(
        "The first {number} of {total} are shown here; the other files of the run have all.", number=number, total=total
    )


def until(day: str) -> str:
    """Say how long a candidate's results count."""
    return say("results count until {day}", day=day)


def again(day: str) -> str:
    """Say when "not now" may turn."""
    return say("look again from {day}", day=day)


def funnel_of(gate: str) -> str:
    """Name a funnel."""
    return say("Funnel, {gate}", gate=gate)
