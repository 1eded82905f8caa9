"""The unit table agrees with an independent UCUM library on every pair of units it knows."""

from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from ucumvert import PintUcumRegistry

from cds_service.facts.units import ANALYTES, convert

pytestmark = pytest.mark.slow  # the library takes seconds to import

REGISTRY = PintUcumRegistry()

# What the table's codes are in strict UCUM, where they differ or where UCUM splits what an analyte equates.
UCUM = {
    "G/L": "10*9/L",
    "": "1",
    "{INR}": "1",
    "{ratio}": "1",
    "{score}": "1",
    "%": "1",
    "{copies}/mL": "/mL",
}
UCUM |= {"{copies}/L": "/L", "mL/min/{1.73_m2}": "mL/min", "mL/s/{1.73_m2}": "mL/s"}
ENZYME = {"[IU]/L": "U/L", "m[IU]/mL": "mU/mL", "[IU]/mL": "U/mL"}
PER_ANALYTE = dict.fromkeys(("ast", "alt", "alp", "ldh"), ENZYME) | {"tsh": {"mU/L": "m[IU]/L", "uU/mL": "u[IU]/mL"}}

GRAMS_IN_A_MOLE = {
    "hemoglobin": 16114.0,
    "creatinine": 113.12,
    "bilirubin_total": 584.66,
    "glucose": 180.156,
    "urea": 60.06,
    "urea_nitrogen": 28.014,
    "urate": 168.11,
    "calcium": 40.078,
    "cholesterol": 386.65,
}
WEIGHTS = {"C": 12.011, "H": 1.008, "N": 14.007, "O": 15.999, "Ca": 40.078}
FORMULAS = {
    "creatinine": {"C": 4, "H": 7, "N": 3, "O": 1},
    "bilirubin_total": {"C": 33, "H": 36, "N": 4, "O": 6},
    "glucose": {"C": 6, "H": 12, "O": 6},
    "urea": {"C": 1, "H": 4, "N": 2, "O": 1},
    "urea_nitrogen": {"N": 2},
    "urate": {"C": 5, "H": 4, "N": 4, "O": 3},
    "calcium": {"Ca": 1},
    "cholesterol": {"C": 27, "H": 46, "O": 1},
}

PAIRS = [
    (name, given, wanted)
    for name, analyte in ANALYTES.items()
    for given in analyte.units
    for wanted in analyte.units
    if given != wanted
]


@cache
def quantity(analyte: str, unit: str) -> Any:
    return 1 * REGISTRY.from_ucum(PER_ANALYTE.get(analyte, {}).get(unit) or UCUM.get(unit, unit))


def oracle(analyte: str, given: str, wanted: str) -> float:
    source, target = quantity(analyte, given), quantity(analyte, wanted)
    if source.dimensionality != target.dimensionality:
        molar_mass = GRAMS_IN_A_MOLE[analyte] * REGISTRY.from_ucum("g/mol")
        from_mass = "[mass]" in source.dimensionality
        source = source / molar_mass if from_mass else source * molar_mass
    return float((source / target).to_base_units().magnitude)


def test_there_are_enough_pairs() -> None:
    assert len(PAIRS) >= 400
    assert len({pair[1:] for pair in PAIRS}) >= 300


@pytest.mark.parametrize("name", ANALYTES)
def test_agrees_on_every_pair(name: str) -> None:
    for analyte, given, wanted in PAIRS:
        if analyte == name:
            ours = convert(analyte, Decimal("12.5"), given, wanted)
            assert ours is not None
            assert float(ours) == pytest.approx(12.5 * oracle(analyte, given, wanted), rel=1e-9, abs=0), (
                given,
                wanted,
            )


@pytest.mark.parametrize("name", FORMULAS)
def test_molar_masses_follow_from_the_formulas(name: str) -> None:
    weight = sum(WEIGHTS[element] * count for element, count in FORMULAS[name].items())
    assert GRAMS_IN_A_MOLE[name] == pytest.approx(weight, rel=1e-4)


def test_every_molar_analyte_is_checked() -> None:
    molar = {name for name, a in ANALYTES.items() if any(unit.property == "moles" for unit in a.units.values())}
    assert molar == set(GRAMS_IN_A_MOLE)
