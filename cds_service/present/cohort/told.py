"""One patient of a list, in words: what decides, what stands against, what people must confirm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from cds_service.evaluation.outcome import CriterionOutcome, Status, Verdict
from cds_service.facts.phrase import Translate, in_language, joined, say, words_of_rules
from cds_service.present import wording
from cds_service.present.cohort import words
from cds_service.present.cohort.lists import Row
from cds_service.present.report import Report
from cds_service.present.safe_text import plain

Name = Callable[[str], str]
"""What a list calls a patient: the reference itself, or a pseudonym."""


@dataclass(frozen=True)
class Told:
    """A row, said.

    Args:
        number: the rank; None for a patient whose trigger is not known.
        patient: what the list calls the patient.
        status: as in the contract.
        status_words: for people.
        gate: for people.
        decisive: a sentence for each missing fact that decides.
        against: a sentence for each criterion that fails, and for what excludes apart from criteria.
        confirm: a line for each criterion that only a person can settle.
        until: the last day on which a candidate's results count.
        look_again: when "not now" may turn.
        decided: how many criteria were decided.
        total: how many there are.
        verdicts: by criterion.
    """

    number: int | None
    patient: str
    status: Status
    status_words: str
    gate: str
    decisive: tuple[str, ...]
    against: tuple[str, ...]
    confirm: tuple[str, ...]
    until: date | None
    look_again: date | None
    decided: int
    total: int
    verdicts: Mapping[str, Verdict]


def tell(row: Row, translate: Translate, name: Name) -> Told:
    """Say a row.

    Args:
        row: of a list.
        translate: into the reader's language.
        name: what the patient is called.
    """
    outcome, report = row.outcome, Report(row.patient, translate)
    blocked = (in_language(wording.BLOCKED.get(cause, plain(cause)), translate) for cause in outcome.blocked)
    failing = (report.named(one) for one in outcome.criteria if one.verdict is Verdict.FAIL)
    return Told(
        number=row.number,
        patient=plain(name(row.patient.patient)),
        status=outcome.status,
        status_words=in_language(words.STATUS[outcome.status], translate),
        gate=in_language(words_of_rules(outcome.trial.gate(outcome.gate).label), translate),
        decisive=tuple(report.missing(one, outcome) for one in outcome.decisive),
        against=(*blocked, *failing),
        confirm=tuple(_confirm(outcome.of(one), translate) for one in outcome.to_confirm),
        until=outcome.until if outcome.status is Status.CANDIDATE else None,
        look_again=outcome.look_again,
        decided=outcome.decided,
        total=len(outcome.criteria),
        verdicts={one.criterion.id: one.verdict for one in outcome.criteria},
    )


def _confirm(one: CriterionOutcome, translate: Translate) -> str:
    short: str = words_of_rules(one.criterion.short)
    if one.against:
        short = say("{sentence} (the record leans against it)", sentence=short)
    return in_language(short, translate)


def in_a_row(parts: tuple[str, ...], translate: Translate) -> str:
    """Return sentences of a cell one after the other."""
    return in_language(joined(parts), translate)
