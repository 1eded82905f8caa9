"""Draft orders in every shape clients send them: which count, and the record each would become."""

import copy
from datetime import date

import pytest

from cds_service.facts.record import Read, Record, Source
from cds_service.facts.treatments import Given as Certainty
from cds_service.facts.treatments import medication_reader, read_procedure
from cds_service.gather.draft_orders import read_drafts, read_their_drugs, taken_as_given, with_given

AS_OF = date(2026, 3, 1)
DRUG = {"coding": [{"system": "http://www.whocc.no/atc", "code": "L01FE01", "display": "cetuximab"}]}
IMRT = {"coding": [{"system": "http://snomed.info/sct", "code": "441799006", "display": "IMRT"}]}
NOSE = {"coding": [{"system": "http://snomed.info/sct", "code": "71836000", "display": "Nasopharynx"}]}
BREAST = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "C50.9"}]}
OTHER = {"resourceType": "Condition", "id": "c", "code": BREAST}
MEDICATION = {"resourceType": "Medication", "id": "d", "code": DRUG}


def drug(**changes):
    whole = {
        "resourceType": "MedicationRequest",
        "id": "m1",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "medicationCodeableConcept": DRUG,
    }
    return {name: value for name, value in {**whole, **changes}.items() if value is not ...}


def pointing(reference, **changes):
    return drug(medicationCodeableConcept=..., medicationReference={"reference": reference}, **changes)


def service(**changes):
    whole = {"resourceType": "ServiceRequest", "id": "s1", "status": "draft", "subject": {"reference": "Patient/p1"}}
    return {name: v for name, v in {**whole, "code": IMRT, "bodySite": [NOSE], **changes}.items() if v is not ...}


def given(*resources, selections=None, urls=()):
    entries = [{"resource": one} for one in resources]
    for entry, url in zip(entries, urls, strict=False):
        entry["fullUrl"] = url
    return taken_as_given(read_drafts({"resourceType": "Bundle", "entry": entries}, "p1", selections), AS_OF)


def read(one):
    source = one.record
    reader = (
        read_procedure
        if source.body["resourceType"] == "Procedure"
        else medication_reader("MedicationAdministration", {})
    )
    return next(iter(reader(source)))


@pytest.mark.parametrize(
    "order",
    [
        drug(),
        drug(status="active"),
        drug(status=...),
        drug(intent=...),
        drug(intent="proposal"),
        drug(intent="plan"),
        drug(subject={"reference": "https://ehr.example/fhir/Patient/p1/_history/2"}),
        drug(doNotPerform=False),
        drug(medicationCodeableConcept=..., medication={"concept": DRUG}),
        drug(medicationCodeableConcept=..., medication={"reference": {"reference": "#d"}}, contained=[MEDICATION]),
        pointing("#d", contained=[MEDICATION]),
        pointing(
            "#d", contained=[{**MEDICATION, "code": {"text": "x"}, "ingredient": [{"itemCodeableConcept": DRUG}]}]
        ),
    ],
)
def test_a_drug_order_becomes_an_administration_of_the_day(order):
    before = copy.deepcopy(order)
    (one,) = given(order)
    entry = read(one)
    assert order == before
    assert entry.given is Certainty.GIVEN
    assert (entry.start.first, entry.end.last) == (AS_OF, AS_OF)
    assert ("http://www.whocc.no/atc", "L01FE01") in [(c.system, c.code) for c in entry.code.codings]
    assert "cetuximab" in one.label or one.label == "x"
    assert one.label not in repr(one)


@pytest.mark.parametrize(
    "order",
    [
        service(),
        service(resourceType="ProcedureRequest"),
        service(status="active", intent="order"),
        service(code={"concept": IMRT}),
        service(bodySite=NOSE),
    ],
)
def test_a_procedure_order_becomes_a_completed_procedure_of_the_day(order):
    (one,) = given(order)
    entry = read(one)
    assert (entry.type, entry.given, entry.start.first) == ("Procedure", Certainty.GIVEN, AS_OF)
    assert [c.code for c in entry.code.codings] == ["441799006"]
    assert [c.code for c in entry.body_sites.codings] == ["71836000"]
    assert one.label == "IMRT (Nasopharynx)"


LEFT_OUT = {
    "no drug yet": drug(medicationCodeableConcept=...),
    "a drug in words": drug(medicationCodeableConcept={"text": "cetuximab"}),
    "a display without a code": drug(medicationCodeableConcept={"coding": [{"display": "cetuximab"}]}),
    "an empty concept": drug(medicationCodeableConcept={}),
    "a concept of the wrong shape": drug(medicationCodeableConcept=["cetuximab"]),
    "a pointer to nothing": pointing("#d"),
    "a pointer to a Medication nobody sent": pointing("Medication/d"),
    "a pointer in words": pointing(5),
    "a procedure in words": service(code={"text": "radiotherapy"}),
    "no procedure yet": service(code=...),
    "not to be done": service(doNotPerform=True),
    "a drug not to be given": drug(doNotPerform=True),
    "another patient's": drug(subject={"reference": "Patient/p2"}),
    "another patient's, by the older field": drug(subject=..., patient={"reference": "Patient/p2"}),
    "nobody's": drug(subject=...),
    **{
        status: drug(status=status)
        for status in ("cancelled", "entered-in-error", "stopped", "completed", "on-hold", "unknown", "ended")
    },
    **{
        f"procedure {status}": service(status=status)
        for status in ("revoked", "entered-in-error", "completed", "on-hold")
    },
    **{
        kind: {"resourceType": kind, "id": "x", "status": "draft", "code": IMRT, "subject": {"reference": "Patient/p1"}}
        for kind in (
            "NutritionOrder",
            "DeviceRequest",
            "VisionPrescription",
            "CommunicationRequest",
            "Medication",
            "Procedure",
            "Task",
            "Nonsense",
        )
    },
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_left_out(name):
    assert given(LEFT_OUT[name]) == ()
    assert [one.record.body["resourceType"] for one in given(LEFT_OUT[name], service())] == ["Procedure"]


def test_a_medication_of_the_bundle():
    for reference, urls in (
        ("Medication/d", ()),
        ("Medication/d/_history/1", ()),
        ("urn:uuid:1", ("", "urn:uuid:1")),
        ("https://ehr.example/fhir/Medication/d", ("", "https://ehr.example/fhir/Medication/d")),
    ):
        (one,) = given(pointing(reference), MEDICATION, urls=urls)
        assert read(one).code.codings[0].code == "L01FE01"


class FakeClient:
    def __init__(self, body):
        self.body, self.asked = body, []

    def read(self, reference):
        self.asked.append(reference)
        return self.body, Read()

    def together(self, jobs, late):
        return {name: job() for name, job in jobs.items()}


def record(**rest):
    return Record(Source("Patient/p1", {"resourceType": "Patient", "id": "p1"}), {}, {}, **rest)


def test_a_medication_of_the_record_or_of_the_server():
    drafts = read_drafts({"resourceType": "Bundle", "entry": [{"resource": pointing("Medication/d")}]}, "p1")
    client = FakeClient(MEDICATION)
    known = read_their_drugs(drafts, record(medications={"Medication/d": MEDICATION}), client)
    assert client.asked == []
    fetched = read_their_drugs(drafts, record(), client)
    assert client.asked == ["Medication/d"]
    assert [len(taken_as_given(one, AS_OF)) for one in (known, fetched)] == [1, 1]
    for nothing in (read_their_drugs(drafts, record(), FakeClient(None)), read_their_drugs(drafts, record(), None)):
        assert taken_as_given(nothing, AS_OF) == ()


def test_only_medications_are_fetched_and_not_without_end():
    orders = [pointing(f"Medication/d{at}") for at in range(100)]
    orders += [pointing("#d"), pointing("urn:uuid:1"), pointing("http://evil.invalid/x"), drug()]
    client = FakeClient(None)
    bundle = {"resourceType": "Bundle", "entry": [{"resource": one} for one in orders]}
    read_their_drugs(read_drafts(bundle, "p1"), record(), client)
    assert len(client.asked) == 20
    assert all(one.startswith("Medication/") for one in client.asked)


@pytest.mark.parametrize(
    ("order", "codes", "references"),
    [
        (drug(reasonCode=[BREAST]), ["C50.9"], ()),
        (drug(reasonReference=[{"reference": "Condition/c"}]), ["C50.9"], ()),
        (drug(reasonReference=[{"reference": "Condition/elsewhere"}]), [], ("Condition/elsewhere",)),
        (drug(reasonReference=[{"reference": "#c"}], contained=[OTHER]), ["C50.9"], ()),
        (drug(reason=[{"concept": BREAST}]), ["C50.9"], ()),
        (drug(reason=[{"reference": {"reference": "Condition/c"}}]), ["C50.9"], ()),
        (drug(reason=[{"reference": {"reference": "Condition/elsewhere"}}]), [], ("Condition/elsewhere",)),
        (service(reasonCode=[BREAST], reasonReference="x"), ["C50.9"], ()),
        (drug(reasonCode="x", reason=[None, 5]), [], ()),
    ],
)
def test_the_reason_stays(order, codes, references):
    entry = read(given(order, OTHER)[0])
    assert [coding.code for reason in entry.reasons for coding in reason.codings] == codes
    assert entry.reason_references == references


@pytest.mark.parametrize(
    ("selection", "chosen"),
    [
        ("MedicationRequest/m1", True),
        ("MedicationRequest/m1/_history/4", True),
        ("https://ehr.example/fhir/MedicationRequest/m1", True),
        ("m1", True),
        ("urn:uuid:9", True),
        ("MedicationRequest/m", False),
        ("ServiceRequest/m1", False),
        ("", False),
    ],
)
def test_selections(selection, chosen):
    assert len(given(drug(), selections=frozenset({selection}), urls=("urn:uuid:9",))) == chosen
    assert len(given(drug(id=...), selections=frozenset({selection}))) == 0


def test_nothing_selected_is_nothing():
    assert given(drug(), service(), selections=frozenset()) == ()
    assert len(given(drug(), service())) == 2


def test_the_record_gets_them_beside_its_own_and_stays_itself():
    own = Source("Procedure/1", {"resourceType": "Procedure", "id": "1"})
    before = Record(record().patient, {"Procedure": (own,)}, {"Procedure": Read.failed("x")})
    after = with_given(before, given(drug(), service()))
    assert before.resources == {"Procedure": (own,)}
    assert after.resources["Procedure"][0] is own
    assert [len(after.resources[kind]) for kind in ("Procedure", "MedicationAdministration")] == [2, 1]
    assert after.reads == before.reads
    names = [one.reference for sources in after.resources.values() for one in sources]
    assert len(set(names)) == len(names)
