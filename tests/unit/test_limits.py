"""The upper limit of normal that a result brings: for which sex and age, from text, and the site's own."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from cds_service.facts.cancers import names_cancer, names_the_disease
from cds_service.facts.elements import coded
from cds_service.facts.fact import Reason
from cds_service.facts.limits import SITE_LIMIT, UpperLimits, upper_limits
from cds_service.facts.observations import read_observation
from cds_service.facts.person import read_person
from cds_service.facts.record import Source
from cds_service.facts.site import SiteLimit

AS_OF = date(2026, 3, 1)
SEX = "http://hl7.org/fhir/administrative-gender"


def limits(ranges: list[dict[str, Any]], *, fallback: tuple[SiteLimit, ...] = (), **patient: Any) -> UpperLimits:
    body = {"resourceType": "Patient", "gender": "female", "birthDate": "1980-01-01", **patient}
    person = read_person(
        Source("Patient/p1", {name: value for name, value in body.items() if value is not None}), AS_OF
    )
    result = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "1742-6"}]},
        "effectiveDateTime": "2026-02-28",
        "valueQuantity": {"value": Decimal(30), "unit": "U/L"},
        "referenceRange": ranges,
    }
    (entry,) = read_observation(Source("Observation/1", result))
    return upper_limits(entry, "alt", person, fallback)


def high(value: object, unit: str = "U/L", **more: Any) -> dict[str, Any]:
    return {"high": {"value": Decimal(str(value)), "unit": unit}, **more}


def kind(code: str) -> dict[str, Any]:
    return {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/referencerange-meaning", "code": code}]}


def of(code: str) -> list[dict[str, Any]]:
    return [{"coding": [{"system": SEX, "code": code}]}]


@pytest.mark.parametrize(
    ("ranges", "highs"),
    [
        ([high(40)], ["40"]),
        ([high(40, type=kind("normal"))], ["40"]),
        ([high(40, type={"text": "Normal range"})], ["40"]),
        ([high(40, type=kind("normal")), high(99, type=kind("critical"))], ["40"]),
        ([high(40), high(99, type={"text": "therapeutic"})], ["40"]),
        ([high(35, appliesTo=of("female")), high(50, appliesTo=of("male"))], ["35"]),
        ([high(35, appliesTo=[{"text": "女"}]), high(50, appliesTo=[{"text": "男"}])], ["35"]),
        ([high(35, appliesTo=[{"coding": [{"code": "248152002"}]}])], ["35"]),
        ([high(40), high(40)], ["40"]),
        ([high("0.5", "ukat/L")], ["30.0"]),
        ([{"text": "5 - 40"}], ["40"]),
        ([{"text": "<= 40 U/L"}], ["40"]),
        ([high(40, age={"low": {"value": 18, "unit": "a"}, "high": {"value": 60, "unit": "a"}})], ["40"]),
        ([high(40, age={"low": {"value": 46, "unit": "a"}})], ["40"]),
        ([high(40, age={"high": {"value": 46, "unit": "a"}})], ["40"]),
        (
            [high(40, age={"low": {"value": 18, "unit": "a"}}), high(20, age={"high": {"value": 17, "unit": "a"}})],
            ["40"],
        ),
    ],
)
def test_the_range_that_fits(ranges: list[dict[str, Any]], highs: list[str]) -> None:
    found = limits(ranges)
    assert found.highs == tuple(map(Decimal, highs))
    assert found.reason is None


@pytest.mark.parametrize(
    ("ranges", "reason"),
    [
        ([], Reason.NO_REFERENCE_RANGE),
        ([{"low": {"value": 5, "unit": "U/L"}}], Reason.NO_REFERENCE_RANGE),
        ([high(0)], Reason.NO_REFERENCE_RANGE),
        ([high(-1)], Reason.NO_REFERENCE_RANGE),
        ([high(40, "mg/dL")], Reason.NO_REFERENCE_RANGE),
        ([high(40, type=kind("critical"))], Reason.NO_REFERENCE_RANGE),
        ([high(40, appliesTo=of("male"))], Reason.NO_REFERENCE_RANGE),
        ([high(40, appliesTo=[*of("female"), {"text": "pregnant"}])], Reason.NO_REFERENCE_RANGE),
        ([high(40, age={"low": {"value": 47, "unit": "a"}})], Reason.NO_REFERENCE_RANGE),
        ([high(40, age={"high": {"value": 45, "unit": "a"}})], Reason.NO_REFERENCE_RANGE),
        ([high(40), high(50)], Reason.CONFLICT),
        ([high(40, type=kind("normal")), high(50)], Reason.CONFLICT),
    ],
)
def test_no_range_that_fits(ranges: list[dict[str, Any]], reason: Reason) -> None:
    assert limits(ranges) == UpperLimits(reason=reason)


def test_a_sex_that_is_not_stated() -> None:
    both = [high(35, appliesTo=of("female")), high(50, appliesTo=of("male"))]
    assert limits(both, gender=None).highs == (Decimal(50), Decimal(35))
    assert limits(both[:1], gender="other") == UpperLimits(reason=Reason.NO_RECORD, missing_fact="sex")
    assert limits([high(40)], gender="unknown").highs == (Decimal(40),)


def test_an_age_that_is_not_exact_has_to_lie_in_the_range_whole() -> None:
    adults = [high(40, age={"low": {"value": 18, "unit": "a"}})]
    assert limits(adults, birthDate="2008").reason is Reason.NO_REFERENCE_RANGE
    assert limits(adults, birthDate="2007").highs == (Decimal(40),)
    assert limits(adults, birthDate=None).reason is Reason.NO_REFERENCE_RANGE
    assert (
        limits([high(40, age={"high": {"value": 17, "unit": "a"}})], birthDate="2008").reason
        is Reason.NO_REFERENCE_RANGE
    )


def test_where_a_limit_comes_from_is_noted() -> None:
    site = (SiteLimit(Decimal(45), "U/L"),)
    assert limits([high(40)]).notes == ()
    assert limits([{"text": "5-40"}]).notes == ("range-from-text",)
    assert (limits([], fallback=site).highs, limits([], fallback=site).notes) == ((Decimal(45),), (SITE_LIMIT,))
    # A range that the result brings and that cannot be used is one: the site's limit does not stand in for it.
    assert limits([high(40, "mg/dL")], fallback=site).reason is Reason.NO_REFERENCE_RANGE
    assert limits([high(40)], fallback=site).highs == (Decimal(40),)
    assert SITE_LIMIT == "site-upper-limit"


ICD = "http://hl7.org/fhir/sid/icd-10"


@pytest.mark.parametrize(
    ("concept", "cancer"),
    [
        *(({"coding": [{"system": ICD, "code": code}]}, True) for code in ("C00.1", "C69", "C76.0", "c81.9", "C97")),
        *(
            ({"coding": [{"system": ICD, "code": code}]}, False)
            for code in ("C77.0", "C79.9", "C80", "D00", "J18", "Z85")
        ),
        ({"coding": [{"system": ICD, "code": "J18", "display": "lung cancer"}]}, False),
        *(
            ({"text": text}, True)
            for text in (
                "colon carcinoma",
                "lung cancer",
                "malignant neoplasm of breast",
                "lymphoma",
                "leukaemia",
                "leukemia",
            )
        ),
        *(
            ({"text": text}, True)
            for text in ("sarcoma", "melanoma", "myeloma", "肺癌", "恶性肿瘤", "肉瘤", "淋巴瘤", "白血病")
        ),
        *(
            ({"text": text}, False)
            for text in (
                "secondary malignant neoplasm",
                "metastatic carcinoma",
                "肺癌转移",
                "继发恶性肿瘤",
                "history of cancer",
            )
        ),
        *(
            ({"text": text}, False)
            for text in ("family cancer", "家族癌", "癌病史", "suspected cancer", "cancer screening")
        ),
        ({"text": "pneumonia"}, False),
        ({}, False),
    ],
)
def test_another_primary_cancer(concept: dict[str, Any], cancer: bool) -> None:
    assert names_cancer(coded(concept)) is cancer


def test_the_disease_by_any_of_its_names() -> None:
    assert names_the_disease(coded({"text": "", "coding": [{"code": "x", "display": "鼻咽癌"}]}))
    assert not names_the_disease(coded({"text": "laryngeal carcinoma"}))
