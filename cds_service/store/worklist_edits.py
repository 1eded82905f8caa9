"""What people do with entries of the worklist: each an edit of the page that they had before them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from operator import ne
from typing import Any

from sqlalchemy import Connection, Engine

from cds_service.evaluation.attested import Attestation
from cds_service.store import attestations, decisions, entries
from cds_service.store.audit import Trail
from cds_service.store.database import writing
from cds_service.store.decisions import Page
from cds_service.store.judgement import Again
from cds_service.store.worklist import Differs, Entry, EntryState


class WorklistEdits:
    """The edits of a worklist, as a part of it.

    Every method raises UnavailableError when the store is down; nothing was changed then. They raise RequestError
    (404) where there is no such entry, and EditedMeanwhileError (409) where it is no longer of the version that is
    named. What was edited on a page that showed another screening (``shown``) than the one that stands is kept; where
    the two differ (``differs``), the entry is changed, and what was shown is what was seen.

    Args:
        engine: of a database whose schema is up to date.
    """

    def __init__(self, engine: Engine) -> None:
        """Keep the engine; nothing is opened."""
        self._engine = engine

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
        told = {"state": state, "criterion": criterion, "reason": reason}
        return self._edit(decisions.decide, entry_id, Page(version, shown, differs), who, now, **told)

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
        return self._edit(decisions.note, entry_id, Page(None, shown, differs), who, now, text=text)

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
        return self._edit(decisions.assign, entry_id, Page(version, shown, differs), who, now, assignee=assignee)

    def acknowledge(
        self, entry_id: str, version: int, *, screening: int, who: str, now: datetime, differs: Differs = ne
    ) -> Entry:
        """Say that a screening was seen: it is what later ones are compared with."""
        return self._edit(decisions.acknowledge, entry_id, Page(version, screening, differs), who, now)

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
        told = {"told": attestation, "again": again}
        return self._edit(attestations.attest, entry_id, Page(version, shown, differs), attestation.by, now, **told)

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
        told = {"criterion": criterion, "gate": gate, "again": again}
        return self._edit(attestations.withdraw, entry_id, Page(version, shown, differs), who, now, **told)

    def _edit(self, edit: Callable[..., None], entry_id: str, on: Page, who: str, now: datetime, **told: Any) -> Entry:
        with self._changing(who, now) as (connection, trail):
            edit(connection, trail, entry_id, on, **told)
            found = entries.get(connection, entry_id)
        assert found is not None  # noqa: S101 - it was edited in this transaction
        return found

    @contextmanager
    def _changing(self, who: str, now: datetime, patience: float | None = None) -> Iterator[tuple[Connection, Trail]]:
        with writing(self._engine, patience=patience) as connection:
            trail = Trail(who, now)
            yield connection, trail
            trail.write(connection)
