"""What a patient is judged by, and one patient screened from a Bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol, TypedDict, Unpack

from cds_service.evaluation.attested import Attestation
from cds_service.evaluation.outcome import PatientOutcome
from cds_service.facts.record import Record
from cds_service.gather.bundle import read_bundle
from cds_service.gather.plan import Plan
from cds_service.trials.model import Library


class Asked(TypedDict, total=False):
    """What a judgement may be asked for besides the day: see :func:`cds_service.evaluation.judge.judge`."""

    anchor: date | None
    trials: Sequence[str] | None
    attested: Sequence[Attestation]


class Judge(Protocol):
    """Judges a record: :func:`cds_service.evaluation.judge.judge`."""

    def __call__(self, record: Record, library: Library, *, as_of: date, **asked: Unpack[Asked]) -> PatientOutcome:
        """Return what the rules say of the record."""


@dataclass(frozen=True)
class Rules:
    """What is judged by, and so what is read.

    Args:
        library: trials, facts and value sets.
        plan: the reading that they need.
        judge: the evaluation.
    """

    library: Library
    plan: Plan
    judge: Judge


def screen_bundle(
    rules: Rules, body: Any, *, as_of: date, anchor: date | None = None, trials: Sequence[str] | None = None
) -> PatientOutcome:
    """Screen the patient whose whole record is a Bundle.

    Args:
        rules: what to judge by.
        body: parsed JSON of any shape.
        as_of: the day of the judgement; nothing dated later is used.
        anchor: the planned first dose, where laboratory windows end; not before ``as_of``.
        trials: registry numbers; None for all.

    Raises:
        RequestError: the Bundle, the anchor or a trial id is wrong.
    """
    return rules.judge(read_bundle(body), rules.library, as_of=as_of, anchor=anchor, trials=trials)
