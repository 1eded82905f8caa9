"""What single FHIR elements say: codes, numbers, quantities, ranges, and which elements are read at all."""

from decimal import Decimal
from typing import Any

import pytest

from cds_service.facts.elements import Coded, Coding, coded, number
from cds_service.facts.observations import _range, amount_in_text, quantity, unit_of
from cds_service.facts.record import Read, Record, Source
from cds_service.facts.treatment_words import names_treatment
from cds_service.facts.unread import unread_elements

UCUM = "http://unitsofmeasure.org"


def test_a_concept_and_a_bare_coding_are_read_alike() -> None:
    coding = {"system": "http://loinc.org", "code": "718-7", "display": "Hemoglobin"}
    expected = (Coding("http://loinc.org", "718-7", "Hemoglobin"),)
    assert coded({"coding": [coding], "text": "Hb"}) == Coded(expected, "Hb")
    assert coded(coding).codings == expected
    assert coded({"code": "718-7"}).codings == (Coding(None, "718-7", ""),)
    assert coded({"system": "http://loinc.org"}).codings == (Coding("http://loinc.org", None, ""),)
    assert coded({"text": "Hb"}) == Coded((), "Hb")
    assert coded("718-7") == Coded()


@pytest.mark.parametrize(
    ("concept", "label"),
    [
        ({"text": "Hb", "coding": [{"code": "718-7", "display": "Hemoglobin"}]}, "Hb"),
        ({"coding": [{"code": "718-7"}, {"display": "Hemoglobin"}]}, "Hemoglobin"),
        ({"coding": [{"code": "718-7"}]}, "718-7"),
        ({}, ""),
    ],
)
def test_a_label_is_text_then_display_then_code(concept: dict[str, Any], label: str) -> None:
    assert coded(concept).label == label


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (1, Decimal(1)),
        (Decimal("1.50"), Decimal("1.50")),
        (Decimal("1E+39"), Decimal("1E+39")),
        (Decimal("1E+40"), None),
        (Decimal("1E-39"), Decimal("1E-39")),
        (Decimal("1E-40"), None),
        (Decimal("NaN"), None),
        (Decimal("Infinity"), None),
        (float("inf"), None),
        (True, None),
        ("1", None),
        (None, None),
    ],
)
def test_a_number_is_exact_and_of_a_human_size(value: object, read: Decimal | None) -> None:
    assert number(value) == read


@pytest.mark.parametrize(
    ("element", "unit"),
    [
        ({"code": "g/L", "unit": "grams", "system": UCUM}, "g/L"),
        ({"code": "g/L", "unit": "grams"}, "g/L"),
        ({"code": "123", "unit": "g/L", "system": "http://hospital.example/units"}, "g/L"),
        ({"code": "123", "system": "http://hospital.example/units"}, "123"),
        ({"unit": "g/L", "system": UCUM}, "g/L"),
        ({}, None),
    ],
)
def test_a_unit_is_the_ucum_code_else_what_is_printed(element: dict[str, Any], unit: str | None) -> None:
    assert unit_of(element) == unit


@pytest.mark.parametrize(
    ("text", "low", "high", "unit"),
    [
        ("12.1", "12.1", "12.1", None),
        ("12.1 g/dL", "12.1", "12.1", "g/dL"),
        ("12.1g/dL", "12.1", "12.1", "g/dL"),
        ("<5", None, "5", None),
        ("≤5 mg/L", None, "5", "mg/L"),
        (">=60", "60", None, None),
        ("1.2↑", "1.2", "1.2", None),
        ("1.2 ↓ g/L", "1.2", "1.2", "g/L"),
        ("1.2 H", "1.2", "1.2", None),
        ("1.2*", "1.2", "1.2", None),
    ],
)
def test_a_clean_number_in_text(text: str, low: str | None, high: str | None, unit: str | None) -> None:
    found = amount_in_text(text)
    assert found is not None
    assert (found.interval.low, found.interval.high) == (low and Decimal(low), high and Decimal(high))
    assert found.unit == unit


@pytest.mark.parametrize(
    "text",
    ["1,2", "1-2", "1 - 2", "1~2", "1/2", "1:160", "1 to 2", "1 (2)", "1..2", "positive", "", "1 2", "↑", "<", "<<5"],
)
def test_what_is_no_clean_number(text: str) -> None:
    assert amount_in_text(text) is None


@pytest.mark.parametrize("comparator", ["~", "about", 5, ["<"], "ad"])
def test_a_comparator_that_is_not_known_makes_the_number_unreadable(comparator: object) -> None:
    assert quantity({"value": Decimal(5), "unit": "g/L", "comparator": comparator}) is None


@pytest.mark.parametrize(
    ("element", "high", "unit", "from_text"),
    [
        ({"high": {"value": 40, "unit": "U/L"}}, "40", "U/L", False),
        ({"text": "5 - 40 U/L"}, "40", "U/L", True),
        ({"text": "5~40"}, "40", None, True),
        ({"text": "5 至 40"}, "40", None, True),
        ({"text": "<=40"}, "40", None, True),
        ({"text": "< 40 U/L"}, "40", "U/L", True),
        ({"text": "up to 40"}, None, None, False),
        ({"text": "5-40", "low": {"value": 5, "unit": "U/L"}}, None, None, False),
        ({"text": "5-40", "high": {"unit": "U/L"}}, None, "U/L", False),
    ],
)
def test_an_upper_limit(element: dict[str, Any], high: str | None, unit: str | None, from_text: bool) -> None:
    found = _range(element)
    assert (found.high, found.unit, found.from_text) == (high and Decimal(high), unit, from_text)


@pytest.mark.parametrize(
    ("value", "unit", "years"),
    [
        *((18, unit, "18") for unit in ("a", "y", "yr", "yrs", "year", "years", "岁", "年", "YEARS")),
        *((24, unit, "2") for unit in ("mo", "month", "months", "月")),
        *((Decimal("104.355"), unit, "2") for unit in ("wk", "week", "weeks", "周")),
        *((Decimal("730.485"), unit, "2") for unit in ("d", "day", "days", "天")),
    ],
)
def test_an_age_that_a_range_is_for(value: object, unit: str, years: str) -> None:
    for bound, name in (("low", "age_low"), ("high", "age_high")):
        found = _range({"high": {"value": 40, "unit": "U/L"}, "age": {bound: {"value": value, "unit": unit}}})
        assert getattr(found, name) == Decimal(years)
        assert found.high == 40


@pytest.mark.parametrize("bound", ["low", "high"])
@pytest.mark.parametrize(
    "age", [{"value": 18, "unit": "moons"}, {"value": 18}, {}, {"value": 18, "unit": "a", "comparator": "<"}]
)
def test_a_range_for_an_age_that_cannot_be_read_is_not_used(bound: str, age: dict[str, Any]) -> None:
    other = {"high": "low", "low": "high"}[bound]
    ages = {bound: age, other: {"value": 80, "unit": "a"}}
    assert _range({"high": {"value": 40, "unit": "U/L"}, "age": ages}).high is None


@pytest.mark.parametrize(
    ("text", "treatment"),
    [
        ("radiotherapy", True),
        ("IMRT 70 Gy", True),
        ("neck dissection", True),
        ("化疗", True),
        ("radiotherapy planning CT", False),
        ("chemotherapy education", False),
        ("chemotherapy refused", False),
        ("放疗定位", False),
        ("appendectomy", False),
    ],
)
def test_a_treatment_by_name(text: str, treatment: bool) -> None:
    assert names_treatment(text) is treatment


READ = {
    "Patient": "birthDate _birthDate gender deceasedBoolean deceasedDateTime",
    "Observation": "status code effectiveDateTime _effectiveDateTime effectivePeriod issued valueQuantity valueString "
    "dataAbsentReason component method focus interpretation referenceRange",
    "Condition": "verificationStatus clinicalStatus code onsetDateTime onsetPeriod abatementDateTime recordedDate "
    "bodySite stage",
    "MedicationStatement": "status medicationCodeableConcept medicationReference medication effectivePeriod reasonCode "
    "reasonReference reason adherence contained",
    "MedicationRequest": "status intent doNotPerform medicationCodeableConcept authoredOn reasonCode reasonReference "
    "reason contained",
    "MedicationAdministration": "status medicationReference effectiveDateTime occurenceDateTime occurrenceDateTime "
    "reasonCode reasonReference reason contained",
    "Procedure": "status code performedDateTime occurrenceDateTime bodySite reasonCode reasonReference reason",
}
FRAME = "resourceType id meta implicitRules language text identifier subject patient extension"


@pytest.mark.parametrize("kind", READ)
def test_every_element_that_no_reader_looks_at_is_counted(kind: str) -> None:
    body = dict.fromkeys([*READ[kind].split(), *FRAME.split()], "x")
    strange = dict.fromkeys(("note", "performer", "dosage", "stat", "codes"), "x")
    patient = Source("Patient/p1", {**body, **strange} if kind == "Patient" else {})
    others = {} if kind == "Patient" else {kind: (Source(f"{kind}/1", {**body, **strange}),)}
    record = Record(patient, others, {kind: Read()}, {}, {})
    assert unread_elements(record) == {f"{kind}.{name}": 1 for name in strange}
