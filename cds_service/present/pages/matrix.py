"""The criteria of one patient, a row each: verdict, whether it can change, values, the protocol's line, conventions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from cds_service.evaluation.explanation import remarks
from cds_service.evaluation.outcome import CriterionOutcome, TrialOutcome, Verdict
from cds_service.facts.fact import Evidence
from cds_service.facts.phrase import say
from cds_service.present.pages import words
from cds_service.present.pages.values import ShownValue, shown_value
from cds_service.present.safe_text import plain
from cds_service.present.speaker import Speaker
from cds_service.present.wording import MARK
from cds_service.trials.model import Kind

_SENTENCE: Final = 4_000
_VALUES: Final = 4


@dataclass(frozen=True)
class MatrixRow:
    """One criterion.

    Args:
        id: in the rule file.
        verdict: "pass", "fail" or "unknown"; a class of the style sheet.
        mark: its shape.
        word: the same in words, with what a person attested.
        change: whether later data or time can still change it, "" where that is plain.
        short: the criterion in short.
        text: the criterion as the protocol restated has it.
        exclusion: whether it rules out.
        values: what the record says, the deciding ones first.
        more: how many further records there are.
        why: for an unknown or an attested one, the sentence that explains it.
        remarks: what a person should know beside the values.
        until: the last day on which this verdict's data count, "" when time does not matter.
        lapsed: whether that day has passed.
        against: whether a person attested it as met though the record leans against it.
        lines: ids and words of the registry's lines that it encodes, as the rule file restates them.
        conventions: the choices made where the protocol's prose leaves them open.
    """

    id: str
    verdict: str
    mark: str
    word: str
    change: str
    short: str
    text: str
    exclusion: bool
    values: Sequence[ShownValue]
    more: int
    why: str
    remarks: str
    until: str
    lapsed: bool
    against: bool
    lines: Sequence[tuple[str, str]]
    conventions: Sequence[str]


def matrix(outcome: TrialOutcome, speaker: Speaker, today: date | None = None) -> tuple[MatrixRow, ...]:
    """Return the rows, in the rule file's order.

    Args:
        outcome: of the trial.
        speaker: of the page.
        today: the day it is read; None for the day of the judgement.
    """
    return tuple(_row(one, outcome, speaker, today) for one in outcome.criteria)


def _row(one: CriterionOutcome, outcome: TrialOutcome, speaker: Speaker, today: date | None) -> MatrixRow:
    criterion, trial = one.criterion, outcome.trial
    recorded = [evidence for evidence in one.evidence if evidence.value is not None or evidence.instead]
    unknown = one.verdict is Verdict.UNKNOWN
    return MatrixRow(
        id=criterion.id,
        verdict=one.verdict.value,
        mark=MARK[one.verdict],
        word=verdict_word(one, speaker),
        change=_change(one, speaker),
        short=plain(speaker.rules(criterion.short), 400),
        text=plain(speaker.rules(criterion.text), _SENTENCE),
        exclusion=criterion.kind is Kind.EXCLUSION,
        values=[shown_value(evidence, speaker, test_of(evidence, one, speaker)) for evidence in recorded[:_VALUES]],
        more=max(len(recorded) - _VALUES, 0),
        why=sentence(one, speaker) if unknown or one.attested or not recorded else "",
        remarks="" if unknown else speaker.joined(said for fact in one.facts.values() for said in remarks(fact)),
        until=speaker.day(one.until, year=False) if one.until and not unknown else "",
        lapsed=one.until is not None and today is not None and one.until < today and not unknown,
        against=one.attested is not None and one.against,
        lines=[(line, plain(speaker.rules(trial.lines.get(line, "")), 400)) for line in criterion.source],
        conventions=[plain(speaker.rules(trial.conventions[name]), _SENTENCE) for name in criterion.conventions],
    )


def verdict_word(one: CriterionOutcome, speaker: Speaker) -> str:
    """Say the verdict, and whether a person gave it."""
    word = words.VERDICT[one.verdict]
    return speaker.t(say("{verdict}, attested", verdict=word) if one.attested else word)


def sentence(one: CriterionOutcome, speaker: Speaker) -> str:
    """Say why, without the criterion's own name before it."""
    said, short = speaker.said(one.message), speaker.rules(one.criterion.short)
    rest = said.removeprefix(short).lstrip(":： ") if said.startswith(short) else said
    return plain(rest or said, _SENTENCE)


def test_of(evidence: Evidence, one: CriterionOutcome, speaker: Speaker) -> str:
    """Name the test of a value where a criterion reads several; "" elsewhere."""
    if len(one.tests) < 2:
        return ""
    names = (one.tests.get(fact.name, "") for fact in one.facts.values() if evidence in fact.evidence)
    return speaker.said(next(names, ""))


def _change(one: CriterionOutcome, speaker: Speaker) -> str:
    if one.verdict is Verdict.UNKNOWN:
        return ""
    return speaker.t(say("can change") if one.state.can_change else say("for good"))
