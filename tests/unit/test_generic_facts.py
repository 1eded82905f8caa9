"""The readers that any trial can use: condition, drug, wash-out, staging category, qualitative test."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cds_service.evaluation.judge import judge, needed_codes
from cds_service.facts.chart import Chart, read_entries
from cds_service.facts.definitions import Ask, FactDefinition
from cds_service.facts.fact import Fact, Moment
from cds_service.facts.need import Need
from cds_service.facts.problem import years_after
from cds_service.gather.bundle import read_bundle
from cds_service.logic.values import EITHER, NO, YES, Choices, Interval, Numbers
from cds_service.screening.shorthand import to_bundle
from cds_service.trials.library import load_library
from cds_service.trials.model import Library

RULES = Path(__file__).resolve().parents[2] / "rules"
LIBRARY = load_library(RULES)
AS_OF = date(2026, 3, 1)
NPC = {"id": "npc", "code": "C11.9", "onset": "2026-02-05"}


def chart_of(patient: dict[str, Any], *, anchor: date = AS_OF, **more: FactDefinition) -> Chart:
    record = read_bundle(to_bundle(patient, LIBRARY, AS_OF))
    moment = Moment(AS_OF, anchor, "screening")
    return Chart(read_entries(record), {**LIBRARY.facts, **more}, LIBRARY.value_sets, moment)


def asked(kind: str, type_: str = "boolean", **options: Any) -> FactDefinition:
    return FactDefinition("asked", kind, type_, {"en": "asked"}, Ask("question"), options=options)


def read(definition: FactDefinition, patient: dict[str, Any], **need: Any) -> Fact:
    return chart_of(patient, asked=definition).fact(Need("asked", **need))


def reason(fact: Fact) -> str:
    assert len(fact.missing) == 1
    return fact.missing[0].reason.value


# condition

DRUG_USE = asked("condition", value_sets=["anticoagulant_status_condition"])


def listed(**entry: Any) -> dict[str, Any]:
    return {"problems": [NPC, {"code": "Z92.1", "recorded": "2026-01-05", **entry}]}


def test_a_listed_condition_is_present_and_can_change() -> None:
    fact = read(DRUG_USE, listed())
    assert (fact.value.now, fact.value.later) == (YES, EITHER)
    assert fact.evidence[0].date == "2026-01-05"


def test_a_condition_for_good_cannot_change() -> None:
    fact = read(replace(DRUG_USE, options={**DRUG_USE.options, "for_good": True}), listed())
    assert (fact.value.now, fact.value.later) == (YES, YES)


def test_a_condition_not_on_a_list_is_assumed_absent() -> None:
    fact = read(DRUG_USE, {"problems": [NPC]})
    assert (fact.value.now, fact.value.later, fact.notes) == (NO, EITHER, ("assumed-absent",))


@pytest.mark.parametrize(
    ("patient", "why"),
    [
        ({}, "no-record"),
        ({"problems": []}, "no-record"),
        ({"problems": [{"text": "a problem in words"}]}, "unmapped-code"),
        ({"problems": [NPC], "unread": True}, "not-fetched"),
        (listed(verification="provisional"), "not-final"),
        (listed(verification="differential"), "not-final"),
    ],
)
def test_why_a_condition_is_unknown(patient: dict[str, Any], why: str) -> None:
    fact = read(DRUG_USE, patient)
    assert (fact.value.now, reason(fact)) == (EITHER, why)


def test_a_condition_is_what_the_record_says() -> None:
    assert read(DRUG_USE, listed(verification="entered-in-error")).value.now == NO
    refuted = read(DRUG_USE, listed(verification="refuted"))
    assert (refuted.value.now, refuted.notes, refuted.says) == (NO, (), "recorded as refuted")
    assert read(DRUG_USE, listed(verification="none")).notes == ("status-not-stated",)


def test_a_later_entry_overrules_a_refuted_one_and_the_other_way_round() -> None:
    first = {"code": "Z92.1", "recorded": "2026-01-01"}
    second = {"code": "Z92.1", "recorded": "2026-01-09"}
    assert read(DRUG_USE, {"problems": [{**first, "verification": "refuted"}, second]}).value.now == YES
    assert read(DRUG_USE, {"problems": [first, {**second, "verification": "refuted"}]}).value.now == NO
    same_day = read(DRUG_USE, {"problems": [first, {**first, "verification": "refuted"}]})
    assert reason(same_day) == "conflict"


@pytest.mark.parametrize("clinical", ["resolved", "inactive", "remission"])
def test_a_condition_that_is_over_counts_only_when_asked_for(clinical: str) -> None:
    over = listed(clinical=clinical)
    fact = read(DRUG_USE, over)
    assert (fact.value.now, fact.says) == (NO, f"recorded as {clinical}")
    assert read(replace(DRUG_USE, options={**DRUG_USE.options, "ever": True}), over).value.now == YES


@pytest.mark.parametrize("clinical", ["active", "recurrence", "relapse", "none"])
def test_a_condition_that_came_back_is_active(clinical: str) -> None:
    assert read(DRUG_USE, listed(clinical=clinical)).value.now == YES


def test_only_some_clinical_statuses_may_be_asked_for() -> None:
    recurrent = LIBRARY.facts["recurrent_disease"]
    assert chart_of({"problems": [NPC]}).fact(Need(recurrent.name)).value.now == NO
    again = {"problems": [{**NPC, "clinical": "recurrence"}]}
    assert chart_of(again).fact(Need(recurrent.name)).value.now == YES


CANCER = asked("other_malignancy", history_years=5)


def cancer(**entry: Any) -> dict[str, Any]:
    return {"problems": [NPC, {"code": "C34.9", **entry}]}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"recorded": "2009-01-01"}, YES),
        ({"onset": "2022-01-01", "clinical": "resolved"}, YES),
        ({"onset": "2015-01-01", "abated": "2021-03-01", "clinical": "none"}, YES),
        ({"onset": "2015-01-01", "abated": "2021-02-28", "clinical": "none"}, NO),
        ({"onset": "2015-01-01", "abated": "2021", "clinical": "none"}, EITHER),
        ({"onset": "2015-01-01", "clinical": "remission"}, EITHER),
        ({"clinical": "resolved"}, EITHER),
    ],
)
def test_another_malignancy_within_five_years(entry: dict[str, Any], expected: Choices) -> None:
    fact = read(CANCER, cancer(**entry))
    assert fact.value.now == expected
    if expected == EITHER:
        assert reason(fact) == "imprecise-date"


def test_versions_of_one_entry_are_each_judged_by_their_own_status() -> None:
    active, over = ({"id": "same", "code": "Z92.1", "clinical": clinical} for clinical in ("active", "resolved"))
    fact = read(DRUG_USE, {"problems": [NPC, active, over]})
    assert (fact.value.now, len(fact.evidence)) == (YES, 1)


def test_it_says_when_a_malignancy_will_be_long_enough_ago() -> None:
    assert read(CANCER, cancer(onset="2015-01-01", abated="2024-02-29", clinical="none")).look_again == date(2029, 3, 2)
    assert read(CANCER, cancer(recorded="2024-01-01")).look_again is None


def test_the_disease_and_its_metastases_are_no_other_malignancy() -> None:
    spread = {"problems": [NPC, {"code": "C78.7", "onset": "2026-02-06"}, {"code": "C77.0"}, {"code": "C79.9"}]}
    assert read(CANCER, spread).value.now == NO


def test_a_refuted_cancer_says_nothing_of_the_others() -> None:
    fact = read(CANCER, cancer(recorded="2024-01-01", verification="refuted"))
    assert (fact.value.now, fact.notes) == (NO, ("assumed-absent",))


def test_a_bare_history_of_a_cancer_goes_to_a_person() -> None:
    history = {"problems": [NPC, {"text": "Personal history of breast cancer"}]}
    assert reason(read(CANCER, history)) == "clinician"
    family = {"problems": [NPC, {"text": "Family history of breast cancer"}]}
    assert read(CANCER, family).value.now == NO


def test_what_is_found_may_need_a_person() -> None:
    fact = read(replace(CANCER, options={**CANCER.options, "confirm": "is it cured?"}), cancer(recorded="2024-01-01"))
    assert (reason(fact), fact.lean) == ("clinician", YES)
    assert fact.says.endswith("is it cured?")


def test_years_are_counted_by_the_calendar() -> None:
    assert years_after(date(2026, 3, 1), -5) == date(2021, 3, 1)
    assert years_after(date(2024, 2, 29), 5) == date(2029, 3, 1)


# a drug

DRUG = asked("active_medication", value_sets=["anticoagulant"], name_value_sets=["drug_text_warfarin"])


def taking(**treatment: Any) -> dict[str, Any]:
    return {"treatments": [{"drug": "warfarin", "as": "statement", **treatment}]}


@pytest.mark.parametrize(
    ("patient", "expected"),
    [
        (taking(status="active", start=-90), YES),
        (taking(status="active"), YES),
        (taking(status="active", date=-90), YES),
        (taking(status="active", start=-90, end=0), YES),
        (taking(start=-90, end=-1), NO),
        (taking(status="not-taken", start=-90), NO),
        (taking(status="entered-in-error", start=-90), NO),
        (taking(status="active", start=1), NO),
        ({"treatments": [{"drug": "warfarin", "as": "request", "status": "active", "date": -90}]}, YES),
        ({"treatments": [{"drug": "warfarin", "as": "request", "status": "completed", "date": -90}]}, NO),
        ({"treatments": [{"drug": "warfarin", "date": 0}]}, YES),
        ({"treatments": [{"drug": "warfarin", "date": -40}]}, NO),
        ({"treatments": [{"drug": "aspirin", "as": "statement", "status": "active", "start": -90}]}, NO),
        ({}, NO),
    ],
)
def test_an_active_drug(patient: dict[str, Any], expected: Choices) -> None:
    fact = read(DRUG, patient)
    assert fact.value.now == expected
    assert fact.value.later == EITHER


@pytest.mark.parametrize(
    ("patient", "why"),
    [
        ({"unread": True}, "not-fetched"),
        (taking(status="unknown", start=-90), "clinician"),
        (taking(status="on-hold", start=-90), "clinician"),
        (taking(status="active", start=-90, end=-1), "clinician"),
        ({"treatments": [{"name": "warfarin 3 mg", "as": "statement", "status": "active"}]}, "clinician"),
        ({"treatments": [{"drug": "warfarin", "as": "request", "status": "on-hold", "date": -9}]}, "clinician"),
        ({"treatments": [{"drug": "warfarin", "date": -3}]}, "clinician"),
    ],
)
def test_why_a_drug_is_unknown(patient: dict[str, Any], why: str) -> None:
    assert reason(read(DRUG, patient)) == why


@pytest.mark.parametrize(
    ("treatment", "expected"),
    [
        ({"drug": "warfarin", "date": -28}, YES),
        ({"drug": "warfarin", "date": -29}, NO),
        ({"drug": "warfarin", "as": "statement", "start": -90, "end": -28}, YES),
        ({"drug": "warfarin", "as": "statement", "start": -90, "end": -29}, NO),
        ({"drug": "warfarin", "as": "statement", "status": "active", "start": -90}, YES),
        ({"drug": "warfarin", "as": "request", "status": "active", "date": -5}, EITHER),
        ({"drug": "warfarin", "as": "statement"}, EITHER),
        ({"drug": "warfarin", "date": "2026-02"}, YES),
        ({"drug": "warfarin", "date": "2026-01"}, NO),
        ({"drug": "warfarin", "date": "2026"}, EITHER),
    ],
)
def test_a_drug_within_four_weeks(treatment: dict[str, Any], expected: Choices) -> None:
    fact = read(DRUG, {"treatments": [treatment]}, within_days=28)
    assert fact.value.now == expected


def test_a_drug_may_need_a_person_even_when_it_is_coded() -> None:
    dose = replace(DRUG, options={**DRUG.options, "confirm": "was the dose high?"})
    fact = read(dose, taking(status="active", start=-9))
    assert (reason(fact), fact.lean) == ("clinician", YES)


# treatment and wash-out

DAYS = asked("days_since_treatment", "number")
CHEMO = {"drug": "cisplatin", "date": -10}


def days(*treatments: dict[str, Any], definition: FactDefinition = DAYS, **more: Any) -> Fact:
    return read(definition, {"problems": [{**NPC, "onset": "2025-01-05"}], "treatments": list(treatments), **more})


def points(*values: int) -> Numbers:
    return Numbers.of(*(Decimal(value) for value in values))


def test_the_last_treatment_counts_and_another_may_follow() -> None:
    fact = days({"drug": "gemcitabine", "date": -40}, CHEMO)
    assert fact.value.now == points(10)
    assert fact.value.later == Numbers((Interval(low=Decimal(0)),))


@pytest.mark.parametrize(
    ("treatment", "expected"),
    [
        ({"drug": "cisplatin", "as": "statement", "start": -90, "end": -30}, 30),
        ({"drug": "cisplatin", "as": "statement", "start": -90, "status": "active"}, 0),
        ({"drug": "cisplatin", "as": "statement", "date": -90, "status": "active"}, 0),
        ({"procedure": "radiotherapy", "site": "nasopharynx", "start": -60, "end": -12}, 12),
        ({"procedure": "nasopharyngectomy", "date": -33}, 33),
    ],
)
def test_the_end_of_a_treatment_counts(treatment: dict[str, Any], expected: int) -> None:
    assert days(treatment).value.now == points(expected)


def test_no_treatment_on_record_is_for_a_person_and_leans_long_ago() -> None:
    fact = days()
    assert reason(fact) == "clinician"
    assert isinstance(fact.lean, Numbers)
    assert fact.lean.intervals[0].low == 36_525


def test_unread_treatments_may_be_later_than_those_read() -> None:
    assert reason(days(unread=True)) == "not-fetched"
    fact = days(CHEMO, unread=True)
    assert (reason(fact), fact.value.now) == ("not-fetched", Numbers((Interval(Decimal(0), Decimal(10)),)))


def test_a_doubtful_treatment_matters_when_it_may_be_the_later() -> None:
    by_name = {"name": "信迪利单抗", "date": -4}
    fact = days(CHEMO, by_name)
    assert (reason(fact), fact.value.now) == ("clinician", Numbers((Interval(Decimal(4), Decimal(10)),)))
    assert days(CHEMO, {**by_name, "date": -50}).value.now == points(10)
    undated = days(CHEMO, {"drug": "gemcitabine"})
    assert (reason(undated), undated.value.now) == ("imprecise-date", Numbers((Interval(Decimal(0), Decimal(10)),)))


def test_a_month_is_a_range_of_days() -> None:
    fact = days({"drug": "cisplatin", "date": "2026-01"})
    assert (reason(fact), fact.value.now) == ("imprecise-date", Numbers((Interval(Decimal(29), Decimal(59)),)))


def test_a_course_without_an_end_may_have_ended_on_any_day() -> None:
    fact = days({"drug": "cisplatin", "as": "statement", "start": -90})
    assert (reason(fact), fact.value.now) == ("imprecise-date", Numbers((Interval(Decimal(0), Decimal(90)),)))


def test_without_a_date_of_onset_a_treatment_is_never_certain() -> None:
    patient = {"problems": [{"code": "C11.9"}], "treatments": [CHEMO]}
    assert reason(read(DAYS, patient)) == "imprecise-date"
    assert reason(read(asked("treatment_given"), patient)) == "imprecise-date"


def test_classes_narrow_what_counts() -> None:
    given = [
        CHEMO,
        {"procedure": "radiotherapy", "site": "nasopharynx", "date": -20},
        {"drug": "toripalimab", "date": -5},
    ]
    for classes, expected in ((["radiotherapy"], 20), (["chemotherapy", "radiotherapy"], 10), (["pd1"], 5)):
        narrowed = asked("days_since_treatment", "number", classes=classes)
        assert days(*given, definition=narrowed).value.now == points(expected)


def test_what_was_given_stays_given() -> None:
    ever = asked("treatment_given", classes=["chemotherapy"])
    fact = days(CHEMO, definition=ever)
    assert (fact.value.now, fact.value.later) == (YES, YES)
    none = days({"drug": "toripalimab", "date": -5}, definition=ever)
    assert (reason(none), none.lean, none.says) == ("clinician", NO, "none found in this record")
    ordered = days({"drug": "cisplatin", "as": "request", "status": "active", "date": -5}, definition=ever)
    assert (reason(ordered), ordered.lean) == ("clinician", YES)
    assert reason(days(definition=ever, unread=True)) == "not-fetched"


# staging


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


# the judgement


def test_every_code_that_the_new_facts_observe_is_searched() -> None:
    """A trial that nobody signed off is silent in charts, so nothing is read for it until somebody does."""
    silent = {code for _, code in needed_codes(LIBRARY)["Observation"]}
    assert "2106-3" not in silent
    spoken = {name: replace(trial, review="signed-off") for name, trial in LIBRARY.trials.items()}
    codes = {code for _, code in needed_codes(replace(LIBRARY, trials=spoken))["Observation"]}
    assert {"78873005", "277206009", "2106-3", "6690-2"} <= codes
    assert "Z92.1" not in codes


def test_a_trial_of_another_disease_has_its_own_frame() -> None:
    npc = LIBRARY.facts["npc_primary"]
    own = {**npc.options, "site_value_sets": ["npc_primary_site_not_carcinoma"], "related_value_sets": []}
    other = replace(npc, name="other_primary", options=own)
    trial = LIBRARY.trials["NCT05062005"]
    criteria = tuple(
        replace(one, needs={"npc_primary": Need("other_primary")}) if one.trigger else one for one in trial.criteria
    )
    moved = replace(trial, id="NCT00000002", criteria=criteria)
    library = Library({trial.id: trial, moved.id: moved}, {**LIBRARY.facts, "other_primary": other}, LIBRARY.value_sets)
    bundle = to_bundle({"age": 40, "problems": [{**NPC}]}, LIBRARY, AS_OF)
    first, second = judge(read_bundle(bundle), library, as_of=AS_OF).trials
    assert first.of("other-malignancy").verdict == "pass"
    assert (second.of("npc-primary").verdict, second.of("other-malignancy").verdict) == ("fail", "fail")


def test_trials_that_are_not_signed_off_come_last() -> None:
    bundle = to_bundle({"age": 40}, LIBRARY, AS_OF)
    outcome = judge(read_bundle(bundle), LIBRARY, as_of=AS_OF)
    reviews = [one.trial.review for one in outcome.trials]
    assert reviews == sorted(reviews, key=lambda review: review == "pending")
    assert reviews.count("signed-off") == 1
