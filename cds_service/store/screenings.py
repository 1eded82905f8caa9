"""Screenings: taken once each, the newest standing for its entry, and never against what people decided."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, insert, select, update

from cds_service.errors import EditedMeanwhileError
from cds_service.evaluation.outcome import LEANS_AGAINST
from cds_service.store import people
from cds_service.store.audit import Trail
from cds_service.store.database import insert_new
from cds_service.store.decisions import result_of, tell, untouched
from cds_service.store.keys import key_of
from cds_service.store.own_text import clean
from cds_service.store.worklist import (
    Again,
    Chart,
    Differs,
    EntryState,
    NewScreening,
    PastScreening,
    Person,
    Screening,
    Taken,
)
from cds_service.store.worklist_schema import entries, missing_facts, screenings

_NEW: Final = tuple(field.name for field in fields(NewScreening))
_FIELDS: Final = tuple(field.name for field in fields(Screening))
_PAST: Final = tuple(field.name for field in fields(PastScreening))


@dataclass(frozen=True)
class Taking:
    """How screenings are taken.

    Args:
        differs: whether two results (acknowledged, new) differ in anything that a person relies on.
        read: when the charts were read.
        today: the day that it is where the patients are.
        stands: whether a new result may take the place of the one that stands (standing, new); None: every one may.
    """

    differs: Differs
    read: datetime
    today: date
    stands: Differs | None = None


def take_all(
    connection: Connection,
    trail: Trail,
    taken: Sequence[tuple[Person, Chart, Sequence[NewScreening]]],
    how: Taking,
) -> list[dict[str, Taken]]:
    """Take screenings of several persons; return what became of the entry of each trial, for each of them."""
    found: list[dict[str, Taken]] = [{} for _ in taken]
    # In one order for all: two writers that each hold one entry and want the other's would never end.
    for place in sorted(range(len(taken)), key=lambda at: (taken[at][0].source, taken[at][0].reference, at)):
        found[place] = _take_one(connection, trail, *taken[place], how)
    return found


def _take_one(
    connection: Connection,
    trail: Trail,
    person: Person,
    chart: Chart,
    taken: Sequence[NewScreening],
    how: Taking,
) -> dict[str, Taken]:
    if not taken:
        return {}
    patient = people.patient_of(connection, person)
    found: dict[str, Taken] = {}
    newest = False
    for one in sorted(taken, key=lambda one: one.trial):
        entry = _entry(connection, patient, clean(one.trial), trail.at)
        changed = _take(connection, trail, entry, chart, one, how)
        newest = newest or changed is not None
        flagged = entry.changed if changed is None else changed
        found[one.trial] = Taken(entry.id, "new" if not entry.latest else "changed" if flagged else "unchanged")
    if newest:
        people.describe(connection, patient, person)
    return found


def get(connection: Connection, entry: str, screening: int) -> Screening | None:
    """Return a screening of this entry."""
    row = connection.execute(_of(entry).where(screenings.c.id == screening)).first()
    return read(row) if row else None


def history(
    connection: Connection, entry: str, limit: int | None = None, before: int | None = None
) -> list[PastScreening]:
    """Return what an entry was judged, the newest first: at most so many, and only what has a smaller id."""
    query = select(*(screenings.c[name] for name in _PAST)).where(screenings.c.entry == entry)
    if before is not None:
        query = query.where(screenings.c.id < before)
    rows = connection.execute(query.order_by(screenings.c.id.desc()).limit(limit))
    return [PastScreening(**{**row._asdict(), "missing": tuple(row.missing)}) for row in rows]


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
    how: Taking,
) -> bool | None:
    """Take one screening; say whether the entry is changed by it, None where it is not the one that stands now.

    The one whose chart was read last does, unless it is about an earlier day: a run of last month that is taken again
    changes nothing; nor does what ``stands`` does not let stand. A day that has not come yet counts as today, lest a
    run for next year stands until then.
    """
    moment = {"day": min(new.as_of, how.today), "at": min(how.read, trail.at)}
    found, is_new = _keep(connection, trail, entry, chart, new, moment)
    if found == entry.latest:
        return None
    if entry.latest:
        latest = connection.execute(select(screenings).where(screenings.c.id == entry.latest)).one()
        if (moment["day"], moment["at"]) < (latest.day, latest.at):
            return None
        if how.stands is not None and not how.stands(latest.result, new.result):
            return None
    seen, changed = entry.seen, False
    if not seen or untouched(connection, entry):
        seen = found
    else:
        changed = found != seen and how.differs(result_of(connection, entry.id, seen), new.result)
    _let_stand(connection, trail, entry, found, new, {"seen": seen, "changed": changed}, {} if is_new else moment)
    return changed


def take_again(
    connection: Connection, trail: Trail, entry: Row[tuple[Any, ...]], again: Again, differs: Differs
) -> None:
    """Take what came of a chart that was judged once more, of an entry that is held.

    It was read when the screening was that it takes the place of. What follows from the edit alone is seen by who
    edits; what was there to be seen before, or comes of other rules, stays to be seen.

    Args:
        connection: to write with.
        trail: of the edit.
        entry: as it is now.
        again: what came of it.
        differs: whether two results differ in anything that a person relies on.

    Raises:
        EditedMeanwhileError: another screening stands by now.
    """
    if entry.latest != again.basis:
        raise EditedMeanwhileError
    basis = connection.execute(select(screenings).where(screenings.c.id == again.basis)).one()
    moment = {"day": basis.day, "at": basis.at}
    found, is_new = _keep(connection, trail, entry, again.chart, again.screening, moment)
    if found == entry.latest:
        return
    seen, new = result_of(connection, entry.id, entry.seen), again.screening.result
    change: dict[str, Any] = {"changed": found != entry.seen and differs(seen, new)}
    if entry.changed and not differs(seen, basis.result):
        change = {"changed": True}  # for what no result says: this edit settles none of it
    elif change["changed"] and not entry.changed and again.screening.rules_digest == basis.rules_digest:
        change = {"seen": found, "changed": False}
    _let_stand(connection, trail, entry, found, again.screening, change, {} if is_new else moment)


def _let_stand(
    connection: Connection,
    trail: Trail,
    entry: Row[tuple[Any, ...]],
    found: int,
    new: NewScreening,
    change: Mapping[str, Any],
    moment: Mapping[str, Any],
) -> None:
    """Let a screening stand for its entry, and tell; ``moment`` is set where it stands once more."""
    if moment:
        connection.execute(update(screenings).where(screenings.c.id == found).values(**moment))
    values = {"latest": found, "updated": trail.at, **change}
    connection.execute(update(entries).where(entries.c.id == entry.id).values(**values))
    detail: dict[str, str | int] = {
        "screening": found,
        "status": new.status,
        "as_of": new.as_of.isoformat(),
        "gate": new.gate,
    }
    tell(connection, trail, entry.id, "screened", detail)
    trail.add("screened", entry=entry.id, patient=entry.patient, trial=entry.trial, detail={"screening": found})


def _keep(
    connection: Connection,
    trail: Trail,
    entry: Row[tuple[Any, ...]],
    chart: Chart,
    new: NewScreening,
    moment: Mapping[str, Any],
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
    """Count what only a person can settle, or settled, and the record leans against."""
    asked = set(result.get("to_confirm", ()))
    return sum(
        (one.get("id") in asked and one.get("leaning") == "fail") or LEANS_AGAINST in one.get("notes", ())
        for one in result.get("criteria", ())
    )
