"""The list of a trial: filtered, sorted, counted and cut into pages by the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, case, false, func, literal, select

from cds_service.evaluation.outcome import Status
from cds_service.store import people as persons
from cds_service.store import screenings as taken
from cds_service.store.own_text import clean, is_id, pattern
from cds_service.store.people import key_of_person
from cds_service.store.worklist import Counts, Entry, EntryPage, EntryState, Wanted
from cds_service.store.worklist_schema import entries, missing_facts, people, runs, screenings

_LATEST: Final = "latest_"
_Column = ColumnElement[Any]


def get(connection: Connection, entry_id: str) -> Entry | None:
    """Return an entry."""
    if not is_id(entry_id):
        return None
    row = connection.execute(_whole().where(entries.c.id == entry_id)).first()
    return _entry(row) if row else None


def page(connection: Connection, trial: str, wanted: Wanted) -> EntryPage:
    """Return one page of a trial's list."""
    conditions = _conditions(trial, wanted)
    total = connection.execute(_joined(func.count()).where(*conditions)).scalar_one()
    size = max(1, wanted.size)
    pages = max(1, -(-total // size))
    number = min(max(1, wanted.page), pages)
    query = _whole().where(*conditions).order_by(*_order(wanted)).limit(size).offset((number - 1) * size)
    return EntryPage(tuple(_entry(row) for row in connection.execute(query)), total, number, pages)


def ids(connection: Connection, trial: str, wanted: Wanted, *, by_name: bool) -> list[str]:
    """Return the ids of all entries that are wanted, on whatever page, in order.

    Args:
        connection: to the database.
        trial: its id.
        wanted: which, and in which order.
        by_name: whether those that nothing tells apart are in the order of names; else in that of our random ids.
    """
    query = _joined(entries.c.id).where(*_conditions(trial, wanted))
    return list(connection.execute(query.order_by(*_order(wanted, by_name=by_name))).scalars())


def some(connection: Connection, wanted: Sequence[str]) -> list[Entry]:
    """Return the entries of some ids, in their order; one that is not there any more is left out."""
    found = {row.id: _entry(row) for row in connection.execute(_whole().where(entries.c.id.in_(wanted)))}
    return [found[one] for one in wanted if one in found]


def count(connection: Connection, trial: str, today: date | None = None) -> Counts:
    """Count a trial's entries; those that have lapsed by a day, None for none."""
    of_trial = entries.c.trial == clean(trial)

    def by(column: _Column) -> dict[Any, int]:
        number = func.count().label("number")
        query = _joined(column.label("value"), number).where(of_trial).group_by(column)
        return {row.value: row.number for row in connection.execute(query.order_by(number.desc(), column))}

    states, status = by(entries.c.state), by(screenings.c.status)
    facts = func.count().label("number")
    missing = (
        select(missing_facts.c.fact, facts)
        .join_from(missing_facts, entries, entries.c.latest == missing_facts.c.screening)
        .where(of_trial)
        .group_by(missing_facts.c.fact)
        .order_by(facts.desc(), missing_facts.c.fact)
    )
    return Counts(
        total=sum(states.values()),
        changed=by(entries.c.changed).get(True, 0),
        lapsed=connection.execute(_joined(func.count()).where(of_trial, _lapsed(today))).scalar_one(),
        status={one.value: status[one] for one in Status if one in status},
        state={one: states[one] for one in EntryState if one in states},
        missing={row.fact: row.number for row in connection.execute(missing)},
        assignees=by(entries.c.assignee),
    )


def trials(connection: Connection) -> list[str]:
    """Return the trials that have entries or runs."""
    return sorted(
        {row.trial for table in (entries, runs) for row in connection.execute(select(table.c.trial).distinct())}
    )


def states(connection: Connection, source: str, reference: str) -> dict[str, EntryState]:
    """Return, for each trial, what people made of a person."""
    query = select(entries.c.trial, entries.c.state).join_from(entries, people, people.c.patient == entries.c.patient)
    of_person = people.c.key == key_of_person(source, reference)
    return {row.trial: EntryState(row.state) for row in connection.execute(query.where(of_person))}


def anchors(connection: Connection, source: str, reference: str) -> dict[str, date]:
    """Return, for each trial whose standing screening was judged with one, the anchor."""
    query = _joined(entries.c.trial, screenings.c.anchor).where(people.c.key == key_of_person(source, reference))
    return {row.trial: row.anchor for row in connection.execute(query.where(screenings.c.anchor.is_not(None)))}


def listed(connection: Connection, source: str) -> dict[str, set[str]]:
    """Return who of a source is on lists: the trials, by the person's reference."""
    query = select(people.c.reference, entries.c.trial).join_from(
        entries, people, people.c.patient == entries.c.patient
    )
    found: dict[str, set[str]] = {}
    for row in connection.execute(query.where(people.c.source == clean(source))):
        found.setdefault(row.reference, set()).add(row.trial)
    return found


def _joined(*columns: Any) -> Select[Any]:
    return (
        select(*columns)
        .join_from(entries, people, people.c.patient == entries.c.patient)
        .join(screenings, screenings.c.id == entries.c.latest)
    )


def _whole() -> Select[Any]:
    return _joined(entries, *(column for column in people.c if column.name != "patient"), *taken.columns(_LATEST))


def _conditions(trial: str, wanted: Wanted) -> list[_Column]:
    found: list[_Column] = [entries.c.trial == clean(trial)]
    if wanted.status:
        found.append(screenings.c.status.in_(map(clean, wanted.status)))
    if wanted.state:
        found.append(entries.c.state.in_(wanted.state))
    if wanted.missing:
        with_fact = select(missing_facts.c.screening).where(missing_facts.c.fact == clean(wanted.missing))
        found.append(entries.c.latest.in_(with_fact))
    if wanted.assignee is not None:
        found.append(entries.c.assignee == clean(wanted.assignee))
    if wanted.changed is not None:
        found.append(entries.c.changed == wanted.changed)
    if wanted.lapsed is not None:
        found.append(_lapsed(wanted.today) == wanted.lapsed)
    if wanted.text.strip():
        found.append(people.c.search.like(pattern(wanted.text.strip()), escape="\\"))
    return found


def _place(column: _Column, order: Mapping[str, int]) -> _Column:
    return case(order, value=column, else_=len(order))


_STATUS: Final = _place(screenings.c.status, {one.value: place for place, one in enumerate(Status)})
_STATE: Final = _place(entries.c.state, {one.value: place for place, one in enumerate(EntryState)})
_NO_LAPSE: Final = screenings.c.lapses.is_(None)


def _lapsed(today: date | None) -> _Column:
    """Say of a candidate whether the last day of its results has passed."""
    if today is None:
        return false()
    last = screenings.c.lapses
    return (screenings.c.status == Status.CANDIDATE) & last.is_not(None) & (last < today)


def _rank(today: date | None) -> tuple[_Column, ...]:
    candidate = screenings.c.status == Status.CANDIDATE
    lapsed = case((_lapsed(today), 1), else_=0)
    doubtful = case((candidate & (screenings.c.doubts > 0), 1), else_=0)
    lacking = case((screenings.c.status == Status.NEEDS_DATA, screenings.c.missing_count), else_=0)
    return _STATUS, lapsed, doubtful, lacking, _NO_LAPSE, screenings.c.lapses


def _order(wanted: Wanted, *, by_name: bool = True) -> list[_Column]:
    """Return what to sort by; what nobody can tell apart is in the order of names, if it may be, then of ids."""
    keys: dict[str, tuple[_Column, ...]] = {
        "rank": _rank(wanted.today),
        "name": (people.c.search == literal(""), people.c.search),
        "status": (_STATUS,),
        "lapses": (_NO_LAPSE, screenings.c.lapses),
        "missing": (screenings.c.missing_count,),
        "updated": (entries.c.updated,),
        "state": (_STATE,),
    }
    chosen = keys[wanted.sort]
    last = {id(_NO_LAPSE), id(keys["name"][0])}  # what has no value stays last either way
    turned = [one.desc() if wanted.descending and id(one) not in last else one for one in chosen]
    return [*turned, *([people.c.search] if by_name else []), entries.c.id]


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        id=row.id,
        patient=row.patient,
        person=persons.person(row),
        trial=row.trial,
        state=EntryState(row.state),
        state_by=row.state_by,
        state_at=row.state_at,
        state_reason=row.state_reason,
        state_criterion=row.state_criterion,
        assignee=row.assignee,
        version=row.version,
        changed=row.changed,
        latest=taken.read(row, _LATEST),
        seen=row.seen,
        updated=row.updated,
    )
