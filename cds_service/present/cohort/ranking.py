"""Who is looked at first: a total order of the patients whose trigger passes, whatever order they came in."""

from __future__ import annotations

from datetime import date
from typing import Final, NamedTuple

from cds_service.evaluation.judge import COST
from cds_service.evaluation.outcome import Status, TrialOutcome, Verdict
from cds_service.present.speaking import leaning_fail

_ORDER: Final = (Status.CANDIDATE, Status.NEEDS_DATA, Status.NOT_NOW, Status.EXCLUDED)


class Rank(NamedTuple):
    """A place in the list of a trial; the smaller is looked at first.

    Args:
        status: candidates, then those who need data, then not now, then excluded.
        doubts: for a candidate, how many criteria to confirm lean to fail: such a one comes after all the others.
        missing: how many facts decide.
        costs: of those facts, the cheapest to settle first.
        day: when a candidate's first laboratory result lapses, or when "not now" may turn; the last day for neither.
        patient: settles what is left.
    """

    status: int
    doubts: int
    missing: int
    costs: tuple[int, ...]
    day: date
    patient: str


def rank_of(outcome: TrialOutcome, patient: str) -> Rank:
    """Return a patient's place.

    Args:
        outcome: of the trial.
        patient: the reference.
    """
    candidate = outcome.status is Status.CANDIDATE
    day = outcome.until if candidate else outcome.look_again if outcome.status is Status.NOT_NOW else None
    return Rank(
        _ORDER.index(outcome.status),
        len(leaning_fail(outcome)) if candidate else 0,
        len(outcome.decisive),
        tuple(sorted(COST.index(one.ask.kind) for one in outcome.decisive)),
        day or date.max,
        patient,
    )


def trigger_of(outcome: TrialOutcome) -> Verdict:
    """Return the verdict of a trial's trigger, of all of them where it has several."""
    found = {one.verdict for one in outcome.criteria if one.criterion.trigger}
    return next((verdict for verdict in (Verdict.FAIL, Verdict.UNKNOWN) if verdict in found), Verdict.PASS)
