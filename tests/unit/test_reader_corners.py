"""Corners of the readers that few charts reach: panels, two values, ends of conditions, drugs that only have a name."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from cds_service.facts.cancers import names_cancer
from cds_service.facts.chart import FACT_KINDS
from cds_service.facts.conditions import read_condition
from cds_service.facts.elements import Coded, Coding
from cds_service.facts.names import names_nasopharyngeal_carcinoma, plain
from cds_service.facts.observations import read_observation
from cds_service.facts.options import REQUIRED_OPTIONS
from cds_service.facts.problem import years_after
from cds_service.facts.record import Source
from cds_service.facts.site import SiteLimit
from cds_service.facts.treatments import drug_of

LOINC, ICD = "http://loinc.org", "http://hl7.org/fhir/sid/icd-10-cm"


def observation(**more: Any) -> list[Any]:
    body = {"resourceType": "Observation", "status": "final", "code": {"text": "panel"}, **more}
    return list(read_observation(Source("Observation/o", body)))


def part(name: str, value: int) -> dict[str, Any]:
    return {"code": {"text": name}, "valueQuantity": {"value": value}}


def test_the_head_of_a_panel_is_no_missing_result() -> None:
    names = [entry.code.label for entry in observation(component=[part("AST", 20), part("ALT", 30)])]
    assert names == ["AST", "ALT"]


def test_a_head_that_says_why_it_has_no_value_is_one() -> None:
    absent = {"text": "sample lost"}
    entries = observation(component=[part("AST", 20)], dataAbsentReason=absent)
    assert [(entry.code.label, entry.has_value) for entry in entries] == [("panel", False), ("AST", True)]


def test_a_head_with_a_value_of_its_own_is_a_result() -> None:
    entries = observation(component=[part("ALT", 30)], valueQuantity={"value": 1})
    assert [entry.code.label for entry in entries] == ["panel", "ALT"]


def test_of_two_values_in_one_element_none_is_taken_yet_there_is_one() -> None:
    (entry,) = observation(valueQuantity={"value": 1}, valueString="2")
    assert (entry.has_value, entry.amount, entry.answer) == (True, None, Coded())


def test_a_result_without_a_date_of_its_own_is_dated_by_its_report() -> None:
    (own,) = observation(valueInteger=1, effectiveDateTime="2026-02-01", issued="2026-02-03T10:00:00Z")
    (issued,) = observation(valueInteger=1, issued="2026-02-03T10:00:00Z")
    assert (own.only_issued, issued.only_issued) == (False, True)
    assert issued.when is not None
    assert issued.when.text.startswith("2026-02-03")


@pytest.mark.parametrize(
    ("abatement", "clinical"),
    [
        ({"abatementDateTime": "2024-05-01"}, "resolved"),
        ({"abatementString": "in spring"}, "resolved"),
        ({"abatementAge": {"value": 40}}, "resolved"),
        ({"abatementDateTime": "2024-05-01", "clinicalStatus": {"coding": [{"code": "active"}]}}, "active"),
        ({}, ""),
    ],
)
def test_a_problem_that_ended_is_over_unless_its_status_says_otherwise(
    abatement: dict[str, Any], clinical: str
) -> None:
    (entry,) = read_condition(Source("Condition/c", {"code": {"text": "gastritis"}, **abatement}))
    assert entry.clinical == clinical


def test_a_problem_with_several_sites_and_texts() -> None:
    sites = [{"coding": [{"code": "1"}]}, {"text": "left"}, {"coding": [{"code": "2"}], "text": "right"}]
    (entry,) = read_condition(Source("Condition/c", {"code": {"text": "lump"}, "bodySite": sites}))
    assert [coding.code for coding in entry.body_sites.codings] == ["1", "2"]
    assert entry.body_sites.text == "left"


@pytest.mark.parametrize(
    ("codes", "texts", "cancer"),
    [
        (["C34.1"], "", True),
        (["I10"], "lung cancer", False),  # a code says more than words
        (["I10", "C50.9"], "", True),
        (["C44.9"], "", True),
        ([], "lung cancer", True),
        ([], "Leukaemia", True),
        ([], "胃癌", True),
        ([], "secondary malignant neoplasm of bone", False),
        ([], "family history of breast cancer", False),
        ([], "癌家族史", False),
        ([], "suspected lung cancer", False),
        ([], "asthma", False),
    ],
)
def test_what_names_another_cancer(codes: list[str], texts: str, cancer: bool) -> None:
    assert names_cancer(Coded(tuple(Coding(ICD, code, "") for code in codes), texts)) is cancer


def test_words_are_compared_without_case_width_and_blanks() -> None:
    assert plain("  Ｎaso\u00a0 \t Pharynx\n") == "naso pharynx"
    assert names_nasopharyngeal_carcinoma("Nasopharyngeal \n  Carcinoma")


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ({"max_age": 0}, {"max_age": 0}, True),
        ({"max_age": 0}, {"min_age": 1}, False),
        ({"max_age": 17}, {"min_age": 18}, False),
        ({"max_age": 18}, {"min_age": 18}, True),
        ({"min_age": 18}, {}, True),
        ({"sex": "male"}, {"sex": "female"}, False),
        ({"sex": "male"}, {}, True),
    ],
)
def test_which_limits_of_a_site_could_meet_in_one_patient(
    one: dict[str, Any], other: dict[str, Any], both: bool
) -> None:
    first, second = (SiteLimit(value=1, unit="U/L", **given) for given in (one, other))  # type: ignore[arg-type]
    assert first.overlaps(second) is both
    assert second.overlaps(first) is both


def test_a_drug_that_only_a_reference_names() -> None:
    body = {"medicationReference": {"reference": "Medication/m1", "display": "Cisplatin 50 mg"}}
    drug, whole = drug_of(body, {})
    assert (list(drug.names()), whole) == (["Cisplatin 50 mg"], False)
    known = {"Medication/m1": {"code": {"text": "顺铂"}}}
    drug, whole = drug_of(body, known)
    assert (list(drug.names()), whole) == (["顺铂; Cisplatin 50 mg"], True)


def test_a_drug_inside_its_own_record() -> None:
    body = {
        "contained": [{"id": "a", "code": {"text": "no"}}, {"id": "b", "code": {"text": "gemcitabine"}}],
        "medicationReference": {"reference": "#b"},
    }
    drug, whole = drug_of(body, {})
    assert (drug.label, whole) == ("gemcitabine", True)
    assert drug_of({**body, "medicationReference": {"reference": "#c"}}, {}) == (Coded(), False)


def test_a_leap_day_has_an_anniversary_each_year() -> None:
    assert years_after(date(2024, 2, 29), 1) == date(2025, 3, 1)
    assert years_after(date(2024, 2, 29), 4) == date(2028, 2, 29)


def test_every_kind_of_fact_states_its_options() -> None:
    assert set(REQUIRED_OPTIONS) == set(FACT_KINDS)
