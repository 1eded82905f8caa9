"""What people do with an entry: each edit names the version that it was made on, and none overwrites another unseen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from cds_service.errors import EditedMeanwhileError, RequestError
from cds_service.store.audit import Trail
from cds_service.store.own_text import clean, is_id, typed
from cds_service.store.worklist import EntryState, Event, What
from cds_service.store.worklist_schema import entries, events, screenings

MOST_NAME = 200
MOST_REASON = 2000
MOST_NOTE = 10_000

_Row = Row[tuple[Any, ...]]


def decide(
    connection: Connection, trail: Trail, entry_id: str, version: int, *, state: EntryState, criterion: str, reason: str
) -> None:
    """Set what people made of a patient."""
    criterion = typed(criterion, field="criterion", most=MOST_NAME)
    reason = typed(reason, field="reason", most=MOST_REASON)
    change = {"state": state, "state_by": clean(trail.who), "state_at": trail.at}
    was = edit(connection, trail, entry_id, version, {**change, "state_reason": reason, "state_criterion": criterion})
    detail = {"state": state.value, "was": was.state, "criterion": criterion, "reason": reason}
    tell(connection, trail, entry_id, "decided", detail)
    add_to(trail, was, "decided", {"state": state.value, "was": was.state})


def note(connection: Connection, trail: Trail, entry_id: str, *, text: str) -> None:
    """Add a note."""
    text = typed(text, field="text", most=MOST_NOTE)
    found = hold(connection, entry_id)
    connection.execute(update(entries).where(entries.c.id == entry_id).values(updated=trail.at))
    number = tell(connection, trail, entry_id, "noted", {"text": text})
    add_to(trail, found, "noted", {"event": number})


def assign(connection: Connection, trail: Trail, entry_id: str, version: int, *, assignee: str) -> None:
    """Say who looks after an entry, "" for nobody."""
    assignee = typed(assignee, field="assignee", most=MOST_NAME)
    was = edit(connection, trail, entry_id, version, {"assignee": assignee})
    number = tell(connection, trail, entry_id, "assigned", {"assignee": assignee, "was": was.assignee})
    add_to(trail, was, "assigned", {"event": number})


def acknowledge(connection: Connection, trail: Trail, entry_id: str, version: int, *, screening: int) -> None:
    """Say that what a screening says was seen."""
    found = hold(connection, entry_id)
    query = select(screenings.c.result).where(screenings.c.entry == found.id)
    shown = connection.execute(query.where(screenings.c.id == screening)).first()
    if shown is None:
        raise RequestError("Name a screening of this entry.", field="screening")
    latest = connection.execute(query.where(screenings.c.id == found.latest)).scalar_one()
    # One that was taken while the page was open counts as a change as soon as it says anything else.
    change = {"seen": screening, "changed": screening != found.latest and shown.result != latest}
    was = edit(connection, trail, entry_id, version, change)
    tell(connection, trail, entry_id, "seen", {"screening": screening})
    add_to(trail, was, "seen", {"screening": screening})


def edit(connection: Connection, trail: Trail, entry_id: str, version: int, change: Mapping[str, Any]) -> _Row:
    """Change an entry; return it as it was.

    Raises:
        EditedMeanwhileError: it is no longer of this version.
        RequestError: there is no such entry.
    """
    was = hold(connection, entry_id)
    if was.version != version:
        raise EditedMeanwhileError
    values = {**change, "version": version + 1, "updated": trail.at}
    connection.execute(update(entries).where(entries.c.id == entry_id).values(**values))
    return was


def hold(connection: Connection, entry_id: str) -> _Row:
    """Return an entry that nobody else changes until the end of the transaction.

    Raises:
        RequestError: there is no such entry.
    """
    found = None
    if is_id(entry_id):
        found = connection.execute(select(entries).where(entries.c.id == entry_id).with_for_update()).first()
    if found is None:
        raise RequestError("There is no such entry.", field="entry", status=404)
    return found


def tell(connection: Connection, trail: Trail, entry_id: str, what: What, detail: Mapping[str, str | int]) -> int:
    """Add to the history of an entry; return the event's number."""
    row = {"entry": entry_id, "at": trail.at, "who": clean(trail.who), "what": what, "detail": detail}
    number: int = connection.execute(insert(events).values(**row).returning(events.c.id)).scalar_one()
    return number


def add_to(trail: Trail, entry: _Row, what: What, detail: Mapping[str, str | int]) -> None:
    """Tell the audit of an entry."""
    trail.add(what, entry=entry.id, patient=entry.patient, trial=entry.trial, detail=detail)


def untouched(connection: Connection, entry: _Row) -> bool:
    """Say whether nobody did anything with an entry that new data could put in question."""
    if entry.state != EntryState.NEW or entry.assignee:
        return False
    done = select(events.c.id).where(events.c.entry == entry.id, events.c.what.in_(["noted", "attested"]))
    return connection.execute(done.limit(1)).first() is None


def history(connection: Connection, entry_id: str) -> list[Event]:
    """Return what happened to an entry, the newest first."""
    rows = connection.execute(select(events).where(events.c.entry == entry_id).order_by(events.c.id.desc()))
    return [Event(row.at, row.who, row.what, row.detail) for row in rows]
