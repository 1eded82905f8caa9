"""The FHIR of a run: valid R4, required codes from the closed lists, and no reference that leads nowhere."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from run_maker import NPC, line_of, rules, story_outcomes, write_run

from cds_service.present.cohort.outputs import write_outputs

RULES = rules()
LIBRARY = RULES.library
TRIALS = tuple(LIBRARY.trials)
OUTCOMES = story_outcomes(RULES, TRIALS)
# The required value sets. Source: http://hl7.org/fhir/R4/valueset-research-subject-status.html, -list-status,
# -list-mode, -group-type, -measure-report-status, -measure-report-type, -publication-status, -http-verb.
CODES = {
    ("ResearchSubject", "status"): {
        *("candidate", "eligible", "follow-up", "ineligible", "not-registered", "off-study", "on-study"),
        *("on-study-intervention", "on-study-observation", "pending-on-study", "potential-candidate", "screening"),
        "withdrawn",
    },
    ("List", "status"): {"current", "retired", "entered-in-error"},
    ("List", "mode"): {"working", "snapshot", "changes"},
    ("Group", "type"): {"person", "animal", "practitioner", "device", "medication", "substance"},
    ("MeasureReport", "status"): {"complete", "pending", "error"},
    ("MeasureReport", "type"): {"individual", "subject-list", "summary", "data-collection"},
    ("Measure", "status"): {"draft", "active", "retired", "unknown"},
}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    run = write_run(tmp_path_factory.mktemp("fhir") / "run", map(line_of, OUTCOMES), LIBRARY, TRIALS)
    files = write_outputs(run, LIBRARY, ["fhir"])
    return {path.name.removesuffix(".fhir.json"): json.loads(path.read_text(encoding="utf-8")) for path in files}


def of_type(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == kind]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


@pytest.mark.parametrize("trial", TRIALS)
def test_valid_r4(bundles, trial):
    bundle = bundles[trial]
    Bundle.model_validate(bundle)
    for entry in bundle["entry"]:
        resource = entry["resource"]
        assert entry["request"] == {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}
        for (kind, element), allowed in CODES.items():
            if resource["resourceType"] == kind:
                assert resource[element] in allowed


@pytest.mark.parametrize("trial", TRIALS)
def test_references_lead_somewhere(bundles, trial):
    bundle = bundles[trial]
    inside = [f"{one['resource']['resourceType']}/{one['resource']['id']}" for one in bundle["entry"]]
    assert len(inside) == len(set(inside))
    patients = {one.patient for one in OUTCOMES}
    assert set(references(bundle)) <= {*inside, *patients}
    measures = {one["url"] for one in of_type(bundle, "Measure")}
    assert {one["measure"] for one in of_type(bundle, "MeasureReport")} == measures


@pytest.mark.parametrize("trial", TRIALS)
def test_who_is_in_it(bundles, trial):
    status = {
        one.patient: result.status.value
        for one in OUTCOMES
        for result in one.trials
        if result.trial.id == trial and not any(c.criterion.trigger and c.verdict != "pass" for c in result.criteria)
    }
    candidates = {name for name, one in status.items() if one == "candidate"}
    waiting = {name for name, one in status.items() if one == "needs-data"}
    bundle = bundles[trial]
    (listed,), (group,) = of_type(bundle, "List"), of_type(bundle, "Group")
    assert {one["item"]["reference"] for one in listed.get("entry", [])} == candidates
    assert {one["entity"]["reference"] for one in group.get("member", [])} == candidates | waiting
    assert group["quantity"] == len(candidates | waiting)
    subjects = of_type(bundle, "ResearchSubject")
    assert {one["individual"]["reference"] for one in subjects} == candidates
    assert {one["status"] for one in subjects} <= {"candidate"}
    unpublished = LIBRARY.trials[trial].exclusions == "not-published"
    for one in (listed, *of_type(bundle, "ResearchStudy")):
        assert ("not encoded" in str(one.get("note"))) == unpublished


def test_the_order_of_the_list_and_the_study(bundles):
    (listed,) = of_type(bundles[NPC], "List")
    assert [one["item"]["reference"] for one in listed["entry"]][:3] == [
        "Patient/sintilimab-by-name",
        "Patient/after-5-cycles-pr",
        "Patient/candidate",
    ]
    (study,) = of_type(bundles[NPC], "ResearchStudy")
    assert study["identifier"] == [{"system": "http://clinicaltrials.gov", "value": NPC}]
    assert study["phase"]["coding"][0]["code"] == "phase-3"
    assert "status" not in study, "no rule file knows whether a trial recruits"


def test_the_funnel_as_a_measure_report(bundles):
    found: Counter[str] = Counter()
    for report in of_type(bundles[NPC], "MeasureReport"):
        left = None
        for group in report["group"]:
            entered, passed, unknown, failed = (one["count"] for one in group["population"])
            assert entered == passed + unknown + failed
            if left is not None:
                assert entered == left
            left = passed if group["id"] == "trigger" else entered - failed
        found["patients"] += report["group"][0]["population"][0]["count"]
        found["left"] += left or 0
    (group,) = of_type(bundles[NPC], "Group")
    assert found == {"patients": len(OUTCOMES), "left": group["quantity"]}


def test_a_patient_without_an_id_is_named_and_not_referred_to(tmp_path: Path):
    urn = "urn:uuid:0b1f2a5e-6f0c-4f0e-9f6e-6c1f6d1c2b3a"
    lines = [{**line_of(one), "patient": urn} for one in OUTCOMES if one.patient == "Patient/candidate"]
    (path, *_rest) = write_outputs(write_run(tmp_path / "run", lines, LIBRARY), LIBRARY, ["fhir"])
    bundle = json.loads(path.read_text(encoding="utf-8"))
    Bundle.model_validate(bundle)
    inside = {one["request"]["url"] for one in bundle["entry"]}
    assert set(references(bundle)) <= inside
    (listed,), (group,) = of_type(bundle, "List"), of_type(bundle, "Group")
    (subject,) = of_type(bundle, "ResearchSubject")
    named = (listed["entry"][0]["item"], group["member"][0]["entity"], subject["individual"])
    assert named == ({"display": urn},) * 3


def test_a_second_run_gives_the_same_ids(bundles, tmp_path: Path):
    run = write_run(tmp_path / "run", map(line_of, reversed(OUTCOMES)), LIBRARY, TRIALS)
    (path, *_rest) = write_outputs(run, LIBRARY, ["fhir"])
    assert json.loads(path.read_text(encoding="utf-8")) == bundles[TRIALS[0]]
