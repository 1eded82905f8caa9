"""A judgement that says the same on later days is one row that says so; whatever says more is another one."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from cds_service.errors import EditedMeanwhileError
from cds_service.store import Store
from cds_service.store.misses import Missed
from cds_service.store.worklist import Again, Entry, EntryState, NewScreening, Person
from tests.store.made_screenings import DAY, NOW, TRIAL, attestation, chart, differs, judged, person

AGE = {"resource": "Patient/1", "value": "1970-02-03", "note": "birth date"}
STALE = {"resource": "Observation/1", "value": 20, "unit": "umol/L", "date": "2026-02-20"}


def told(day: date, **changes: Any) -> dict[str, Any]:
    """Return a result as of a day, with what follows from that day alone."""
    ago = (day - date(2026, 2, 20)).days
    criterion = {
        "id": "bilirubin",
        "verdict": "unknown",
        "leaning": "pass",
        "message": f"{ago} days ago",
        "message_zh": f"{ago} 天前",
        "evidence": [STALE, {**AGE, "date": day.isoformat()}],
        "valid_until": None,
    }
    decisive = {"fact": "bilirubin_total", "last": STALE, "new_until": (day + timedelta(days=14)).isoformat()}
    found = {"status": "needs-data", "patient": "Patient/1", "criteria": [criterion], "decisive": [decisive]}
    return {**found, "valid_until": None, "unread": {}, **changes}


def on(day: int, status: str = "needs-data", **changes: Any) -> NewScreening:
    when = DAY + timedelta(days=day)
    return judged(status, **{"as_of": when, "result": told(when, status=status), **changes})


def come(store: Store, day: int, new: NewScreening | None = None, content: str = "a", **more: Any) -> Entry:
    """Take a screening on a day; return the entry."""
    now = NOW + timedelta(days=day)
    given = {"differs": differs, "now": now, "today": DAY + timedelta(days=day), **more}
    found = store.worklist.take(person(), chart(content), [new or on(day)], **given)
    entry = store.worklist.entry(found[TRIAL])
    assert entry is not None
    return entry


def days(store: Store, entry: Entry) -> list[tuple[int, int, int]]:
    """Return the first and last day of each judgement, and how many there were, the newest judgement first."""
    found = store.worklist.screenings(entry.id)
    return [((one.since - DAY).days, (one.as_of - DAY).days, one.days) for one in found]


def test_the_same_on_eighteen_days_is_one_row(store: Store) -> None:
    first = come(store, 0)
    events, audit, tip = store.worklist.history(first.id), store.worklist.audit(), store.worklist.audit_tip()
    for day in (1, 2, 5, 5, 9):
        entry = come(store, day)
        assert (entry.latest.id, entry.latest.as_of) == (first.latest.id, DAY + timedelta(days=day))
    assert days(store, entry) == [(0, 9, 5)]
    assert (entry.latest.taken, entry.latest.at, entry.updated) == (NOW, NOW + timedelta(days=9), first.updated)
    assert store.worklist.result(entry.id, entry.latest.id) == told(DAY + timedelta(days=9))
    assert (store.worklist.history(first.id), store.worklist.audit()) == (events, audit)
    assert store.worklist.audit_tip() == tip
    with store._engine.connect() as connection:
        for table in ("screenings", "results", "charts", "missing_facts"):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 1


@pytest.mark.parametrize(
    "other",
    [
        {"result": told(DAY + timedelta(days=1), valid_until="2026-03-09")},
        {"result": told(DAY + timedelta(days=1), unread={"Procedure": "timed out"})},
        {"result": told(DAY + timedelta(days=1), site="North 2")},
        {"status": "candidate", "result": told(DAY + timedelta(days=1), status="candidate")},
        {"result": told(DAY + timedelta(days=1), criteria=[])},
        {"rules_digest": "sha256:other"},
        {"anchor": DAY + timedelta(days=9)},
        {"attested": "sha256:said"},
    ],
)
def test_whatever_says_more_is_another_row(store: Store, other: dict[str, Any]) -> None:
    first = come(store, 0)
    entry = come(store, 1, on(1, **other))
    assert days(store, entry) == [(1, 1, 1), (0, 0, 1)]
    assert entry.latest.id != first.latest.id
    assert come(store, 2, content="b").latest.id != entry.latest.id


def test_what_came_back_after_another_one_is_a_row_of_its_own(store: Store) -> None:
    come(store, 0)
    come(store, 1)
    come(store, 2, on(2, "candidate"), "b")
    entry = come(store, 3)
    assert days(store, entry) == [(3, 3, 1), (2, 2, 1), (0, 1, 2)]
    assert [one.what for one in store.worklist.history(entry.id)] == ["screened"] * 3


def test_a_run_that_is_taken_again_or_late_changes_nothing(store: Store) -> None:
    for day in (0, 4, 8):
        entry = come(store, day)
    for day in (0, 2, 4, 8):  # of a day in between too: it is as it was on both sides
        read = datetime.combine(DAY + timedelta(days=day), time(3), UTC)
        assert come(store, 8, on(day), read=read) == entry
    assert days(store, entry) == [(0, 8, 3)]
    late = come(store, 8, on(3, "candidate"), read=NOW)
    assert (late.latest, days(store, late)) == (entry.latest, [(3, 3, 1), (0, 8, 3)])
    assert come(store, 8, on(-3), read=NOW - timedelta(days=3)).latest == entry.latest


def test_a_read_that_breaks_off_every_other_night_is_one_row_too(store: Store) -> None:
    def stands(before: object, after: Any) -> bool:
        return not after["unread"]

    for day in range(6):
        broken = on(day, result=told(DAY + timedelta(days=day), unread={"Procedure": "timed out"}))
        entry = come(store, day, broken if day % 2 else None, "b" if day % 2 else "a", stands=stands)
    assert days(store, entry) == [(1, 5, 3), (0, 4, 3)]
    assert (entry.latest.as_of, entry.latest.fingerprint) == (DAY + timedelta(days=4), "sha256:a")


def test_a_day_that_has_not_come_is_no_last_day_of_several(store: Store) -> None:
    come(store, 0)
    far = come(store, 1, on(9000))
    assert days(store, far) == [(9000, 9000, 1), (0, 0, 1)]
    entry = come(store, 2)
    assert (entry.latest.as_of, entry.changed) == (DAY + timedelta(days=2), False)
    assert come(store, 3).latest.id == entry.latest.id


def test_what_people_saw_and_decided_stays_with_it(store: Store) -> None:
    worklist, first = store.worklist, come(store, 0)
    seen = worklist.decide(first.id, 1, state=EntryState.CONTACTED, who="Li", now=NOW, shown=first.latest.id)
    entry = come(store, 1)
    assert (entry.changed, entry.seen, entry.version, entry.state) == (False, first.latest.id, 2, seen.state)
    entry = worklist.assign(entry.id, 2, assignee="Chen", who="Li", now=NOW, shown=first.latest.id, differs=differs)
    assert not entry.changed  # the page of the day before showed the same
    entry = come(store, 2, on(2, "candidate"), "b")
    assert (entry.changed, entry.seen) == (True, first.latest.id)
    tip = worklist.audit_tip()
    entry = come(store, 3, on(3, "candidate"), "b")
    assert (entry.changed, entry.seen, worklist.audit_tip()) == (True, first.latest.id, tip)


def test_a_name_that_was_mended_comes_along(store: Store) -> None:
    come(store, 0)
    named = Person(person().source, person().reference, ("Wang Mended",), "1970-02-03", "female")
    now = NOW + timedelta(days=1)
    found = store.worklist.take(named, chart(), [on(1)], differs=differs, now=now)
    entry = store.worklist.entry(found[TRIAL])
    assert entry is not None
    assert (entry.person.names, entry.latest.days) == (("Wang Mended",), 2)


def test_who_is_found_again_is_missed_no_more(store: Store) -> None:
    entry = store.worklist.note(come(store, 0).id, text="x", who="Li", now=NOW)
    miss = Missed(person().source, person().reference, {TRIAL}, "sha256:run", DAY + timedelta(days=1), NOW)
    store.worklist.not_found(miss, now=NOW + timedelta(days=1), today=DAY + timedelta(days=1))
    assert store.worklist.missed(entry.id) is not None
    entry = come(store, 2)
    assert (entry.changed, store.worklist.missed(entry.id)) == (False, None)
    assert days(store, entry) == [(0, 2, 2)]
    assert [one.what for one in store.worklist.history(entry.id)][:2] == ["screened", "not-found"]


def test_what_is_judged_again_is_of_the_day_that_stands(store: Store) -> None:
    entry = come(store, 0)
    again = Again(entry.latest.id, chart(), on(0, attested="sha256:said"))
    come(store, 1)  # while it was judged
    with pytest.raises(EditedMeanwhileError):
        store.worklist.attest(entry.id, 1, attestation(), now=NOW, shown=entry.latest.id, again=again)
    again = Again(entry.latest.id, chart(), on(1, attested="sha256:said"))
    now = store.worklist.attest(entry.id, 1, attestation(), now=NOW, shown=entry.latest.id, again=again)
    assert days(store, now) == [(1, 1, 1), (0, 1, 2)]
    back = Again(now.latest.id, chart(), on(1))
    on_page = {"who": "Li", "now": NOW, "shown": now.latest.id, "differs": differs}
    withdrawn = store.worklist.withdraw(entry.id, 2, "life-expectancy", gate="screening", again=back, **on_page)
    assert (withdrawn.latest.id, days(store, withdrawn)) == (entry.latest.id, [(1, 1, 1), (0, 1, 2)])


def test_a_row_does_not_grow_over_the_day_of_another(store: Store) -> None:
    come(store, -1)
    come(store, -2, today=DAY)  # an older run, taken later
    assert days(store, come(store, 0)) == [(-2, -2, 1), (-1, 0, 2)]
