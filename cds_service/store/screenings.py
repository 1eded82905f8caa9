"""Screenings: each kept once for all days on which it says the same; the newest stands, never against a decision."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import Enum, auto
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from cds_service.errors import EditedMeanwhileError
from cds_service.store import misses, people
from cds_service.store.audit import Trail
from cds_service.store.database import insert_new
from cds_service.store.decisions import result_of, tell, untouched
from cds_service.store.judgement import Again, Chart, Judged, NewScreening, Screening, Taken
from cds_service.store.keys import key_of
from cds_service.store.own_text import clean
from cds_service.store.result import brief_of, doubts, says_the_same
from cds_service.store.worklist import Differs, EntryState, Person
from cds_service.store.worklist_schema import entries, missing_facts, results, screenings

_JUDGED: Final = tuple(field.name for field in fields(Judged))
_FIELDS: Final = tuple(field.name for field in fields(Screening))


@dataclass(frozen=True)
class Taking:
    """How screenings are taken.

    Args:
        differs: whether two results (acknowledged, new) differ in anything that a person relies on.
        read: when the charts were read.
        today: the day that it is where the patients are.
        stands: whether a new result may take the place of the one that stands (standing, new); None: every one may.
        contradicts: whether two descriptions (known, new) of one id are of two people: of the second nothing is taken.
    """

    differs: Differs
    read: datetime
    today: date
    stands: Differs | None = None
    contradicts: Callable[[Person, Person], bool] | None = None


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
    patient, known = people.hold(connection, person)
    if how.contradicts is not None and how.contradicts(known, person):
        return {}
    found: dict[str, Taken] = {}
    newest = False
    for one in sorted(taken, key=lambda one: one.trial):
        entry = _entry(connection, patient, clean(one.trial), trail.at)
        changed, was = _take(connection, trail, entry, chart, one, how)
        newest = newest or changed is not None
        flagged = entry.changed if changed is None else changed
        became: Literal["new", "changed", "unchanged"]
        became = "new" if not entry.latest else "changed" if flagged else "unchanged"
        found[one.trial] = Taken(entry.id, became, was, was if changed is None else one.status)
    if newest:
        people.describe(connection, patient, person)
    return found


def history(connection: Connection, entry: str, limit: int | None = None, before: int | None = None) -> list[Screening]:
    """Return what an entry was judged, the newest first: at most so many, and only what has a smaller id."""
    query = select(screenings).where(screenings.c.entry == entry)
    if before is not None:
        query = query.where(screenings.c.id < before)
    return [read(row) for row in connection.execute(query.order_by(screenings.c.id.desc()).limit(limit))]


def read(row: Row[tuple[Any, ...]], prefix: str = "") -> Screening:
    """Read a screening out of a row."""
    mapping = row._mapping
    found = {name: mapping[prefix + name] for name in _FIELDS}
    return Screening(**{**found, "missing": tuple(found["missing"]), "since": found["since"] or found["as_of"]})


def columns(prefix: str) -> list[Any]:
    """Return the columns of a screening under names of their own, for :func:`read`."""
    return [screenings.c[name].label(prefix + name) for name in _FIELDS]


def _with_result(screening: int) -> Select[tuple[Any, ...]]:
    query = select(screenings, results.c.result).join_from(screenings, results)
    return query.where(screenings.c.id == screening)


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
) -> tuple[bool | None, str]:
    """Take one screening; say whether the entry is changed by it, and the status that stood before, "" for none.

    None instead, where it is not the one that stands now.

    The one whose chart was read last stands, unless it is about an earlier day: a run of last month that is taken again
    changes nothing; nor does what ``stands`` does not let stand. A day that has not come yet counts as today, lest a
    run for next year stands until then.
    """
    moment = {"day": min(new.as_of, how.today), "at": min(how.read, trail.at)}
    found, kept = _keep(connection, trail, entry, chart, new, moment)
    if found == entry.latest:
        return _confirmed(connection, trail, entry, new, how) if kept is _Kept.CONFIRMED else None, new.status
    was = ""
    if entry.latest:
        latest = connection.execute(_with_result(entry.latest)).one()
        was = latest.status
        if (moment["day"], moment["at"]) < (latest.day, latest.at):
            return None, was
        if how.stands is not None and not how.stands(latest.result, new.result):
            return None, was
    seen, changed = entry.seen, False
    if not seen or untouched(connection, entry):
        seen = found
    else:
        changed = found != seen and how.differs(result_of(connection, entry.id, seen), new.result)
    change = {"seen": seen, "changed": changed}
    _let_stand(connection, trail, entry, found, new, change, moment if kept is _Kept.KNOWN else {})
    return changed, was


def _confirmed(
    connection: Connection, trail: Trail, entry: Row[tuple[Any, ...]], new: NewScreening, how: Taking
) -> bool:
    """Say whether the entry is changed, of which what stands was confirmed for a later day.

    That is no event and nothing for the audit: nothing is told that was not told before. But where a run in between
    did not find the patient, it is news that a newer one does.
    """
    if not entry.changed:
        return False
    seen = entry.seen
    changed = entry.latest != seen and how.differs(result_of(connection, entry.id, seen), new.result)
    if not changed or misses.newest(connection, entry.id) is not None:
        _let_stand(connection, trail, entry, entry.latest, new, {"changed": changed}, {})
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
    basis = connection.execute(_with_result(again.basis)).one()
    if basis.as_of != again.screening.as_of:  # confirmed for a later day meanwhile
        raise EditedMeanwhileError
    moment = {"day": basis.day, "at": basis.at}
    found, kept = _keep(connection, trail, entry, again.chart, again.screening, moment)
    if found == entry.latest:
        return
    seen, new = result_of(connection, entry.id, entry.seen), again.screening.result
    change: dict[str, Any] = {"changed": found != entry.seen and differs(seen, new)}
    if entry.changed and not differs(seen, basis.result):
        change = {"changed": True}  # for what no result says: this edit settles none of it
    elif change["changed"] and not entry.changed and again.screening.rules_digest == basis.rules_digest:
        change = {"seen": found, "changed": False}
    _let_stand(connection, trail, entry, found, again.screening, change, moment if kept is _Kept.KNOWN else {})


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


class _Kept(Enum):
    NEW = auto()
    KNOWN = auto()
    CONFIRMED = auto()  # one that is there says the same of a later day


def _keep(
    connection: Connection,
    trail: Trail,
    entry: Row[tuple[Any, ...]],
    chart: Chart,
    new: NewScreening,
    moment: Mapping[str, Any],
) -> tuple[int, _Kept]:
    """Keep a screening once, for all days on which it says the same; return its id, and how it was kept."""
    anchor = new.anchor.isoformat() if new.anchor else ""
    once = key_of("screening", new.rules_digest, chart.fingerprint, new.as_of.isoformat(), anchor, new.attested)
    query = select(screenings.c.id).where(screenings.c.entry == entry.id, screenings.c.once == once)
    found: int | None = connection.execute(query).scalar()
    if found is not None:
        return found, _Kept.KNOWN
    for one in _alike(connection, entry, chart, new, moment):
        if not says_the_same(one.result, new.result):
            continue
        if one.as_of >= new.as_of:
            return one.id, _Kept.KNOWN
        # What stood before another is past; and a day that had not come when it was judged for ends no row of several.
        if one.id < entry.latest or one.as_of != one.day:
            break
        _confirm(connection, one, new, moment)
        return one.id, _Kept.CONFIRMED
    people.keep_chart(connection, entry.patient, chart)
    brief = brief_of(new.result)
    row = {
        **{name: getattr(new, name) for name in _JUDGED},
        "trial": entry.trial,
        "entry": entry.id,
        "once": once,
        "taken": trail.at,
        **moment,
        "fingerprint": chart.fingerprint,
        "missing_count": len(new.missing),
        "doubts": doubts(brief),
        "days": 1,
        "brief": brief,
    }
    added = connection.execute(insert(screenings).values(**row).returning(screenings.c.id)).scalar_one()
    connection.execute(insert(results).values(screening=added, result=new.result))
    for fact in dict.fromkeys(new.missing):
        connection.execute(insert(missing_facts).values(screening=added, fact=fact))
    return added, _Kept.NEW


def _alike(
    connection: Connection, entry: Row[tuple[Any, ...]], chart: Chart, new: NewScreening, moment: Mapping[str, Any]
) -> list[Row[tuple[Any, ...]]]:
    """Return screenings that may be the same as a new one: of the same rules, chart, anchor and attestations.

    Those for whose days it is come first, then those for days before, the nearest first: a row that grew over the days
    of another would count them twice. For a day that has not come there are none of days before.
    """
    anchor, day = screenings.c.anchor, new.as_of
    of_its_days = (func.coalesce(screenings.c.since, screenings.c.as_of) <= day) & (screenings.c.as_of >= day)
    before = screenings.c.as_of < day
    query = (
        select(screenings, results.c.result)
        .join_from(screenings, results)
        .where(
            screenings.c.entry == entry.id,
            screenings.c.rules_digest == new.rules_digest,
            screenings.c.fingerprint == chart.fingerprint,
            screenings.c.attested == new.attested,
            anchor.is_(None) if new.anchor is None else anchor == new.anchor,
            (of_its_days | before) if day <= moment["day"] else of_its_days,
        )
        .order_by(screenings.c.as_of.desc(), screenings.c.id.desc())
    )
    return list(connection.execute(query))


def _confirm(connection: Connection, row: Row[tuple[Any, ...]], new: NewScreening, moment: Mapping[str, Any]) -> None:
    """Let a screening hold for a later day too; its sentences are those of that day."""
    values = {"as_of": new.as_of, "since": row.since or row.as_of, "days": row.days + 1, **moment}
    connection.execute(update(screenings).where(screenings.c.id == row.id).values(**values))
    connection.execute(update(results).where(results.c.screening == row.id).values(result=new.result))
