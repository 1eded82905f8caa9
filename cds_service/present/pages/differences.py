"""What changed since somebody looked, and what a supposed value would change: before and after, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Protocol

from cds_service.evaluation.explanation import remark
from cds_service.evaluation.outcome import PatientOutcome, Status, TrialOutcome, Verdict
from cds_service.facts import shown
from cds_service.facts.fact import Reason
from cds_service.facts.phrase import say
from cds_service.present.pages import words
from cds_service.present.pages.matrix import verdict_word
from cds_service.present.pages.sentence import Spoken, spoken
from cds_service.present.safe_text import plain
from cds_service.present.speaker import Speaker
from cds_service.present.wording import BLOCKED, LEANING, MARK, REASON
from cds_service.trials.model import Trial

_OF_TRIAL: Final = {
    "status": say("Status"),
    "gate": say("Moment of the protocol"),
    "blocked": say("What rules out apart from any criterion"),
}
_VALUES: Final = 3


class ToldValue(Protocol):
    """A value behind a verdict: words of the record."""

    @property
    def value(self) -> str:
        """As recorded."""

    @property
    def unit(self) -> str:
        """As recorded."""

    @property
    def date(self) -> str:
        """As recorded."""

    @property
    def note(self) -> str:
        """What was made of it."""


class Told(Protocol):
    """One side of a change, as :mod:`cds_service.screening.worklist.changes` tells it."""

    @property
    def verdict(self) -> str:
        """Of the criterion; of the trial: its status, its gate, what blocks."""

    @property
    def reason(self) -> str:
        """Why it is unknown."""

    @property
    def reasons(self) -> Sequence[tuple[str, str]]:
        """Fact and reason, each; of an unknown."""

    @property
    def can_change(self) -> bool:
        """Whether a later record may turn it."""

    @property
    def notes(self) -> Sequence[str]:
        """Annotations beside it."""

    @property
    def leaning(self) -> str:
        """Of an unknown."""

    @property
    def values(self) -> Sequence[ToldValue]:
        """Behind it."""

    @property
    def attested(self) -> Mapping[str, str] | None:
        """By whom and until when."""


class Change(Protocol):
    """One difference between two screenings."""

    @property
    def what(self) -> str:
        """A criterion, or what of the trial."""

    @property
    def criterion(self) -> str:
        """Its id."""

    @property
    def before(self) -> Told:
        """What was relied on."""

    @property
    def after(self) -> Told:
        """What is known now."""


@dataclass(frozen=True)
class Side:
    """One side of a change: verdict, shape, and what else is told."""

    verdict: str
    mark: str
    told: str


@dataclass(frozen=True)
class ChangeRow:
    """A change.

    Args:
        label: of what.
        before: as it was.
        after: as it is.
    """

    label: str
    before: Side
    after: Side


@dataclass(frozen=True)
class Supposition:
    """What a supposed value would give; never stored.

    Args:
        spoken: the verdict that it would give.
        same: whether the status stays as it is.
        rows: the criteria whose verdict would differ.
    """

    spoken: Spoken
    same: bool
    rows: Sequence[ChangeRow]


def change_rows(changes: Sequence[Change], trial: Trial, speaker: Speaker) -> tuple[ChangeRow, ...]:
    """Return what changed.

    Args:
        changes: between the screening that people saw and the latest.
        trial: for the names of its criteria and gates.
        speaker: of the page.
    """
    return tuple(_change(one, trial, speaker) for one in changes)


def _change(one: Change, trial: Trial, speaker: Speaker) -> ChangeRow:
    """Say both sides; where they would read alike, with what else differs of them."""
    before, after = (_side(one.what, told, trial, speaker) for told in (one.before, one.after))
    if before == after:
        more = [_details(told, speaker) for told in (one.before, one.after)]
        if more[0] == more[1]:
            more = ["", speaker.t(say("rests on other details of the record"))]
        before, after = (
            replace(side, told=plain(speaker.joined([side.told, text]), 2_000))
            for side, text in zip((before, after), more, strict=True)
        )
    return ChangeRow(_label(one, trial, speaker), before, after)


def _details(told: Told, speaker: Speaker) -> str:
    """Say what a side is told without as long as the rest tells the two apart."""
    reasons = [REASON[Reason(reason)] for _, reason in told.reasons[1:] if reason in set(Reason)]
    made = [plain(one.note, 240) for one in told.values[:_VALUES]]
    further = [_value(one, speaker) for one in told.values[_VALUES:]]
    change = say("can change") if told.can_change else say("for good")
    return speaker.joined([*reasons, *made, *further, *map(remark, told.notes), change])


def _label(change: Change, trial: Trial, speaker: Speaker) -> str:
    if change.what != "criterion":
        return speaker.t(_OF_TRIAL[change.what])
    found = (one.short for one in trial.criteria if one.id == change.criterion)
    return plain(speaker.rules(next(found, change.criterion)), 400)


def _side(what: str, told: Told, trial: Trial, speaker: Speaker) -> Side:
    if what == "status":
        status = Status(told.verdict) if told.verdict in set(Status) else None
        if status is None:
            return Side("", "", "")
        return Side(f"status-{status.value}", words.STATUS_MARK[status], speaker.t(words.STATUS[status]))
    if what == "gate":
        labels = (one.label for one in trial.gates if one.id == told.verdict)
        return Side("", "", speaker.rules(next(labels, told.verdict)))
    if what == "blocked":
        return Side("", "", speaker.said(BLOCKED.get(told.verdict, plain(told.verdict, 60))))
    if told.verdict not in set(Verdict):
        return Side("", "", speaker.t(say("not asked at this moment")))
    verdict = Verdict(told.verdict)
    parts: list[str] = [words.VERDICT[verdict]]
    if verdict is Verdict.UNKNOWN and told.reason in set(Reason):
        parts.append(REASON[Reason(told.reason)])
    if verdict is Verdict.UNKNOWN and told.leaning in set(Verdict):
        parts.append(LEANING[Verdict(told.leaning)])
    if told.attested:
        by = plain(told.attested.get("by", ""), 120)
        parts.append(say("attested by {who} until {day}", who=by, day=shown.day(told.attested.get("until"))))
    parts += [_value(one, speaker) for one in told.values[:_VALUES]]
    return Side(verdict.value, MARK[verdict], plain(speaker.joined(parts), 1_000))


def _value(one: ToldValue, speaker: Speaker) -> str:
    amount = " ".join(part for part in (one.value, shown.unit(one.unit)) if part)
    return speaker.joined([amount, speaker.day(one.date) if one.date else ""], ", ")


def supposition(
    outcome: TrialOutcome, real: TrialOutcome, patient: PatientOutcome, speaker: Speaker, today: date | None = None
) -> Supposition:
    """Say what a supposed value would give.

    Args:
        outcome: with what is supposed.
        real: without.
        patient: for what was not read.
        speaker: of the page.
        today: the day it is read; None for the day of the judgement.
    """
    before = {one.criterion.id: one for one in real.criteria}
    rows = []
    for one in outcome.criteria:
        was = before.get(one.criterion.id)
        if was is not None and was.verdict is one.verdict:
            continue
        old = Side(was.verdict.value, MARK[was.verdict], verdict_word(was, speaker)) if was else Side("", "", "")
        new = Side(one.verdict.value, MARK[one.verdict], speaker.t(words.VERDICT[one.verdict]))
        rows.append(ChangeRow(plain(speaker.rules(one.criterion.short), 400), old, new))
    return Supposition(spoken(outcome, patient, speaker, today=today), outcome.status is real.status, rows)
