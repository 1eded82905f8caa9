"""Prescreening runs that were taken into the worklist, each once."""

from __future__ import annotations

from sqlalchemy import Connection, select

from cds_service.store.audit import Trail
from cds_service.store.database import insert_new
from cds_service.store.own_text import clean
from cds_service.store.worklist import Run
from cds_service.store.worklist_schema import runs


def keep(connection: Connection, trail: Trail, run: Run) -> None:
    """Keep a run; one that is there stays as it is."""
    row = {**vars(run), "trial": clean(run.trial), "source": clean(run.source)}
    if insert_new(connection, runs, row):
        trail.add("took-run", trial=run.trial, detail={"run": run.id, "patients": run.patients})


def of_trial(connection: Connection, trial: str) -> list[Run]:
    """Return the runs of a trial, the newest first."""
    query = select(runs).where(runs.c.trial == clean(trial)).order_by(runs.c.as_of.desc(), runs.c.taken.desc())
    return [Run(**row._asdict()) for row in connection.execute(query.order_by(runs.c.id))]
