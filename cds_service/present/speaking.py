"""Who gets a card: silence unless it can change what happens today.

Source: the eligibility contract, section 4, "What the chart is told".
"""

from __future__ import annotations

from dataclasses import dataclass

from cds_service.evaluation.outcome import DECEASED, CriterionOutcome, PatientOutcome, Status, TrialOutcome, Verdict
from cds_service.facts.fact import Reason


@dataclass(frozen=True)
class Speaking:
    """What an answer says.

    Args:
        candidates: trials that speak, the best first.
        unchecked: trials whose trigger could not be read.
    """

    candidates: tuple[TrialOutcome, ...]
    unchecked: tuple[TrialOutcome, ...]


def who_speaks(outcome: PatientOutcome) -> Speaking:
    """Choose the trials that say something in the chart; one whose rules nobody signed off is silent.

    Args:
        outcome: of all trials.
    """
    heard = [one for one in outcome.trials if one.trial.speaks]
    unchecked = [one for one in heard if not_checked(one)]
    candidates = [one for one in heard if not not_checked(one) and speaks(one)]
    return Speaking(tuple(sorted(candidates, key=rank)), tuple(unchecked))


def not_checked(outcome: TrialOutcome) -> bool:
    """Say whether the trigger is unknown because its data could not be read."""
    return any(
        one.verdict is Verdict.UNKNOWN and any(missing.reason is Reason.NOT_FETCHED for missing in one.reasons)
        for one in _triggers(outcome)
    ) and not any(one.verdict is Verdict.FAIL for one in _triggers(outcome))


def speaks(outcome: TrialOutcome) -> bool:
    """Say whether a trial has something to tell: the trigger passes, and nothing rules the patient out."""
    triggers = _triggers(outcome)
    if not triggers or any(one.verdict is not Verdict.PASS for one in triggers):
        return False
    if outcome.status is Status.CANDIDATE:
        return True
    if any(one.fact == DECEASED for one in outcome.decisive):
        return False  # no card about somebody who may have died; the coordinator's list asks
    return outcome.status is Status.NEEDS_DATA and sign(outcome)


def rank(outcome: TrialOutcome) -> tuple[int, int, int, int, str]:
    """Sort the best trial first: candidates, those without a leaning to fail, then the least missing."""
    return (
        0 if outcome.status is Status.CANDIDATE else 1,
        len(leaning_fail(outcome)),
        len(outcome.decisive),
        len(outcome.criteria) - outcome.decided,
        outcome.trial.id,
    )


def leaning_fail(outcome: TrialOutcome) -> list[CriterionOutcome]:
    """Return the criteria to confirm whose evidence leans to fail, then what was attested against the record."""
    still = [one for one in map(outcome.of, outcome.to_confirm) if one.leaning is Verdict.FAIL]
    return still + [one for one in outcome.criteria if one.attested and one.against]


def _triggers(outcome: TrialOutcome) -> list[CriterionOutcome]:
    return [one for one in outcome.criteria if one.criterion.trigger]


def sign(outcome: TrialOutcome) -> bool:
    """Say whether the record holds a sign of what the trial is about, such as distant spread."""
    signs = [one for one in outcome.criteria if one.criterion.sign]
    if not signs:
        return True  # a trial without a sign has no bare case to keep silent about
    return any(
        one.verdict is Verdict.PASS
        or (one.verdict is Verdict.UNKNOWN and any(m.reason is not Reason.NO_RECORD for m in one.reasons))
        for one in signs
    )
