"""What counts as a change between two screenings, and what does not."""

import copy
import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.evaluation.judge import judge
from cds_service.facts.phrase import Phrase
from cds_service.facts.record import RESOURCE_TYPES, Read
from cds_service.gather.bundle import read_bundle
from cds_service.screening.worklist.changes import Told, changes, differs, stands
from tests.property.drawn_charts import AS_OF, GOOD, INDUCED, TRIAL, as_json, bundle_of, library, patients

STALE_IN = 60


def told(bundle, as_of=AS_OF, data="one"):
    found = as_json(bundle, as_of)
    return {**found, "data": data, "patient": read_bundle(bundle).patient.reference}


def conclusions(result):
    return (
        result["status"],
        result["gate"],
        result["blocked"],
        {one["id"]: one["verdict"] for one in result["criteria"]},
    )


@given(patients(), st.integers(0, 2**32))
@settings(max_examples=25)
def test_nothing_differs_from_itself_in_any_order_of_its_evidence(patient, seed):
    one = told(bundle_of(patient))
    other = copy.deepcopy(one)
    for criterion in other["criteria"]:
        random.Random(seed).shuffle(criterion["evidence"])
        random.Random(seed).shuffle(criterion["reasons"])
        criterion["message"] = Phrase("other words")
    for data in ("one", "two"):
        assert changes(one, {**other, "data": data}) == []


@given(patients(), patients())
@settings(max_examples=25)
def test_changes_are_empty_exactly_when_nothing_differs_and_turn_with_the_sides(first, second):
    one, two = told(bundle_of(first)), told(bundle_of(second), data="two")
    there, back = changes(one, two), changes(two, one)
    assert bool(there) is differs(one, two) is differs(two, one)
    assert {(c.what, c.criterion, c.before, c.after) for c in there} == {
        (c.what, c.criterion, c.after, c.before) for c in back
    }
    if conclusions(one) != conclusions(two):
        assert there


@given(patients(exact=True), st.integers(1, 60))
@settings(max_examples=40)
def test_time_alone_changes_only_verdicts(patient, days):
    bundle = bundle_of(patient)
    before, after = told(bundle), told(bundle, AS_OF + timedelta(days=days))
    assert bool(changes(before, after)) is (conclusions(before) != conclusions(after))


def test_a_result_that_goes_stale_is_a_change_with_its_reason():
    bundle = bundle_of(GOOD)
    found = {c.criterion: c for c in changes(told(bundle), told(bundle, AS_OF + timedelta(days=STALE_IN)))}
    assert (found[""].what, found[""].before.verdict, found[""].after.verdict) == ("status", "candidate", "needs-data")
    hemoglobin = found["hemoglobin"]
    assert (hemoglobin.before.verdict, hemoglobin.after.verdict) == ("pass", "unknown")
    assert hemoglobin.after.reason == "stale"
    assert hemoglobin.before.value == hemoglobin.after.value != ""
    assert hemoglobin.before.date


def _with(result, criterion, **more):
    other = copy.deepcopy(result)
    next(one for one in other["criteria"] if one["id"] == criterion).update(more)
    return {**other, "data": "two"}


def test_a_new_value_that_changes_no_verdict_is_a_change():
    one = told(bundle_of(GOOD))
    evidence = next(c for c in one["criteria"] if c["id"] == "hemoglobin")["evidence"]
    newer = [{**evidence[0], "value": evidence[0]["value"] + 1, "resource": "Observation/newer"}]
    (change,) = changes(one, _with(one, "hemoglobin", evidence=newer))
    assert (change.what, change.criterion) == ("criterion", "hemoglobin")
    assert change.before.value != change.after.value
    moved = [{**evidence[0], "resource": "Observation/the-same-under-another-id"}]
    assert changes(one, _with(one, "hemoglobin", evidence=moved)) == []


@pytest.mark.parametrize("written", [12.1, "12.10"])
def test_a_number_is_the_same_however_it_is_kept(written):
    one = _with(told(bundle_of(GOOD)), "hemoglobin", evidence=[{"resource": "Observation/o", "value": "12.1"}])
    assert changes(one, _with(one, "hemoglobin", evidence=[{"resource": "Observation/o", "value": written}])) == []


def test_an_attestation_is_a_change():
    one = told(bundle_of(INDUCED))
    by = {"by": "Dr Li", "on": "2026-03-01", "until": "2026-03-20"}
    (change,) = changes(one, _with(one, "hemoglobin", attested=by) | {"data": "one"})
    assert (change.before.attested, change.after.attested) == (None, by)


def test_a_criterion_of_other_rules_is_a_change():
    one = told(bundle_of(GOOD))
    (change,) = changes(one, {**one, "criteria": one["criteria"][1:], "rules_digest": "sha256:other"})
    assert change.criterion == one["criteria"][0]["id"]
    assert change.after == Told()


def test_the_age_of_the_day_is_no_change():
    """A birth date is shown with the day of the judgement; other data came meanwhile."""
    bundle = bundle_of(GOOD)
    tomorrow = told(bundle, AS_OF + timedelta(days=1), "two")
    assert [c for c in changes(told(bundle), tomorrow) if c.criterion == "age"] == []


# What takes the place of what stands.


def read_badly(bundle, *lacking, kept=0, as_of=AS_OF):
    """Return the judgement of a chart of which some types were not read, or only some of the first of each."""
    record = read_bundle(bundle)
    read = Read.incomplete("time-out") if kept else Read.failed("time-out")
    record = replace(
        record,
        resources={name: found[:kept] if name in lacking else found for name, found in record.resources.items()},
        reads={**record.reads, **dict.fromkeys(lacking, read)},
    )
    outcome = judge(record, library(), as_of=as_of, trials=[TRIAL])
    told = outcome.to_json()["results"][0]
    return {**told, "data": "two", "patient": outcome.patient, "unread": outcome.unread}


@given(patients(), st.sets(st.sampled_from(RESOURCE_TYPES), min_size=1, max_size=3), st.integers(0, 2))
@settings(max_examples=40, deadline=None)
def test_a_read_that_broke_off_never_takes_the_place_of_a_whole_one_of_the_same_data(patient, lacking, kept):
    bundle = bundle_of(patient)
    whole, broken = told(bundle) | {"unread": {}}, read_badly(bundle, *lacking, kept=kept)
    assert not stands(whole, broken)
    assert stands(broken, whole)
    assert stands(broken, broken)
    assert stands(whole, whole)


@pytest.mark.parametrize("lacking", ["Observation", "MedicationAdministration", "Procedure", "Condition"])
def test_a_time_out_is_no_news_of_a_patient_after_five_cycles(lacking):
    bundle = bundle_of(INDUCED)
    whole, broken = told(bundle), read_badly(bundle, lacking)
    assert (broken["status"], list(broken["unread"])) == ("needs-data", [lacking])
    assert not stands(whole, broken)


@pytest.mark.parametrize("value", [60, 130])
def test_a_new_result_stands_though_something_else_timed_out(value):
    whole = told(bundle_of(GOOD))
    bundle = bundle_of({**GOOD, "hemoglobin": {"value": value}})
    assert stands(whole, read_badly(bundle, "Procedure"))
    assert differs(whole, read_badly(bundle, "Procedure"))
    assert not stands(whole, read_badly(bundle, "Observation"))


def test_a_result_struck_out_is_news_though_something_else_timed_out():
    histologies = [*GOOD["histology"], {"code": "8071/3", "date": -1}]
    whole = told(bundle_of({**GOOD, "histology": histologies}))
    assert whole["status"] == "excluded"
    assert stands(whole, read_badly(bundle_of(GOOD), "Procedure"))


def test_what_is_decided_by_attestation_alone_is_no_news():
    whole, broken = told(bundle_of(GOOD)), read_badly(bundle_of(GOOD), "Procedure")
    by = {"by": "Dr Li", "on": "2026-03-01", "until": "2026-03-20"}
    assert not stands(whole, _with(broken, "life-expectancy", verdict="pass", attested=by))


def test_of_two_reads_that_broke_off_the_one_that_read_less_is_no_news():
    low = {**GOOD, "hemoglobin": {"value": 60}}
    first, second = read_badly(bundle_of(low), "Procedure"), read_badly(bundle_of(low), "Observation")
    assert not stands(first, second)
    assert not stands(first, read_badly(bundle_of(low), "Procedure", "Observation"))
    assert stands(first, read_badly(bundle_of(GOOD), "Procedure"))
