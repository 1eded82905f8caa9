"""The worklist's store on SQLite and on a real PostgreSQL: what is taken, decided, listed and forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, event

from cds_service.errors import EditedMeanwhileError, RequestError
from cds_service.evaluation.outcome import Verdict
from cds_service.store import Answer, CardFeedback, Kind, SentCard, Store, open_store, patient_key
from cds_service.store.worklist import MOST_NAME, MOST_NOTE, MOST_REASON, Chart, Entry, EntryState, Person, Run, Wanted
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


# --- taking ---------------------------------------------------------------------------------------------------


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
    kept = {name: getattr(entry.latest, name) for name in vars(new)}
    assert kept == vars(new)
    assert str(entry.latest.result["criteria"][0]["value"]) == "1.50"
    assert store.worklist.screening(entry.id, entry.latest.id) == entry.latest
    (past,) = store.worklist.screenings(entry.id)
    assert vars(past) == {name: getattr(entry.latest, name) for name in vars(past)}
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


# --- decisions ------------------------------------------------------------------------------------------------


def test_a_decision_and_its_history(store: Store) -> None:
    worklist = store.worklist
    entry = taken(store)
    entry = worklist.decide(
        entry.id, 1, state=EntryState.NOT_SUITABLE, criterion="ecog", reason="frail", who="Dr Li", now=LATER
    )
    assert (entry.state, entry.state_criterion, entry.state_reason) == (EntryState.NOT_SUITABLE, "ecog", "frail")
    assert (entry.state_by, entry.state_at, entry.version, entry.updated) == ("Dr Li", LATER, 2, LATER)
    entry = worklist.note(entry.id, text="her words", who="Chen", now=LATER)
    assert entry.version == 2
    entry = worklist.assign(entry.id, 2, assignee="Chen", who="Dr Li", now=LATER)
    assert (entry.assignee, entry.version) == ("Chen", 3)
    taken(store, judged("excluded"), content="b", minutes=90)
    entry = worklist.entry(entry.id) or entry
    assert (entry.changed, entry.version) == (True, 3)
    entry = worklist.acknowledge(entry.id, 3, screening=entry.latest.id, who="Chen", now=LATER)
    assert (entry.changed, entry.seen) == (False, entry.latest.id)
    events = worklist.history(entry.id)
    assert [(one.what, one.who) for one in events] == [
        ("seen", "Chen"),
        ("screened", ""),
        ("assigned", "Dr Li"),
        ("noted", "Chen"),
        ("decided", "Dr Li"),
        ("screened", ""),
    ]
    assert events[4].detail == {"state": "not-suitable", "was": "new", "criterion": "ecog", "reason": "frail"}
    assert events[3].detail == {"text": "her words"}
    assert events[2].detail == {"assignee": "Chen", "was": ""}
    assert events[0].detail == {"screening": entry.latest.id}
    assert worklist.states(entry.person.source, entry.person.reference) == {TRIAL: EntryState.NOT_SUITABLE}
    assert worklist.states("", entry.person.reference) == {}


def test_seeing_what_is_no_longer_the_newest(store: Store) -> None:
    worklist = store.worklist
    entry = worklist.note(taken(store).id, text="x", who="Li", now=NOW)
    shown = taken(store, judged("excluded"), content="b", minutes=1)
    taken(store, judged("candidate"), content="c", minutes=2)  # while the page is open
    entry = worklist.acknowledge(entry.id, 1, screening=shown.latest.id, who="Li", now=LATER)
    assert (entry.changed, entry.seen) == (True, shown.latest.id)
    entry = worklist.acknowledge(entry.id, 2, screening=entry.latest.id, who="Li", now=LATER)
    assert not entry.changed


def test_the_second_of_two_people_is_told_and_nothing_is_lost(store: Store) -> None:
    worklist = store.worklist
    entry = taken(store)
    first = worklist.decide(entry.id, 1, state=EntryState.CONTACTED, who="Li", now=NOW)
    rows = worklist.audit()
    edits: list[Callable[[], object]] = [
        lambda: worklist.decide(entry.id, 1, state=EntryState.DECLINED, who="Chen", now=NOW),
        lambda: worklist.assign(entry.id, 1, assignee="Chen", who="Chen", now=NOW),
        lambda: worklist.acknowledge(entry.id, 1, screening=entry.latest.id, who="Chen", now=NOW),
        lambda: worklist.attest(entry.id, 1, attestation(), now=NOW),
        lambda: worklist.withdraw(entry.id, 1, "life-expectancy", gate="screening", who="Chen", now=NOW),
        lambda: worklist.assign(entry.id, 3, assignee="Chen", who="Chen", now=NOW),
    ]
    for edit in edits:
        with pytest.raises(EditedMeanwhileError) as caught:
            edit()
        assert caught.value.status == 409
    assert worklist.entry(entry.id) == first
    assert worklist.audit() == rows
    assert worklist.note(entry.id, text="both", who="Chen", now=NOW).state is EntryState.CONTACTED


@pytest.mark.parametrize("unknown", ["", "f" * 32, "' OR 1=1 --", "\0", "F" * 32, "\ud800", "f" * 32 + "\n"])
def test_an_id_that_is_none(store: Store, unknown: str) -> None:
    worklist = store.worklist
    entry = taken(store)
    assert worklist.entry(unknown) is None
    assert (worklist.history(unknown), worklist.screenings(unknown)) == ([], [])
    assert worklist.screening(unknown, entry.latest.id) is None
    worklist.saw(who="Li", what="entry", entry_id=unknown, now=NOW)
    assert worklist.audit()[0].entry == ""
    for edit in (
        lambda: worklist.note(unknown, text="x", who="Li", now=NOW),
        lambda: worklist.assign(unknown, 1, assignee="x", who="Li", now=NOW),
        lambda: worklist.acknowledge(unknown, 1, screening=entry.latest.id, who="Li", now=NOW),
        lambda: worklist.forget(unknown, who="Li", reason="x", now=NOW),
    ):
        with pytest.raises(RequestError) as caught:
            edit()
        assert caught.value.status == 404
        assert "OR 1=1" not in str(caught.value)


def test_a_screening_of_another_entry(store: Store) -> None:
    first, second = taken(store), taken(store, who=person(2))
    assert store.worklist.screening(first.id, second.latest.id) is None
    with pytest.raises(RequestError, match="screening"):
        store.worklist.acknowledge(first.id, 1, screening=second.latest.id, who="Li", now=NOW)
    assert store.worklist.entry(first.id) == first


def test_words_that_are_too_long_are_refused(store: Store) -> None:
    entry = taken(store)
    for edit in (
        lambda: store.worklist.note(entry.id, text="x" * (MOST_NOTE + 1), who="Li", now=NOW),
        lambda: store.worklist.decide(
            entry.id, 1, state=EntryState.DECLINED, reason="x" * (MOST_REASON + 1), who="Li", now=NOW
        ),
        lambda: store.worklist.assign(entry.id, 1, assignee="x" * (MOST_NAME + 1), who="Li", now=NOW),
        lambda: store.worklist.attest(entry.id, 1, attestation(reason="x" * (MOST_REASON + 1)), now=NOW),
    ):
        with pytest.raises(RequestError, match="at most"):
            edit()
    assert store.worklist.entry(entry.id) == entry
    assert store.worklist.note(entry.id, text="王" * MOST_NOTE, who="Li", now=NOW).version == 1


# --- a page that is open while newer data come ------------------------------------------------------------------


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


def test_a_history_reads_no_results(store: Store) -> None:
    entry, asked = taken(store), []

    def listen(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", listen)
    try:
        store.worklist.screenings(entry.id)
    finally:
        event.remove(Engine, "before_cursor_execute", listen)
    assert any("screenings" in one for one in asked)
    assert not any("result" in one for one in asked)


# --- attestations ---------------------------------------------------------------------------------------------


def test_what_was_attested_is_in_force_until_its_last_day(store: Store) -> None:
    worklist, who = store.worklist, person()
    entry = taken(store)
    told = attestation()
    entry = worklist.attest(entry.id, 1, told, now=NOW)
    assert entry.version == 2

    def on(day: date) -> object:
        return worklist.attestations(who.source, who.reference, day)

    assert on(DAY) == on(told.until) == {TRIAL: (told,)}
    assert on(told.until + timedelta(days=1)) == {}
    assert on(DAY - timedelta(days=1)) == {TRIAL: (told,)}  # a chart of yesterday may be settled today
    assert worklist.attestations("", who.reference, DAY) == {}
    other = attestation("measurable-lesion", Verdict.FAIL)
    entry = worklist.attest(entry.id, 2, other, now=NOW)
    again = attestation(verdict=Verdict.FAIL, by="Dr Chen")
    entry = worklist.attest(entry.id, 3, again, now=LATER)
    assert on(DAY) == {TRIAL: (other, again)}
    later = attestation(gate="randomisation")
    entry = worklist.attest(entry.id, 4, later, now=LATER)
    assert on(DAY) == {TRIAL: (other, again, later)}
    entry = worklist.withdraw(entry.id, 5, "life-expectancy", gate="screening", who="Dr Li", now=LATER)
    assert on(DAY) == {TRIAL: (other, later)}  # one of another gate stays
    assert [one.what for one in worklist.history(entry.id)][:2] == ["withdrawn", "attested"]
    named = {"criterion": "life-expectancy", "gate": "screening"}
    assert worklist.history(entry.id)[0].detail == worklist.audit()[0].detail == named
    with pytest.raises(RequestError, match="attested"):
        worklist.withdraw(entry.id, 6, "life-expectancy", gate="screening", who="Dr Li", now=LATER)
    with pytest.raises(RequestError, match="another trial"):
        worklist.attest(entry.id, 6, attestation(trial="NCT2"), now=LATER)
    assert (worklist.entry(entry.id) or entry).version == 6


# --- runs, secrets, forgetting --------------------------------------------------------------------------------


def test_a_run_is_kept_once(store: Store) -> None:
    run = Run(
        "sha256:m", TRIAL, DAY, NOW, "/data", 300, {"steps": [{"id": "a", "unknown": 3, "share": Decimal("0.1")}]}
    )
    store.worklist.keep_run(run)
    store.worklist.keep_run(replace(run, taken=LATER, patients=1))
    newer = replace(run, id="sha256:n", as_of=DAY + timedelta(days=1))
    store.worklist.keep_run(newer)
    store.worklist.keep_run(replace(run, trial="NCT2"))
    assert store.worklist.runs(TRIAL) == [newer, run]
    assert store.worklist.trials() == [TRIAL, "NCT2"]
    assert [one.what for one in store.worklist.audit()] == ["took-run"] * 3


def test_a_secret_is_made_once(store: Store) -> None:
    assert len(store.secret("sessions")) == 32
    assert store.secret("sessions") == store.secret("sessions")
    assert store.secret("pseudonyms") != store.secret("sessions")


def test_forgetting_leaves_nothing_but_the_audit(store: Store) -> None:
    worklist = store.worklist
    both = [judged("candidate", trial="NCT2"), judged("needs-data")]
    found = worklist.take(person(), chart(), both, differs=differs, now=NOW)
    entry = worklist.attest(found[TRIAL], 1, attestation(), now=NOW)
    worklist.note(entry.id, text="x", who="Li", now=NOW)
    other = taken(store, who=person(2))
    before = worklist.audit()
    worklist.forget(entry.patient, who="Li", reason="retention", now=LATER)
    assert worklist.entry(entry.id) is None
    assert worklist.history(entry.id) == worklist.screenings(entry.id) == []
    assert worklist.chart(entry.patient, "sha256:a") is None
    assert worklist.trials() == [TRIAL]
    assert worklist.entry(other.id) == other
    assert worklist.attestations(person().source, person().reference, DAY) == {}
    row, *rest = worklist.audit()
    assert rest == before
    assert (row.what, row.who, row.patient, row.detail) == ("forgot", "Li", entry.patient, {"reason": "retention"})
    assert worklist.verify_audit() is None
    with pytest.raises(RequestError, match="patient"):
        worklist.forget(entry.patient, who="Li", reason="again", now=LATER)
    again = taken(store)
    assert (again.id, again.patient, again.version) != (entry.id, entry.patient, entry.version)
    assert again.latest.id > other.latest.id  # an id that the audit names is not given again


def test_forgetting_takes_the_cards_and_the_comments_on_them(store: Store) -> None:
    def sent(tenant: str, patient: str, number: int) -> SentCard:
        uuid = str(UUID(int=number))
        card = SentCard(uuid, "npc", Kind.CANDIDATE, TRIAL, patient, NOW, (), {}, ())
        store.remember(tenant, [card])
        store.add_feedback(tenant, [CardFeedback(uuid, Answer.OVERRIDDEN, NOW, NOW, "other", f"canary {number}")])
        store.revoke(patient, TRIAL, NOW - timedelta(days=1))
        return card

    one, two = person(), person(2)
    hers = {tenant: patient_key(tenant, one.reference, one.source) for tenant in ("t1", "t2")}
    for number, (tenant, key) in enumerate(hers.items()):
        sent(tenant, key, number)
    # The same uuid at another tenant, another person, and a call that named no server.
    others = [
        ("t2", sent("t2", patient_key("t2", two.reference, two.source), 0)),
        ("t3", sent("t3", patient_key("t3", one.reference), 3)),
    ]
    store.worklist.forget(taken(store).patient, who="Li", reason="request", now=LATER)
    assert [store.overrides(key) for key in hers.values()] == [[], []]
    assert store.cards("t1", {str(UUID(int=0))}) == {}
    assert {card.uuid: card for _, card in others} == {
        card.uuid: card
        for tenant, _ in others
        for card in store.cards(tenant, {str(UUID(int=n)) for n in range(4)}).values()
    }
    assert len(store.overrides()) == 2
    assert sum(one.commented for one in store.counts()) == 2


def test_what_was_forgotten_cannot_be_read_from_the_files(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = open_store(f"sqlite:///{path}")
    taken(store, who=person(2, "Zhang"))
    entry = taken(store, screening(result={"status": "canary-result"}), person(1, "canary-name"), "canary-chart")
    store.worklist.note(entry.id, text="canary-note", who="Li", now=NOW)
    told = b"".join(one.read_bytes() for one in tmp_path.iterdir())
    assert all(word in told for word in (b"canary-result", b"canary-name", b"canary-chart", b"canary-note"))
    store.worklist.forget(entry.patient, who="Li", reason="request", now=NOW)
    assert b"canary" not in b"".join(one.read_bytes() for one in tmp_path.iterdir())
    store.close()
