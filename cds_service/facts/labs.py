"""Laboratory results and vital signs: which one counts, in which unit, against which upper limit.

The latest usable result is judged as it is; an earlier one never stands in, and never the best. Results whose
order cannot be told count together. Source: the eligibility contract, section 6 (Labs); clinical notes, 3.9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from cds_service.facts import shown, units
from cds_service.facts.dates import ANY_TIME, When, latest, shift
from cds_service.facts.definitions import FactDefinition
from cds_service.facts.elements import NOTHING
from cds_service.facts.fact import Evidence, Fact, Missing, Reason
from cds_service.facts.limits import SITE_LIMIT, UpperLimits, upper_limits
from cds_service.facts.need import XULN, Need
from cds_service.facts.observations import Amount, ObservationEntry
from cds_service.facts.phrase import joined, say
from cds_service.facts.shown import plain_number
from cds_service.logic.values import ANY_NUMBER, Interval, Numbers, Value

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart

LAB_WINDOW_DAYS: Final = 14


@dataclass(frozen=True)
class Window:
    """The days on which a result may lie, both ends included."""

    first: date
    last: date


def window_of(chart: Chart, need: Need, definition: FactDefinition) -> Window:
    """Return a need's window; its length is the rule's, else the fact definition's, else the protocol's 14 days."""
    end = chart.moment.anchor if need.anchor == "anchor" else chart.moment.as_of
    days = need.within_days
    if days is None:
        days = int(definition.options.get("within_days", LAB_WINDOW_DAYS))
    return Window(shift(end, -days), end)


WINDOWED_KINDS: Final = frozenset({"lab", "performance_status", "graded_scale", "qualitative_result"})
"""The kinds of fact that a result counts for only within a window."""


def new_result_until(chart: Chart, need: Need, definition: FactDefinition) -> date | None:
    """Return the last day on which a result made on the day of judgement would still count; None when it never would.

    Args:
        chart: the record at a moment.
        need: where and how long a result counts.
        definition: of the fact; None for a kind without a window.
    """
    if definition.kind not in WINDOWED_KINDS:
        return None
    window, today = window_of(chart, need, definition), chart.moment.as_of
    if window.last > today:
        return window.last if today >= window.first else None
    return shift(today, (window.last - window.first).days)


@dataclass(frozen=True)
class Measured:
    """One result made comparable.

    Args:
        numbers: its possible values in the rule's unit; the whole line when it cannot be used.
        missing: why it is not one number; None when it is.
        note: for people: the converted value, or the limit that applied.
    """

    numbers: Numbers
    missing: Missing | None = None
    note: str = ""
    notes: tuple[str, ...] = ()


def lab(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return a measured number in the rule's unit, or why it is unknown."""
    name = definition.name
    value_set = chart.value_sets[definition.options["value_set"]]
    found = chart.observed(value_set)
    window = window_of(chart, need, definition)
    measured = [entry for entry in found if entry.usable and entry.has_value]
    newest = [measured[at] for at in latest([entry.when or ANY_TIME for entry in measured])] if measured else []
    if any(_certainly(entry, window) for entry in newest):
        fact = _judged(chart, definition, need, newest)
        return _annotated(fact, found, newest, window, need, chart)
    lean = _lean(chart, definition, need, newest)
    if any(_perhaps(entry, window) for entry in newest):
        return _unknown(name, Reason.IMPRECISE_DATE, newest, lean)
    pending = [entry for entry in found if not entry.usable and entry.has_value and _perhaps(entry, window)]
    if pending:
        last = [pending[at] for at in latest([entry.when or ANY_TIME for entry in pending])]
        return _unknown(name, Reason.NOT_FINAL, last, _lean(chart, definition, need, last))
    empty = [entry for entry in found if not entry.has_value and _perhaps(entry, window)]
    if empty:
        return _unknown(name, Reason.NO_VALUE, [*empty, *newest], lean)
    if not chart.complete(["Observation"]):
        return _unknown(name, Reason.NOT_FETCHED, newest, lean)
    return _unknown(name, Reason.STALE if newest else Reason.NO_RECORD, newest, lean)


def _certainly(entry: ObservationEntry, window: Window) -> bool:
    return (entry.when or ANY_TIME).certainly_within(window.first, window.last)


def _perhaps(entry: ObservationEntry, window: Window) -> bool:
    return (entry.when or ANY_TIME).perhaps_within(window.first, window.last)


def _unknown(name: str, reason: Reason, entries: Sequence[ObservationEntry], lean: Numbers | None) -> Fact:
    return Fact.unknown(name, ANY_NUMBER, reason, lean=lean, evidence=tuple(cited(entry) for entry in entries))


def _lean(chart: Chart, definition: FactDefinition, need: Need, entries: Sequence[ObservationEntry]) -> Numbers | None:
    """Return what results that do not count would give."""
    return _judged(chart, definition, need, entries).value.now if entries else None  # type: ignore[return-value]


def _judged(chart: Chart, definition: FactDefinition, need: Need, entries: Sequence[ObservationEntry]) -> Fact:
    """Judge results that count together: their union."""
    results = [measure(chart, definition, need, entry) for entry in entries]
    numbers = results[0].numbers
    for result in results[1:]:
        numbers = numbers.union(result.numbers)
    unusable = [result.missing for result in results if result.missing is not None]
    missing: tuple[Missing, ...] = tuple(dict.fromkeys(unusable))[:1]
    if not missing and len(numbers.intervals) > 1:
        missing = (Missing(definition.name, Reason.CONFLICT),)
    evidence = tuple(cited(entry, result.note) for entry, result in zip(entries, results, strict=True))
    notes = tuple(dict.fromkeys(note for result in results for note in result.notes))
    return Fact(definition.name, Value(numbers, ANY_NUMBER), numbers, missing, evidence, notes)


def _annotated(
    fact: Fact,
    found: Sequence[ObservationEntry],
    newest: Sequence[ObservationEntry],
    window: Window,
    need: Need,
    chart: Chart,
) -> Fact:
    """Say what was passed over, and until when the result counts."""
    notes = []
    times = [entry.when for entry in newest if entry.when is not None]
    if any(e.usable and not e.has_value and e.when and all(t.before(e.when) for t in times) for e in found):
        notes.append("newest-has-no-value")
    if any(not e.usable and e.when and all(t.before(e.when) for t in times) for e in found):
        notes.append("newer-result-not-final")
    if any(entry.only_issued for entry in newest):
        notes.append("dated-by-report")
    told = fact.noting(*notes) if notes else fact
    return replace(told, until=counts_until(newest, window, need, chart))


def counts_until(entries: Sequence[ObservationEntry], window: Window, need: Need, chart: Chart) -> date | None:
    """Return the last day on which results still count; None when the window's end does not move with the day."""
    times = [entry.when for entry in entries if entry.when is not None]
    lapses = need.anchor == "as_of" or chart.moment.anchor == chart.moment.as_of
    return shift(min(t.first for t in times), (window.last - window.first).days) if times and lapses else None


def measure(chart: Chart, definition: FactDefinition, need: Need, entry: ObservationEntry) -> Measured:
    """Make one result comparable with the rule's limits."""
    analyte = definition.options["analyte"]
    entry = in_known_units(chart, definition, entry)
    if entry.amount is None:
        worded = Reason.UNMAPPED_CODE if entry.answer.readable else Reason.NO_VALUE
        return Measured(ANY_NUMBER, Missing(definition.name, worded))
    canonical = _converted(analyte, entry.amount, None)
    value_set = chart.value_sets[definition.options["value_set"]]
    concepts = [value_set.find(coding.system, coding.code) for coding in entry.code.codings]
    # A result coded both ways fits by either; one coded without a property fits any unit.
    wanted = {concept.attributes.get("property") for concept in concepts if concept is not None}
    found = units.unit_property(analyte, entry.amount.unit) if entry.amount.unit else None
    ends = [end for end in (canonical.low, canonical.high) if end is not None] if canonical else []
    # A moles code with a mass unit, or a number no patient has, is a unit slip: nothing can be concluded.
    if (
        canonical is None
        or (found and wanted and not wanted & {found, None})
        or not all(units.within_bounds(analyte, e) for e in ends)
    ):
        return Measured(ANY_NUMBER, Missing(definition.name, Reason.UNIT_UNUSABLE))
    inexact = None if entry.amount.exact else Missing(definition.name, Reason.COMPARATOR)
    if need.unit != XULN:
        target = _converted(analyte, entry.amount, need.unit)
        if target is None:
            return Measured(ANY_NUMBER, Missing(definition.name, Reason.UNIT_UNUSABLE))
        unit = need.unit or units.canonical_unit(analyte)
        same = entry.amount.unit is None or units.normalise_unit(entry.amount.unit) == units.normalise_unit(unit)
        note = "" if same or not entry.amount.exact else f"= {plain_number(target.low)} {shown.unit(unit)}"
        return Measured(Numbers((target,)), inexact, note)
    limits = limits_of(chart, definition, entry)
    if not limits.highs:
        return Measured(
            ANY_NUMBER,
            Missing(limits.missing_fact or definition.name, limits.reason or Reason.NO_REFERENCE_RANGE),
        )
    numbers = Numbers(tuple(dict.fromkeys(_divided(canonical, high) for high in limits.highs)))
    missing = inexact
    if len(limits.highs) > 1:
        missing = Missing("sex", Reason.NO_RECORD)
    unit = shown.unit(units.canonical_unit(analyte))
    listed = joined((plain_number(high) for high in limits.highs), " or ")
    high = say("{value} {unit}", value=listed, unit=unit) if unit else listed
    note = (
        say("site limit {limit}", limit=high) if SITE_LIMIT in limits.notes else say("upper limit {limit}", limit=high)
    )
    if entry.amount.exact and len(limits.highs) == 1:
        note = say("{ratio} × ULN; {limit}", ratio=shown.ratio(numbers.intervals[0].low), limit=note)
    return Measured(numbers, missing, note, limits.notes)


def in_known_units(chart: Chart, definition: FactDefinition, entry: ObservationEntry) -> ObservationEntry:
    """Return a result with the hospital's spellings of units replaced."""
    return entry if chart.site is None else chart.site.in_known_units(entry, definition.options["analyte"])


def limits_of(chart: Chart, definition: FactDefinition, entry: ObservationEntry) -> UpperLimits:
    """Return the upper limits of normal that apply to a result whose units are known (:func:`in_known_units`)."""
    stated = chart.site.limits.get(definition.options["value_set"], ()) if chart.site else ()
    return upper_limits(entry, definition.options["analyte"], chart.person, stated)


def usual_upper(chart: Chart, definition: FactDefinition) -> Decimal | None:
    """Return the upper limit of normal that a new result would come with, in the canonical unit; None for none known.

    It is that of the latest result which brings just one, else the one that the site file states for such a patient.
    """
    found = chart.observed(chart.value_sets[definition.options["value_set"]])
    newest_first = sorted(found, key=lambda entry: (entry.when or ANY_TIME).first, reverse=True)
    bare = ObservationEntry("", "final", NOTHING, When.on(chart.moment.as_of))
    for entry in (*newest_first, bare):
        highs = limits_of(chart, definition, in_known_units(chart, definition, entry)).highs
        if len(highs) == 1:
            return highs[0]
    return None


def _converted(analyte: str, amount: Amount, unit: str | None) -> Interval | None:
    """Convert both ends; None when the unit is absent or not the analyte's."""
    ends: list[Decimal | None] = []
    for end in (amount.interval.low, amount.interval.high):
        converted = None if end is None else units.convert(analyte, end, amount.unit, unit)
        if end is not None and converted is None:
            return None
        ends.append(converted)
    return Interval(ends[0], ends[1], amount.interval.low_open, amount.interval.high_open)


def _divided(interval: Interval, by: Decimal) -> Interval:
    low = None if interval.low is None else interval.low / by
    high = None if interval.high is None else interval.high / by
    return Interval(low, high, interval.low_open, interval.high_open)


def cited(entry: ObservationEntry, note: str = "") -> Evidence:
    """Return a result as evidence: value and unit as recorded."""
    day = entry.when.text if entry.when else None
    if entry.amount is not None:
        low = entry.amount.interval.low
        value: Decimal | str | None = low if entry.amount.exact else entry.amount.shown
        return Evidence(entry.reference, value, entry.amount.unit, day, note)
    return Evidence(entry.reference, entry.answer.label or None, None, day, note)
