"""A criterion's marks: hashes of its verdict and of each record behind it, to tell later whether the data changed.

Time alone changes nothing: as results grow too old, what a verdict rests on only shrinks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from cds_service.evaluation.effect import Effect
from cds_service.evaluation.outcome import CriterionOutcome, TrialOutcome, Verdict
from cds_service.facts.fact import Evidence, Missing, Reason
from cds_service.store import key_of

ORDERS: Final = "draft orders"  # their place among the marks of a card; no id of a criterion holds a blank
_LENGTH: Final = 12  # 48 bits: only ever compared with the marks of the same criterion of the same patient


def marks_of(outcome: TrialOutcome, patient: str) -> dict[str, list[str]]:
    """Return the marks of each criterion of the gate: its verdict's first, then those of its records.

    Args:
        outcome: of a trial.
        patient: key of the patient. It goes into each mark, so that equal values of two patients do not look equal.
    """
    return {one.criterion.id: _marks(one, patient) for one in outcome.criteria}


def order_marks(effect: Effect, patient: str) -> list[str]:
    """Return a mark for each order that a card is about; the same order has the same mark when it is signed.

    Args:
        effect: of the orders on a trial.
        patient: key of the patient, see :func:`marks_of`.
    """
    names = [*effect.orders, *([f"and {effect.more} more"] if effect.more else ())]
    return sorted({key_of("order", patient, str(bool(effect.more)), name)[:_LENGTH] for name in names})


def unsettled(outcome: TrialOutcome) -> list[str]:
    """Return the ids of the criteria that do not pass."""
    return [one.criterion.id for one in outcome.criteria if one.verdict is not Verdict.PASS]


def changed(before: Mapping[str, Sequence[str]], outcome: TrialOutcome, patient: str, among: frozenset[str]) -> bool:
    """Say whether the data behind some criteria are not what they were.

    Args:
        before: the marks of then.
        outcome: of now.
        patient: key of the patient.
        among: ids of the criteria to compare; one that the gate has no more, or had not then, has changed.
    """
    now = {one.criterion.id: one for one in outcome.criteria}
    return any(name not in now or name not in before or _differs(before[name], now[name], patient) for name in among)


def _differs(before: Sequence[str], outcome: CriterionOutcome, patient: str) -> bool:
    verdict, *records = _marks(outcome, patient)
    why = {one.reason for one in _missing(outcome)}
    if Reason.NOT_FETCHED in why:
        return False  # the same data are there, unseen
    if Reason.STALE in why:
        return not set(records) <= set(before[1:])
    return [verdict, *records] != list(before)


def _missing(outcome: CriterionOutcome) -> list[Missing]:
    return [*outcome.reasons, *(one for fact in outcome.facts.values() for one in fact.missing)]


def _marks(outcome: CriterionOutcome, patient: str) -> list[str]:
    # All that its facts rest on, not only what decided: when one result grows too old, another comes to decide.
    records = {*outcome.evidence, *(one for fact in outcome.facts.values() for one in fact.evidence)}
    salt = ("mark", patient, outcome.criterion.id)
    seen = sorted({key_of(*salt, *_seen(one))[:_LENGTH] for one in records})
    return [key_of(*salt, outcome.verdict.value)[:_LENGTH], *seen]


def _seen(evidence: Evidence) -> tuple[str, ...]:
    if evidence.resource.startswith("Patient/"):
        return (evidence.resource,)  # an age is another every day; what comes of it shows in the verdict
    value = evidence.value
    number = format(value.normalize(), "f") if isinstance(value, Decimal) else value or ""  # 12.10 is 12.1
    return evidence.resource, number, evidence.unit or "", evidence.date or ""
