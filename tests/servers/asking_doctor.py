"""What the tests of the doctor share: how it is asked, and what it found."""

import json

import pytest
import responses
from click.testing import CliRunner

from cds_service.bootstrap import load_rules
from cds_service.cli import main
from cds_service.facts.record import RESOURCE_TYPES
from cds_service.web.example_stories import example_stories

STORIES = {story.name: story for story in example_stories()}
STALE = STORIES["stale-bilirubin"]
BASE = "https://ehr.invalid/fhir"
R4 = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}
KINDS = RESOURCE_TYPES
RULES = load_rules()


def bundle(story):
    return json.loads(story.bundle.read_text(encoding="utf-8"))


def patient_of(story):
    return next(e["resource"]["id"] for e in bundle(story)["entry"] if e["resource"]["resourceType"] == "Patient")


def run(*arguments):
    return CliRunner().invoke(main, ["doctor", *arguments])


def diagnose(*arguments):
    """Return the findings by name, and the exit code."""
    done = run(*arguments, "--format", "json", "--as-of", STALE.as_of.isoformat())
    told = json.loads(done.stdout)
    assert told["passed"] is (done.exit_code == 0)
    return {one["check"]: one for one in told["findings"]}, done.exit_code


def results(findings):
    return {check: one["result"] for check, one in findings.items()}


@pytest.fixture(autouse=True)
def rules_loaded_once(monkeypatch):
    monkeypatch.setattr("cds_service.cli.doctor.load_rules", lambda _site: RULES)


@pytest.fixture
def web():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock
