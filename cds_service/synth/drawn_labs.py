"""Laboratory values as drawn: mostly ordinary, some beyond the limit, some on it, one step over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Final, Literal

from cds_service.synth.analytes import ANALYTES, Analyte, Unit
from cds_service.synth.person import Lab, Person
from cds_service.synth.stream import Stream
from cds_service.synth.truth import ckd_epi_2021, cockcroft_gault, times_uln

Side = Literal["usual", "near", "at", "over", "beyond"]

_BLOOD: Final = ("hemoglobin", "neutrophils", "platelets")
_MULTIPLES: Final = ("creatinine", "bilirubin", "ast", "alt", "aptt")
_STEPS: Final = {digits: Decimal(1).scaleb(-digits) for digits in range(4)}
# An estimate this near the limit depends on how an age is counted, which no line settles: another weight is drawn.
_NEAR_SIXTY: Final = (58.5, 61.5)


def draw_labs(rng: Stream, person: Person, *, liver_decides: bool) -> Mapping[str, Lab]:
    """Draw every laboratory value of a patient.

    Args:
        rng: the patient's own stream.
        person: with age and sex.
        liver_decides: whether AST and ALT may lie where the liver's state decides.
    """
    day = rng.choice((0, 1, 2, 3, 3, 4, 5, 6, 7, 9, 11, 13, 14))
    labs: dict[str, Lab] = {}
    for name in _BLOOD:
        labs[name] = _value(rng, name, _days(rng, day, 14), _side(rng, 0.02))
    for name in _MULTIPLES:
        labs[name] = _value(rng, name, _days(rng, day, 14), _side(rng, 0.02))
    if liver_decides and rng.random() < 0.12:
        for name in rng.choice((("ast",), ("alt",), ("ast", "alt"))):
            labs[name] = _between(rng, labs[name])
    if not liver_decides:
        labs |= {name: _out_of_the_middle(rng, labs[name]) for name in ("ast", "alt")}
    labs |= _inr_and_pt(rng, _days(rng, day, 14))
    labs["weight"] = _value(rng, "weight", rng.choice((0, 2, 5, 9, 14, 21, 29, 30)), "usual")
    return labs | _filtration(rng, person, labs)


def _days(rng: Stream, day: int, window: int) -> int:
    return day if rng.random() < 0.85 else rng.randint(0, window)


def _side(rng: Stream, beyond: float) -> Side:
    x = rng.random()
    if x < beyond:
        return "beyond"
    return "usual" if x < 0.90 else "near" if x < 0.955 else "at" if x < 0.985 else "over"


def _value(rng: Stream, name: str, days: int, side: Side) -> Lab:
    analyte = ANALYTES[name]
    at = rng.randrange(len(analyte.units))
    unit = analyte.units[at]
    low = Decimal(unit.low) if unit.low else None
    high = Decimal(rng.choice(unit.high)) if unit.high else None
    usual = _rounded(rng.uniform(*unit.usual), unit)
    if analyte.least:
        value = _against_least(rng, unit, Decimal(analyte.least[at]), side, usual)
    elif high is not None and analyte.times_uln:
        value = against_most(rng, unit, high * Decimal(analyte.times_uln), side, usual)
    else:
        value = usual
    return Lab(value, unit.code, days, low, high)


def _against_least(rng: Stream, unit: Unit, limit: Decimal, side: Side, usual: Decimal) -> Decimal:
    match side:
        case "usual":
            return usual
        case "near":
            return _rounded(rng.uniform(float(limit), unit.usual[0]), unit, at_least=limit)
        case "at":
            return limit
        case "over":
            return limit - _STEPS[unit.digits]
        case "beyond":
            return _rounded(float(limit) * rng.uniform(0.5, 0.95), unit)


def against_most(rng: Stream, unit: Unit, limit: Decimal, side: Side, usual: Decimal) -> Decimal:
    """Return a value on the wanted side of an upper limit, as precise as it is reported."""
    allowed = limit.quantize(_STEPS[unit.digits], ROUND_FLOOR)
    match side:
        case "usual":
            return min(usual, allowed)
        case "near":
            return min(_rounded(rng.uniform(unit.usual[1], float(limit)), unit), allowed)
        case "at":
            return allowed
        case "over":
            return allowed + _STEPS[unit.digits]
        case "beyond":
            return max(_rounded(float(limit) * rng.uniform(1.1, 3), unit), allowed + _STEPS[unit.digits])


def _rounded(value: float, unit: Unit, at_least: Decimal | None = None) -> Decimal:
    found = Decimal(repr(value)).quantize(_STEPS[unit.digits], ROUND_HALF_EVEN)
    return found if at_least is None else max(found, at_least)


def unit_of(name: str, code: str) -> Unit:
    """Return the way of reporting that a value was drawn in."""
    return next(unit for unit in ANALYTES[name].units if unit.code == code)


def _between(rng: Stream, lab: Lab) -> Lab:
    """Put a transaminase between 2.5 and 5 times ULN, limits included."""
    if lab.high is None:
        return lab
    unit = unit_of("ast", lab.unit)
    five = (lab.high * 5).quantize(_STEPS[unit.digits], ROUND_FLOOR)
    above = (lab.high * Decimal("2.5")).quantize(_STEPS[unit.digits], ROUND_FLOOR) + _STEPS[unit.digits]
    x = rng.random()
    if x < 0.2:
        return replace(lab, value=five)
    if x < 0.35:
        return replace(lab, value=five + _STEPS[unit.digits])
    return replace(lab, value=min(max(_rounded(rng.uniform(float(above), float(five)), unit), above), five))


def _out_of_the_middle(rng: Stream, lab: Lab) -> Lab:
    """Move a value out of the stretch where the liver's state decides."""
    if times_uln(lab, Decimal("2.5")) or not times_uln(lab, Decimal(5)):
        return lab
    return replace(lab, value=_rounded(rng.uniform(*unit_of("ast", lab.unit).usual), unit_of("ast", lab.unit)))


def _inr_and_pt(rng: Stream, days: int) -> dict[str, Lab]:
    """Draw both on one side of their limits, seldom on different sides."""
    side = _side(rng, 0.02)
    other = ("beyond" if side == "usual" else "usual") if rng.random() < 0.01 else side
    both: dict[str, Lab] = {"inr": _value(rng, "inr", days, side), "pt": _value(rng, "pt", days, other)}
    x = rng.random()
    if x < 0.2:
        del both["pt"]
    elif x < 0.3:
        del both["inr"]
    return both


def _filtration(rng: Stream, person: Person, labs: Mapping[str, Lab]) -> dict[str, Lab]:
    """Draw a weight that keeps the estimates off the limit, and the estimates that a laboratory reports."""
    creatinine, weight = labs["creatinine"], labs["weight"]
    filtration = ckd_epi_2021(person, creatinine)
    found: dict[str, Lab] = {}
    # Creatinine has no weight in it: where the equation itself lies near 60, an ordinary value is drawn.
    while _NEAR_SIXTY[0] < filtration < _NEAR_SIXTY[1]:
        creatinine = _value(rng, "creatinine", creatinine.days, "usual")
        filtration = ckd_epi_2021(person, creatinine)
        found["creatinine"] = creatinine
    while _NEAR_SIXTY[0] < cockcroft_gault(person, creatinine, weight) < _NEAR_SIXTY[1]:
        weight = _value(rng, "weight", weight.days, "usual")
        found["weight"] = weight
    clearance = cockcroft_gault(person, creatinine, weight)
    if rng.random() < 0.35:
        found["egfr"] = _reported("egfr", filtration, creatinine.days)
    if rng.random() < 0.1 and clearance < 300:
        found["clearance"] = _reported("clearance", clearance, creatinine.days)
    return found


def _reported(name: str, value: float, days: int) -> Lab:
    unit = ANALYTES[name].units[0]
    return Lab(_rounded(value, unit), unit.code, days)


def other_side(rng: Stream, name: str, lab: Lab) -> Decimal:
    """Return a value of the other side of the limit, for a record that does not count."""
    analyte: Analyte = ANALYTES[name]
    at = next(i for i, unit in enumerate(analyte.units) if unit.code == lab.unit)
    unit = analyte.units[at]
    usual = _rounded(rng.uniform(*unit.usual), unit) if unit.usual[1] else lab.value
    if analyte.least:
        limit = Decimal(analyte.least[at])
        return _against_least(rng, unit, limit, "beyond" if lab.value >= limit else "usual", usual)
    if analyte.times_uln and lab.high is not None:
        limit = lab.high * Decimal(analyte.times_uln)
        return against_most(rng, unit, limit, "beyond" if lab.value <= limit else "usual", usual)
    return usual if unit.usual[1] else lab.value + 1
