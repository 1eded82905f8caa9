"""A page that is open while newer data come, on every database; and histories in pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event

from cds_service.errors import EditedMeanwhileError, RequestError
from cds_service.store import Store
from cds_service.store.worklist import Entry, EntryState, Wanted
from tests.store.made_screenings import (
    NOW,
    TRIAL,
    attestation,
    differs,
    judged,
    person,
    screening,
    taken,
)

LATER = NOW + timedelta(hours=1)


def edits_of(store: Store, entry: Entry, shown: int | None) -> dict[str, Callable[[], Entry]]:
    worklist, on = store.worklist, {"who": "Li", "now": LATER, "shown": shown, "differs": differs}
    told = attestation()
    return {
        "decided": lambda: worklist.decide(entry.id, 1, state=EntryState.CONTACTED, **on),
        "noted": lambda: worklist.note(entry.id, text="x", **on),
        "assigned": lambda: worklist.assign(entry.id, 1, assignee="Chen", **on),
        "attested": lambda: worklist.attest(entry.id, 1, told, now=LATER, shown=shown, differs=differs),
    }


@pytest.mark.parametrize("what", ["decided", "noted", "assigned", "attested"])
def test_an_edit_stands_on_what_its_page_showed(store: Store, what: str) -> None:
    shown = taken(store, judged("candidate"))
    assert taken(store, judged("excluded"), content="b", minutes=1).seen != shown.seen  # nobody relied on it yet
    entry = edits_of(store, shown, shown.latest.id)[what]()
    assert (entry.changed, entry.seen, entry.latest.status) == (True, shown.latest.id, "excluded")
    assert store.worklist.history(entry.id)[0].what == what  # and it is kept
    assert taken(store, judged("excluded"), content="c", minutes=2).changed
    entry = store.worklist.acknowledge(
        entry.id, entry.version, screening=entry.latest.id, who="Li", now=LATER, differs=differs
    )
    assert not entry.changed


@pytest.mark.parametrize("what", ["decided", "noted", "assigned", "attested"])
def test_newer_data_that_say_the_same_move_nothing(store: Store, what: str) -> None:
    shown = taken(store, judged("candidate"))
    followed = taken(store, judged("candidate"), content="b", minutes=1)
    entry = edits_of(store, shown, shown.latest.id)[what]()
    assert (entry.changed, entry.seen) == (False, followed.latest.id)


def test_a_page_of_another_entry_is_refused(store: Store) -> None:
    entry, other = taken(store), taken(store, who=person(2))
    for edit in edits_of(store, entry, other.latest.id).values():
        with pytest.raises(RequestError, match="screening"):
            edit()
    assert store.worklist.entry(entry.id) == entry


def test_what_is_attested_at_one_gate_is_not_kept_at_another(store: Store) -> None:
    shown = taken(store, judged("candidate"))
    entry = taken(store, judged("candidate", gate="randomisation"), content="b", minutes=1)
    on = {"now": LATER, "shown": shown.latest.id, "differs": differs}
    with pytest.raises(EditedMeanwhileError):
        store.worklist.attest(entry.id, 1, attestation(), **on)
    with pytest.raises(EditedMeanwhileError):
        store.worklist.withdraw(entry.id, 1, "life-expectancy", gate="screening", who="Li", **on)
    assert store.worklist.entry(entry.id) == entry


@pytest.mark.parametrize("state", [EntryState.NEW, EntryState.REVIEWING])
def test_who_decided_and_took_it_back_has_looked(store: Store, state: EntryState) -> None:
    entry = taken(store, judged("candidate"))
    store.worklist.decide(entry.id, 1, state=state, who="Li", now=NOW)
    store.worklist.decide(entry.id, 2, state=EntryState.NEW, who="Li", now=NOW)
    assert taken(store, judged("excluded"), content="b", minutes=1).changed


def test_who_was_assigned_and_then_not_has_looked(store: Store) -> None:
    entry = taken(store, judged("candidate"))
    store.worklist.assign(entry.id, 1, assignee="Chen", who="Li", now=NOW)
    store.worklist.assign(entry.id, 2, assignee="", who="Li", now=NOW)
    assert taken(store, judged("excluded"), content="b", minutes=1).changed


def test_seeing_what_says_the_same_as_the_newest_is_seeing_it(store: Store) -> None:
    worklist = store.worklist
    shown = worklist.note(taken(store).id, text="x", who="Li", now=NOW)
    other = screening(result={"status": "needs-data", "order": "another"})
    entry = taken(store, other, content="b", minutes=1)
    entry = worklist.acknowledge(entry.id, 1, screening=shown.latest.id, who="Li", now=LATER, differs=differs)
    assert not entry.changed


def test_history_comes_in_pages(store: Store) -> None:
    entry = taken(store)
    for number in range(5):
        store.worklist.note(entry.id, text=str(number), who="Li", now=NOW)
    whole = store.worklist.history(entry.id)
    first = store.worklist.history(entry.id, limit=4)
    assert first == whole[:4]
    assert store.worklist.history(entry.id, limit=4, before=first[-1].number) == whole[4:]
    for minute in range(1, 5):
        taken(store, content=str(minute), minutes=minute)
    judgements = store.worklist.screenings(entry.id)
    assert store.worklist.screenings(entry.id, limit=2) == judgements[:2]
    assert store.worklist.screenings(entry.id, limit=9, before=judgements[1].id) == judgements[2:]


def test_a_history_and_a_list_read_no_results(store: Store) -> None:
    entry, asked = taken(store), []

    def listen(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", listen)
    try:
        store.worklist.screenings(entry.id)
        store.worklist.entries(TRIAL, wanted=Wanted())
        store.worklist.some([entry.id])
        store.worklist.counts(TRIAL)
    finally:
        event.remove(Engine, "before_cursor_execute", listen)
    assert any("screenings" in one for one in asked)
    assert not any("result" in one for one in asked)
