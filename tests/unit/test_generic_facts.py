"""Kinds of facts that belong to no trial: a condition, another malignancy, a drug; and how trials use them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from generic_facts import AS_OF, LIBRARY, NPC, asked, chart_of, read, reason

from cds_service.evaluation.judge import judge, needed_codes
from cds_service.facts.need import Need
from cds_service.facts.problem import years_after
from cds_service.gather.bundle import read_bundle
from cds_service.logic.values import EITHER, NO, YES, Choices
from cds_service.screening.shorthand import to_bundle
from cds_service.trials.model import Library

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
