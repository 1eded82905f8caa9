"""A person forgotten: every row about them removed, but those of the audit, which name nobody.

Cards and what became of them know a person by keys alone. Those of every caller that ever was sent a card are worked
out from what the worklist knows: the id, and the server that named it. A card of a call that named another server, or
none, stays: nothing says that it is about the same person.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, delete, select

from cds_service.errors import RequestError
from cds_service.store.audit import Trail
from cds_service.store.feedback import SAME_CARD
from cds_service.store.keys import patient_key
from cds_service.store.own_text import is_id
from cds_service.store.schema import cards, feedback, revocations
from cds_service.store.worklist import WhyForgotten
from cds_service.store.worklist_schema import (
    attestations,
    charts,
    entries,
    events,
    missing_facts,
    people,
    results,
    screenings,
)

_AT_ONCE: Final = 500  # keys in one statement


def forget(connection: Connection, trail: Trail, patient: str, *, reason: WhyForgotten) -> None:
    """Remove a person's rows.

    Raises:
        RequestError: nobody has this id, or nobody is named who does it.
    """
    if not trail.who.strip():
        raise RequestError("Say who does it: the audit keeps it.", field="--by")
    known = None
    if is_id(patient):
        person = select(people).where(people.c.patient == patient).with_for_update()
        known = connection.execute(person).first()
    if known is None:
        raise RequestError("There is no such patient.", field="patient", status=404)
    # Held, so that nobody adds to what is being removed.
    connection.execute(
        select(entries.c.id).where(entries.c.patient == patient).order_by(entries.c.id).with_for_update()
    )
    entry = select(entries.c.id).where(entries.c.patient == patient)
    screening = select(screenings.c.id).where(screenings.c.entry.in_(entry))
    for beside in (missing_facts, results):
        connection.execute(delete(beside).where(beside.c.screening.in_(screening)))
    for table in (attestations, events, screenings):
        connection.execute(delete(table).where(table.c.entry.in_(entry)))
    for table in (entries, charts, people):
        connection.execute(delete(table).where(table.c.patient == patient))
    _forget_cards(connection, known.source, known.reference)
    trail.add("forgot", patient=patient, detail={"reason": reason.value})


def _forget_cards(connection: Connection, source: str, reference: str) -> None:
    tenants = connection.execute(select(cards.c.tenant).distinct()).scalars()
    keys = [patient_key(tenant, reference, source) for tenant in tenants]
    for at in range(0, len(keys), _AT_ONCE):
        some = keys[at : at + _AT_ONCE]
        sent = select(cards.c.uuid).where(SAME_CARD, cards.c.patient.in_(some))
        connection.execute(delete(feedback).where(sent.exists()))
        connection.execute(delete(cards).where(cards.c.patient.in_(some)))
        connection.execute(delete(revocations).where(revocations.c.patient.in_(some)))
