"""What an override silences: its topic's trial for this patient, for as long as its reason says.

Every mute is worked out anew from the overrides and from what the record says now, so that there is nothing to expire.
The choices are argued in docs/adr/0013-feedback-mutes-a-trial.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from cds_service.evaluation.outcome import PatientOutcome, TrialOutcome
from cds_service.present.overrides import DECLINED, NOT_FIT, NOT_NOW, ON_A_TRIAL
from cds_service.present.speaking import not_checked
from cds_service.screening.marks import ORDERS, changed
from cds_service.store import Kind, Override


class Lifts(Enum):
    """Which change of the data ends a mute."""

    NOTHING = "none: it lasts until somebody takes it back"
    CRITERION = "of the criterion that the reason names"
    UNSETTLED = "of a criterion that did not pass when the card was sent"
    ANYTHING = "of any criterion"


@dataclass(frozen=True)
class Mute:
    """How long a reason silences a trial.

    Args:
        lifts: the change that ends it.
        days: when it ends in any case; None for never.
        kinds: the cards that fall silent; None for the kind that was overridden only, and of a warning about orders
            only one about the same orders.
        unchecked: whether the card "was not checked" falls silent too.
    """

    lifts: Lifts
    days: int | None = None
    kinds: frozenset[Kind] | None = frozenset(Kind)
    unchecked: bool = False

    def over(self, received: datetime, now: datetime) -> bool:
        """Say whether it ended with its days."""
        return self.days is not None and now >= received + timedelta(days=self.days)


# The patient's own decision: nothing in the record changes it.
_DECIDED: Final = Mute(Lifts.NOTHING, unchecked=True)
# A judgement about this patient: it holds as long as it is about the same data.
_JUDGED: Final = Mute(Lifts.ANYTHING)
_JUDGED_BY: Final = Mute(Lifts.CRITERION)
# Put off: two laboratory windows of the first trial are 14 days apart.
_LATER: Final = Mute(Lifts.UNSETTLED, 14, None)
# A click that says nothing: longer than a day, so that it counts, and shorter than a planned start of treatment.
_UNSAID: Final = Mute(Lifts.ANYTHING, 7, None)
# Only the moment was wrong.
_MOMENT: Final = Mute(Lifts.UNSETTLED, 1, None)

OWN_REASONS: Final = {DECLINED: _DECIDED, ON_A_TRIAL: _DECIDED, NOT_NOW: _LATER}
# Source: CDS Hooks 3.0.0-ballot, CodeSystem non-adherence-reason-codes: all of its codes; None silences nothing.
HL7_REASONS: Final[dict[str, Mute | None]] = {
    "cds-not-applicable": _JUDGED,
    "patient-ineligible": _JUDGED,
    "indication-order-exists": _LATER,
    "action-completed": _LATER,
    "action-unsuccessful": _JUDGED,
    "action-performed-no-adverse-effect": _JUDGED,
    "action-not-priority": _LATER,
    "cds-suboptimal-context": _MOMENT,
    "limited-time": _MOMENT,
    "wrong-time-workflow": _MOMENT,
    "inappropriate-recipient": None,  # the right recipient has not seen it
    "need-more-info": _LATER,
    "recipient-disagrees-evidence": _JUDGED,
    "does-not-align-latest-evidence": _JUDGED,
    "expert-contradicts": _JUDGED,
    "policy-contradicts": _JUDGED,
    "recipient-does-not-trust": _JUDGED,
    "recipient-concerns-outcomes": _JUDGED,
    "risk-benefit-ratio": _JUDGED,
    "mitigate-risk-negative-outcome": _JUDGED,
    "likely-negative-health-outcomes": _JUDGED,
    "patient-contraindication": _JUDGED,
    "does-not-align-preferences": _DECIDED,
    "patient-fears-discomfort": _DECIDED,
    "patient-does-not-want-change": _DECIDED,
    "cultural-religious-reason": _DECIDED,
    "prefers-alternative": _DECIDED,
    "patient-refuses": _DECIDED,
    "not-convenient-feasible": _JUDGED,
    "inadequate-support": _JUDGED,
    "service-not-available": _JUDGED,
    "implementation-challenges": _MOMENT,
    "too-costly-uncovered": _JUDGED,
    "recipient-does-not-understand": _MOMENT,
    "comorbidity-disability": _JUDGED,
}


def mute_of(reason: str) -> Mute | None:
    """Return how long a reason silences; None for not at all.

    Args:
        reason: as kept: a code of ours or of HL7, or anything else, which says as little as no reason.
    """
    if reason.startswith(NOT_FIT):
        return _JUDGED_BY
    if reason in HL7_REASONS:
        return HL7_REASONS[reason]
    return OWN_REASONS.get(reason, _UNSAID)


def silent_trials(
    overrides: Iterable[Override],
    outcome: PatientOutcome,
    ordered: Mapping[str, Sequence[str]],
    kind: Kind,
    now: datetime,
) -> frozenset[str]:
    """Return the ids of the trials that say nothing now.

    Args:
        overrides: that speak about the patient, the oldest first.
        outcome: of all trials, as the record stands.
        ordered: marks of the draft orders that matter to a trial, by its id.
        kind: what the cards would be about.
        now: the present instant.
    """
    trials = {one.trial.id: one for one in outcome.trials}
    # Said again, a reason is about the newer data.
    newest = {
        (one.card.trial, one.card.kind, one.reason, *one.card.marks.get(ORDERS, ())): one
        for one in overrides
        if one.card.trial in trials
    }
    return frozenset(
        one.card.trial
        for one in newest.values()
        if _silences(one, trials[one.card.trial], ordered.get(one.card.trial, ()), kind, now)
    )


def _silences(override: Override, outcome: TrialOutcome, orders: Sequence[str], kind: Kind, now: datetime) -> bool:
    mute = mute_of(override.reason)
    if mute is None or mute.over(override.received, now):
        return False
    if kind not in (mute.kinds or {override.card.kind}) or (not_checked(outcome) and not mute.unchecked):
        return False
    if mute.kinds is None and not set(orders) <= set(override.card.marks.get(ORDERS, ())):
        return False  # put off for some orders; these are others
    return not changed(override.card.marks, outcome, override.card.patient, _watched(mute, override, outcome))


def _watched(mute: Mute, override: Override, outcome: TrialOutcome) -> frozenset[str]:
    """Return the criteria whose change ends a mute."""
    match mute.lifts:
        case Lifts.NOTHING:
            return frozenset()
        case Lifts.CRITERION:
            return frozenset([override.reason.removeprefix(NOT_FIT)])
        case Lifts.UNSETTLED:
            return frozenset(override.card.unsettled)
        case Lifts.ANYTHING:
            return (frozenset(override.card.marks) - {ORDERS}) | {one.criterion.id for one in outcome.criteria}
