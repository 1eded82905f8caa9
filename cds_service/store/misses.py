"""Who is on a list, but was not found with the trial's disease by a run that looked: told once for each run."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, select, update

from cds_service.store.audit import Trail
from cds_service.store.decisions import add_to, tell
from cds_service.store.people import key_of_person
from cds_service.store.worklist import Event
from cds_service.store.worklist_schema import entries, events, people, screenings


@dataclass(frozen=True)
class Missed:
    """What a run says of a person whom it judged.

    Args:
        source: FHIR base that the person is known at.
        reference: of the person.
        trials: whose disease was not found.
        run: digest of its manifest.
        as_of: the day it judged for.
        read: when it read the charts.
    """

    source: str
    reference: str
    trials: Collection[str]
    run: str
    as_of: date
    read: datetime

    def __repr__(self) -> str:
        """Show nothing of the person."""
        return "Missed()"


def mark(connection: Connection, trail: Trail, missed: Missed, today: date) -> list[str]:
    """Flag the entries of the trials as changed, and tell; return the trials.

    Those whose standing screening is newer than the run are left alone, and those that this run flagged before.
    """
    query = (
        select(entries)
        .join_from(entries, people, people.c.patient == entries.c.patient)
        .where(people.c.key == key_of_person(missed.source, missed.reference), entries.c.trial.in_(missed.trials))
        .order_by(entries.c.trial)
        .with_for_update(of=entries)
    )
    found = []
    for entry in connection.execute(query).all():
        latest = connection.execute(select(screenings).where(screenings.c.id == entry.latest)).one()
        if (min(missed.as_of, today), min(missed.read, trail.at)) < (latest.day, latest.at):
            continue
        found.append(entry.trial)
        told = select(events.c.detail).where(events.c.entry == entry.id, events.c.what == "not-found")
        if any(one.detail.get("run") == missed.run for one in connection.execute(told)):
            continue
        connection.execute(update(entries).where(entries.c.id == entry.id).values(changed=True, updated=trail.at))
        tell(connection, trail, entry.id, "not-found", {"as_of": missed.as_of.isoformat(), "run": missed.run})
        add_to(trail, entry, "not-found", {"as_of": missed.as_of.isoformat()})
    return found


def newest(connection: Connection, entry_id: str) -> Event | None:
    """Return the run that did not find the disease, where nobody saw it and no newer data stand since.

    What was judged again because somebody attested rests on the data of before: it is no news of the patient.
    """
    news = (events.c.what != "screened") | (events.c.who == "")
    query = select(events).where(events.c.entry == entry_id, events.c.what.in_(("not-found", "screened", "seen")), news)
    row = connection.execute(query.order_by(events.c.id.desc()).limit(1)).first()
    if row is None or row.what != "not-found":
        return None
    return Event(row.at, row.who, row.what, row.detail, row.id)
