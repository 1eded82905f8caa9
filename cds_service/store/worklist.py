"""The worklist's words: a person, an entry, a decision, a list, a run; judgements are in ``judgement.py``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, Literal

from cds_service.evaluation.attested import Attestation
from cds_service.store.judgement import Again, Chart, NewScreening, Screening, Taken

__all__ = [
    "Again",
    "Attestation",
    "AuditRow",
    "Chart",
    "Counts",
    "Differs",
    "Entry",
    "EntryPage",
    "EntryState",
    "Event",
    "NewScreening",
    "Person",
    "Run",
    "Screening",
    "Sort",
    "Taken",
    "Wanted",
    "What",
]

MOST_NAME: Final = 80
"""Characters of a person's name, or of an id: forms, routes and the store take the same."""
MOST_REASON: Final = 500
MOST_NOTE: Final = 4000

Sort = Literal["rank", "name", "status", "lapses", "missing", "updated", "state"]
What = Literal["screened", "decided", "noted", "assigned", "attested", "withdrawn", "seen", "not-found"]

Differs = Callable[[Mapping[str, Any], Mapping[str, Any]], bool]
"""Says whether two results (acknowledged, new) differ in anything that a person relies on."""


class WhyForgotten(StrEnum):
    """Why a person was forgotten: a closed list, since the audit keeps the word for ever and must name nobody."""

    REQUEST = "request"
    """The person asked."""
    COURT = "court"
    """A court or another authority ordered it."""
    ERROR = "error"
    """Their data should never have been here."""
    RETENTION = "retention"
    """They were kept for as long as they may be."""
    OTHER = "other"


class EntryState(StrEnum):
    """What people made of a patient for a trial, in the order in which it usually goes."""

    NEW = "new"
    REVIEWING = "reviewing"
    CONTACTED = "contacted"
    CONSENTED = "consented"
    ENROLLED = "enrolled"
    DECLINED = "declined"
    NOT_SUITABLE = "not-suitable"


@dataclass(frozen=True)
class Person:
    """Who an entry is about: text from FHIR, hostile until escaped.

    Args:
        source: FHIR base that the patient is known at, "" where nobody named one.
        reference: ``Patient/<id>``, or a fullUrl.
        names: as recorded, one for each script, the official first.
        birth_date: as recorded.
        gender: as recorded.
        number: of the medical record; "" where the record has none.
    """

    source: str
    reference: str
    names: tuple[str, ...] = ()
    birth_date: str = ""
    gender: str = ""
    number: str = ""

    def __repr__(self) -> str:
        """Show nothing of the patient."""
        return "Person()"


@dataclass(frozen=True)
class Entry:
    """One patient on one trial's list.

    Args:
        id: 32 random hexadecimal digits.
        patient: the same, one for all trials of a person.
        person: who it is.
        trial: its id.
        state: what people decided last.
        state_by: who did.
        state_at: when; None while nobody has.
        state_reason: why, in their words.
        state_criterion: the criterion that they named.
        assignee: who looks after it, "" for nobody.
        version: grows with every edit but notes; an edit names the version that it was made on.
        changed: whether the latest screening differs from what people saw last.
        latest: the newest screening.
        seen: id of the screening that people acknowledged last; the first one at first.
        updated: when anything happened to it.
    """

    id: str
    patient: str
    person: Person
    trial: str
    state: EntryState
    state_by: str
    state_at: datetime | None
    state_reason: str
    state_criterion: str
    assignee: str
    version: int
    changed: bool
    latest: Screening
    seen: int
    updated: datetime

    def __repr__(self) -> str:
        """Show nothing of the patient."""
        return f"Entry({self.id!r}, {self.trial!r}, {self.state.value!r}, version={self.version})"


@dataclass(frozen=True)
class Wanted:
    """Which entries, in which order.

    Args:
        status: any of these; empty for all.
        state: any of these; empty for all.
        missing: name of a decisive fact, "" for any.
        assignee: who looks after it, "" for nobody, None for anyone.
        changed: None for either.
        text: part of a name.
        lapsed: only candidates whose results have lapsed by ``today``, or only the others; None for either.
        today: the day that lapsing is told by; None for a list in which nothing has lapsed yet.
        sort: by what. ``rank``: candidates by how soon they lapse (those with a doubt that a person must settle after
            them, those whose results have lapsed last), then needs-data by how little is missing, then not-now by the
            day to look again, then excluded.
        descending: the other way round; what has no value stays last.
        page: 1 for the first. One too far is the last.
        size: entries of a page.
    """

    status: frozenset[str] = frozenset()
    state: frozenset[EntryState] = frozenset()
    missing: str = ""
    assignee: str | None = None
    changed: bool | None = None
    lapsed: bool | None = None
    today: date | None = None
    text: str = ""
    sort: Sort = "rank"
    descending: bool = False
    page: int = 1
    size: int = 50


@dataclass(frozen=True)
class EntryPage:
    """A page of entries.

    Args:
        entries: in the order asked for.
        total: how many there are on all pages.
        page: which one this is.
        pages: how many there are, at least one.
    """

    entries: tuple[Entry, ...]
    total: int
    page: int
    pages: int


@dataclass(frozen=True)
class Counts:
    """How many entries a trial has.

    Args:
        total: in all.
        changed: whose data changed since somebody looked.
        lapsed: candidates whose results have lapsed by the day that was named.
        status: by status of the latest screening.
        state: by people's decision.
        missing: by decisive fact of the latest screening, the most frequent first.
        assignees: by who looks after them; "" for nobody.
    """

    total: int = 0
    changed: int = 0
    lapsed: int = 0
    status: Mapping[str, int] = field(default_factory=dict)
    state: Mapping[EntryState, int] = field(default_factory=dict)
    missing: Mapping[str, int] = field(default_factory=dict)
    assignees: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """What happened to an entry.

    Args:
        at: when.
        who: did it; "" for the service itself.
        what: kind of event.
        detail: ``screened``: screening, status, as_of, gate; ``decided``: state, was, criterion, reason; ``noted``:
            text; ``assigned``: assignee, was; ``attested``: criterion, gate, verdict, until, reason; ``withdrawn``:
            criterion, gate; ``seen``: screening; ``not-found``: as_of, run (that did not find the trial's disease).
        number: grows from one event of the store to the next.
    """

    at: datetime
    who: str
    what: What
    detail: Mapping[str, str | int]
    number: int = 0

    def __repr__(self) -> str:
        """Show no words of people."""
        return f"Event({self.what!r})"


@dataclass(frozen=True)
class Run:
    """A prescreening run whose patients were taken.

    Args:
        id: digest of its manifest.
        trial: one of those that it judged.
        as_of: the day it judged for.
        taken: when it was taken.
        source: what was read.
        patients: how many.
        funnel: what became of them, criterion by criterion.
    """

    id: str
    trial: str
    as_of: date
    taken: datetime
    source: str
    patients: int
    funnel: Mapping[str, Any]


@dataclass(frozen=True)
class AuditRow:
    """One row of the audit: who saw or did what, and when; ids of ours, never a name of a patient.

    Args:
        number: 1 for the first; none is left out.
        at: when.
        who: as the person was known to us; "" for the service itself.
        what: was done.
        entry: id, "" where it is about none.
        patient: id of ours, "" where it is about none.
        trial: id, "" where it is about none.
        detail: what else.
        digest: of this row and, through the row before it, of all before.
    """

    number: int
    at: datetime
    who: str
    what: str
    entry: str
    patient: str
    trial: str
    detail: Mapping[str, str | int]
    digest: str
