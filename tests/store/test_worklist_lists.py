"""The list of a trial, filtered, sorted, counted and cut into pages by SQLite and by a real PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cds_service.store import Store
from cds_service.store.worklist import Counts, EntryState, Wanted
from tests.store.made_screenings import DAY, NOW, TRIAL, judged, person, taken

LATER = NOW + timedelta(hours=1)


def references(store: Store, **wanted: object) -> list[str]:
    page = store.worklist.entries(TRIAL, wanted=Wanted(**wanted))  # type: ignore[arg-type]
    return [one.person.reference.removeprefix("Patient/") for one in page.entries]


def doubtful(status: str) -> dict[str, object]:
    criteria = [{"id": "a", "leaning": "fail"}, {"id": "b", "leaning": "fail"}]
    return {"status": status, "to_confirm": ["a"], "criteria": criteria}


@pytest.fixture
def listed(store: Store) -> Store:
    """Ten patients whose numbers are their rank."""
    day = [DAY + timedelta(days=number) for number in range(9)]
    screened = {
        7: judged("not-now", lapses=None, missing=()),
        1: judged("candidate", lapses=day[2], missing=()),
        8: judged("excluded", missing=()),
        3: judged("candidate", lapses=day[1], missing=(), result=doubtful("candidate")),
        5: judged("needs-data", missing=("a", "b", "c")),
        0: judged("candidate", lapses=day[1], missing=()),
        6: judged("not-now", lapses=day[3], missing=()),
        2: judged("candidate", missing=()),
        4: judged("needs-data", missing=("b",)),
    }
    for minute, (number, new) in enumerate(screened.items()):
        taken(store, new, person(number), minutes=minute)
    taken(store, judged("candidate", trial="NCT2"), person(9))
    return store


def test_ranks(listed: Store) -> None:
    assert references(listed) == list("012345678")
    assert references(listed, descending=True)[0] == "8"


def test_lapsed_candidates_come_after_the_others_and_are_counted(listed: Store) -> None:
    today = DAY + timedelta(days=2)  # the results of 0 and 3 counted until the day before; those of 1 still do
    assert references(listed, today=today) == list("120345678")
    assert references(listed, today=today, lapsed=True) == list("03")
    assert references(listed, today=today, lapsed=False) == list("1245678")
    assert references(listed, lapsed=True) == []  # without a day nothing has lapsed
    assert listed.worklist.counts(TRIAL, today=today).lapsed == 2
    assert listed.worklist.counts(TRIAL, today=DAY + timedelta(days=1)).lapsed == 0
    assert listed.worklist.counts(TRIAL).lapsed == 0


def test_sorts(listed: Store) -> None:
    assert references(listed, sort="status") == list("012345678")
    assert references(listed, sort="status", descending=True) == list("867450123")
    assert references(listed, sort="lapses") == list("031624578")
    assert references(listed, sort="lapses", descending=True) == list("610324578")  # what has none stays last
    assert references(listed, sort="missing", descending=True)[:3] == list("540")
    assert references(listed, sort="updated") == list("718350624")
    assert references(listed, sort="name", descending=True) == list("876543210")
    entry = listed.worklist.entries(TRIAL, wanted=Wanted(text="Wang 8")).entries[0]
    listed.worklist.decide(entry.id, 1, state=EntryState.CONSENTED, who="Li", now=LATER)
    assert references(listed, sort="state", descending=True)[0] == "8"
    assert references(listed, sort="updated", descending=True)[0] == "8"


def test_filters(listed: Store) -> None:
    worklist = listed.worklist
    found = {one.person.reference[-1]: one for one in worklist.entries(TRIAL, wanted=Wanted()).entries}
    worklist.assign(found["1"].id, 1, assignee="Chen", who="Li", now=LATER)
    worklist.decide(found["2"].id, 1, state=EntryState.DECLINED, who="Li", now=LATER)
    taken(listed, judged("excluded"), person(2), content="b", minutes=90)
    assert references(listed, status=frozenset({"needs-data", "not-now"})) == list("4567")
    assert references(listed, state=frozenset({EntryState.DECLINED})) == ["2"]
    assert references(listed, assignee="Chen") == ["1"]
    assert references(listed, assignee="", status=frozenset({"candidate"})) == list("03")
    assert references(listed, missing="b") == list("45")
    assert references(listed, missing="a") == ["5"]
    assert references(listed, changed=True) == ["2"]
    assert len(references(listed, changed=False)) == 8
    assert (
        references(listed, text="wang 3")
        == references(listed, text=" ＷＡＮＧ 3 ")
        == references(listed, text="王3")
        == ["3"]
    )
    assert references(listed, text="%") == references(listed, text="_") == references(listed, text="\\") == []
    counts = worklist.counts(TRIAL)
    assert counts == Counts(
        total=9,
        changed=1,
        status={"candidate": 3, "needs-data": 2, "not-now": 2, "excluded": 2},
        state={EntryState.NEW: 8, EntryState.DECLINED: 1},
        missing={"b": 2, "a": 1, "bilirubin_total": 1, "c": 1},
        assignees={"": 8, "Chen": 1},
    )
    assert list(counts.status) == ["candidate", "needs-data", "not-now", "excluded"]
    assert next(iter(counts.missing)) == "b"
    assert worklist.counts("NCT3") == Counts()


def test_pages(listed: Store) -> None:
    def page(number: int, size: int = 4) -> tuple[list[str], int, int, int]:
        found = listed.worklist.entries(TRIAL, wanted=Wanted(page=number, size=size))
        return [one.person.reference[-1] for one in found.entries], found.total, found.page, found.pages

    assert page(1) == (list("0123"), 9, 1, 3)
    assert page(3) == page(99) == (["8"], 9, 3, 3)
    assert page(0) == page(-1) == page(1)
    assert page(1, 0) == (["0"], 9, 1, 9)
    empty = listed.worklist.entries("NCT3", wanted=Wanted())
    assert (empty.entries, empty.total, empty.page, empty.pages) == ((), 0, 1, 1)


def test_a_name_that_looks_like_a_pattern(store: Store) -> None:
    taken(store, who=person(1, "100%_sure\\"))
    taken(store, who=person(2, "1000 sure"))
    assert references(store, text="0%_s") == references(store, text="e\\") == ["1"]
    assert references(store, text="sure") == ["1", "2"] or references(store, text="sure") == ["2", "1"]
