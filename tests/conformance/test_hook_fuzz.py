"""Whatever a client sends, with the real rules behind: an answer or a plain refusal, never a defect."""

import copy
import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds_service.bootstrap import build
from cds_service.settings import load_settings
from cds_service.web import create_app

EXAMPLES = Path(__file__).resolve().parents[2] / "fhir_examples"
URL = "/cds-services/npc-trials-patient-view"
HOOK = json.loads((EXAMPLES / "hooks" / "patient-view.full-prefetch.json").read_text())
ORDER = json.loads((EXAMPLES / "hooks" / "order-select.cetuximab.json").read_text())
# Mostly what is ordered: the record is spoilt by the call above.
ORDER["prefetch"] = {key: ORDER["prefetch"][key] for key in ("patient", "conditions")}
BUNDLE = json.loads((EXAMPLES / "patients" / "stale-bilirubin" / "bundle.json").read_text())

odd = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**6), max_value=10**6).map(float)
    | st.sampled_from(
        ["", "2026-02-30", "9999", "Patient/candidate", "http://loinc.org", "final", "<b>", "1e999", "\u202e"]
    )
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["code", "value", "system"]), inner),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def client():
    services = build(load_settings(mode="open"), clock=lambda: date(2026, 3, 1))
    return create_app(services).test_client()


@st.composite
def spoilt(draw, body):
    """Return the body with some elements, anywhere in it, replaced or removed."""
    spoilt_body = copy.deepcopy(body)
    for _ in range(draw(st.integers(1, 4))):
        place = spoilt_body
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            below = place[key]
            if isinstance(below, (dict, list)) and below and draw(st.integers(0, 9)):
                place = below
                continue
            if draw(st.booleans()) and isinstance(place, dict):
                del place[key]
            else:
                place[key] = draw(odd)
            break
    return spoilt_body


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(body=spoilt(HOOK))
def test_any_hook_call(client, body):
    response = client.post(URL, json=body)
    assert response.status_code in (200, 400, 412), response.get_json()
    if response.status_code == 200:
        assert all(len(card["summary"]) < 140 for card in response.get_json()["cards"])
    else:
        assert response.get_json()["resourceType"] == "OperationOutcome"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(body=spoilt(ORDER))
def test_any_order(client, body):
    response = client.post("/cds-services/npc-trials-order-select", json=body)
    assert response.status_code in (200, 400, 412), response.get_json()
    if response.status_code == 200:
        assert all(len(card["summary"]) < 140 for card in response.get_json()["cards"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(body=spoilt(BUNDLE))
def test_any_bundle(client, body):
    response = client.post("/api/evaluate?as_of=2026-03-01", json=body)
    assert response.status_code in (200, 400), response.get_json()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=odd)
def test_any_json(client, body):
    for path in (URL, "/api/evaluate"):
        sent = client.post(path, data=json.dumps(body), content_type="application/json")
        assert sent.status_code == 400
