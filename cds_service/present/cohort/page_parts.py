"""What stands in the page of a run, trial by trial, said and measured; the template only places it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cds_service.evaluation.outcome import Status, Verdict
from cds_service.facts import shown
from cds_service.facts.phrase import Translate, in_language, words_of_rules
from cds_service.present.cohort import words
from cds_service.present.cohort.funnel import Funnel, Step
from cds_service.present.cohort.lists import Cohort, TrialList
from cds_service.present.cohort.told import Name, Told, tell
from cds_service.present.safe_text import plain
from cds_service.present.wording import MARK

BAR_WIDTH: Final = 320


@dataclass(frozen=True)
class Key:
    """A verdict as a class of the style sheet, with its word."""

    verdict: str
    word: str


@dataclass(frozen=True)
class Summary:
    """A trial's line at the top.

    Args:
        trial: registry number.
        title: for people.
        anchor: where its section is; "" for none.
        numbers: patients by status, then with the trigger unknown, then with the trigger failing.
        exclusions: "encoded" or "not encoded", for people.
    """

    trial: str
    title: str
    anchor: str
    numbers: Sequence[int]
    exclusions: str


@dataclass(frozen=True)
class Cell:
    """A verdict by shape and word; its class gives it a colour besides."""

    verdict: str
    mark: str
    word: str


@dataclass(frozen=True)
class ShownRow:
    """A patient in the list and in the matrix."""

    told: Told
    day: str
    cells: Sequence[Cell | None]


@dataclass(frozen=True)
class Part:
    """A piece of a bar."""

    verdict: str
    x: str
    width: str


@dataclass(frozen=True)
class ShownStep:
    """A step of a funnel: patients at it, pass, unknown, fail, and the same as a bar."""

    label: str
    numbers: Sequence[int]
    bar: Sequence[Part]


@dataclass(frozen=True)
class ShownFunnel:
    """A funnel with its heading."""

    heading: str
    steps: Sequence[ShownStep]


@dataclass(frozen=True)
class Section:
    """All that the page says of a trial; ``cut`` says which rows are left out, "" for none."""

    trial: str
    title: str
    anchor: str
    exclusions: str
    criteria: Sequence[str]
    rows: Sequence[ShownRow]
    cut: str
    unsure: Sequence[Told]
    unsure_cut: str
    funnels: Sequence[ShownFunnel]


def summary(one: TrialList, anchor: str, translate: Translate) -> Summary:
    """Return a trial's line."""
    counts = [sum(funnel.statuses[status] for funnel in one.funnels) for status in Status]
    triggers = [funnel.steps[0] for funnel in one.funnels]
    counts += [sum(step.unknown for step in triggers), sum(step.failed for step in triggers)]
    return Summary(plain(one.trial.id), _title(one, translate), anchor, counts, _exclusions(one, translate))


def sections(
    cohort: Cohort, anchors: Mapping[str, str], translate: Translate, name: Name, most: int
) -> Iterator[Section]:
    """Yield the sections of trials that have anybody listed."""
    for one in cohort.lists:
        if one.trial.id not in anchors:
            continue
        yield Section(
            trial=plain(one.trial.id),
            title=_title(one, translate),
            anchor=anchors[one.trial.id],
            exclusions=_exclusions(one, translate),
            criteria=[in_language(words_of_rules(criterion.short), translate) for criterion in one.trial.criteria],
            rows=[_row(tell(row, translate, name), one, translate) for row in cohort.ranked(one, most)],
            cut=_cut(most, len(one.ranked), translate),
            unsure=[tell(row, translate, name) for row in cohort.unsure(one, most)],
            unsure_cut=_cut(most, len(one.unsure), translate),
            funnels=[shown_funnel(funnel, translate) for funnel in one.funnels],
        )


def _title(one: TrialList, translate: Translate) -> str:
    return plain(in_language(words_of_rules(one.trial.title.get("en") or ""), translate), 400)


def _exclusions(one: TrialList, translate: Translate) -> str:
    return in_language(words.ENCODED[one.trial.exclusions], translate)


def _cut(most: int, total: int, translate: Translate) -> str:
    return in_language(words.first_of(most, total), translate) if total > most else ""


def _row(told: Told, one: TrialList, translate: Translate) -> ShownRow:
    verdicts = (told.verdicts.get(criterion.id) for criterion in one.trial.criteria)
    cells = [
        Cell(verdict.value, MARK[verdict], words.verdict(verdict, translate)) if verdict else None
        for verdict in verdicts
    ]
    day = ""
    if told.until:
        day = words.until(shown.day(told.until))
    elif told.look_again:
        day = words.again(shown.day(told.look_again))
    return ShownRow(told, in_language(day, translate), cells)


def shown_funnel(funnel: Funnel, translate: Translate) -> ShownFunnel:
    """Return a funnel, said and measured.

    Args:
        funnel: of a trial at a gate.
        translate: into the reader's language.
    """
    # The trigger is met by few of many: it would make the other bars too short to see.
    _trigger, *rest = funnel.steps
    widest = max((step.entered for step in rest), default=0)
    steps = [
        ShownStep(
            in_language(step.label, translate),
            (step.entered, step.passed, step.unknown, step.failed),
            _bar(step, widest if number else step.entered),
        )
        for number, step in enumerate(funnel.steps)
    ]
    return ShownFunnel(in_language(words.funnel_of(funnel.label), translate), steps)


def _bar(step: Step, whole: int) -> list[Part]:
    """Return the pieces of a bar, pass first; a piece of one patient can still be seen."""
    parts, left = [], 1.0
    for verdict, number in ((Verdict.PASS, step.passed), (Verdict.UNKNOWN, step.unknown), (Verdict.FAIL, step.failed)):
        if number:
            width = max(number / whole * (BAR_WIDTH - 2), 1.0)
            parts.append(Part(verdict.value, f"{left:.1f}", f"{width:.1f}"))
            left += width
    return parts
