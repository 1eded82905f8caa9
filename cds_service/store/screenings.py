"""Screenings: taken once each, the newest standing for its entry, and never against what people decided."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, insert, select, update

from cds_service.store import people
from cds_service.store.audit import Trail
from cds_service.store.database import insert_new
from cds_service.store.decisions import tell, untouched
from cds_service.store.keys import key_of
from cds_service.store.own_text import clean
from cds_service.store.worklist import Chart, EntryState, NewScreening, Person, Screening
from cds_service.store.worklist_schema import entries, missing_facts, screenings

Differs = Callable[[Mapping[str, Any], Mapping[str, Any]], bool]
_NEW: Final = tuple(field.name for field in fields(NewScreening))
_FIELDS: Final = tuple(field.name for field in fields(Screening))


def take_all(
    connection: Connection,
    trail: Trail,
    taken: Sequence[tuple[Person, Chart, Sequence[NewScreening]]],
    *,
    differs: Differs,
    read: datetime,
) -> list[dict[str, str]]:
    """Take screenings of several persons; return the entry of each trial, for each of them."""
    found: list[dict[str, str]] = [{} for _ in taken]
    # In one order for all: two writers that each hold one entry and want the other's would never end.
    for place in sorted(range(len(taken)), key=lambda at: (taken[at][0].source, taken[at][0].reference, at)):
        found[place] = _take_one(connection, trail, *taken[place], differs, min(read, trail.at))
    return found


def _take_one(
    connection: Connection,
    trail: Trail,
    person: Person,
    chart: Chart,
    taken: Sequence[NewScreening],
    differs: Differs,
    read: datetime,
) -> dict[str, str]:
    if not taken:
        return {}
    patient = people.patient_of(connection, person)
    found, newest = {}, False
    for one in sorted(taken, key=lambda one: one.trial):
        entry = _entry(connection, patient, clean(one.trial), trail.at)
        stands = _take(connection, trail, entry, chart, one, differs, read)
        newest = newest or stands
        found[one.trial] = str(entry.id)
    if newest:
        people.describe(connection, patient, person)
    return found


def get(connection: Connection, entry: str, screening: int) -> Screening | None:
    """Return a screening of this entry."""
    row = connection.execute(_of(entry).where(screenings.c.id == screening)).first()
    return read(row) if row else None


def history(connection: Connection, entry: str) -> list[Screening]:
    """Return all screenings of an entry, the newest first."""
    return [read(row) for row in connection.execute(_of(entry).order_by(screenings.c.id.desc()))]


def read(row: Row[tuple[Any, ...]], prefix: str = "") -> Screening:
    """Read a screening out of a row."""
    mapping = row._mapping
    found = {name: mapping[prefix + name] for name in _FIELDS}
    return Screening(**{**found, "missing": tuple(found["missing"])})


def columns(prefix: str) -> list[Any]:
    """Return the columns of a screening under names of their own, for :func:`read`."""
    return [screenings.c[name].label(prefix + name) for name in _FIELDS]


def _of(entry: str) -> Select[tuple[Any, ...]]:
    return select(screenings).where(screenings.c.entry == entry)


def _entry(connection: Connection, patient: str, trial: str, now: datetime) -> Row[tuple[Any, ...]]:
    """Return the entry of a patient and trial, held until the end of the transaction; a new one has no screening."""
    query = select(entries).where(entries.c.patient == patient, entries.c.trial == trial).with_for_update()
    row = connection.execute(query).first()
    if row is None:
        blank = {
            "id": secrets.token_hex(16),
            "patient": patient,
            "trial": trial,
            "state": EntryState.NEW,
            "state_by": "",
            "state_reason": "",
            "state_criterion": "",
            "assignee": "",
            "version": 1,
            "changed": False,
            "latest": 0,
            "seen": 0,
            "updated": now,
        }
        insert_new(connection, entries, blank)
        row = connection.execute(query).one()
    return row


def _take(
    connection: Connection,
    trail: Trail,
    entry: Row[tuple[Any, ...]],
    chart: Chart,
    new: NewScreening,
    differs: Differs,
    read: datetime,
) -> bool:
    """Take one screening; say whether it became the one that stands for its entry.

    The one whose chart was read last does, unless it is about an earlier day: a run of last month that is taken again
    changes nothing. A day that has not come yet counts as today, lest a run for next year stands until then.
    """
    moment = {"day": min(new.as_of, trail.at.astimezone(UTC).date()), "at": read}
    found, is_new = _keep(connection, trail, entry, chart, new, moment)
    if found == entry.latest:
        return False
    if entry.latest:
        latest = connection.execute(select(screenings).where(screenings.c.id == entry.latest)).one()
        if (moment["day"], read) < (latest.day, latest.at):
            return False
    if not is_new:
        connection.execute(update(screenings).where(screenings.c.id == found).values(**moment))
    seen, changed = entry.seen, False
    if not seen or untouched(connection, entry):
        seen = found
    else:
        acknowledged = connection.execute(select(screenings.c.result).where(screenings.c.id == seen)).scalar_one()
        changed = found != seen and differs(acknowledged, new.result)
    stands = {"latest": found, "seen": seen, "changed": changed, "updated": trail.at}
    connection.execute(update(entries).where(entries.c.id == entry.id).values(**stands))
    detail: dict[str, str | int] = {
        "screening": found,
        "status": new.status,
        "as_of": new.as_of.isoformat(),
        "gate": new.gate,
    }
    tell(connection, trail, entry.id, "screened", detail)
    trail.add("screened", entry=entry.id, patient=entry.patient, trial=entry.trial, detail={"screening": found})
    return True


def _keep(
    connection: Connection,
    trail: Trail,
    entry: Row[tuple[Any, ...]],
    chart: Chart,
    new: NewScreening,
    moment: Mapping[str, date],
) -> tuple[int, bool]:
    """Keep a screening once; return its id, and whether it is new."""
    anchor = new.anchor.isoformat() if new.anchor else ""
    once = key_of("screening", new.rules_digest, chart.fingerprint, new.as_of.isoformat(), anchor, new.attested)
    query = select(screenings.c.id).where(screenings.c.entry == entry.id, screenings.c.once == once)
    found: int | None = connection.execute(query).scalar()
    if found is not None:
        return found, False
    people.keep_chart(connection, entry.patient, chart)
    row = {
        **{name: getattr(new, name) for name in _NEW},
        "trial": entry.trial,
        "entry": entry.id,
        "once": once,
        "taken": trail.at,
        **moment,
        "fingerprint": chart.fingerprint,
        "missing_count": len(new.missing),
        "doubts": _doubts(new.result),
    }
    added = connection.execute(insert(screenings).values(**row).returning(screenings.c.id)).scalar_one()
    for fact in dict.fromkeys(new.missing):
        connection.execute(insert(missing_facts).values(screening=added, fact=fact))
    return added, True


def _doubts(result: Mapping[str, Any]) -> int:
    """Count what only a person can settle and the record leans against."""
    asked = set(result.get("to_confirm", ()))
    return sum(one.get("id") in asked and one.get("leaning") == "fail" for one in result.get("criteria", ()))
