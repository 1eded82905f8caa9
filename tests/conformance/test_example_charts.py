"""Every example chart, opened as an EHR would: who gets a card, and who does not."""

from datetime import date
from pathlib import Path
from uuid import UUID

import pytest
from fhir.resources.R4B.servicerequest import ServiceRequest
from ruamel.yaml import YAML

from cds_service.bootstrap import build
from cds_service.cli.demo_ehr import prefetch_of
from cds_service.gather.json_text import read_json
from cds_service.present.json_text import to_json
from cds_service.settings import load_settings
from cds_service.web import create_app

EXAMPLES = Path(__file__).resolve().parents[2] / "fhir_examples"
STORIES = sorted(path.parent.name for path in EXAMPLES.glob("patients/*/bundle.json"))
URL = "/cds-services/npc-trials-patient-view"
# Needs data, and yet nothing that a chart should say: no primary tumour recorded, or no sign of distant spread.
SILENT = {"empty-problem-list", "neck-nodes-only"}


@pytest.fixture(scope="module")
def services():
    return build(load_settings(mode="open"), clock=lambda: date(2026, 3, 1))


def open_chart(services, body):
    client = create_app(services).test_client()
    return client.post(URL, data=body if isinstance(body, bytes) else to_json(body), content_type="application/json")


@pytest.mark.parametrize("story", STORIES)
def test_who_gets_a_card(services, story):
    folder = EXAMPLES / "patients" / story
    bundle = read_json((folder / "bundle.json").read_bytes(), max_bytes=2**24)
    expected = YAML(typ="safe").load(folder / "expected.yaml")
    patient = next(e["resource"]["id"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
    body = {
        "hook": "patient-view",
        "hookInstance": str(UUID(int=1)),
        "context": {"userId": "Practitioner/example", "patientId": patient},
        "prefetch": prefetch_of(bundle, services.rules.plan.templates),
    }
    response = open_chart(services, body)
    assert response.status_code == 200
    cards = response.get_json()["cards"]
    if expected["status"] in ("not-now", "excluded") or story in SILENT:
        assert cards == []
        return
    (card,) = cards
    assert len(card["summary"]) < 140
    assert card["summary"].startswith("May be a candidate") is (expected["status"] == "candidate")
    assert "exclusion criteria not encoded" in card["detail"]
    for suggestion in card.get("suggestions", []):
        ServiceRequest.model_validate(suggestion["actions"][0]["resource"])


def test_the_lab_that_decides_is_named_and_can_be_ordered(services):
    bundle = read_json((EXAMPLES / "patients/stale-bilirubin/bundle.json").read_bytes(), max_bytes=2**24)
    body = {
        "hook": "patient-view",
        "hookInstance": str(UUID(int=1)),
        "context": {"userId": "Practitioner/example", "patientId": "stale-bilirubin"},
        "prefetch": prefetch_of(bundle, services.rules.plan.templates),
    }
    (card,) = open_chart(services, body).get_json()["cards"]
    assert "total bilirubin decides" in card["summary"]
    coding = card["suggestions"][0]["actions"][0]["resource"]["code"]["coding"][0]
    assert (coding["system"], coding["code"]) == ("http://loinc.org", "1975-2")


def test_the_example_requests(services):
    full = open_chart(services, (EXAMPLES / "hooks/patient-view.full-prefetch.json").read_bytes())
    assert full.get_json()["cards"][0]["summary"].startswith("May be a candidate")
    (card,) = open_chart(services, (EXAMPLES / "hooks/patient-view.failed-labs.json").read_bytes()).get_json()["cards"]
    assert "could not be read" in card["summary"]
    assert "suggestions" not in card
    for said_of_missing_tests in ("nothing on record", "too old"):
        assert said_of_missing_tests not in card["detail"]


def test_the_templates_ask_for_what_the_rules_need(services):
    template = services.rules.plan.templates["observations"]
    for code in ("718-7", "1975-2", "89247-1"):
        assert f"http://loinc.org|{code}" in template
    assert len(template) < 8000
