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
    missing = tuple(dict.fromkeys(clearance.missing or ratio.missing))
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
    kilograms, doses = _points(weight.value.now), _points(creatinine.value.now)
    found = _for_each(chart, creatinine, lambda age, sex, scr: [cockcroft_gault(age, sex, kg, scr) for kg in kilograms])
    leaned, weights = _lean_points(creatinine), _lean_points(weight)
    lean = _for_each(chart, creatinine, lambda a, s, scr: [cockcroft_gault(a, s, kg, scr) for kg in weights], leaned)
    if found is None or not doses or not kilograms:
        lean = lean if weights else None
        return _Estimate(None, reported=False, missing=missing, evidence=weight.evidence, leaning=lean)
    inputs = _inputs(chart, creatinine, kilograms)
    says = say("clearance {value} mL/min by Cockcroft-Gault ({inputs})", value=_shown(found), inputs=inputs)
    return _Estimate(found, False, creatinine.missing or _sex_missing(found, chart), weight.evidence, says)


def _rate(chart: Chart, creatinine: Fact) -> _Estimate:
    found = _for_each(chart, creatinine, lambda age, sex, scr: [ckd_epi_2021(age, sex, scr)])
    lean = _for_each(chart, creatinine, lambda age, sex, scr: [ckd_epi_2021(age, sex, scr)], _lean_points(creatinine))
    if found is None:
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


Formula = Callable[[Decimal, str, Decimal], Iterable[Decimal]]


def _for_each(chart: Chart, creatinine: Fact, formula: Formula, values: list[Decimal] | None = None) -> Numbers | None:
    """Apply a formula to every possible age, sex and creatinine."""
    ages = _ages(chart, creatinine)
    found = [
        result
        for age in ages
        for sex in chart.person.sexes
        for dose in (_points(creatinine.value.now) if values is None else values)
        for result in formula(age, sex, dose)
    ]
    return Numbers.of(*found) if found else None


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
    return joined((plain_number(interval.low) for interval in numbers.intervals), " or ")


def _inputs(chart: Chart, creatinine: Fact, kilograms: list[Decimal]) -> str:
    ages = "-".join(str(age) for age in _ages(chart, creatinine))
    doses = joined((plain_number(dose) for dose in _points(creatinine.value.now)), " or ")
    return say(
        "age {age}, {sex}, {weight} kg, creatinine {creatinine} mg/dL",
        age=ages,
        sex=joined((say("male") if sex == "male" else say("female") for sex in chart.person.sexes), "/"),
        weight=plain_number(kilograms[0]),
        creatinine=doses,
    )
