"""A chart for a hook: every form of prefetch, and the FHIR server only for what prefetch lacks."""

import pytest
import responses
from door_fakes import CODES, FAILED, KEYS, PATIENT, condition, full_prefetch, searchset

from cds_service.errors import GatherError, RequestError
from cds_service.facts.record import Completeness, Read
from cds_service.gather.chart import read_chart
from cds_service.gather.client import FhirClient
from cds_service.gather.deadline import Deadline
from cds_service.gather.origin import Origin
from cds_service.gather.plan import make_plan
from cds_service.gather.transport import Transport, make_session

BASE = "http://127.0.0.1:9999/fhir"
PLAN = make_plan(CODES)


def client():
    return FhirClient(Origin.of(BASE), Transport(make_session(), Deadline.after(2), 1_000_000, lambda _s: None))


def read(prefetch, fhir=None, patient_id="p1"):
    return read_chart(prefetch, PLAN, patient_id, fhir)


def only(record, name="Condition"):
    return [source.reference for source in record.resources.get(name, ())], record.read(name)


@pytest.fixture
def web():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def serve(web, **answers):
    web.get(f"{BASE}/Patient/p1", json=PATIENT)
    for search in PLAN.searches:
        web.get(f"{BASE}/{search.type}", **answers.get(search.type, {"json": searchset()}))


def test_the_templates_keep_to_the_subset_every_client_knows():
    assert PLAN.templates == {
        "patient": "Patient/{{context.patientId}}",
        "conditions": "Condition?patient={{context.patientId}}",
        "observations": "Observation?patient={{context.patientId}}&code=http://loinc.org|1975-2,http://loinc.org|718-7",
        "medicationStatements": "MedicationStatement?patient={{context.patientId}}",
        "medicationRequests": "MedicationRequest?patient={{context.patientId}}",
        "medicationAdministrations": "MedicationAdministration?patient={{context.patientId}}",
        "procedures": "Procedure?patient={{context.patientId}}",
    }


def test_a_code_never_breaks_out_of_its_parameter():
    plan = make_plan({"Observation": [("http://x", "a&patient=other"), ("http://x", "b,c|d")]})
    assert plan.templates["observations"].count("&") == 1
    assert dict(next(iter(plan.searches[1].queries("p1"))))["code"] == r"http://x|a&patient=other,http://x|b\,c\|d"


def test_full_prefetch_needs_no_server(web):
    record = read(full_prefetch(), client())
    assert only(record) == (["Condition/c1"], Read())
    assert all(read.complete for read in record.reads.values())
    assert not web.calls


@pytest.mark.parametrize(
    ("value", "found", "state"),
    [
        (None, [], Completeness.COMPLETE),
        ({"resourceType": "Bundle", "type": "searchset"}, [], Completeness.COMPLETE),
        (searchset(condition()), ["Condition/c1"], Completeness.COMPLETE),
        (FAILED, [], Completeness.FAILED),
        ({"resourceType": "OperationOutcome", "issue": [{"severity": "information"}]}, [], Completeness.FAILED),
        (searchset(FAILED), [], Completeness.FAILED),
        (searchset(condition(), FAILED), ["Condition/c1"], Completeness.INCOMPLETE),
        (
            searchset(condition(), link=[{"relation": "next", "url": f"{BASE}?p=2"}]),
            ["Condition/c1"],
            Completeness.INCOMPLETE,
        ),
        (searchset(condition(), total=9), ["Condition/c1"], Completeness.INCOMPLETE),
        (condition(), ["Condition/c1"], Completeness.INCOMPLETE),
        ({"resourceType": "Encounter"}, [], Completeness.FAILED),
        (searchset({"resourceType": "Encounter", "id": "e"}), [], Completeness.INCOMPLETE),
        (searchset(condition(), condition("c2", "Patient/p2")), ["Condition/c1"], Completeness.INCOMPLETE),
        (searchset(condition(), {"resourceType": "Condition"}), ["Condition/c1"], Completeness.INCOMPLETE),
        (searchset(condition(), "text"), ["Condition/c1"], Completeness.INCOMPLETE),
        (searchset(condition("c1", "https://h/fhir/Patient/p1")), ["Condition/c1"], Completeness.COMPLETE),
    ],
)
def test_every_form_of_a_prefetch_value(value, found, state):
    references, read_ = only(read(full_prefetch(conditions=value)))
    assert references == found
    assert read_.completeness is state


def test_a_key_that_is_absent_was_not_read():
    prefetch = full_prefetch()
    del prefetch["conditions"]
    assert only(read(prefetch)) == ([], Read.failed("not sent, and no FHIR server to ask"))


@pytest.mark.parametrize("value", [1, "text", [], [PATIENT], {}, {"resourceType": 1}, True])
@pytest.mark.parametrize("key", ["patient", "conditions", "somebody's own"])
def test_a_value_that_means_nothing(key, value):
    with pytest.raises(RequestError) as refusal:
        read(full_prefetch(**{key: value}))
    assert refusal.value.status == 400
    assert "somebody" not in str(refusal.value) + refusal.value.field


@pytest.mark.parametrize(
    "patient",
    [None, FAILED, condition(), {**PATIENT, "id": "p2"}, {"resourceType": "Patient"}],
)
def test_without_the_patient_nothing_can_be_judged(patient, web):
    with pytest.raises(GatherError):
        read(full_prefetch(patient=patient), client())
    assert not web.calls


def test_the_patient_alone_is_not_enough():
    with pytest.raises(GatherError):
        read({"patient": PATIENT})
    with pytest.raises(GatherError):
        read({"patient": PATIENT, **dict.fromkeys(KEYS, FAILED)})
    assert read({"patient": PATIENT, "procedures": None}).read("Procedure").complete


@pytest.mark.parametrize("patient_id", ["", "a/b", "p1?x", "..%2f", "p 1", "p" * 65, "p1\n", "é"])
def test_a_patient_id_never_reaches_a_url_unchecked(patient_id, web):
    with pytest.raises(RequestError) as refusal:
        read({}, client(), patient_id)
    assert refusal.value.field == "context.patientId"
    assert not web.calls


def test_asks_the_server_for_everything(web):
    serve(web, Condition={"json": searchset(condition())})
    record = read({}, client())
    assert only(record) == (["Condition/c1"], Read())
    assert sorted(call.request.url.split("?")[0].rsplit("/fhir/")[1] for call in web.calls) == [
        "Condition", "MedicationAdministration", "MedicationRequest", "MedicationStatement", "Observation",
        "Patient/p1", "Procedure",
    ]  # fmt: skip


def test_asks_only_for_what_is_absent_and_not_again_for_what_failed(web):
    serve(web, Procedure={"status": 403})
    prefetch = full_prefetch(observations=FAILED)
    del prefetch["procedures"]
    record = read(prefetch, client())
    assert [call.request.url.split("?")[0] for call in web.calls] == [f"{BASE}/Procedure"]
    assert record.read("Procedure") == Read.failed("HTTP 403")
    assert record.read("Observation").completeness is Completeness.FAILED


def test_follows_the_pages_of_prefetch_on_the_same_server_only(web):
    web.get(f"{BASE}/page", json=searchset(condition("c2"), total=2))
    first = searchset(condition(), total=2, link=[{"relation": "next", "url": f"{BASE}/page"}])
    assert only(read(full_prefetch(conditions=first), client()))[0] == ["Condition/c1", "Condition/c2"]
    foreign = searchset(condition(), total=2, link=[{"relation": "next", "url": "http://evil.example/page"}])
    references, state = only(read(full_prefetch(conditions=foreign), client()))
    assert references == ["Condition/c1"]
    assert state.completeness is Completeness.INCOMPLETE
    assert len(web.calls) == 1


@pytest.mark.parametrize("answer", [{"status": 404}, {"json": {**PATIENT, "id": "p2"}}, {"json": FAILED}])
def test_a_server_without_the_patient(web, answer):
    web.get(f"{BASE}/Patient/p1", **answer)
    for search in PLAN.searches:
        web.get(f"{BASE}/{search.type}", json=searchset())
    with pytest.raises(GatherError):
        read({}, client())


def test_a_server_that_is_gone():
    with pytest.raises(GatherError):
        read({}, client())


def given_drug(reference):
    element = {"medicationReference": {"reference": reference}}
    return searchset(
        {"resourceType": "MedicationRequest", "id": "r1", "subject": {"reference": "Patient/p1"}, **element}
    )


def test_reads_the_drugs_that_orders_point_to(web):
    drug = {"resourceType": "Medication", "id": "m1"}
    web.get(f"{BASE}/Medication/m1", json=drug)
    for reference in ("Medication/m1", "Medication/m1/_history/2", f"{BASE}/Medication/m1"):
        record = read(full_prefetch(medicationRequests=given_drug(reference)), client())
        assert record.medications["Medication/m1"] == drug
        assert record.read("MedicationRequest").complete


@pytest.mark.parametrize("reference", ["Medication/m1", "http://evil.example/fhir/Medication/m1"])
def test_a_drug_that_cannot_be_read_is_told(web, reference):
    web.get(f"{BASE}/Medication/m1", status=404)
    record = read(full_prefetch(medicationRequests=given_drug(reference)), client())
    assert record.read("MedicationRequest").completeness is Completeness.INCOMPLETE
    assert record.read("MedicationStatement").complete
    assert only(record, "MedicationRequest")[0] == ["MedicationRequest/r1"]


def test_a_contained_drug_needs_no_reading(web):
    assert read(full_prefetch(medicationRequests=given_drug("#m1")), client()).read("MedicationRequest").complete
    assert not web.calls


def test_included_drugs_are_used(web):
    answer = given_drug("Medication/m1")
    answer["entry"].append({"resource": {"resourceType": "Medication", "id": "m1"}, "search": {"mode": "include"}})
    record = read(full_prefetch(medicationRequests=answer), client())
    assert "Medication/m1" in record.medications
    assert record.read("MedicationRequest").complete
    assert not web.calls


@pytest.mark.parametrize(
    "reference",
    [
        f"{BASE}?x=/Medication/m1",
        f"{BASE}/Patient/$purge?x=/Medication/m1",
        f"{BASE}#/Medication/m1",
        "x?/Medication/m1",
    ],
)
def test_a_reference_asks_for_a_drug_and_nothing_else(web, reference):
    read(full_prefetch(medicationRequests=given_drug(reference)), client())
    assert not web.calls
