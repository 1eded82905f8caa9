"""A Bundle as the whole record: whose it is, what counts twice, and what makes it incomplete."""

import itertools
import random

import pytest
from door_fakes import FAILED, PATIENT, bundle, condition

from cds_service.errors import RequestError
from cds_service.facts.record import RESOURCE_TYPES, Completeness
from cds_service.gather.bundle import read_bundle


def complete(record) -> bool:
    states = {read.complete for read in record.reads.values()}
    assert set(record.reads) == set(RESOURCE_TYPES)
    assert len(states) == 1
    return states.pop()


def ids(record, name="Condition"):
    return [source.reference for source in record.resources.get(name, ())]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (None, "body"),
        ([], "body"),
        ({}, "resourceType"),
        ({"resourceType": "Patient"}, "resourceType"),
        ({"resourceType": "Bundle"}, "entry"),
        ({"resourceType": "Bundle", "entry": {}}, "entry"),
        ({"resourceType": "Bundle", "entry": None}, "entry"),
        (bundle(condition()), "entry"),
        (bundle(PATIENT, {**PATIENT, "id": "p2"}), "entry"),
        (bundle(PATIENT, {**PATIENT, "birthDate": "1980-01-01"}), "entry"),
        (bundle({"resourceType": "Patient"}), "entry.resource.id"),
    ],
)
def test_refuses(body, field):
    with pytest.raises(RequestError) as refusal:
        read_bundle(body)
    assert refusal.value.field == field


def test_a_type_without_entries_was_read_and_is_empty():
    record = read_bundle(bundle(PATIENT))
    assert record.patient.reference == "Patient/p1"
    assert record.resources == {}
    assert complete(record)


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b["entry"].append({"resource": FAILED}),
        lambda b: b["entry"].append(
            {"resource": {"resourceType": "OperationOutcome", "issue": [{"severity": "fatal"}]}}
        ),
        lambda b: b["entry"].append({"resource": {"resourceType": "OperationOutcome"}}),
        lambda b: b["entry"].append({"resource": "text"}),
        lambda b: b["entry"].append({"resource": {"id": "x"}}),
        lambda b: b["entry"].append("text"),
        lambda b: b["entry"].append({}),
        lambda b: b.update(link=[{"relation": "self", "url": "a"}, {"relation": "next", "url": "b"}]),
        lambda b: b.update(type="searchset", total=50),
    ],
)
def test_is_incomplete(change):
    body = bundle(PATIENT, condition())
    change(body)
    record = read_bundle(body)
    assert not complete(record)
    assert record.read("Condition").completeness is Completeness.INCOMPLETE
    assert ids(record) == ["Condition/c1"]


def test_a_warning_changes_nothing():
    warning = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "informational"}]}
    assert complete(read_bundle(bundle(PATIENT, warning)))


@pytest.mark.parametrize(
    ("reference", "ours"),
    [
        ("Patient/p1", True),
        ("Patient/p1/_history/2", True),
        ("https://a.example/fhir/Patient/p1", True),
        ("https://a.example/fhir/Patient/p1/_history/2", True),
        ("https://b.example/fhir/Patient/p1", False),
        ("Patient/p2", False),
        ("Patient/p11", False),
        ("Group/p1", False),
        ("XPatient/p1", False),
        ("urn:uuid:0f8fad5b-d9cb-469f-a165-70867728950e", False),
        ("#p1", False),
    ],
)
def test_whose_by_reference(reference, ours):
    body = bundle(PATIENT, condition(subject=reference))
    body["entry"][0]["fullUrl"] = "https://a.example/fhir/Patient/p1"
    record = read_bundle(body)
    assert ids(record) == (["Condition/c1"] if ours else [])
    assert record.set_aside == ({} if ours else {"another patient's": 1})
    assert complete(record)


def test_whose_by_urn_and_without_an_id():
    urn = "urn:uuid:0f8fad5b-d9cb-469f-a165-70867728950e"
    body = bundle({"resourceType": "Patient"}, condition(subject=urn), condition("c2", "Patient/p1"))
    body["entry"][0]["fullUrl"] = urn
    record = read_bundle(body)
    assert record.patient.reference == urn
    assert ids(record) == ["Condition/c1"]


def test_an_absolute_reference_matches_by_its_tail_when_no_base_is_known():
    assert ids(read_bundle(bundle(PATIENT, condition(subject="https://x.example/r4/Patient/p1")))) == ["Condition/c1"]


def test_sets_aside_and_counts():
    nobody = {"resourceType": "Condition", "id": "c2"}
    odd = {"resourceType": "Condition", "id": "c3", "subject": "Patient/p1"}
    old = {"resourceType": "Procedure", "id": "q1", "patient": {"reference": "Patient/p1"}}
    torn = condition("c4", patient={"reference": "Patient/p2"})
    record = read_bundle(bundle(PATIENT, nobody, odd, old, torn, {"resourceType": "Encounter", "id": "e"}))
    assert record.set_aside == {"another patient's": 1, "of types not read": 1, "without a subject": 2}
    assert ids(record, "Procedure") == ["Procedure/q1"]
    assert complete(record)


def version(number, updated=None, **rest):
    meta = {"versionId": str(number), **({"lastUpdated": updated} if updated else {})}
    return condition(meta=meta, note=[{"text": str(number)}], **rest)


def test_the_newest_version_wins_whatever_the_order():
    copies = [version(9), version(10), version(2), version(10)]
    for order in itertools.permutations(copies):
        record = read_bundle(bundle(PATIENT, *order))
        assert [source.body["note"] for source in record.resources["Condition"]] == [[{"text": "10"}]]
        assert record.set_aside == {"duplicates": 3}
        assert complete(record)


def test_the_last_update_decides_when_versions_do_not():
    older = condition(meta={"versionId": "b", "lastUpdated": "2026-02-01T10:00:00+08:00"}, note=[{"text": "old"}])
    newer = condition(meta={"versionId": "a", "lastUpdated": "2026-02-01T03:00:00Z"}, note=[{"text": "new"}])
    for order in ([older, newer], [newer, older]):
        assert [s.body for s in read_bundle(bundle(PATIENT, *order)).resources["Condition"]] == [newer]


def test_versions_that_cannot_be_ordered_all_stay_and_are_told():
    one, other = condition(note=[{"text": "a"}]), condition(note=[{"text": "b"}])
    record = read_bundle(bundle(PATIENT, one, other))
    assert ids(record) == ["Condition/c1", "Condition/c1"]
    assert not record.read("Condition").complete
    assert record.read("Observation").complete


def test_resources_without_an_id_are_told_apart_by_content():
    a, b = condition(note=[{"text": "a"}]), condition(note=[{"text": "b"}])
    del a["id"], b["id"]
    assert len(read_bundle(bundle(PATIENT, a, b, a)).resources["Condition"]) == 2


def test_does_not_depend_on_the_order_of_entries():
    entries = [
        {"fullUrl": "urn:uuid:1", "resource": PATIENT},
        {"resource": PATIENT},
        *({"resource": condition(f"c{n}")} for n in range(5)),
        {"resource": version(2)},
        {"resource": {"resourceType": "Medication", "id": "m1"}, "fullUrl": "https://a/Medication/m1"},
        {"resource": {"resourceType": "Medication", "id": "m1"}},
        {"resource": None},
    ]
    seen = []
    for seed in range(30):
        random.Random(seed).shuffle(entries)
        seen.append(read_bundle({"resourceType": "Bundle", "entry": list(entries)}))
    assert all(record == seen[0] for record in seen)


def test_medications_by_every_reference():
    drug = {"resourceType": "Medication", "id": "m1", "code": {"text": "Cisplatin"}}
    body = bundle(PATIENT, drug)
    body["entry"][1]["fullUrl"] = "urn:uuid:5"
    assert read_bundle(body).medications == {"Medication/m1": drug, "urn:uuid:5": drug}


def test_a_medication_that_is_two_things_is_none():
    drug = {"resourceType": "Medication", "id": "m1", "code": {"text": "Cisplatin"}}
    assert read_bundle(bundle(PATIENT, drug, {**drug, "code": {"text": "Saline"}})).medications == {}
