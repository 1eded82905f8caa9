"""Who an entry is about, and what people did with it, in words. Names and notes are cleaned; templates escape them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Final, Protocol

from cds_service.evaluation.outcome import Status, Verdict
from cds_service.facts import shown
from cds_service.facts.phrase import joined, say, words_of_rules
from cds_service.present.pages import words
from cds_service.present.safe_text import plain
from cds_service.present.speaker import Speaker
from cds_service.trials.model import Trial

_NAMES: Final = 4
# What the service does by itself, though a person's edit may have asked for it.
_OWN: Final = frozenset({"screened", "not-found"})
_NAME: Final = 120
_NUMBER: Final = 64
_NOTE: Final = 4_000


class Person(Protocol):
    """A person as the store keeps one."""

    @property
    def names(self) -> Sequence[str]:
        """As recorded, the official first."""

    @property
    def birth_date(self) -> str:
        """As recorded."""

    @property
    def gender(self) -> str:
        """As recorded."""

    @property
    def number(self) -> str:
        """Of the medical record, "" where there is none."""

    @property
    def reference(self) -> str:
        """``Patient/<id>``, or a fullUrl."""


class Event(Protocol):
    """What happened to an entry, as the store tells it."""

    @property
    def at(self) -> datetime:
        """When."""

    @property
    def who(self) -> str:
        """Who did it."""

    @property
    def what(self) -> str:
        """What was done."""

    @property
    def detail(self) -> Mapping[str, str | int]:
        """What else."""


@dataclass(frozen=True)
class PersonRow:
    """A person on a page.

    Args:
        names: in each script, the official first; never empty.
        born: the birth date, "" when it is not recorded.
        gender: in words, "" when it is not recorded.
        number: of the medical record, else the record system's id: two of one name are told apart.
    """

    names: Sequence[str]
    born: str
    gender: str
    number: str


@dataclass(frozen=True)
class EventRow:
    """One line of the history: when, who, what."""

    at: str
    who: str
    told: str


def person_row(person: Person, speaker: Speaker) -> PersonRow:
    """Write a person.

    Args:
        person: of an entry.
        speaker: of the page.
    """
    names = [clean for name in person.names[:_NAMES] if (clean := plain(name, _NAME))]
    gender = words.GENDER.get(person.gender)
    return PersonRow(
        names=names or [speaker.t(say("(no name on record)"))],
        born=plain(speaker.day(person.birth_date), 40) if person.birth_date else "",
        gender=speaker.t(gender) if gender else "",
        number=number_of(person),
    )


def number_of(person: Person) -> str:
    """Return what tells a person from another of the same name: the record's number, else the record system's id."""
    return plain(person.number or person.reference.rpartition("/")[2].removeprefix("urn:uuid:"), _NUMBER)


def event_rows(events: Iterable[Event], trial: Trial | None, speaker: Speaker) -> list[EventRow]:
    """Write the history.

    Args:
        events: newest first.
        trial: for the names of its criteria; None when its rules are gone.
        speaker: of the page.
    """
    shorts = {one.id: words_of_rules(one.short) for one in trial.criteria} if trial else {}
    return [
        EventRow(
            at=at_words(one.at, speaker),
            who="" if one.what in _OWN else plain(one.who, _NAME),
            told=plain(speaker.said(_told(one.what, one.detail, shorts)), _NOTE),
        )
        for one in events
    ]


def at_words(at: datetime, speaker: Speaker) -> str:
    """Write an instant to the minute, as the clock tells it that it is given in, and how far that is from UTC."""
    offset = at.utcoffset()
    zone = str(timezone(offset)) if offset is not None else ""
    return " ".join(part for part in (speaker.day(at.date()), f"{at:%H:%M}", zone) if part)


def _told(what: str, detail: Mapping[str, str | int], shorts: Mapping[str, str]) -> str:
    def text(name: str) -> str:
        return plain(detail.get(name, ""), _NOTE)

    criterion = shorts.get(text("criterion"), text("criterion"))
    day = shown.day(text("until")) if text("until") else ""
    if what == "screened":
        status = text("status")
        word = words.STATUS[Status(status)] if status in set(Status) else status
        return say("judged as of {day}: {status}", day=shown.day(text("as_of")), status=word)
    if what == "decided":
        state = words.STATES.get(text("state"), text("state"))
        return joined([say("set to: {state}", state=state), criterion, text("reason")])
    if what == "assigned":
        return say("assigned to {who}", who=text("assignee")) if text("assignee") else say("assigned to nobody")
    if what == "attested":
        verdict = text("verdict")
        word = words.VERDICT[Verdict(verdict)] if verdict in set(Verdict) else verdict
        sentence = say("attested {criterion}: {verdict}, until {day}", criterion=criterion, verdict=word, day=day)
        return joined([sentence, text("reason")])
    if what == "withdrawn":
        return say("withdrew what was attested: {criterion}", criterion=criterion)
    if what == "not-found":
        return say("not found with this trial's disease in the run of {day}", day=shown.day(text("as_of")))
    if what == "seen":
        return say("saw what changed")
    return text("text") or plain(what, 60)
