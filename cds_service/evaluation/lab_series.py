"""Laboratory results over time, around a verdict: each result of a fact, the limits now in force, the window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Final

from cds_service.evaluation.limits_in_force import Region, regions
from cds_service.facts import shown, units
from cds_service.facts.chart import Chart
from cds_service.facts.dates import ANY_TIME
from cds_service.facts.definitions import FactDefinition
from cds_service.facts.fact import Evidence, Fact, Reason
from cds_service.facts.labs import cited, in_known_units, limits_of, measure, usual_upper, window_of
from cds_service.facts.need import XULN, Need
from cds_service.facts.observations import ObservationEntry
from cds_service.facts.performance import graded_chart
from cds_service.facts.phrase import say, words_of_rules
from cds_service.logic.values import ANY_NUMBER, Interval, Numbers
from cds_service.trials.model import Criterion

_WHY_NOT: Final[Mapping[Reason, str]] = {
    Reason.UNIT_UNUSABLE: say("the unit is missing, does not fit, or makes the value implausible"),
    Reason.UNMAPPED_CODE: say("recorded in a way that is not recognised"),
    Reason.NO_VALUE: say("no usable value"),
    Reason.NO_REFERENCE_RANGE: say("no usable reference range"),
    Reason.CONFLICT: say("its reference ranges contradict each other"),
    Reason.NO_RECORD: say("the upper limit depends on the sex, which is not on record"),
}


@dataclass(frozen=True)
class LabPoint:
    """One result.

    Args:
        day: its day, the last possible one; None when it is not known to the day.
        day_text: the day as recorded, perhaps a part of one; "" for none.
        value: in the series' unit; None when it is a range or cannot be used.
        low: the least possible value of a range ("> 5"), in the series' unit.
        high: the greatest possible value of a range ("< 5").
        recorded: value and unit as recorded, for people ("12.1 g/dL"): hostile text.
        upper: its own upper limit of normal in the series' unit; None for none, or several.
        status: as recorded ("final", "preliminary"): hostile text.
        used: whether a verdict rests on it.
        resource: its reference.
        why_not: why it could not be used; a phrase, "" when it could.
    """

    day: date | None
    day_text: str
    value: Decimal | None
    low: Decimal | None
    high: Decimal | None
    recorded: str
    upper: Decimal | None
    status: str
    used: bool
    resource: str
    why_not: str = ""


@dataclass(frozen=True)
class Limit:
    """One limit of the protocol, in the series' unit.

    Args:
        least: the value must be at least this; None for no lower limit, or when it cannot be told in the unit.
        most: the value must be at most this.
        factor: the limit as a multiple of the upper limit of normal; None for one that is written in a unit.
        depends_on: labels of the facts, not known, that decide between this limit and the others; phrases.
    """

    least: Decimal | None = None
    most: Decimal | None = None
    factor: Decimal | None = None
    depends_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabSeries:
    """The results of one fact.

    Args:
        criteria: ids of the criteria that read it.
        fact: its name.
        label: for people; a phrase.
        unit: that all numbers are in; "" for none.
        points: oldest first; those without a day at the start.
        least: lower limit now in force; None for none.
        most: upper limit now in force; None for none, or when no upper limit of normal is known.
        upper: the upper limit of normal that was applied; None for none.
        factor: the multiple of it that the protocol names; None when its limit is written in a unit.
        window: first and last day on which a result counts.
        limits: every limit that may be in force, the strictest first; more than one while a fact that decides
            between them is not known.
    """

    criteria: tuple[str, ...]
    fact: str
    label: str
    unit: str
    points: tuple[LabPoint, ...]
    least: Decimal | None
    most: Decimal | None
    upper: Decimal | None
    factor: Decimal | None
    window: tuple[date, date]
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True)
class _Asked:
    """One way in which a criterion reads a fact.

    Args:
        criterion: that reads it.
        need: how.
        variable: of the criterion's logic that its limits are written for; "" when none are.
    """

    criterion: Criterion
    need: Need
    variable: str = ""


_SCALES: Final = frozenset({"performance_status", "graded_scale"})
_MADE_OF_LABS: Final = frozenset({"renal_filtration", "clearance_alone"})


def lab_series(chart: Chart, criteria: Sequence[Criterion]) -> Iterator[LabSeries]:
    """Yield a series for each laboratory fact that criteria read, in their order.

    Args:
        chart: the record at the gate.
        criteria: of the gate.
    """
    by_fact: dict[str, list[_Asked]] = {}
    optional = set()
    for criterion in criteria:
        for asked, must in _read_by(criterion, chart):
            by_fact.setdefault(asked.need.fact, []).append(asked)
            if not must:
                optional.add(asked.need.fact)
    for name, found in by_fact.items():
        series = _series(chart, chart.definitions[name], found)
        # A clearance that nobody reported is no series: it is computed.
        if series.points or name not in optional:
            yield series


def _read_by(criterion: Criterion, chart: Chart) -> Iterator[tuple[_Asked, bool]]:
    """Yield each laboratory fact that a criterion reads, and whether it is shown even with no result."""
    for variable, need in criterion.needs.items():
        definition = chart.definitions[need.fact]
        options = definition.options
        if definition.kind == "lab" or definition.kind in _SCALES:
            yield _Asked(criterion, need, variable), True
        elif definition.kind in _MADE_OF_LABS:
            for piece in ("clearance", "egfr"):
                if piece in options:
                    yield _Asked(criterion, replace(need, fact=options[piece], unit=None), variable), False
            made_of = replace(need, fact=options["creatinine"], unit=options["creatinine_unit"])
            yield _Asked(criterion, made_of), True
            yield _Asked(criterion, Need(options["weight"], anchor="as_of")), True


def _series(chart: Chart, definition: FactDefinition, found: Sequence[_Asked]) -> LabSeries:
    options, first = definition.options, found[0].need
    # Numbers of a rule are shown in its unit; multiples, and what a formula is fed with, in the fact's own.
    limited = [one for one in found if one.variable and one.need.unit not in (None, XULN)]
    unit = limited[0].need.unit if limited else definition.unit
    in_multiples = any(one.need.unit == XULN for one in found)
    graded = graded_chart(chart, options["value_set"], options["answer_value_set"]) if _is_scale(definition) else chart
    used = _used(chart, found)
    need = replace(first, unit=unit or None)
    entries = sorted(graded.observed(chart.value_sets[options["value_set"]]), key=_order)
    points = tuple(_point(graded, definition, need, entry, used, in_multiples) for entry in entries)
    upper = next((one.upper for one in points if one.used and one.upper is not None), None)
    if upper is None and (usual := usual_upper(chart, definition)) is not None:
        upper = units.convert(options["analyte"], usual, units.canonical_unit(options["analyte"]), unit or None)
    limits = tuple(dict.fromkeys(limit for one in found for limit in _limits(chart, one, upper)))
    strictest = limits[0] if limits else Limit()
    window = window_of(chart, first, definition)
    return LabSeries(
        criteria=tuple(dict.fromkeys(one.criterion.id for one in found)),
        fact=definition.name,
        label=words_of_rules(definition.label["en"]),
        unit=unit or "",
        points=points,
        least=strictest.least,
        most=strictest.most,
        upper=upper if in_multiples else None,
        factor=strictest.factor,
        window=(window.first, window.last),
        limits=limits,
    )


def _is_scale(definition: FactDefinition) -> bool:
    return definition.kind in _SCALES


def _order(entry: ObservationEntry) -> tuple[date, str, str]:
    when = entry.when or ANY_TIME
    return when.first, when.wall.isoformat() if when.wall else "", entry.reference


def _used(chart: Chart, found: Sequence[_Asked]) -> set[Evidence]:
    """Return the records that verdicts rest on: those of a known value which the criterion cites."""
    used: set[Evidence] = set()
    for one in found:
        fact = chart.fact(one.need)
        cited_by = {e.resource for need in one.criterion.needs.values() for e in chart.fact(need).evidence}
        if fact.value.now != ANY_NUMBER:
            used |= {replace(e, note="") for e in fact.evidence if e.resource in cited_by}
    return used


def _limits(chart: Chart, asked: _Asked, upper: Decimal | None) -> Iterator[Limit]:
    if not asked.variable:
        return
    facts = {name: chart.fact(need) for name, need in asked.criterion.needs.items()}
    for region in regions(asked.criterion, asked.variable, facts):
        yield _limit(region, asked, upper, tuple(_label(chart, facts[name]) for name in region.depends_on))


def _label(chart: Chart, fact: Fact) -> str:
    return words_of_rules(chart.definitions[fact.name].label["en"])


def _limit(region: Region, asked: _Asked, upper: Decimal | None, depends_on: tuple[str, ...]) -> Limit:
    if asked.need.unit != XULN:
        return Limit(region.least, region.most, None, depends_on)
    factor = region.most if region.most is not None else region.least
    scaled = [None if end is None or upper is None else end * upper for end in (region.least, region.most)]
    return Limit(scaled[0], scaled[1], factor, depends_on)


def _point(
    chart: Chart,
    definition: FactDefinition,
    need: Need,
    entry: ObservationEntry,
    used: set[Evidence],
    in_multiples: bool,
) -> LabPoint:
    analyte = definition.options["analyte"]
    numbers = measure(chart, definition, need, entry)
    ends = _ends(numbers.numbers)
    limits = limits_of(chart, definition, in_known_units(chart, definition, entry))
    upper = limits.highs[0] if len(limits.highs) == 1 else None
    evidence = cited(entry)
    when = entry.when
    exact = when is not None and when.first == when.last
    reason = numbers.missing.reason if numbers.missing is not None else None
    if reason is None and in_multiples:
        reason = limits.reason or (Reason.NO_RECORD if len(limits.highs) > 1 else None)
    return LabPoint(
        day=when.first if when is not None and exact else None,
        day_text=when.text if when is not None else "",
        value=ends.low if ends.low is not None and ends.low == ends.high else None,
        low=None if ends.low == ends.high else ends.low,
        high=None if ends.low == ends.high else ends.high,
        recorded=_recorded(evidence),
        upper=None if upper is None else units.convert(analyte, upper, units.canonical_unit(analyte), need.unit),
        status=entry.status,
        used=evidence in used,
        resource=entry.reference,
        why_not=_why_not(entry, exact=exact, reason=reason),
    )


def _ends(numbers: Numbers) -> Interval:
    return numbers.intervals[0] if len(numbers.intervals) == 1 else Interval()


def _recorded(evidence: Evidence) -> str:
    value = shown.plain_number(evidence.value) if isinstance(evidence.value, Decimal) else evidence.value or ""
    return " ".join(part for part in (value, shown.unit(evidence.unit)) if part)


def _why_not(entry: ObservationEntry, *, exact: bool, reason: Reason | None) -> str:
    if not entry.has_value:
        return say("no value")
    if not entry.usable:
        return say("not final")
    if entry.when is None:
        return say("undated")
    if not exact:
        return say("not dated to the day")
    return "" if reason is None else _WHY_NOT.get(reason, "")
