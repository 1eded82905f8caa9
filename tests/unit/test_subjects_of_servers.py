"""A record that names another server's patient is not this patient's, whatever the search that found it says."""

import pytest

from cds_service.facts.record import Read
from cds_service.gather.assemble import Harvest, assemble
from cds_service.gather.subjects import ANOTHER, PatientNames, whose

BASE = "https://ehr.invalid/fhir"
P1 = PatientNames("p1")  # as read from a server: without a full URL


def of(reference):
    return {"resourceType": "Observation", "id": "o1", "subject": {"reference": reference}}


@pytest.mark.parametrize(
    ("reference", "base", "cause"),
    [
        ("Patient/p1", BASE, ""),
        (f"{BASE}/Patient/p1", BASE, ""),
        ("https://EHR.invalid/fhir/Patient/p1/_history/2", BASE, ""),
        ("https://elsewhere.invalid/fhir/Patient/p1", BASE, ANOTHER),
        (f"{BASE}/tenant-2/Patient/p1", BASE, ANOTHER),
        ("https://elsewhere.invalid/fhir/Patient/p1", "", ""),  # nothing tells which server's record it is
        ("Patient/p2", BASE, ANOTHER),
    ],
)
def test_whose(reference, base, cause):
    assert whose(of(reference), P1, base) == cause


def test_a_full_url_of_the_patient_decides_where_there_is_one():
    names = PatientNames("p1", "https://elsewhere.invalid/fhir/Patient/p1")
    assert whose(of("https://elsewhere.invalid/fhir/Patient/p1"), names, BASE) == ""


def test_a_search_that_answers_with_it_is_incomplete():
    entries = ((f"{BASE}/Observation/o1", of("https://elsewhere.invalid/fhir/Patient/p1")),)
    record = assemble(None, P1, [Harvest(entries, Read(), "Observation")])
    assert record.resources.get("Observation", ()) == ()
    assert not record.reads["Observation"].complete
    assert dict(record.set_aside) == {ANOTHER: 1}
