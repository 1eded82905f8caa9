"""The verdict of a patient for a trial in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cds_service.evaluation.outcome import DECEASED, CriterionOutcome, PatientOutcome, Status, TrialOutcome, Verdict
from cds_service.facts import shown
from cds_service.facts.phrase import joined, say, words_of_rules
from cds_service.present.pages import words
from cds_service.present.safe_text import plain
from cds_service.present.speaker import Speaker

_HEAD: Final = {
    Status.CANDIDATE: say("May be a candidate, for review"),
    Status.NEEDS_DATA: say("Needs data"),
    Status.NOT_NOW: say("Not now"),
    Status.EXCLUDED: say("Cannot enter"),
}
_NAMED: Final = 3


@dataclass(frozen=True)
class Spoken:
    """A status with its shape.

    Args:
        status: its name, for the style sheet.
        mark: its shape.
        word: in a few words.
        head: how the sentence begins.
        rest: how it goes on: what speaks for it.
    """

    status: str
    mark: str
    word: str
    head: str
    rest: str


def spoken(outcome: TrialOutcome, patient: PatientOutcome, speaker: Speaker) -> Spoken:
    """Say the verdict.

    Args:
        outcome: of the trial.
        patient: of the patient, for what was not read.
        speaker: of the page.
    """
    clauses = list(_clauses(outcome, speaker))
    if patient.unread:
        clauses.append(words.ALL_READ)
    return Spoken(
        status=outcome.status.value,
        mark=words.STATUS_MARK[outcome.status],
        word=speaker.t(words.STATUS[outcome.status]),
        head=speaker.t(_HEAD[outcome.status]),
        rest=plain(speaker.joined(clauses), 2_000),
    )


def _clauses(outcome: TrialOutcome, speaker: Speaker) -> Iterator[str]:
    if outcome.status is Status.NEEDS_DATA:
        yield from _what_decides(outcome, speaker)
    if outcome.status in (Status.NOT_NOW, Status.EXCLUDED):
        yield from _what_fails(outcome)
        if outcome.look_again is not None:
            yield say("look again from {day}", day=shown.day(outcome.look_again))
        return
    met = sum(one.verdict is Verdict.PASS for one in outcome.criteria)
    total = len(outcome.criteria) - len(outcome.to_confirm)
    if met == total:
        yield say("all {total} computed criteria met", total=total)
    else:
        yield say("{met} of {total} computed criteria met", met=met, total=total)
    if outcome.to_confirm:
        yield say("{number} to confirm", number=len(outcome.to_confirm))
    against = [one for one in map(outcome.of, outcome.to_confirm) if one.leaning is Verdict.FAIL]
    if against:
        yield say("the record leans against {criteria}", criteria=_named(against))
    if outcome.until is not None and outcome.status is Status.CANDIDATE:
        yield say("results count until {day}", day=shown.day(outcome.until))


def _what_decides(outcome: TrialOutcome, speaker: Speaker) -> Iterator[str]:
    labels = [speaker.inside(speaker.said(one.label)) for one in outcome.decisive]
    if len(labels) > _NAMED:
        listed = joined(labels[:_NAMED], ", ")
        yield say("what decides: {labels} and {number} more", labels=listed, number=len(labels) - _NAMED)
    elif labels:
        yield say("what decides: {labels}", labels=joined(labels, ", "))


def _what_fails(outcome: TrialOutcome) -> Iterator[str]:
    if DECEASED in outcome.blocked:
        yield say("deceased")
    failing = [one for one in outcome.criteria if one.verdict is Verdict.FAIL]
    lasting = [one for one in failing if not one.state.can_change]
    told = lasting if outcome.status is Status.EXCLUDED else failing
    if told:
        yield say("not met: {criteria}", criteria=_named(told))
    if outcome.status is Status.NOT_NOW:
        yield say("this can change")


def _named(criteria: list[CriterionOutcome]) -> str:
    names = [words_of_rules(one.criterion.short) for one in criteria]
    listed = joined(names[:_NAMED], ", ")
    more = len(names) - _NAMED
    return say("{labels} and {number} more", labels=listed, number=more) if more > 0 else listed
