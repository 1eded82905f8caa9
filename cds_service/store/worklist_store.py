"""The worklist as the rest of the service sees it: one method for each thing that is kept, changed or asked.

Every change writes its audit row in the same transaction: both are there, or neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Engine

from cds_service.evaluation.attested import Attestation
from cds_service.store import attestations, audit, decisions, entries, forgetting, misses, own_text, people, runs
from cds_service.store import screenings as taking
from cds_service.store.database import clear_traces, reading
from cds_service.store.judgement import Chart, NewScreening, Screening, Taken
from cds_service.store.misses import Missed
from cds_service.store.worklist import (
    AuditRow,
    Counts,
    Differs,
    Entry,
    EntryPage,
    EntryState,
    Event,
    Person,
    Run,
    Wanted,
    WhyForgotten,
)
from cds_service.store.worklist_edits import WorklistEdits


class WorklistStore(WorklistEdits):
    """Patients on trials' lists, what people decided, and the audit.

    Every method raises UnavailableError when the store is down; nothing was changed then.

    Args:
        engine: of a database whose schema is up to date.
        owner: who closes the engine when nobody holds it any more.
    """

    def __init__(self, engine: Engine, owner: object) -> None:
        """Keep the engine; nothing is opened."""
        super().__init__(engine)
        self._owner = owner

    def take(
        self,
        person: Person,
        chart: Chart,
        screenings: Sequence[NewScreening],
        *,
        differs: Differs,
        stands: Differs | None = None,
        contradicts: Callable[[Person, Person], bool] | None = None,
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
            contradicts: whether two descriptions (known, new) of one id are of two people: then nothing is taken.
            now: the present instant.
            read: when the chart was read, where that was earlier: a run that is taken again, later, then hides nothing
                newer.
            today: the day that it is where the patients are; by default that of UTC.
            who: asked for it; "" for the service itself.
            patience: seconds to wait for another writer, where it is not the usual.

        Returns:
            The entry of each trial; none where the id is somebody else's.
        """
        taken = [(person, chart, screenings)]
        (found,) = self.take_all(
            taken,
            differs=differs,
            stands=stands,
            contradicts=contradicts,
            now=now,
            read=read,
            today=today,
            who=who,
            patience=patience,
        )
        return {trial: one.entry for trial, one in found.items()}

    def take_all(
        self,
        taken: Sequence[tuple[Person, Chart, Sequence[NewScreening]]],
        *,
        differs: Differs,
        stands: Differs | None = None,
        contradicts: Callable[[Person, Person], bool] | None = None,
        now: datetime,
        read: datetime | None = None,
        today: date | None = None,
        who: str = "",
        patience: float | None = None,
    ) -> list[dict[str, Taken]]:
        """Take screenings of many persons in one transaction, and say what became of each entry: see :meth:`take`."""
        how = taking.Taking(differs, read or now, today or now.astimezone(UTC).date(), stands, contradicts)
        with self._changing(who, now, patience) as (connection, trail):
            return taking.take_all(connection, trail, taken, how)

    def not_found(self, missed: Missed, *, now: datetime, today: date | None = None) -> list[str]:
        """Flag who is on lists of trials whose disease a run did not find; return the trials. Again changes nothing."""
        with self._changing("", now) as (connection, trail):
            return misses.mark(connection, trail, missed, today or now.astimezone(UTC).date())

    def missed(self, entry_id: str) -> Event | None:
        """Return the run that did not find the disease, where nobody saw it and no newer data stand since."""
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

    def result(self, entry_id: str, screening_id: int) -> Mapping[str, Any] | None:
        """Return the result of a screening, as of the last of its days; None when it is not this entry's."""
        with reading(self._engine) as connection:
            return decisions.find_result(connection, entry_id, screening_id) if own_text.is_id(entry_id) else None

    def screenings(self, entry_id: str, *, limit: int | None = None, before: int | None = None) -> list[Screening]:
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

    def forget(self, patient: str, *, who: str, reason: WhyForgotten, now: datetime) -> None:
        """Remove a person's rows, but those of the audit.

        Args:
            patient: our id of the person (``Entry.patient``).
            who: does it; never "".
            reason: goes into the audit.
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
