"""What is taken into the worklist's store, on every database: once, all or nothing, the newest standing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from cds_service.store import Store
from cds_service.store.exact_json import dump
from cds_service.store.worklist import Chart, Entry, EntryState, Person, Wanted
from tests.store.made_screenings import (
    DAY,
    NOW,
    TRIAL,
    attestation,
    chart,
    differs,
    judged,
    person,
    screening,
    taken,
)

LATER = NOW + timedelta(hours=1)


def test_what_was_taken_comes_back_as_it_was(store: Store) -> None:
    result = {
        "status": "needs-data",
        "criteria": [{"id": "bilirubin", "value": Decimal("1.50"), "note": "µ\0\ud800 王"}],
        "none": None,
    }
    new = screening(result=result, lapses=DAY, anchor=DAY, attested="sha256:x", missing=("b", "a"))
    entry = taken(store, new)
    assert entry.person == person()
    assert (entry.state, entry.version, entry.changed, entry.assignee) == (EntryState.NEW, 1, False, "")
    assert (entry.latest.taken, entry.latest.fingerprint, entry.latest.id) == (NOW, "sha256:a", entry.seen)
    kept = {name: getattr(entry.latest, name) for name in vars(new) if name != "result"}
    assert {**kept, "result": store.worklist.result(entry.id, entry.latest.id)} == vars(new)
    assert '"value":1.50' in dump(store.worklist.result(entry.id, entry.latest.id))
    assert (entry.latest.since, entry.latest.days) == (DAY, 1)
    assert store.worklist.screenings(entry.id) == [entry.latest]
    assert store.worklist.chart(entry.patient, "sha256:a") == b"a"
    assert store.worklist.chart(entry.patient, "sha256:b") is None
    assert store.worklist.trials() == [TRIAL]


def test_nothing_of_a_patient_shows_in_a_repr(store: Store) -> None:
    entry = taken(store, screening(result={"status": "canary"}), person(1, "canary"))
    store.worklist.note(entry.id, text="canary", who="Li", now=NOW)
    shown = [entry, entry.person, entry.latest, screening(result={"a": "canary"}), Chart("canary", b"canary")]
    assert "canary" not in repr([*shown, store.worklist.history(entry.id)])
    assert "canary" not in repr(store.worklist.entries(TRIAL, wanted=Wanted()))


def test_taking_twice_is_taking_once(store: Store) -> None:
    first = taken(store)
    rows = store.worklist.audit()
    assert taken(store, minutes=60) == first
    assert store.worklist.audit() == rows


def test_names_that_no_database_takes_as_they_are(store: Store) -> None:
    hostile = Person("", "Patient/\0\ud800", ("<b>\0", "\udfff'; DROP TABLE people;--"), "\0", "\ud800" * 9)
    entry = taken(store, who=hostile)
    assert entry.person.names == ("<b>\ufffd", "?'; DROP TABLE people;--")
    assert taken(store, who=hostile) == entry
    assert store.worklist.states("", "Patient/\0\ud800") == {TRIAL: EntryState.NEW}
    store.worklist.saw(who="\0\ud800", what="list", now=NOW, trial="\0")
    assert store.worklist.verify_audit() is None
    assert store.worklist.entries("\0", wanted=Wanted(text="\0", missing="\0", assignee="\0")).total == 0


def test_one_person_has_one_id_for_all_trials(store: Store) -> None:
    both = [judged("candidate", trial="NCT2"), judged("excluded")]
    found = store.worklist.take(person(), chart(), both, differs=differs, now=NOW)
    entries = [store.worklist.entry(found[trial]) for trial in (TRIAL, "NCT2")]
    assert entries[0] is not None
    assert entries[1] is not None
    assert entries[0].patient == entries[1].patient
    assert entries[0].id != entries[1].id
    another = taken(store, who=person(1, source="https://other.invalid"))
    assert another.patient != entries[0].patient
    assert store.worklist.take(person(9), chart(), [], differs=differs, now=NOW) == {}


def test_many_persons_at_once_are_taken_as_one_by_one(store: Store) -> None:
    many = [(person(number), chart(str(number)), [screening()]) for number in (3, 1, 2, 1)]
    found = store.worklist.take_all(many, differs=differs, now=NOW)
    assert found[1][TRIAL].entry == found[3][TRIAL].entry
    assert [store.worklist.entry(one[TRIAL].entry).person.reference for one in found] == [  # type: ignore[union-attr]
        "Patient/3", "Patient/1", "Patient/2", "Patient/1",
    ]  # fmt: skip
    assert store.worklist.counts(TRIAL).total == 3


def test_what_became_of_each_entry_is_told(store: Store) -> None:
    def became(content: str, *statuses: str) -> list[str]:
        new = [(person(number), chart(content), [judged(one)]) for number, one in enumerate(statuses)]
        found = store.worklist.take_all(new, differs=differs, now=NOW + timedelta(minutes=ord(content)))
        return [one[TRIAL].became for one in found]

    assert became("a", "candidate", "candidate", "candidate") == ["new", "new", "new"]
    for number in (1, 2):
        store.worklist.note(taken(store, judged("candidate"), person(number)).id, text="x", who="Li", now=NOW)
    changed = ["unchanged", "changed", "unchanged"]
    assert became("b", "excluded", "excluded", "candidate") == changed
    assert became("b", "excluded", "excluded", "candidate") == changed  # still to be looked at
    assert became("c", "excluded", "candidate", "candidate") == ["unchanged"] * 3


def test_the_status_before_and_after_is_told_of_each_entry(store: Store) -> None:
    def moved(content: str, status: str, minutes: int) -> tuple[str, str]:
        now = NOW + timedelta(minutes=minutes)
        ((one,),) = (
            found.values()
            for found in store.worklist.take_all(
                [(person(), chart(content), [judged(status)])], differs=differs, now=now
            )
        )
        return one.was, one.status

    assert moved("a", "candidate", 1) == ("", "candidate")
    assert moved("b", "needs-data", 2) == ("candidate", "needs-data")
    assert moved("b", "needs-data", 3) == ("needs-data", "needs-data")
    assert moved("c", "excluded", 0) == ("needs-data", "needs-data")  # read earlier than what stands


def test_all_of_a_taking_or_nothing(store: Store) -> None:
    def broken(before: object, after: object) -> bool:
        raise KeyError

    entry = store.worklist.note(taken(store).id, text="x", who="Li", now=NOW)
    rows = store.worklist.audit()
    new = [judged("candidate", trial="NCT0"), judged("candidate", as_of=DAY)]
    with pytest.raises(KeyError):
        store.worklist.take(person(1, "Another"), chart("b"), new, differs=broken, now=LATER)
    assert store.worklist.entry(entry.id) == entry
    assert store.worklist.trials() == [TRIAL]
    assert store.worklist.chart(entry.patient, "sha256:b") is None
    assert store.worklist.audit() == rows


def test_nobody_relied_on_it_so_it_just_follows(store: Store) -> None:
    taken(store, judged("needs-data"))
    entry = taken(store, judged("candidate"), content="b", minutes=1)
    assert (entry.changed, entry.seen, entry.latest.status) == (False, entry.latest.id, "candidate")


@pytest.mark.parametrize("touch", ["decided", "noted", "assigned", "attested"])
def test_a_new_screening_changes_no_decision_and_says_that_data_changed(store: Store, touch: str) -> None:
    entry, worklist = taken(store), store.worklist
    if touch == "decided":
        entry = worklist.decide(entry.id, 1, state=EntryState.CONTACTED, reason="phoned", who="Li", now=NOW)
    elif touch == "noted":
        entry = worklist.note(entry.id, text="phoned", who="Li", now=NOW)
    elif touch == "assigned":
        entry = worklist.assign(entry.id, 1, assignee="Chen", who="Li", now=NOW)
    else:
        entry = worklist.attest(entry.id, 1, attestation(), now=NOW)
    same = taken(store, content="b", minutes=1)
    assert (same.changed, same.seen) == (False, entry.seen)
    assert same.latest.id != entry.latest.id
    new = taken(store, judged("excluded"), content="c", minutes=2)
    assert (new.changed, new.seen) == (True, entry.seen)
    assert replace(new, changed=False, latest=entry.latest, updated=entry.updated) == entry
    again = taken(store, judged("needs-data"), content="d", minutes=3)
    assert not again.changed  # nothing is left to be told
    assert taken(store, judged("excluded"), content="c", minutes=4).latest.id == new.latest.id  # and it came again


def test_an_older_day_taken_later_does_not_stand(store: Store) -> None:
    store.worklist.note(taken(store).id, text="x", who="Li", now=NOW)
    old = taken(store, judged("excluded", as_of=DAY - timedelta(days=1)), person(1, "Old Name"), content="b", minutes=9)
    assert (old.changed, old.latest.as_of, old.person) == (False, DAY, person())
    assert len(store.worklist.screenings(old.id)) == 2
    next_day = judged("excluded", as_of=DAY + timedelta(days=1))
    new = taken(store, next_day, person(1, "New Name"), content="b", minutes=24 * 60)
    assert (new.changed, new.person.names) == (True, ("New Name",))
    assert taken(store, minutes=25 * 60) == new


def test_a_day_that_has_not_come_does_not_stand_until_then(store: Store) -> None:
    far = taken(store, judged("excluded", as_of=date(2062, 1, 1)))
    assert taken(store, judged("candidate"), content="b", minutes=1).latest.status == "candidate"
    assert taken(store, judged("excluded", as_of=date(2062, 1, 1)), minutes=2).latest.id == far.latest.id


def test_the_day_is_that_of_the_patients(store: Store) -> None:
    """East of Greenwich a morning is of a day that UTC does not have yet."""
    tomorrow = DAY + timedelta(days=1)
    early = replace(judged("candidate"), as_of=tomorrow)
    for new, content in ((early, "a"), (judged("excluded"), "b")):
        store.worklist.take(person(), chart(content), [new], differs=differs, now=NOW, today=tomorrow)
    (entry,) = store.worklist.entries(TRIAL, wanted=Wanted()).entries
    assert entry.latest.status == "candidate"


def test_a_chart_that_is_as_it_was_before_stands_again(store: Store) -> None:
    """A result that was entered for another patient and taken out again, on one day."""
    first = taken(store, judged("candidate"))
    assert taken(store, judged("excluded"), content="b", minutes=1).latest.status == "excluded"
    again = taken(store, judged("candidate"), minutes=2)
    assert replace(again.latest, at=NOW) == first.latest
    assert len(store.worklist.screenings(first.id)) == 2


def test_a_run_taken_again_does_not_hide_what_came_after_it(store: Store) -> None:
    def run_is_taken(minutes: float) -> Entry:
        new, now = judged("excluded"), NOW + timedelta(minutes=minutes)
        found = store.worklist.take(person(), chart(), [new], differs=differs, now=now, read=NOW)
        entry = store.worklist.entry(found[TRIAL])
        assert entry is not None
        return entry

    assert run_is_taken(5).latest.taken == NOW + timedelta(minutes=5)
    newer = taken(store, judged("candidate"), content="b", minutes=2)  # read after the run, taken before it
    assert newer.latest.status == "candidate"
    assert run_is_taken(9) == newer
