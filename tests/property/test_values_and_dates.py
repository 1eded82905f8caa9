"""Numbers against sampled members, FHIR dates, ages, cycles, and quantities of any shape."""

import calendar
import operator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from drawn_logic import ORDER, dense, intervals, numbers, sets_of
from hypothesis import assume, example, given
from hypothesis import strategies as st

from cds_service.facts.cycles import CYCLE_GAP_DAYS, cycle_starts
from cds_service.facts.dates import When, age_in_years, earliest, latest, shift
from cds_service.facts.observations import Amount, amount_in_text, quantity
from cds_service.logic.truth import Truth
from cds_service.logic.values import Interval, Numbers

decimals = st.decimals(min_value=-1000, max_value=1000, places=3)
any_intervals = st.one_of(intervals(), st.tuples(decimals, decimals, decimals).flatmap(lambda ends: intervals(ends)))
any_numbers = st.one_of(numbers(), st.lists(any_intervals, min_size=1, max_size=3).map(lambda i: Numbers(tuple(i))))


def ends(*sets):
    return [e for numbers in sets for i in numbers.intervals for e in (i.low, i.high) if e is not None] or [Decimal(0)]


def held(found, points):
    return [point for point in points if any(interval.holds(point) for interval in found.intervals)]


def unanimous(answers):
    answers = set(answers)
    return Truth.UNKNOWN if len(answers) > 1 else Truth.of(answers.pop())


# Numbers.


@given(any_numbers, st.sampled_from(sorted(ORDER)), any_numbers)
def test_a_comparison_is_that_of_all_members(left, relation, right):
    points = dense(ends(left, right))
    pairs = [ORDER[relation](a, b) for a in held(left, points) for b in held(right, points)]
    assert left.compare(relation, right) is unanimous(pairs)


@given(any_numbers, any_numbers)
def test_equality_is_that_of_all_members(left, right):
    points = dense(ends(left, right))
    assert left.equals(right) is unanimous(a == b for a in held(left, points) for b in held(right, points))


@given(any_numbers, any_numbers)
def test_comparisons_mirror_each_other(left, right):
    for relation, mirrored, opposite in (("<", ">", ">="), ("<=", ">=", ">")):
        answer = left.compare(relation, right)
        assert right.compare(mirrored, left) is answer
        turned = {Truth.TRUE: Truth.FALSE, Truth.FALSE: Truth.TRUE, Truth.UNKNOWN: Truth.UNKNOWN}
        assert left.compare(opposite, right) is turned[answer]
    assert left.equals(right) is right.equals(left)


@given(any_numbers, st.lists(decimals, max_size=4))
def test_cells_are_members_and_see_every_answer_of_every_threshold(found, limits):
    cells = found.cells(limits)
    assert cells
    assert held(found, cells) == cells
    points = held(found, dense([*ends(found), *limits]))
    for limit in limits:
        for holds in (*ORDER.values(), operator.eq):
            assert {holds(cell, limit) for cell in cells} == {holds(point, limit) for point in points}


@given(any_numbers, any_numbers, decimals)
def test_a_union_holds_what_is_in_either(left, right, point):
    assert bool(held(left.union(right), [point])) is bool(held(left, [point]) or held(right, [point]))


@given(sets_of("string"), sets_of("string"), st.sets(st.sampled_from(["a", "b", "c", "z"])))
def test_a_union_of_codes_only_loses_certainty(left, right, listed):
    one, both = left.is_in(frozenset(listed)), left.union(right).is_in(frozenset(listed))
    assert both in (one, Truth.UNKNOWN)
    assert left.union(left) == left


# Dates.

DAYS = st.dates(date(1, 1, 1), date(9999, 12, 31))
NEAR = st.dates(date(1990, 1, 1), date(2040, 12, 31))
zones = st.integers(-14 * 60, 14 * 60).map(lambda m: f"{'-' if m < 0 else '+'}{abs(m) // 60:02}:{abs(m) % 60:02}")
seconds = st.one_of(st.just(""), st.integers(0, 60).map(lambda s: f":{s:02}"), st.just(":07.123456789"))
clock = st.builds(lambda h, m, s: f"T{h:02}:{m:02}{s}", st.integers(0, 23), st.integers(0, 59), seconds)
zone = st.one_of(st.just(""), st.just("Z"), zones)


@given(DAYS, st.sampled_from([4, 7, 10]))
def test_a_date_is_all_the_days_it_may_be(day, length):
    when = When.parse(day.isoformat()[:length])
    first = day.replace(day=1) if length < 10 else day
    last = day.replace(day=calendar.monthrange(day.year, day.month)[1]) if length < 10 else day
    assert (when.first, when.last) == (first, last) if length > 4 else (date(day.year, 1, 1), date(day.year, 12, 31))
    assert when.instant is when.wall is None
    assert when.certainly_within(when.first, when.last)
    assert when.perhaps_within(when.last, when.last)
    if 999 < day.year < 9999:  # no record is older; the last day of the calendar stands for "no end"
        assert When.parse(when.text) == when


# An offset may carry the first and last days of the calendar beyond its ends: that is a ValueError too, since
# only ValueError makes a date unreadable (the contract, section 3) instead of stopping the evaluation.
@given(DAYS, clock, zone)
@example(date(1, 1, 1), "T00:00:00", "+00:01")
@example(date(9999, 12, 31), "T23:59", "-14:00")
def test_the_day_of_a_time_is_the_one_written(day, time, offset):
    text = f"{day.isoformat()}{time}{offset}"
    try:
        when = When.parse(text)
    except ValueError:
        assert offset
        assert day in (date.min, date.max)
        return
    assert when.first == when.last == day
    assert (when.instant is None) is (offset == "")
    assert when.wall is not None
    if when.instant is not None:
        assert when.instant.tzinfo is UTC
        assert abs(when.instant.replace(tzinfo=None) - when.wall) <= timedelta(hours=14)


digits = st.integers(0, 99).map(lambda n: f"{n:02}")
almost = st.builds(
    lambda y, m, d, t, z: f"{y:04}-{m}-{d}{t}{z}",
    st.integers(0, 9999),
    digits,
    digits,
    st.one_of(clock, st.builds("T{}:{}:{}".format, digits, digits, digits), st.just("")),
    st.one_of(zone, st.builds("+{}:{}".format, digits, digits), st.just(" ")),
)
garbage = st.one_of(
    st.text(),
    almost,
    st.from_regex(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?", fullmatch=True),
    st.none() | st.booleans() | st.integers() | st.floats() | st.lists(st.text()) | st.just({}) | st.dates(),
)


@given(garbage)
@example("0001-01-01T00:00:00+14:00")
@example("9999-12-31T23:59:59-14:00")
def test_what_is_no_date_is_a_value_error(text):
    try:
        when = When.parse(text)
    except ValueError:
        return
    assert when.first <= when.last
    assert when.text


def kinds():
    """Whole days and longer; local times; instants."""
    days = st.builds(lambda d, length: When.parse(d.isoformat()[:length]), NEAR, st.sampled_from([4, 7, 10, 10]))
    narrow = st.dates(date(2026, 2, 26), date(2026, 2, 28))
    walls = st.builds(lambda d, t: When.parse(f"{d.isoformat()}{t}"), narrow, clock)
    instants = st.builds(lambda d, t, z: When.parse(f"{d.isoformat()}{t}{z}"), narrow, clock, zones)
    return [days, walls, instants]


any_when = st.one_of(*kinds(), st.dates(date(2026, 2, 26), date(2026, 2, 28)).map(When.on))


@given(st.one_of([st.tuples(kind, kind, kind) for kind in kinds()]))
def test_before_is_a_strict_partial_order_on_values_of_one_kind(three):
    a, b, c = three
    assert not a.before(a)
    assert not (a.before(b) and b.before(a))
    if a.before(b) and b.before(c):
        assert a.before(c)


@given(any_when, any_when)
def test_before_is_never_both_ways(a, b):
    assert not (a.before(b) and b.before(a))
    assert not a.before(a)
    if a.before(b) and a.instant is None and b.instant is None:
        assert a.first <= b.last


@given(st.lists(any_when, min_size=1, max_size=6), st.randoms())
def test_the_latest_do_not_depend_on_the_order(times, random):
    found = {times[at] for at in latest(times)}
    assert found
    shuffled = list(times)
    random.shuffle(shuffled)
    assert {shuffled[at] for at in latest(shuffled)} == found


@given(st.lists(any_when, min_size=1, max_size=6))
def test_the_latest_are_those_that_nothing_is_later_than(times):
    found = [at for at, one in enumerate(times) if not any(one.before(other) for other in times)]
    assert latest(times) == (found or list(range(len(times))))


@given(st.lists(any_when, max_size=6))
def test_the_earliest_is_a_range_that_no_member_precedes(times):
    found = earliest(times)
    if not times:
        assert found is None
        return
    assert found.first <= found.last
    assert all(found.first <= one.first and found.last <= one.last for one in times)


@given(DAYS, st.integers(-10_000_000, 10_000_000))
def test_shifting_stops_at_the_ends_of_the_calendar(day, days):
    moved = shift(day, days)
    assert moved in (date.min, date.max) or (moved - day).days == days


# Ages.


@given(NEAR, NEAR)
def test_completed_years_grow_by_one_on_each_birthday(birth, day):
    assume(birth <= day)
    age = age_in_years(birth, day)
    assert 0 <= age <= (day - birth).days / 365
    assert age >= (day - birth).days // 366 - 1
    tomorrow = day + timedelta(days=1)
    leap_day = (birth.month, birth.day) == (2, 29)
    common = leap_day and not calendar.isleap(tomorrow.year)
    birthday = (3, 1) if common else (birth.month, birth.day)
    assert age_in_years(birth, tomorrow) == age + ((tomorrow.month, tomorrow.day) == birthday)
    assert age_in_years(birth, birth) == 0


@given(NEAR, NEAR, NEAR)
def test_the_younger_is_never_older(birth, later_birth, day):
    first, second = sorted([birth, later_birth])
    assume(second <= day)
    assert age_in_years(first, day) >= age_in_years(second, day)


# Cycles.

doses = st.lists(st.integers(0, 150).map(lambda at: date(2026, 1, 1) + timedelta(days=at)), max_size=20)


@given(doses)
def test_cycles_start_with_doses_and_lie_apart(days):
    starts = cycle_starts(days)
    assert set(starts) <= set(days)
    assert list(starts) == sorted(starts)
    assert all((b - a).days >= CYCLE_GAP_DAYS for a, b in pairwise(starts))
    for day in days:
        own = max(start for start in starts if start <= day)
        assert (day - own).days < CYCLE_GAP_DAYS
    assert cycle_starts(starts) == starts


@given(doses, st.randoms(), st.integers(-400, 400))
def test_cycles_do_not_depend_on_order_copies_or_the_calendar(days, random, by):
    again = [*days, *days[:3]]
    random.shuffle(again)
    assert cycle_starts(again) == cycle_starts(days)
    move = timedelta(days=by)
    assert cycle_starts([day + move for day in days]) == tuple(start + move for start in cycle_starts(days))


@given(doses, st.integers(0, 60))
def test_a_later_dose_begins_at_most_one_cycle_and_moves_none(days, after):
    before = cycle_starts(days)
    more = cycle_starts([*days, max(days, default=date(2026, 1, 1)) + timedelta(days=after)])
    assert more[: len(before)] == before
    assert len(more) - len(before) in (0, 1)


# Quantities.

signs = st.sampled_from(["", "<", "<=", ">", ">=", "≤", "≥", "＜", "＞"])
printed = st.one_of(st.integers(0, 10**9 - 1).map(str), st.decimals(0, 10**6, places=4).map("{:f}".format))
plain_units = st.sampled_from(["", "g/L", "mg/dL", "%", "umol/L", "U/L", "s", "x"])
spaces = st.sampled_from(["", " ", "  "])
marks = st.sampled_from(["", "↑", "↓", " H", "*"])


@given(st.text())
@example("٣")
@example("<5 >")
def test_text_is_read_as_a_number_or_not_at_all(text):
    amount = amount_in_text(text)
    if amount is not None:
        again = amount_in_text(amount.shown)
        assert again is not None
        assert (again.interval, again.unit) == (amount.interval, None)


@given(signs, spaces, printed, marks, plain_units)
def test_a_printed_result_reads_back(sign, space, number, mark, unit):
    amount = amount_in_text(f"{sign}{space}{number}{mark}{' ' if unit else ''}{unit}")
    assert amount is not None
    assert amount.unit == (unit or None)
    value = Decimal(number)
    assert value in (amount.interval.low, amount.interval.high)
    assert amount.exact is (sign == "")
    assert amount_in_text(amount.shown).interval == amount.interval
    comparator = {"＜": "<", "＞": ">"}.get(sign, sign)
    element = {"value": value, **({"comparator": comparator} if sign else {}), **({"unit": unit} if unit else {})}
    assert quantity(element) == amount


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.text(max_size=8),
    st.sampled_from(["<", ">=", "g/L", "http://unitsofmeasure.org"]),
)
shapes = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))


@given(
    st.one_of(
        shapes,
        st.dictionaries(st.sampled_from(["value", "comparator", "unit", "system", "code"]), leaves),
        st.dictionaries(st.sampled_from(["value", "comparator", "unit", "system", "code"]), shapes),
    )
)
def test_a_quantity_of_any_shape_is_read_or_not_at_all(value):
    amount = quantity(value)
    if amount is not None:
        assert isinstance(amount, Amount)
        found = amount.interval.low if amount.interval.low is not None else amount.interval.high
        assert found.is_finite()
        assert found == Decimal(str(value["value"]))


# The contract, section 3: "code and date readable but not the value -> that result is no-value". A comparator that
# cannot be read leaves the value unread: without it "< 5" would be 5.
@given(decimals, st.one_of(st.booleans(), st.integers(), st.lists(st.just("<")), st.just({}), st.text(min_size=1)))
@example(Decimal(0), [])
def test_a_number_with_a_comparator_that_is_none_is_not_read(value, comparator):
    assume(comparator not in ("<", "<=", ">", ">=", "≤", "≥", "＜", "＞"))
    assume(
        not isinstance(comparator, str) or comparator.strip() not in ("", "<", "<=", ">", ">=", "≤", "≥", "＜", "＞")
    )
    assert quantity({"value": value, "comparator": comparator, "unit": "g/L"}) is None


@pytest.mark.parametrize("sign", ["<", "<=", ">", ">="])
def test_a_comparator_makes_an_interval_that_the_plain_number_bounds(sign):
    amount = quantity({"value": 5, "comparator": sign, "unit": "g/L"})
    plain = Numbers((Interval.point(Decimal(5)),))
    assert Numbers((amount.interval,)).compare(sign, plain) is Truth.TRUE


def test_an_instant_is_in_utc():
    assert When.parse("2026-02-26T23:30:00+08:00").instant == datetime(2026, 2, 26, 15, 30, tzinfo=UTC)
