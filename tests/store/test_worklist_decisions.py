"""What people decide and attest, on every database: kept, told, and refused where somebody was faster."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from cds_service.errors import EditedMeanwhileError, RequestError
from cds_service.evaluation.outcome import Verdict
from cds_service.store import Store
from cds_service.store.worklist import MOST_NAME, MOST_NOTE, MOST_REASON, EntryState, WhyForgotten
from tests.store.made_screenings import (
    DAY,
    NOW,
    TRIAL,
    attestation,
    judged,
    person,
    taken,
)

LATER = NOW + timedelta(hours=1)


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
    assert worklist.result(unknown, entry.latest.id) is None
    worklist.saw(who="Li", what="entry", entry_id=unknown, now=NOW)
    assert worklist.audit()[0].entry == ""
    for edit in (
        lambda: worklist.note(unknown, text="x", who="Li", now=NOW),
        lambda: worklist.assign(unknown, 1, assignee="x", who="Li", now=NOW),
        lambda: worklist.acknowledge(unknown, 1, screening=entry.latest.id, who="Li", now=NOW),
        lambda: worklist.forget(unknown, who="Li", reason=WhyForgotten.OTHER, now=NOW),
    ):
        with pytest.raises(RequestError) as caught:
            edit()
        assert caught.value.status == 404
        assert "OR 1=1" not in str(caught.value)


def test_a_screening_of_another_entry(store: Store) -> None:
    first, second = taken(store), taken(store, who=person(2))
    assert store.worklist.result(first.id, second.latest.id) is None
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
