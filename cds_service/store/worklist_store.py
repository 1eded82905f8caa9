"""The worklist as the rest of the service sees it: one method for each thing that is kept, changed or asked.

Every change writes its audit row in the same transaction: both are there, or neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from operator import ne

from sqlalchemy import Connection, Engine

from cds_service.store import (
    attestations,
    audit,
    decisions,
    entries,
    forgetting,
    misses,
    own_text,
    people,
    runs,
)
from cds_service.store import screenings as taking
from cds_service.store.audit import Trail
from cds_service.store.database import clear_traces, reading, writing
from cds_service.store.decisions import Page
from cds_service.store.misses import Missed
from cds_service.store.worklist import (
    Again,
    Attestation,
    AuditRow,
    Chart,
    Counts,
    Differs,
    Entry,
    EntryPage,
    EntryState,
    Event,
    NewScreening,
    PastScreening,
    Person,
    Run,
    Screening,
    Taken,
    Wanted,
)


class WorklistStore:
    """Patients on trials' lists, what people decided, and the audit.

    Every method raises UnavailableError when the store is down; nothing was changed then. Those that edit raise
    RequestError (404) where there is no such entry, and EditedMeanwhileError (409) where it is no longer of the version
    that is named. What was edited on a page that showed another screening (``shown``) than the one that stands is kept;
    where the two differ (``differs``), the entry is changed, and what was shown is what was seen.

    Args:
        engine: of a database whose schema is up to date.
        owner: who closes the engine when nobody holds it any more.
    """

    def __init__(self, engine: Engine, owner: object) -> None:
        """Keep the engine; nothing is opened."""
        self._engine = engine
        self._owner = owner

    def take(
        self,
        person: Person,
        chart: Chart,
        screenings: Sequence[NewScreening],
        *,
        differs: Differs,
        stands: Differs | None = None,
        now: datetime,
        read: datetime | None = None,
        today: date | None = None,
        who: str = "",
        patience: float | None = None,
    ) -> dict[str, str]:
        """Take screenings of one person, all or none; the same one again changes nothing.

        The one whose chart was read last stands for its entry, unless it is as of an earlier day than the one that
        stands. People's decisions stay; the entry is marked as changed where the new result differs from the one they
        acknowledged.

        Args:
            person: whose chart it is.
            chart: that all of them rest on.
            screenings: at most one for each trial and gate.
            differs: whether two results (acknowledged, new) differ in anything that a person relies on.
            stands: whether a new result may take the place of the one that stands (standing, new); what may not is kept
                in the history. None: every one may.
            now: the present instant.
            read: when the chart was read, where that was earlier: a run that is taken again, later, then hides nothing
                newer.
            today: the day that it is where the patients are; by default that of UTC.
            who: asked for it; "" for the service itself.
            patience: seconds to wait for another writer, where it is not the usual.

        Returns:
            The entry of each trial.
        """
        taken = [(person, chart, screenings)]
        (found,) = self.take_all(
            taken, differs=differs, stands=stands, now=now, read=read, today=today, who=who, patience=patience
        )
        return {trial: one.entry for trial, one in found.items()}

    def take_all(
        self,
        taken: Sequence[tuple[Person, Chart, Sequence[NewScreening]]],
        *,
        differs: Differs,
        stands: Differs | None = None,
        now: datetime,
        read: datetime | None = None,
        today: date | None = None,
        who: str = "",
        patience: float | None = None,
    ) -> list[dict[str, Taken]]:
        """Take screenings of many persons in one transaction, and say what became of each entry: see :meth:`take`."""
        how = taking.Taking(differs, read or now, today or now.astimezone(UTC).date(), stands)
        with self._changing(who, now, patience) as (connection, trail):
            return taking.take_all(connection, trail, taken, how)

    def not_found(self, missed: Missed, *, now: datetime, today: date | None = None) -> list[str]:
        """Flag who is on lists of trials whose disease a run did not find; return the trials. Again changes nothing."""
        with self._changing("", now) as (connection, trail):
            return misses.mark(connection, trail, missed, today or now.astimezone(UTC).date())

    def missed(self, entry_id: str) -> Event | None:
        """Return the run that did not find the disease, where nobody saw it and no newer screening stands since."""
        with reading(self._engine) as connection:
            return misses.newest(connection, entry_id) if own_text.is_id(entry_id) else None

    def entry(self, entry_id: str) -> Entry | None:
        """Return an entry; None when there is none, or the id is no id."""
        with reading(self._engine) as connection:
            return entries.get(connection, entry_id)

    def entries(self, trial: str, *, wanted: Wanted) -> EntryPage:
        """Return one page of a trial's list."""
        with reading(self._engine) as connection:
            return entries.page(connection, trial, wanted)

    def ids(self, trial: str, *, wanted: Wanted, by_name: bool) -> list[str]:
        """Return the ids of all that are wanted, in order; see :func:`~cds_service.store.entries.ids`."""
        with reading(self._engine) as connection:
            return entries.ids(connection, trial, wanted, by_name=by_name)

    def some(self, ids: Sequence[str]) -> list[Entry]:
        """Return the entries of some ids, in their order, without those that are not there any more."""
        with reading(self._engine) as connection:
            return entries.some(connection, ids)

    def counts(self, trial: str, *, today: date | None = None) -> Counts:
        """Count a trial's entries; ``lapsed`` by a day, None for none."""
        with reading(self._engine) as connection:
            return entries.count(connection, trial, today)

    def trials(self) -> list[str]:
        """Return the trials that have entries or runs."""
        with reading(self._engine) as connection:
            return entries.trials(connection)

    def history(self, entry_id: str, *, limit: int | None = None, before: int | None = None) -> list[Event]:
        """Return what happened to an entry, the newest first: at most ``limit``, those numbered below ``before``."""
        with reading(self._engine) as connection:
            return decisions.history(connection, entry_id, limit, before) if own_text.is_id(entry_id) else []

    def decide(
        self,
        entry_id: str,
        version: int,
        *,
        state: EntryState,
        criterion: str = "",
        reason: str = "",
        who: str,
        now: datetime,
        shown: int | None = None,
        differs: Differs = ne,
    ) -> Entry:
        """Set what people made of a patient."""
        on = Page(version, shown, differs)
        with self._changing(who, now) as (connection, trail):
            decisions.decide(connection, trail, entry_id, on, state=state, criterion=criterion, reason=reason)
            return _there(connection, entry_id)

    def note(
        self,
        entry_id: str,
        *,
        text: str,
        who: str,
        now: datetime,
        shown: int | None = None,
        differs: Differs = ne,
    ) -> Entry:
        """Add a note; notes only add, so no version is asked for and it stays."""
        with self._changing(who, now) as (connection, trail):
            decisions.note(connection, trail, entry_id, Page(None, shown, differs), text=text)
            return _there(connection, entry_id)

    def assign(
        self,
        entry_id: str,
        version: int,
        *,
        assignee: str,
        who: str,
        now: datetime,
        shown: int | None = None,
        differs: Differs = ne,
    ) -> Entry:
        """Say who looks after an entry, "" for nobody."""
        with self._changing(who, now) as (connection, trail):
            decisions.assign(connection, trail, entry_id, Page(version, shown, differs), assignee=assignee)
            return _there(connection, entry_id)

    def acknowledge(
        self, entry_id: str, version: int, *, screening: int, who: str, now: datetime, differs: Differs = ne
    ) -> Entry:
        """Say that a screening was seen: it is what later ones are compared with."""
        with self._changing(who, now) as (connection, trail):
            decisions.acknowledge(connection, trail, entry_id, version, screening=screening, differs=differs)
            return _there(connection, entry_id)

    def attest(
        self,
        entry_id: str,
        version: int,
        attestation: Attestation,
        *,
        now: datetime,
        shown: int | None = None,
        again: Again | None = None,
        differs: Differs = ne,
    ) -> Entry:
        """Keep what a person settled, and what follows; it replaces what was attested for the same criterion and gate.

        Args:
            entry_id: of the entry.
            version: that the person saw.
            attestation: by whom, of what, until when.
            now: the present instant.
            shown: id of the screening that the person saw. One of another gate than the latest is refused (409).
            again: the chart that stands, judged with it. Where another one stands by now, nothing is kept (409).
            differs: whether two results differ in anything that a person relies on.
        """
        on = Page(version, shown, differs)
        with self._changing(attestation.by, now) as (connection, trail):
            attestations.attest(connection, trail, entry_id, on, attestation, again)
            return _there(connection, entry_id)

    def withdraw(
        self,
        entry_id: str,
        version: int,
        criterion: str,
        *,
        gate: str,
        who: str,
        now: datetime,
        shown: int | None = None,
        again: Again | None = None,
        differs: Differs = ne,
    ) -> Entry:
        """Let what was attested for a criterion at a gate count no more, and keep what follows: see :meth:`attest`."""
        on = Page(version, shown, differs)
        with self._changing(who, now) as (connection, trail):
            attestations.withdraw(connection, trail, entry_id, on, criterion=criterion, gate=gate, again=again)
            return _there(connection, entry_id)

    def attestations(self, source: str, reference: str, on: date) -> dict[str, tuple[Attestation, ...]]:
        """Return, for each trial, what counts for a person on a day."""
        with reading(self._engine) as connection:
            return attestations.in_force(connection, source, reference, on)

    def states(self, source: str, reference: str) -> dict[str, EntryState]:
        """Return, for each trial, what people made of a person."""
        with reading(self._engine) as connection:
            return entries.states(connection, source, reference)

    def anchors(self, source: str, reference: str) -> dict[str, date]:
        """Return, for each trial whose standing screening was judged with one, the anchor."""
        with reading(self._engine) as connection:
            return entries.anchors(connection, source, reference)

    def person(self, source: str, reference: str) -> Person | None:
        """Return a person as they were described last; None for who is not known."""
        with reading(self._engine) as connection:
            return people.known(connection, source, reference)

    def listed(self, source: str) -> dict[str, set[str]]:
        """Return who of a source is on lists: the trials, by the person's reference."""
        with reading(self._engine) as connection:
            return entries.listed(connection, source)

    def screening(self, entry_id: str, screening_id: int) -> Screening | None:
        """Return a screening of this entry; None when it is not this entry's."""
        with reading(self._engine) as connection:
            return taking.get(connection, entry_id, screening_id) if own_text.is_id(entry_id) else None

    def screenings(self, entry_id: str, *, limit: int | None = None, before: int | None = None) -> list[PastScreening]:
        """Return what an entry was judged, the newest first: at most ``limit``, those whose id is below ``before``."""
        with reading(self._engine) as connection:
            return taking.history(connection, entry_id, limit, before) if own_text.is_id(entry_id) else []

    def chart(self, patient: str, fingerprint: str) -> bytes | None:
        """Return the body of a chart that a screening rests on."""
        with reading(self._engine) as connection:
            return people.chart(connection, patient, fingerprint)

    def keep_run(self, run: Run, *, who: str = "") -> None:
        """Keep a prescreening run; one that is there stays as it is."""
        with self._changing(who, run.taken) as (connection, trail):
            runs.keep(connection, trail, run)

    def runs(self, trial: str) -> list[Run]:
        """Return the runs of a trial, the newest day first."""
        with reading(self._engine) as connection:
            return runs.of_trial(connection, trial)

    def forget(self, patient: str, *, who: str, reason: str, now: datetime) -> None:
        """Remove a person's rows, but those of the audit.

        Args:
            patient: our id of the person (``Entry.patient``).
            who: does it.
            reason: goes into the audit: a word such as "retention", never a name.
            now: the present instant.
        """
        with self._changing(who, now) as (connection, trail):
            forgetting.forget(connection, trail, patient, reason=reason)
        clear_traces(self._engine)

    def saw(
        self,
        *,
        who: str,
        what: str,
        now: datetime,
        entry_id: str | None = None,
        trial: str = "",
        detail: Mapping[str, str | int] | None = None,
    ) -> None:
        """Tell the audit that somebody is about to see or export something.

        Raises:
            UnavailableError: it cannot be written: then nothing may be shown.
        """
        with self._changing(who, now) as (connection, trail):
            entry = entries.get(connection, entry_id) if entry_id else None
            found = {"entry": entry.id, "patient": entry.patient, "trial": entry.trial} if entry else {"trial": trial}
            trail.add(what, **found, detail=detail or {})

    def audit(self, *, before: int | None = None, limit: int = 100, entry_id: str | None = None) -> list[AuditRow]:
        """Return rows of the audit, the newest first.

        Args:
            before: only rows with a smaller number.
            limit: at most so many.
            entry_id: only rows about this entry.
        """
        with reading(self._engine) as connection:
            return audit.read(connection, before=before, limit=limit, entry=entry_id)

    def verify_audit(self) -> int | None:
        """Return the number of the first audit row that is not as it was written, or missing; None when all is well."""
        with reading(self._engine) as connection:
            return audit.first_bad(connection)

    def audit_tip(self) -> tuple[int, str]:
        """Return number and digest of the last audit row: written down elsewhere, they show if rows were cut off."""
        with reading(self._engine) as connection:
            return audit.tip(connection)

    @contextmanager
    def _changing(self, who: str, now: datetime, patience: float | None = None) -> Iterator[tuple[Connection, Trail]]:
        with writing(self._engine, patience=patience) as connection:
            trail = Trail(who, now)
            yield connection, trail
            trail.write(connection)


def _there(connection: Connection, entry_id: str) -> Entry:
    found = entries.get(connection, entry_id)
    assert found is not None  # noqa: S101 - it was edited in this transaction
    return found
