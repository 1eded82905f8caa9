"""Laws of the worklist's store, whatever is taken, decided and noted in whatever order."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.errors import EditedMeanwhileError, RequestError
from cds_service.store import Store, open_store
from cds_service.store.worklist import Entry, EntryState, Wanted
from tests.store.made_screenings import DAY, NOW, attestation, chart, differs, judged, person

TRIALS = ("NCT1", "NCT2")

takes = st.tuples(
    st.just("take"),
    st.integers(1, 2),  # person
    st.sampled_from(TRIALS),
    st.sampled_from("ab"),  # content of the chart
    st.integers(-3, 0),  # day
    st.sampled_from(["", "sha256:attested"]),
)
edits = st.tuples(
    st.sampled_from(["decide", "note", "assign", "attest", "withdraw", "acknowledge"]),
    st.integers(1, 2),
    st.sampled_from(TRIALS),
    st.sampled_from(EntryState),
    st.booleans(),  # on the version that is there, or on one before
    st.sampled_from(["", "a", "b"]),  # the chart that is taken between page and form, if any
)
PAST = {
    "note": "noted",
    "decide": "decided",
    "assign": "assigned",
    "attest": "attested",
    "withdraw": "withdrawn",
    "acknowledge": "seen",
}
STATUS = {"a": "candidate", "b": "excluded"}


@dataclass(eq=False)
class Row:
    """A judgement, for the days on which it was the same."""

    content: str
    attested: str
    since: int
    until: int
    days: int = 1


@dataclass
class Expected:
    """What one entry must be."""

    rows: list[Row] = field(default_factory=list)
    state: EntryState = EntryState.NEW
    assignee: str = ""
    version: int = 1
    told: list[str] = field(default_factory=list)
    latest: Row | None = None
    seen: Row | None = None
    changed: bool = False
    attested: bool = False
    noted: str = ""  # what the last thing done is, when it is a note

    @property
    def touched(self) -> bool:
        return set(self.told) > {"screened"}

    def kept(self, day: int, content: str, attested: str) -> Row:
        """Keep a judgement: as what is there of the day, as one more day of the nearest, or as new."""
        alike = [one for one in self.rows if (one.content, one.attested) == (content, attested)]
        of_the_day = [one for one in alike if one.since <= day <= one.until]
        stands = self.rows.index(self.latest) if self.latest else 0
        if of_the_day:
            return of_the_day[-1]
        nearest = max((one for one in alike if one.until < day), key=lambda one: one.until, default=None)
        if nearest is not None and self.rows.index(nearest) >= stands:
            nearest.until, nearest.days = day, nearest.days + 1
            return nearest
        self.rows.append(Row(content, attested, day, day))
        return self.rows[-1]


def entry_of(store: Store, number: int, trial: str) -> Entry | None:
    page = store.worklist.entries(trial, wanted=Wanted(text=f"Wang {number}"))
    assert page.total <= 1
    return page.entries[0] if page.entries else None


def take(store: Store, expected: dict[Any, Expected], operation: tuple[Any, ...], minute: int) -> None:
    _, number, trial, content, day, attested = operation
    new = judged(STATUS[content], trial=trial, as_of=DAY + timedelta(days=day), attested=attested)
    now = NOW + timedelta(minutes=minute)
    store.worklist.take(person(number), chart(content), [new], differs=differs, now=now)
    one = expected.setdefault((number, trial), Expected())
    row = one.kept(day, content, attested)
    if row is not one.latest and (not one.latest or day >= one.latest.until):
        one.seen = one.seen if one.touched and one.seen else row
        one.latest = row
        one.changed = one.seen.content != row.content
        one.told.append("screened")


def edit(store: Store, expected: dict[Any, Expected], operation: tuple[Any, ...], minute: int) -> None:
    what, number, trial, state, current, between = operation
    entry, one = entry_of(store, number, trial), expected.get((number, trial))
    if entry is None or one is None:
        assert (entry, one) == (None, None)
        return
    version, worklist = one.version - (not current), store.worklist
    shown, page = one.latest, entry.latest.id
    if between:
        take(store, expected, ("take", number, trial, between, 0, ""), minute)
    on: dict[str, Any] = {"now": NOW, "shown": page, "differs": differs}
    by: dict[str, Any] = {"who": "Li", **on}
    calls = {
        "note": lambda: worklist.note(entry.id, text=state.value, **by),
        "decide": lambda: worklist.decide(entry.id, version, state=state, **by),
        "assign": lambda: worklist.assign(entry.id, version, assignee=state.value, **by),
        "attest": lambda: worklist.attest(entry.id, version, attestation(trial=trial), **on),
        "withdraw": lambda: worklist.withdraw(entry.id, version, "life-expectancy", gate="screening", **by),
        "acknowledge": lambda: worklist.acknowledge(
            entry.id, version, screening=page, who="Li", now=NOW, differs=differs
        ),
    }
    if not current and what != "note":
        with pytest.raises(EditedMeanwhileError):
            calls[what]()
        return
    if what == "withdraw" and not one.attested:
        with pytest.raises(RequestError):
            calls[what]()
        return
    calls[what]()
    one.version += what != "note"
    if what == "decide":
        one.state = state
    elif what == "assign":
        one.assignee = state.value
    elif what == "acknowledge":
        one.seen, one.changed = shown, False
    elif what != "note":
        one.attested = what == "attest"
    # What nobody has looked at yet is never told to be seen.
    assert shown is not None
    assert one.latest is not None
    if shown.content != one.latest.content:
        one.seen, one.changed = shown, True
    if what != "note" or one.noted != state.value:  # pressed twice, a note is one
        one.told.append(PAST[what])
    one.noted = state.value if what == "note" else ""


@settings(max_examples=max(20, settings.default.max_examples // 4))  # of up to 25 operations each
@given(st.lists(st.one_of(takes, takes, edits), max_size=25), st.data())
def test_no_decision_is_lost_and_nothing_is_there_twice(operations: list[tuple[Any, ...]], data: st.DataObject) -> None:
    store, expected = open_store("sqlite://"), {}
    for minute, operation in enumerate(operations):
        if operation[0] == "take":
            take(store, expected, operation, minute)
            if data.draw(st.booleans(), label="again"):
                take(store, expected, operation, minute)
        else:
            edit(store, expected, operation, minute)
    rows = 0
    for (number, trial), one in expected.items():
        entry = entry_of(store, number, trial)
        assert entry is not None
        assert (entry.state, entry.assignee, entry.version) == (one.state, one.assignee, one.version)
        screenings = store.worklist.screenings(entry.id)
        kept = [
            Row(s.fingerprint[-1], s.attested, (s.since - DAY).days, (s.as_of - DAY).days, s.days) for s in screenings
        ]
        assert [vars(row) for row in kept[::-1]] == [vars(row) for row in one.rows]
        assert vars(kept[[s.id for s in screenings].index(entry.latest.id)]) == vars(one.latest)
        assert vars(kept[[s.id for s in screenings].index(entry.seen)]) == vars(one.seen)
        assert one.seen is not None
        assert one.latest is not None
        assert entry.changed == one.changed == (one.seen.content != one.latest.content)
        # No day is in two judgements that say the same of it, and each chart and attestation of a day is in one.
        for row in one.rows:
            same = [other for other in one.rows if (other.content, other.attested) == (row.content, row.attested)]
            assert all(other is row or other.until < row.since or row.until < other.since for other in same)
        assert [event.what for event in store.worklist.history(entry.id)] == one.told[::-1]
        in_force = store.worklist.attestations(entry.person.source, entry.person.reference, DAY)
        assert len(in_force.get(trial, ())) == one.attested
        rows += len(one.told)
    assert sum(store.worklist.counts(trial).total for trial in TRIALS) == len(expected)
    assert store.worklist.verify_audit() is None
    assert store.worklist.audit_tip()[0] == rows
    store.close()
