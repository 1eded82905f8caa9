"""What people do with an entry: each edit names the version that it was made on, and none overwrites another unseen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, update

from cds_service.errors import EditedMeanwhileError, RequestError
from cds_service.facts.phrase import say
from cds_service.store.audit import Trail
from cds_service.store.own_text import clean, is_id, typed
from cds_service.store.worklist import MOST_NAME, MOST_NOTE, MOST_REASON, Differs, EntryState, Event, What
from cds_service.store.worklist_schema import entries, events, results, screenings

_SAME_NOTE: Final = timedelta(minutes=5)
_BY_PEOPLE: Final = ("noted", "assigned", "decided", "attested", "withdrawn", "seen")
_Row = Row[tuple[Any, ...]]


@dataclass(frozen=True)
class Page:
    """The page that an edit was made on.

    Args:
        version: of the entry; None for what only adds.
        shown: id of the screening that it showed, None where that is not known.
        differs: whether two results differ in anything that a person relies on.
    """

    version: int | None
    shown: int | None
    differs: Differs


def decide(
    connection: Connection, trail: Trail, entry_id: str, on: Page, *, state: EntryState, criterion: str, reason: str
) -> None:
    """Set what people made of a patient."""
    criterion = typed(criterion, field="criterion", most=MOST_NAME)
    reason = typed(reason, field="reason", most=MOST_REASON)
    change = {"state": state, "state_by": clean(trail.who), "state_at": trail.at}
    was = edit(connection, trail, entry_id, on, {**change, "state_reason": reason, "state_criterion": criterion})
    detail = {"state": state.value, "was": was.state, "criterion": criterion, "reason": reason}
    tell(connection, trail, entry_id, "decided", detail)
    add_to(trail, was, "decided", {"state": state.value, "was": was.state})


def note(connection: Connection, trail: Trail, entry_id: str, on: Page, *, text: str) -> None:
    """Add a note; the same one of the same person within minutes, with nothing done in between, is one."""
    text = typed(text, field="text", most=MOST_NOTE)
    was = edit(connection, trail, entry_id, on, {})
    if _just_noted(connection, trail, entry_id, text):
        return  # pressed twice, or the page loaded again
    number = tell(connection, trail, entry_id, "noted", {"text": text})
    add_to(trail, was, "noted", {"event": number})


def _just_noted(connection: Connection, trail: Trail, entry_id: str, text: str) -> bool:
    last = select(events).where(events.c.entry == entry_id, events.c.what.in_(_BY_PEOPLE))
    row = connection.execute(last.order_by(events.c.id.desc()).limit(1)).first()
    if row is None or (row.what, row.who) != ("noted", clean(trail.who)) or row.detail.get("text") != text:
        return False
    return bool(trail.at - row.at < _SAME_NOTE)


def assign(connection: Connection, trail: Trail, entry_id: str, on: Page, *, assignee: str) -> None:
    """Say who looks after an entry, "" for nobody."""
    assignee = typed(assignee, field="assignee", most=MOST_NAME)
    was = edit(connection, trail, entry_id, on, {"assignee": assignee})
    number = tell(connection, trail, entry_id, "assigned", {"assignee": assignee, "was": was.assignee})
    add_to(trail, was, "assigned", {"event": number})


def acknowledge(connection: Connection, trail: Trail, entry_id: str, on: Page) -> None:
    """Say that what the page's screening says was seen."""
    detail = {"screening": on.shown or 0}
    was = edit(connection, trail, entry_id, on, {"seen": on.shown, "changed": False})
    tell(connection, trail, entry_id, "seen", detail)
    add_to(trail, was, "seen", detail)


def edit(connection: Connection, trail: Trail, entry_id: str, on: Page, change: Mapping[str, Any]) -> _Row:
    """Change an entry; return it as it was.

    The edit stands on what its page showed. Where something else stands now that a person should know, the page's
    screening is what was seen, whether or not the entry followed the newer one by itself, and the entry is changed.

    Raises:
        EditedMeanwhileError: it is no longer of this version.
        RequestError: there is no such entry, or no such screening of it.
    """
    was = hold(connection, entry_id)
    values = {**change, "updated": trail.at}
    if on.version is not None:
        if was.version != on.version:
            raise EditedMeanwhileError
        values["version"] = was.version + 1
    if on.shown is not None and on.shown != was.latest:
        then, now = (result_of(connection, was.id, one) for one in (on.shown, was.latest))
        if on.differs(then, now):
            values |= {"seen": on.shown, "changed": True}
    connection.execute(update(entries).where(entries.c.id == entry_id).values(**values))
    return was


def result_of(connection: Connection, entry: str, screening: int) -> Mapping[str, Any]:
    """Return the result of a screening of an entry.

    Raises:
        RequestError: it has no such screening.
    """
    found = find_result(connection, entry, screening)
    if found is None:
        raise RequestError(say("Name a screening of this entry."), field="screening")
    return found


def find_result(connection: Connection, entry: str, screening: int) -> Mapping[str, Any] | None:
    """Return the result of a screening; None when it is not this entry's."""
    query = select(results.c.result).join_from(results, screenings)
    of_entry = query.where(screenings.c.entry == entry, screenings.c.id == screening)
    found: Mapping[str, Any] | None = connection.execute(of_entry).scalar()
    return found


def hold(connection: Connection, entry_id: str) -> _Row:
    """Return an entry that nobody else changes until the end of the transaction.

    Raises:
        RequestError: there is no such entry.
    """
    found = None
    if is_id(entry_id):
        found = connection.execute(select(entries).where(entries.c.id == entry_id).with_for_update()).first()
    if found is None:
        raise RequestError(say("There is no such entry."), field="entry", status=404)
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
    if entry.state != EntryState.NEW or entry.state_at is not None or entry.assignee or entry.changed:
        return False
    done = select(events.c.id).where(events.c.entry == entry.id, events.c.what.in_(_BY_PEOPLE))
    return connection.execute(done.limit(1)).first() is None


def history(connection: Connection, entry_id: str, limit: int | None = None, before: int | None = None) -> list[Event]:
    """Return what happened to an entry, the newest first: at most so many, and only what has a smaller number."""
    query = select(events).where(events.c.entry == entry_id).order_by(events.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(events.c.id < before)
    return [Event(row.at, row.who, row.what, row.detail, row.id) for row in connection.execute(query)]
