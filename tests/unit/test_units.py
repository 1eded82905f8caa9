"""A number keeps its meaning whatever unit and spelling it came in; else it is refused, never guessed."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.facts.units import (
    ANALYTES,
    canonical_unit,
    convert,
    normalise_unit,
    unit_property,
    within_bounds,
)

PAIRS = [(name, unit) for name, analyte in ANALYTES.items() for unit in analyte.units]
NUMBERS = st.decimals(min_value=0, max_value=10**6, allow_nan=False, allow_infinity=False, places=4)


@pytest.mark.parametrize(
    ("analyte", "value", "unit", "expected"),
    [
        ("hemoglobin", "9.0", "g/dL", "90"),
        ("hemoglobin", "8.99", "g/100 mL", "89.9"),
        ("hemoglobin", "10", "mmol/L", "161.14"),
        ("neutrophils", "1500", "/uL", "1.5"),
        ("neutrophils", "1500", "cells/mcL", "1.5"),
        ("neutrophils", "1.5", "K/uL", "1.5"),
        ("neutrophils", "1500000000", "/L", "1.5"),
        ("platelets", "100", "×10⁹/L", "100"),
        ("platelets", "100", "G/L", "100"),
        ("platelets", "100", "10*3/mm3", "100"),
        ("platelets", "10", "10*4/uL", "100"),
        ("creatinine", "1", "mg/dL", "88.4016973125884"),
        ("creatinine", "0.1", "mmol/L", "100"),
        ("creatinine", "10", "mg/L", "88.4016973125884"),
        ("bilirubin_total", "1", "mg/dL", "17.1039578558478"),
        ("bilirubin_total", "0.02", "mmol/L", "20"),
        ("ast", "1", "ukat/L", "60"),
        ("ast", "40", "IU/L", "40"),
        ("ldh", "1000", "nkat/L", "60"),
        ("albumin", "2.8", "g/dL", "28"),
        ("egfr", "1", "mL/s/1.73 m²", "60"),
        ("creatinine_clearance", "1.5", "mL/s", "90"),
        ("inr", "1.1", None, "1.1"),
        ("inr", "1.1", "", "1.1"),
        ("inr", "1.1", "INR", "1.1"),
        ("pt", "12", "秒", "12"),
        ("aptt", "35000", "ms", "35"),
        ("body_weight", "100", "[lb_av]", "45.359237"),
        ("body_weight", "70000", "g", "70"),
        ("body_height", "1.7", "m", "170"),
        ("body_height", "10", "in", "25.4"),
        ("lesion_size", "1.5", "cm", "15"),
        ("tsh", "2", "uIU/mL", "2"),
        ("ebv_dna", "4000", "copies/mL", "4000"),
        ("ebv_dna_iu", "4000", "IU/mL", "4000"),
        ("ecog", "1", None, "1"),
        ("karnofsky", "80", "%", "80"),
    ],
)
def test_converts_exactly(analyte: str, value: str, unit: str | None, expected: str) -> None:
    assert convert(analyte, Decimal(value), unit) == Decimal(expected)


@pytest.mark.parametrize(
    ("analyte", "factor"),
    [
        ("creatinine", "88.402"),
        ("bilirubin_total", "17.104"),
        ("glucose", "0.05551"),
        ("urea", "0.16650"),
        ("urea_nitrogen", "0.357"),
        ("urate", "59.485"),
        ("calcium", "0.2495"),
        ("cholesterol", "0.02586"),
    ],
)
def test_published_factors(analyte: str, factor: str) -> None:
    exact = convert(analyte, Decimal(1), "mg/dL")
    assert exact is not None
    assert round(exact, -int(Decimal(factor).as_tuple().exponent)) == Decimal(factor)


@pytest.mark.parametrize(
    ("analyte", "unit"),
    [
        ("hemoglobin", None),
        ("hemoglobin", ""),
        ("hemoglobin", "%"),
        ("hemoglobin", "G/L"),
        ("platelets", None),
        ("platelets", "1"),
        ("platelets", "g/L"),
        ("platelets", "g/l"),
        ("platelets", "%"),
        ("platelets", "万/uL"),
        ("platelets", "109/L"),
        ("creatinine", None),
        ("creatinine", "Mg/dL"),
        ("creatinine", "Mmol/L"),
        ("creatinine", "U/L"),
        ("egfr", "mL/min"),
        ("egfr", "mL/min/1.73"),
        ("creatinine_clearance", "mL/min/{1.73_m2}"),
        ("creatinine_clearance", "mL/min/1.73 m²"),
        ("albumin", "umol/L"),
        ("ast", "umol/L"),
        ("inr", "%"),
        ("inr", "s"),
        ("pt", "%"),
        ("pt", None),
        ("pt", "1"),
        ("ebv_dna", "IU/mL"),
        ("ebv_dna_iu", "copies/mL"),
        ("lesion_size", None),
        ("body_weight", "stone"),
        ("ecog", "%"),
    ],
)
def test_refuses(analyte: str, unit: str | None) -> None:
    assert convert(analyte, Decimal(100), unit) is None


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity", "9e999999999999999"])
def test_what_is_no_number_is_refused(value: str) -> None:
    assert convert("hemoglobin", Decimal(value), "g/dL") is None
    assert not within_bounds("hemoglobin", Decimal(value))


def test_an_unknown_target_is_refused() -> None:
    assert convert("hemoglobin", Decimal(90), "g/L", "xULN") is None
    assert convert("egfr", Decimal(90), "mL/min/{1.73_m2}", "mL/min") is None


def test_an_unknown_analyte_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        convert("haemoglobin", Decimal(90), "g/L")


@pytest.mark.parametrize(
    ("code", "spellings"),
    [
        (
            "10*9/L",
            "10*9/L 10^9/L 10^9/l 10E9/L 10e9/l x10E9/L X10^9/L x10*9/L ×10⁹/L ×10^9/L 10⁹/L *10^9/L 10**9/L "
            "１０＾９／Ｌ 10*9.{cells}/L 1e9/L",
        ),
        (
            "10*3/uL",
            "10*3/uL 10^3/ul 10*3/UL 10³/µL 10³/μL x10^3/uL x10E3/mcL K/uL k/uL K/ul K/µL K/μL K/mcL Thou/uL "
            "Thousand/uL Tsd./µl 10*3{cells}/uL",
        ),
        ("10*3/mm3", "10*3/mm3 10^3/mm³ K/mm3 x10³/mm^3 10^3/cumm"),
        ("/uL", "/uL /ul /µL cells/uL cells/mcL {cells}/uL #/uL cell/μl"),
        ("/mm3", "/mm3 /mm³ cells/mm3 /cumm"),
        ("/L", "/L cells/L"),
        ("G/L", "G/L G/l Gpt/l"),
        ("g/L", "g/L g/l gm/L ｇ／Ｌ"),
        ("g/dL", "g/dL g/dl G/DL gm/dL g/100mL g/100ml ｇ／ｄＬ g%"),
        ("mg/dL", "mg/dL mg/dl MG/DL MG/dL ㎎/㎗"),
        ("umol/L", "umol/L µmol/L μmol/L umol/l UMOL/L μMOL/L mcmol/L μｍｏｌ／Ｌ"),
        ("[IU]/L", "[IU]/L [iU]/L IU/L iu/l"),
        ("U/L", "U/L U/l u/L u/l"),
        ("ukat/L", "ukat/L µkat/L μkat/l"),
        ("mL/min", "mL/min ml/min ML/MIN"),
        (
            "mL/min/{1.73_m2}",
            "mL/min/{1.73_m2} mL/min/1.73m2 mL/min/1.73_m2 ml/min/1.73m^2 mL/min/1.73m² mL/min/1.73㎡ "
            "mL/min/{1.73m2} mL/min/[1.73_m2] mL/min/(1.73m2) mL/min/1.73.m2 mL/(min·1.73m²) ML/MIN/1.73M2 "
            "mL/min/1,73m2",
        ),
        ("s", "s S sec SEC seconds 秒"),
        ("kg", "kg KG Kg 公斤 千克"),
        ("[lb_av]", "[lb_av] lb lbs LBS"),
        ("{INR}", "{INR} INR {inr}"),
        ("u[IU]/mL", "u[IU]/mL uIU/mL µIU/mL μIU/ml UIU/ML"),
        ("Mg/dL", "Mg/dL"),
        ("Mmol/L", "Mmol/L"),
    ],
)
def test_spellings(code: str, spellings: str) -> None:
    for spelling in spellings.split():
        assert normalise_unit(spelling) == code, spelling
        assert normalise_unit(f" {spelling} ") == code, spelling
    assert normalise_unit(code) == code


@pytest.mark.parametrize(
    "spelling", ["mL/min/1.73 m²", "ml / min / 1.73 m^2", "mL/min/1.73 sq m", "mL/min per 1.73 m2"]
)
def test_spaces_in_an_indexed_unit(spelling: str) -> None:
    assert normalise_unit(spelling) == "mL/min/{1.73_m2}"


def test_a_very_long_unit_is_not_looked_into() -> None:
    assert normalise_unit("m" * 10_000) == "m" * 10_000


@given(st.text(max_size=60))
def test_any_text_is_answered_and_settles(text: str) -> None:
    once = normalise_unit(text)
    assert isinstance(once, str)
    if any(once in analyte.units for analyte in ANALYTES.values()):
        assert normalise_unit(once) == once


@pytest.mark.parametrize(
    ("analyte", "unit", "expected"),
    [
        ("hemoglobin", "g/dL", "mass"),
        ("hemoglobin", "mmol/L", "moles"),
        ("creatinine", "mg/dL", "mass"),
        ("creatinine", "μmol/L", "moles"),
        ("creatinine", "U/L", None),
        ("ast", "U/L", None),
        ("albumin", "g/L", None),
        ("platelets", "10*9/L", None),
    ],
)
def test_unit_property(analyte: str, unit: str, expected: str | None) -> None:
    assert unit_property(analyte, unit) == expected


@pytest.mark.parametrize(
    ("analyte", "low", "high", "step"),
    [
        ("hemoglobin", "20", "250", "0.1"),
        ("platelets", "1", "2000", "0.1"),
        ("creatinine", "10", "2000", "0.1"),
        ("inr", "0.5", "20", "0.01"),
        ("bilirubin_total", "0.5", "2000", "0.01"),
        ("pt", "5", "200", "0.1"),
        ("aptt", "10", "400", "0.1"),
        ("ecog", "0", "5", "1"),
        ("karnofsky", "0", "100", "1"),
    ],
)
def test_bounds_are_included(analyte: str, low: str, high: str, step: str) -> None:
    assert within_bounds(analyte, Decimal(low))
    assert within_bounds(analyte, Decimal(high))
    assert not within_bounds(analyte, Decimal(low) - Decimal(step))
    assert not within_bounds(analyte, Decimal(high) + Decimal(step))


@pytest.mark.parametrize(
    ("analyte", "typical", "sent_in", "taken_for"),
    [
        ("hemoglobin", "121", "g/dL", "g/L"),
        ("platelets", "210", "/uL", "10*9/L"),
        ("creatinine", "80", "mg/dL", "umol/L"),
        ("body_height", "170", "m", "cm"),
        ("pt", "12", "ms", "s"),
    ],
)
def test_bounds_catch_a_slip_of_the_unit(analyte: str, typical: str, sent_in: str, taken_for: str) -> None:
    number = convert(analyte, Decimal(typical), canonical_unit(analyte), sent_in)
    assert number is not None
    mistaken = convert(analyte, number, taken_for)
    assert mistaken is not None
    assert not within_bounds(analyte, mistaken)


@pytest.mark.parametrize("name", ANALYTES)
def test_the_table_is_sound(name: str) -> None:
    analyte = ANALYTES[name]
    assert analyte.units[analyte.canonical].factor == 1
    assert analyte.low < analyte.high
    assert canonical_unit(name) == analyte.canonical
    for code, unit in analyte.units.items():
        assert normalise_unit(code) == code
        assert unit.factor > 0
        assert len(unit.factor.as_tuple().digits) <= 15


@given(st.sampled_from(PAIRS), NUMBERS, st.data())
def test_round_trip(pair: tuple[str, str], value: Decimal, data: st.DataObject) -> None:
    analyte, unit = pair
    other = data.draw(st.sampled_from(sorted(ANALYTES[analyte].units)))
    there = convert(analyte, value, unit, other)
    assert there is not None
    back = convert(analyte, there, other, unit)
    assert back is not None
    assert abs(back - value) <= abs(value) * Decimal("1e-24")


@given(st.sampled_from(PAIRS), NUMBERS, NUMBERS)
def test_monotone(pair: tuple[str, str], left: Decimal, right: Decimal) -> None:
    converted_left, converted_right = convert(pair[0], left, pair[1]), convert(pair[0], right, pair[1])
    assert converted_left is not None
    assert converted_right is not None
    assert (converted_left < converted_right) == (left < right)


@given(st.sampled_from(PAIRS), st.integers(1, 10**4), st.sampled_from(["1.5", "2.5", "5"]))
def test_a_value_exactly_on_a_multiple_of_its_limit_stays_on_it(pair: tuple[str, str], high: int, times: str) -> None:
    value = convert(pair[0], Decimal(high) * Decimal(times), pair[1])
    limit = convert(pair[0], Decimal(high), pair[1])
    assert value is not None
    assert limit is not None
    assert value == limit * Decimal(times)
    assert value / limit == Decimal(times)
