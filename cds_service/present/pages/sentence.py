"""The verdict of a patient for a trial in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from cds_service.evaluation.outcome import DECEASED, CriterionOutcome, PatientOutcome, Status, TrialOutcome, Verdict
from cds_service.facts import shown
from cds_service.facts.phrase import joined, say, words_of_rules
from cds_service.present.lasting import attested_words, lasting
from cds_service.present.pages import words
from cds_service.present.safe_text import plain
from cds_service.present.speaker import Speaker
from cds_service.present.speaking import leaning_fail
from cds_service.present.summary import computed

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


def spoken(outcome: TrialOutcome, patient: PatientOutcome, speaker: Speaker, *, today: date | None = None) -> Spoken:
    """Say the verdict, and whether results no longer count; of a candidate then that it was one, and when.

    Args:
        outcome: of the trial.
        patient: of the patient, for what was not read.
        speaker: of the page.
        today: the day it is read; None for the day of the judgement.
    """
    lapsed = _lapsed(outcome, today)
    clauses = list(_clauses(outcome, speaker, patient.as_of, today or patient.as_of))
    if patient.unread:
        clauses.append(words.ALL_READ)
    rest = plain(speaker.joined(clauses), 2_000)
    if lapsed:
        told = speaker.t(words.candidate_as_of(shown.day(patient.as_of)))
        return Spoken(words.LAPSED, words.LAPSED_MARK, told, told[:1].upper() + told[1:], rest)
    return Spoken(
        status=outcome.status.value,
        mark=words.STATUS_MARK[outcome.status],
        word=speaker.t(words.STATUS[outcome.status]),
        head=speaker.t(_HEAD[outcome.status]),
        rest=rest,
    )


def _lapsed(outcome: TrialOutcome, today: date | None) -> bool:
    last = outcome.until if outcome.status is Status.CANDIDATE else None
    return last is not None and today is not None and last < today


def _gone(outcome: TrialOutcome, today: date) -> bool:
    """Say whether some result no longer counts, of whoever may still enter."""
    return outcome.status is not Status.EXCLUDED and outcome.until is not None and outcome.until < today


def _clauses(outcome: TrialOutcome, speaker: Speaker, as_of: date, today: date) -> Iterator[str]:
    gone = _gone(outcome, today)
    if gone:
        yield _until(outcome, today)
    if outcome.status is Status.NEEDS_DATA:
        yield from _what_decides(outcome, speaker)
    if outcome.status in (Status.NOT_NOW, Status.EXCLUDED):
        yield from _what_fails(outcome)
        if outcome.look_again is not None:
            yield words.look_again(outcome.look_again, today)
        return
    met, total = computed(outcome)
    if gone and outcome.status is not Status.CANDIDATE:
        yield say("{met} of {total} computed criteria met as of {day}", met=met, total=total, day=shown.day(as_of))
    elif met == total:
        yield say("all {total} computed criteria met", total=total)
    else:
        yield say("{met} of {total} computed criteria met", met=met, total=total)
    yield from attested_words(outcome.criteria)
    if outcome.to_confirm:
        yield say("{number} to confirm", number=len(outcome.to_confirm))
    against = leaning_fail(outcome)
    if against:
        yield say("the record leans against {criteria}", criteria=_named(against))
    if outcome.status is Status.CANDIDATE and not gone:
        yield _until(outcome, today)


def _until(outcome: TrialOutcome, today: date) -> str:
    """Say until when a candidate counts, or that it no longer does; results and what was attested told apart."""
    lasts = lasting(outcome)
    said = lasts.by_attestation
    if said is not None:
        if said < today:
            return say("what was attested lapsed after {day}", day=shown.day(said))
        return say("attested until {day}", day=shown.day(said))
    if lasts.results is None:
        return ""
    if lasts.results < today:
        return words.lapsed_after(shown.day(lasts.results))
    return say("results count until {day}", day=shown.day(lasts.results))


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
