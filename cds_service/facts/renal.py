"""Kidney function beside creatinine: clearance and eGFR, reported or computed, as one set of values.

Clearance: reported, else Cockcroft and Gault (Nephron 1976;16:31). eGFR: reported, else CKD-EPI 2021 (Inker et
al., N Engl J Med 2021;385:1737, doi 10.1056/NEJMoa2102953). Two estimates are two possible values: on different
sides of a limit they leave it undecided. A reported eGFR alone can only pass, a computed one alone only leans.
Source: the eligibility contract, section 6 (renal); clinical notes, section 3.9 with its test vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Final

from cds_service.facts.dates import When
from cds_service.facts.definitions import FactDefinition
from cds_service.facts.fact import Evidence, Fact, Missing, Reason
from cds_service.facts.need import XULN, Need
from cds_service.facts.phrase import joined, say, words_of_rules
from cds_service.facts.shown import plain_number
from cds_service.facts.shown import unit as unit_for_people
from cds_service.logic.values import ANY_NUMBER, Interval, Numbers, Value

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart

FEMALE: Final = "female"


def cockcroft_gault(age: Decimal, sex: str, weight_kg: Decimal, creatinine_mg_dl: Decimal) -> Decimal:
    """Return creatinine clearance in mL/min.

    Args:
        age: completed years at the sample.
        sex: "male" or "female".
        weight_kg: body weight in kg.
        creatinine_mg_dl: serum creatinine in mg/dL.

    >>> f"{cockcroft_gault(Decimal(55), 'male', Decimal(70), Decimal('1.2')):.1f}"
    '68.9'
    """
    clearance = (140 - age) * weight_kg / (72 * creatinine_mg_dl)
    return clearance * Decimal("0.85") if sex == FEMALE else clearance


def ckd_epi_2021(age: Decimal, sex: str, creatinine_mg_dl: Decimal) -> Decimal:
    """Return eGFR in mL/min/1.73 m2 by the creatinine equation without race.

    >>> f"{ckd_epi_2021(Decimal(70), 'female', Decimal('0.9')):.1f}"
    '68.8'
    """
    female = sex == FEMALE
    kappa, alpha = (Decimal("0.7"), Decimal("-0.241")) if female else (Decimal("0.9"), Decimal("-0.302"))
    ratio = creatinine_mg_dl / kappa
    value = (
        142 * min(ratio, Decimal(1)) ** alpha * max(ratio, Decimal(1)) ** Decimal("-1.200") * Decimal("0.9938") ** age
    )
    return value * Decimal("1.012") if female else value


@dataclass(frozen=True)
class _Estimate:
    """One estimate of kidney function.

    Args:
        numbers: its possible values; None when it is not known.
        reported: whether a laboratory gave it.
        missing: the pieces it lacks.
        says: the calculation or the report, for people.
    """

    numbers: Numbers | None
    reported: bool
    missing: tuple[Missing, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    says: str = ""
    leaning: Numbers | None = None


def renal_filtration(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return the possible filtration rates in mL/min."""
    options = definition.options
    creatinine = chart.fact(replace(need, fact=options["creatinine"], unit=options["creatinine_unit"]))
    ratio = chart.fact(replace(need, fact=options["creatinine"], unit=XULN))
    weight = chart.fact(Need(options["weight"], anchor="as_of"))
    clearance = _reported(chart, need, options["clearance"]) or _clearance(chart, creatinine, weight)
    rate = _reported(chart, need, options["egfr"]) or _rate(chart, creatinine)
    decides = (*clearance.evidence, *rate.evidence, *creatinine.evidence)
    if clearance.numbers is None and not clearance.reported:
        decides = (*rate.evidence, *creatinine.evidence, *clearance.evidence)
    evidence = tuple(dict.fromkeys(decides))
    says = joined(one.says for one in (clearance, rate))
    until = min((f.until for f in (creatinine, weight) if f.until), default=None)
    name = definition.name
    lean = _leaning(clearance, rate)
    if clearance.numbers is not None:
        numbers, missing = clearance.numbers, clearance.missing
        if rate.numbers is not None:
            numbers = numbers.union(rate.numbers)
            # Estimates on two sides: the missing limit first, and only then a person.
            missing = ratio.missing or missing or rate.missing or (Missing(name, Reason.CLINICIAN),)
        return Fact(name, Value(numbers, ANY_NUMBER), numbers, missing, evidence, says=says, until=until)
    # What the filtration itself lacks; creatinine's limit is a missing piece of its own.
    own = options["creatinine"] if _spans(creatinine.value.now) else None
    missing = tuple(dict.fromkeys(m for m in clearance.missing or ratio.missing if m.fact != own))
    if rate.reported and (rate.numbers is None or any(i.high is None for i in rate.numbers.intervals)):
        missing = (*missing, *rate.missing)  # A better report would do.
    if rate.numbers is not None and rate.reported:
        # It may pass; a fail needs the clearance.
        numbers = Numbers(tuple(Interval(low=i.low, low_open=i.low_open) for i in rate.numbers.intervals))
        return Fact(name, Value(numbers, ANY_NUMBER), lean, missing, evidence, says=says, until=until)
    return Fact(name, Value(ANY_NUMBER, ANY_NUMBER), lean, missing, evidence, says=says, until=until)


def clearance_alone(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return creatinine clearance in mL/min, reported or computed; an eGFR does not stand in for it."""
    options = definition.options
    creatinine = chart.fact(replace(need, fact=options["creatinine"], unit=options["creatinine_unit"]))
    weight = chart.fact(Need(options["weight"], anchor="as_of"))
    found = _reported(chart, need, options["clearance"]) or _clearance(chart, creatinine, weight)
    evidence = found.evidence if found.reported else tuple(dict.fromkeys((*found.evidence, *creatinine.evidence)))
    numbers = found.numbers or ANY_NUMBER
    used = [] if found.reported else [fact.until for fact in (creatinine, weight) if fact.until]
    return Fact(
        definition.name,
        Value(numbers, ANY_NUMBER),
        found.numbers or found.leaning or ANY_NUMBER,
        tuple(dict.fromkeys(found.missing)),
        evidence,
        says=found.says,
        until=min(used, default=None),
    )


def _leaning(clearance: _Estimate, rate: _Estimate) -> Numbers:
    known = [one.numbers or one.leaning for one in (clearance, rate)]
    found = [numbers for numbers in known if numbers is not None]
    if not found:
        return ANY_NUMBER
    return found[0] if len(found) == 1 else found[0].union(found[1])


_NOT_REPORTED: Final = (Reason.NO_RECORD, Reason.NOT_FETCHED, Reason.STALE, Reason.NOT_FINAL)


def _reported(chart: Chart, need: Need, fact_name: str) -> _Estimate | None:
    """Return what a laboratory reported; None when it reported nothing that counts, so that it is computed."""
    fact = chart.fact(replace(need, fact=fact_name, unit=None))
    if fact.missing and fact.missing[0].reason in _NOT_REPORTED:
        return None
    if fact.value.now == ANY_NUMBER or not isinstance(fact.value.now, Numbers):
        # A report that cannot be read is still a report: computing past it would rest a fail on ignoring it.
        return _Estimate(None, reported=True, missing=fact.missing, evidence=fact.evidence)
    first = fact.evidence[0]
    label = words_of_rules(chart.definitions[fact_name].label["en"])
    says = say("{label} {value} {unit} reported", label=label, value=first.value, unit=unit_for_people(first.unit))
    return _Estimate(fact.value.now, reported=True, missing=fact.missing, evidence=fact.evidence, says=says)


def _clearance(chart: Chart, creatinine: Fact, weight: Fact) -> _Estimate:
    missing = (*creatinine.missing, *weight.missing, *_age_missing(chart, creatinine))
    kilograms, weights = _points(weight.value.now), _lean_points(weight)
    found = _for_each(chart, creatinine, [_at_weight(kg) for kg in kilograms], _spans(creatinine.value.now))
    if found is None:
        leaning = _for_each(chart, creatinine, [_at_weight(kg) for kg in weights], _spans(creatinine.lean))
        lean = leaning if weights else None
        return _Estimate(None, reported=False, missing=missing, evidence=weight.evidence, leaning=lean)
    inputs = _inputs(chart, creatinine, kilograms)
    says = say("clearance {value} mL/min by Cockcroft-Gault ({inputs})", value=_shown(found), inputs=inputs)
    missing = creatinine.missing or weight.missing or _sex_missing(found, chart)
    return _Estimate(found, False, missing, weight.evidence, says)


def _rate(chart: Chart, creatinine: Fact) -> _Estimate:
    found = _for_each(chart, creatinine, [ckd_epi_2021], _spans(creatinine.value.now))
    if found is None:
        lean = _for_each(chart, creatinine, [ckd_epi_2021], _spans(creatinine.lean))
        return _Estimate(None, reported=False, leaning=lean)
    says = say("eGFR {value} mL/min/1.73 m² by CKD-EPI 2021", value=_shown(found))
    return _Estimate(found, False, creatinine.missing or _sex_missing(found, chart), (), says)


def _points(values: object) -> list[Decimal]:
    """Return the members of a set of single numbers; none when it holds a range."""
    if not isinstance(values, Numbers) or any(i.low is None or i.low != i.high for i in values.intervals):
        return []
    return [i.low for i in values.intervals if i.low is not None and i.low > 0]


def _lean_points(fact: Fact) -> list[Decimal]:
    return _points(fact.lean)


def _spans(values: object) -> list[Interval]:
    """Return the pieces of a set of positive numbers; none when it may hold any number."""
    if not isinstance(values, Numbers) or any(i.low is None and i.high is None for i in values.intervals):
        return []
    return [i for i in values.intervals if i.high is None or i.high > 0]


Formula = Callable[[Decimal, str, Decimal], Decimal]


def _at_weight(kilograms: Decimal) -> Formula:
    return lambda age, sex, creatinine: cockcroft_gault(age, sex, kilograms, creatinine)


def _for_each(chart: Chart, creatinine: Fact, formulas: Iterable[Formula], doses: Iterable[Interval]) -> Numbers | None:
    """Apply formulas to every possible age, sex and creatinine."""
    found = [
        _falling(partial(formula, age, sex), dose)
        for age, sex, dose, formula in product(_ages(chart, creatinine), chart.person.sexes, doses, formulas)
    ]
    return Numbers(tuple(dict.fromkeys(found))) if found else None


def _falling(formula: Callable[[Decimal], Decimal], span: Interval) -> Interval:
    """Return what a formula that falls as its argument grows makes of an interval of positive numbers."""
    least = Decimal(0) if span.high is None else formula(span.high)
    # The formulas are dear: a point is asked once.
    most = None if span.low is None or span.low <= 0 else least if span.low is span.high else formula(span.low)
    return Interval(least, most, low_open=span.high is None or span.high_open, high_open=span.low_open)


def _ages(chart: Chart, creatinine: Fact) -> list[Decimal]:
    """Return the possible ages at the sample."""
    day = next((e.date for e in creatinine.evidence if e.date), None)
    ages = chart.person.ages(When.parse(day) if day and "/" not in day else When.on(chart.moment.as_of))
    return _points(ages) if ages is not None else []


def _age_missing(chart: Chart, creatinine: Fact) -> tuple[Missing, ...]:
    return () if chart.person.birth is not None else (Missing("age", chart.person.birth_missing),)


def _sex_missing(numbers: Numbers, chart: Chart) -> tuple[Missing, ...]:
    if len(numbers.intervals) < 2:
        return ()
    return (
        (Missing("sex", Reason.NO_RECORD),) if len(chart.person.sexes) > 1 else (Missing("age", Reason.IMPRECISE_DATE),)
    )


def _shown(numbers: Numbers) -> str:
    return joined((_in_words(interval) for interval in numbers.intervals), " or ")


def _in_words(interval: Interval) -> str:
    """Return an interval of positive numbers as people write it."""
    if interval.high is None:
        return f"{'>' if interval.low_open else '≥'} {plain_number(interval.low)}"
    if interval.low is None or interval.low == 0 < interval.high:
        return f"{'<' if interval.high_open else '≤'} {plain_number(interval.high)}"
    ends = dict.fromkeys((plain_number(interval.low), plain_number(interval.high)))
    return "-".join(ends)


def _inputs(chart: Chart, creatinine: Fact, kilograms: list[Decimal]) -> str:
    ages = "-".join(str(age) for age in _ages(chart, creatinine))
    doses = joined((_in_words(dose) for dose in _spans(creatinine.value.now)), " or ")
    return say(
        "age {age}, {sex}, {weight} kg, creatinine {creatinine} mg/dL",
        age=ages,
        sex=joined((say("male") if sex == "male" else say("female") for sex in chart.person.sexes), "/"),
        weight=plain_number(kilograms[0]),
        creatinine=doses,
    )
