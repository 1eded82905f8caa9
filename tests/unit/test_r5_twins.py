"""An R5 server's chart is read to the verdicts of its R4 twin: the readers go by what a resource holds."""

import json
import re
from urllib.parse import urlsplit

import pytest
import responses
from click.testing import CliRunner

from cds_service.bootstrap import load_rules
from cds_service.cli import main
from cds_service.gather.bundle import read_bundle
from cds_service.gather.chart import read_chart
from cds_service.gather.client import FhirClient
from cds_service.gather.deadline import Deadline
from cds_service.gather.origin import Origin
from cds_service.gather.transport import Transport, make_session
from cds_service.web.example_stories import example_stories

BASE = "https://r5.invalid/fhir"
RULES = load_rules()
STORIES = {story.name: story for story in example_stories()}

# Source: hl7.org/fhir/R5, "R4 to R5" of each page: what became of elements that we read.
RENAMED = {
    "MedicationAdministration": {"effective": "occurence"},  # R5's own spelling
    "Procedure": {"performed": "occurrence"},
}
ADHERENCE = {
    "not-taken": "not-taking",
    "on-hold": "on-hold",
    "stopped": "stopped",
    "completed": "stopped",  # R5 has no word for a course that was taken to its end
    "active": "taking-as-directed",
}


def as_r5(resource):
    """Return an R4 resource as R5 has it."""
    kind = resource["resourceType"]
    later = {}
    for name, value in resource.items():
        for old, new in RENAMED.get(kind, {}).items():
            name = re.sub(rf"^{old}(?=[A-Z])", new, name)
        if name in ("medicationCodeableConcept", "medicationReference"):
            later["medication"] = {"concept" if name.endswith("Concept") else "reference": value}
        elif name in ("reasonCode", "reasonReference"):
            part = "concept" if name == "reasonCode" else "reference"
            later.setdefault("reason", []).extend({part: one} for one in value)
        elif kind == "MedicationStatement" and name == "status" and value != "entered-in-error":
            later["status"] = "recorded"
            if value in ADHERENCE:
                later["adherence"] = {"code": {"coding": [{"code": ADHERENCE[value]}]}}
        else:
            later[name] = value
    return later


def resources(story):
    return [one["resource"] for one in json.loads(story.bundle.read_text(encoding="utf-8"))["entry"]]


def chart_of(patient, seconds=5.0):
    client = FhirClient(Origin.of(BASE), Transport(make_session(), Deadline.after(seconds), 2**20))
    return read_chart({}, RULES.plan, patient, client)


def judged(record, story):
    return RULES.judge(record, RULES.library, as_of=story.as_of).trials


@pytest.fixture
def serve():
    """Serve resources as an R5 server; it looks at no parameter but `_id`."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:

        def start(held):
            def answer(request):
                kind, _, name = urlsplit(request.url).path.removeprefix("/fhir/").partition("/")
                found = [one for one in held if one["resourceType"] == kind and name in ("", one["id"])]
                body = {"resourceType": "Bundle", "total": len(found), "entry": [{"resource": one} for one in found]}
                return (200, {}, json.dumps(found[0] if name else body)) if found or not name else (404, {}, "{}")

            metadata = {"resourceType": "CapabilityStatement", "fhirVersion": "5.0.0"}
            web.get(f"{BASE}/metadata", json=metadata)
            web.add_callback(responses.GET, re.compile(rf"{BASE}/[A-Z].*"), answer)

        yield start


@pytest.mark.parametrize("name", STORIES)
def test_a_story_and_its_twin(serve, name):
    story = STORIES[name]
    first = resources(story)
    twins = [as_r5(one) for one in first]
    serve(twins)
    patient = next(one["id"] for one in first if one["resourceType"] == "Patient")
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in first]}
    record = chart_of(patient)
    assert all(read.complete for read in record.reads.values())
    assert judged(record, story) == judged(read_bundle(bundle), story)


def test_the_twins_are_others():
    """What the stories hold changes between the releases, so that the test above tells something."""
    changed = {one["resourceType"] for story in STORIES.values() for one in resources(story) if as_r5(one) != one}
    assert changed >= {"MedicationAdministration", "MedicationStatement", "Procedure"}


@pytest.mark.parametrize("status", [*ADHERENCE, "entered-in-error"])
@pytest.mark.parametrize("kind", ["MedicationStatement", "MedicationRequest", "MedicationAdministration"])
@pytest.mark.parametrize("drug", ["inline", "referenced"])
def test_a_drug_and_its_twin(serve, kind, status, drug):
    story = STORIES["candidate"]
    concept = {"coding": [{"system": "http://www.whocc.no/atc", "code": "L01XA01"}]}
    drugs = {
        "inline": {"medicationCodeableConcept": concept},
        "referenced": {"medicationReference": {"reference": "Medication/m"}},
    }
    patient = next(one["id"] for one in resources(story) if one["resourceType"] == "Patient")
    given = {
        "resourceType": kind,
        "id": "d",
        "status": status,
        "subject": {"reference": f"Patient/{patient}"},
        "effectivePeriod": {"start": "2026-02-01", "end": "2026-02-02"},
        **drugs[drug],
    }
    if kind == "MedicationRequest":
        given |= {"intent": "order", "authoredOn": given.pop("effectivePeriod")["start"]}
    first = [*resources(story), given, {"resourceType": "Medication", "id": "m", "code": concept}]
    serve([as_r5(one) for one in first])
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in first]}
    assert judged(chart_of(patient), story) == judged(read_bundle(bundle), story)


def test_the_doctor_names_the_release(serve):
    story = STORIES["candidate"]
    serve([as_r5(one) for one in resources(story)])
    done = CliRunner().invoke(main, ["doctor", BASE, "--format", "json", "--as-of", story.as_of.isoformat()])
    findings = {one["check"]: one for one in json.loads(done.stdout)["findings"]}
    assert (findings["FHIR release"]["result"], findings["FHIR release"]["told"]) == ("ok", "R5")
    assert findings["chart as for a card"]["result"] == "ok"
