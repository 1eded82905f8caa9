"""What draft orders would do to a patient's trials: a value, made by judging the record without and with them."""

from __future__ import annotations

from dataclasses import dataclass

from cds_service.evaluation.outcome import CriterionOutcome, PatientOutcome, TrialOutcome
from cds_service.logic.truth import State


@dataclass(frozen=True)
class Effect:
    """What some orders would do to one trial.

    Args:
        before: the trial's outcome on the record as it stands.
        after: the same with the orders taken as given.
        orders: what the orders are called, as recorded.
        more: how many further ones there are that were not looked at one by one.
    """

    before: TrialOutcome
    after: TrialOutcome
    orders: tuple[str, ...]
    more: int = 0

    @property
    def broken(self) -> tuple[CriterionOutcome, ...]:
        """The criteria that the orders would make fail for good; a trial that is open has none that do already."""
        return tuple(one for one in self.after.criteria if one.state is State.FALSE_FOR_GOOD)


@dataclass(frozen=True)
class OrdersOutcome:
    """The answer to an order hook.

    Args:
        patient: all trials on the record as it stands.
        conflicts: trials that the orders would close for a possible candidate.
        inductions: trials whose own first treatment is being ordered.
        unchecked: ids of trials that the orders may matter to, if only the record could be read.
    """

    patient: PatientOutcome
    conflicts: tuple[Effect, ...] = ()
    inductions: tuple[Effect, ...] = ()
    unchecked: frozenset[str] = frozenset()
