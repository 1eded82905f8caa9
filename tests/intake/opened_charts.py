"""Charts of the examples opened by a hook, and who is on the list then: what the tests of the intake share."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from flask.testing import FlaskClient

from cds_service.cli.demo_ehr import prefetch_of
from cds_service.evaluation.attested import Attestation
from cds_service.evaluation.outcome import Verdict
from cds_service.gather.json_text import read_json
from cds_service.screening.patient import Rules
from cds_service.store.worklist import Entry, Wanted
from cds_service.store.worklist_store import WorklistStore

NPC = "NCT07235319"
DAY = date(2026, 3, 1)
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
STORIES = Path(__file__).parents[2] / "fhir_examples" / "patients"
FHIR = "http://127.0.0.1:9/fhir"  # named, never asked: prefetch has all


def bundle(story: str) -> dict[str, Any]:
    found: dict[str, Any] = read_json((STORIES / story / "bundle.json").read_bytes(), max_bytes=10**7, what="story")
    return found


def call(
    client: FlaskClient, rules: Rules, story: str | dict[str, Any], *, server: str = FHIR, hook: str = "patient-view"
) -> list[dict[str, Any]]:
    """Open a chart with prefetch; return the cards."""
    body = bundle(story) if isinstance(story, str) else story
    patient = next(e["resource"]["id"] for e in body["entry"] if e["resource"]["resourceType"] == "Patient")
    context: dict[str, Any] = {"userId": "Practitioner/abc", "patientId": patient}
    if hook == "order-sign":
        context["draftOrders"] = {"resourceType": "Bundle", "entry": [{"resource": _radiotherapy(patient)}]}
    request = {
        "hook": hook,
        "hookInstance": str(uuid4()),
        "context": context,
        "prefetch": json.loads(json.dumps(prefetch_of(body, rules.plan.templates), default=float)),
        **({"fhirServer": server} if server else {}),
    }
    answer = client.post(f"/cds-services/npc-trials-{hook}", json=request)
    assert answer.status_code == 200, answer.text
    cards: list[dict[str, Any]] = answer.get_json()["cards"]
    return cards


def _radiotherapy(patient: str) -> dict[str, Any]:
    return {
        "resourceType": "ServiceRequest",
        "id": "order1",
        "status": "draft",
        "intent": "order",
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "108290001"}], "text": "Radiotherapy"},
        "bodySite": [{"coding": [{"system": "http://snomed.info/sct", "code": "71836000"}], "text": "Nasopharynx"}],
        "subject": {"reference": f"Patient/{patient}"},
    }


def on_list(worklist: WorklistStore) -> list[Entry]:
    return list(worklist.entries(NPC, wanted=Wanted(size=100)).entries)


def born(story: str, day: str | None, gender: str | None = None) -> dict[str, Any]:
    body = bundle(story)
    patient = next(e["resource"] for e in body["entry"] if e["resource"]["resourceType"] == "Patient")
    patient.update({name: value for name, value in (("birthDate", day), ("gender", gender)) if value})
    return body


def timed_out(client: FlaskClient, rules: Rules, body: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Open a chart of which a type can not be read."""
    patient = next(e["resource"]["id"] for e in body["entry"] if e["resource"]["resourceType"] == "Patient")
    templates = {name: text for name, text in rules.plan.templates.items() if not text.startswith(f"{kind}?")}
    assert len(templates) < len(rules.plan.templates)
    request = {
        "hook": "patient-view",
        "hookInstance": str(uuid4()),
        "context": {"userId": "Practitioner/abc", "patientId": patient},
        "prefetch": json.loads(json.dumps(prefetch_of(body, templates), default=float)),
        "fhirServer": FHIR,
    }
    answer = client.post("/cds-services/npc-trials-patient-view", json=request)
    cards: list[dict[str, Any]] = answer.get_json()["cards"]
    return cards


def hemoglobin(body: dict[str, Any]) -> dict[str, Any]:
    return next(
        one["resource"]
        for one in body["entry"]
        if any(c["code"] in ("718-7", "20509-6", "30350-3") for c in one["resource"].get("code", {}).get("coding", ()))
    )


def said(entry: Entry, verdict: Verdict = Verdict.PASS, until: date = DAY + timedelta(days=9)) -> Attestation:
    name = entry.latest.brief["to_confirm"][0]
    return Attestation(NPC, name, entry.latest.gate, verdict, "Dr Li", DAY, until)
