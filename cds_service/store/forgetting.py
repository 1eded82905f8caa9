"""A person forgotten: every row about them removed, but those of the audit, which name nobody."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from cds_service.errors import RequestError
from cds_service.store.audit import Trail
from cds_service.store.decisions import MOST_NAME
from cds_service.store.own_text import is_id, typed
from cds_service.store.worklist_schema import (
    attestations,
    charts,
    entries,
    events,
    missing_facts,
    people,
    screenings,
)


def forget(connection: Connection, trail: Trail, patient: str, *, reason: str) -> None:
    """Remove a person's rows.

    Raises:
        RequestError: nobody has this id.
    """
    reason = typed(reason, field="reason", most=MOST_NAME)
    known = None
    if is_id(patient):
        person = select(people.c.patient).where(people.c.patient == patient).with_for_update()
        known = connection.execute(person).first()
    if known is None:
        raise RequestError("There is no such patient.", field="patient", status=404)
    # Held, so that nobody adds to what is being removed.
    connection.execute(
        select(entries.c.id).where(entries.c.patient == patient).order_by(entries.c.id).with_for_update()
    )
    entry = select(entries.c.id).where(entries.c.patient == patient)
    screening = select(screenings.c.id).where(screenings.c.entry.in_(entry))
    connection.execute(delete(missing_facts).where(missing_facts.c.screening.in_(screening)))
    for table in (attestations, events, screenings):
        connection.execute(delete(table).where(table.c.entry.in_(entry)))
    for table in (entries, charts, people):
        connection.execute(delete(table).where(table.c.patient == patient))
    trail.add("forgot", patient=patient, detail={"reason": reason})
