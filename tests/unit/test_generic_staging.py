"""Facts that belong to no trial: staging, tests that are positive or negative, Karnofsky, clearance alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from generic_facts import AS_OF, NPC, chart_of, points, reason

from cds_service.facts.fact import Fact
from cds_service.facts.need import Need
from cds_service.logic.values import EITHER, NO, YES, Choices


def category(name: str, *staging: dict[str, Any], **more: Any) -> Fact:
    dated = [{"date": "2026-02-10", **one} for one in staging]
    return chart_of({"problems": [NPC], "staging": dated, **more}).fact(Need(name))


@pytest.mark.parametrize(
    ("name", "record", "expected"),
    [
        ("t_category_8th", {"t": "cT4", "edition": 8}, "T4"),
        ("t_category_8th", {"t": "pT3a", "edition": 8}, "T3"),
        ("t_category_8th", {"t": "cTis", "edition": 8}, "Tis"),
        ("n_category_8th", {"n": "cN3b", "edition": 8}, "N3"),
        ("n_category_8th", {"n": "N0", "edition": 8}, "N0"),
        ("m_category", {"m": "cM1b"}, "M1"),
        ("m_category", {"m": "M0"}, "M0"),
        ("stage_group_8th", {"group": "4A", "edition": 8}, "IVA"),
    ],
)
def test_a_category_is_a_code(name: str, record: dict[str, Any], expected: str) -> None:
    fact = category(name, record)
    assert fact.value.now == Choices.of(expected)
    assert fact.value.later == Choices(None)


@pytest.mark.parametrize(
    ("records", "why", "lean"),
    [
        ([], "no-record", None),
        ([{"t": "cT4"}], "edition-unknown", "T4"),
        ([{"t": "cT4", "edition": 9}], "clinician", "T4"),
        ([{"t": "cTX", "edition": 8}], "not-specific", None),
        ([{"t": "rT4", "edition": 8}], "conflict", None),
        ([{"t": "cT4", "edition": 8}, {"t": "cT3", "edition": 8}], "conflict", None),
        ([{"t": "T4", "by": "text"}], "clinician", "T4"),
        ([{"t": "T4N2M0", "by": "text"}], "clinician", "T4"),
        ([{"t": "advanced", "by": "text"}], "unmapped-code", None),
        ([{"t": "cT4", "edition": 8, "status": "preliminary"}], "not-final", "T4"),
        ([{"t": "ycT1", "edition": 8}], "no-record", None),
    ],
)
def test_why_a_category_is_unknown(records: list[dict[str, Any]], why: str, lean: str | None) -> None:
    fact = category("t_category_8th", *records)
    assert (reason(fact), fact.lean) == (why, Choices.of(lean) if lean else Choices(None))


def test_the_latest_category_at_diagnosis_counts() -> None:
    first = {"t": "cT2", "edition": 8, "date": "2026-02-08"}
    later = {"t": "cT4", "edition": 8, "date": "2026-02-12"}
    assert category("t_category_8th", later, first).value.now == Choices.of("T4")
    treated = category("t_category_8th", first, later, treatments=[{"drug": "cisplatin", "date": "2026-02-10"}])
    assert (treated.value.now, treated.value.later) == (Choices.of("T2"), Choices.of("T2"))


def test_a_proven_metastasis_wins_over_a_clinical_m0() -> None:
    fact = category("m_category", {"m": "pM1", "date": "2026-02-08"}, {"m": "cM0", "date": "2026-02-12"})
    assert fact.value.now == Choices.of("M1")


def test_an_unread_record_holds_no_absent_category() -> None:
    assert reason(category("t_category_8th", unread=True)) == "not-fetched"


def test_a_coded_category_of_snomed_is_read() -> None:
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "78873005"}]},
        "method": {"coding": [{"system": "http://snomed.info/sct", "code": "897275008"}]},
        "effectiveDateTime": "2026-02-10",
        "valueCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": "1228944003"}]},
    }
    assert category("t_category_8th", fhir=[observation]).value.now == Choices.of("T4")


# a test that is positive or negative


def pregnant(*results: dict[str, Any] | str, **more: Any) -> Fact:
    return chart_of({"pregnancy_test": list(results), **more}).fact(Need("pregnancy_test", anchor="as_of"))


def test_a_qualitative_result() -> None:
    negative = pregnant({"value": "negative", "date": -14})
    assert (negative.value.now, negative.value.later, negative.until) == (NO, EITHER, AS_OF)
    assert pregnant("positive").value.now == YES
    assert pregnant({"value": "negative", "date": -2}, {"value": "positive", "date": -1}).value.now == YES


@pytest.mark.parametrize(
    ("results", "why", "lean"),
    [
        ([], "no-record", EITHER),
        ([{"value": "negative", "date": -15}], "stale", NO),
        ([{"value": "阴性"}], "clinician", NO),
        ([{"value": "Positive"}], "clinician", YES),
        ([{"value": "see report"}], "clinician", EITHER),
        ([{"value": "negative", "status": "preliminary"}], "not-final", NO),
        ([{}], "no-value", EITHER),
        (["negative", "positive"], "conflict", EITHER),
        ([{"value": "negative", "date": "2026-02"}], "imprecise-date", NO),
    ],
)
def test_why_a_qualitative_result_is_unknown(results: list[Any], why: str, lean: Choices) -> None:
    fact = pregnant(*results)
    assert (reason(fact), fact.lean) == (why, lean)


def test_a_test_lapses_with_the_day_of_judgement_and_not_before_a_planned_dose() -> None:
    patient, planned = {"pregnancy_test": [{"value": "negative", "date": -2}]}, date(2026, 3, 5)
    need = Need("pregnancy_test", anchor="anchor")
    assert chart_of(patient, anchor=planned).fact(need).until is None
    assert chart_of(patient).fact(need).until == date(2026, 3, 13)
    assert chart_of(patient, anchor=planned).fact(replace(need, anchor="as_of")).until == date(2026, 3, 13)


def test_an_unread_record_holds_no_missing_test() -> None:
    assert reason(pregnant(unread=True)) == "not-fetched"


# Karnofsky, clearance alone


def test_karnofsky_is_read_on_its_own_scale() -> None:
    need = Need("karnofsky", unit="{score}")
    assert chart_of({"karnofsky": {"value": 80}}).fact(need).value.now == points(80)
    coded = {"karnofsky": {"answer": "LA29176-7"}}
    assert chart_of(coded).fact(need).value.now == points(90)
    assert reason(chart_of({"ecog": {"value": 1}}).fact(need)) == "no-record"


def test_clearance_alone_is_not_answered_by_an_egfr() -> None:
    need = Need("clearance", unit="mL/min", within_days=14)
    rate = chart_of({"age": 52, "sex": "male", "egfr": {"value": 95}, "body_weight": {"value": 62}}).fact(need)
    assert (reason(rate), rate.missing[0].fact) == ("no-record", "creatinine")
    computed = chart_of({"age": 55, "sex": "male", "creatinine": {"value": "1.2", "unit": "mg/dL"}}).fact(need)
    assert {missing.fact for missing in computed.missing} >= {"body_weight"}
    # No upper limit is needed where none is compared with.
    whole = chart_of({"age": 52, "sex": "male", "creatinine": {"value": 80}, "body_weight": {"value": 62}}).fact(need)
    assert whole.missing == ()
