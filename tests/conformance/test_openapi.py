"""The served OpenAPI file: valid, in step with the routes, and whatever it lets a client send is answered."""

import json
import logging
import os
import re
from datetime import date
from pathlib import Path
from uuid import UUID

import jsonschema_rs
import pytest
import schemathesis
from door_fakes import bundle, hook, services
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cds_service.bootstrap import build
from cds_service.settings import load_settings
from cds_service.web import create_app
from cds_service.web.correlation import Correlated
from cds_service.web.openapi import describe

# Cases of each POST, as described and not as described: 24 make more than 500, `make fuzz` takes ten times as many.
EXAMPLES = int(os.environ.get("OPENAPI_EXAMPLES", "24"))
URL = "/cds-services/npc-trials-patient-view"
APP = create_app(build(load_settings(mode="open"), clock=lambda: date(2026, 3, 1)))
DRAWN = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
SCHEMA = schemathesis.openapi.from_wsgi("/openapi.json", APP)
OPERATIONS = {operation.ok().label: operation.ok() for operation in SCHEMA.get_all_operations()}
POSTS = [label for label in OPERATIONS if label.startswith("POST")]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture
def client():
    return create_app(services()[0]).test_client()


def test_it_is_served_and_says_nothing_of_a_patient(client):
    response = client.get("/openapi.json")
    assert (response.status_code, response.mimetype) == (200, "application/json")
    served = response.get_json()
    assert served["openapi"] == "3.1.0"
    SCHEMA.validate()
    for schema in served["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


def test_it_is_read_when_it_is_first_asked_for_and_once(monkeypatch):
    """Reading the YAML takes longer than all else of an app; few ask for it."""
    asked = []
    monkeypatch.setattr("cds_service.web.openapi.describe", lambda given: asked.append(given) or describe(given))
    client = create_app(services()[0]).test_client()
    assert asked == []
    first, second = client.get("/openapi.json"), client.get("/openapi.json")
    assert first.data == second.data
    assert len(asked) == 1


def test_it_describes_the_routes():
    described = {
        (method.upper(), path)
        for path, item in describe(load_settings(mode="open"))["paths"].items()
        for method in item
    }
    offered = {service.id for service in load_settings(mode="open").services}
    routed = set()
    for rule in APP.url_map.iter_rules():
        for method in rule.methods - {"OPTIONS", "HEAD"}:
            if "<service_id>" in rule.rule:
                routed |= {(method, rule.rule.replace("<service_id>", name)) for name in offered}
            else:
                routed.add((method, rule.rule))
    for_people = {
        (method, path)
        for method, path in routed
        if path in ("/", "/healthz") or path.startswith(("/simulator", "/static", "/worklist"))
    }
    assert described == routed - for_people


def test_verified_mode_asks_for_a_token_and_hides_the_api():
    settings_ = load_settings(mode="verified", public_base_url="https://cds.example.org")
    whole = describe(settings_)
    assert whole["security"] == [{"ehr": []}]
    assert whole["servers"] == [{"url": "https://cds.example.org"}]
    assert "/api/evaluate" not in whole["paths"]
    assert whole["paths"]["/livez"]["get"]["security"] == []
    assert "/api/evaluate" in describe(settings_.model_copy(update={"api": True}))["paths"]


@pytest.mark.slow
@pytest.mark.parametrize("label", OPERATIONS)
def test_whatever_it_allows_is_answered(label):
    """No 5xx, and every answer as described; nothing listens where a drawn fhirServer could point."""
    operation = OPERATIONS[label]

    @DRAWN
    @given(case=operation.as_strategy())
    def run(case):
        case.call_and_validate(checks=CHECKS)

    run()


@pytest.mark.slow
@pytest.mark.parametrize("label", POSTS)
def test_whatever_it_does_not_allow_is_refused_without_a_defect(label):
    operation = OPERATIONS[label]

    @DRAWN
    @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE))
    def run(case):
        case.call_and_validate(checks=[not_a_server_error, content_type_conformance, response_schema_conformance])

    run()


def test_there_are_cases_enough():
    assert 2 * len(POSTS) * EXAMPLES >= 500


def test_the_examples_keep_to_it():
    """The example calls are as described; with data that cannot be had the answer is 412, as described."""
    examples = Path(__file__).resolve().parents[2] / "fhir_examples" / "hooks"
    client = APP.test_client()
    for path in sorted(examples.glob("*.json")):
        body = json.loads(path.read_text(encoding="utf-8"))
        operation = OPERATIONS[f"POST /cds-services/npc-trials-{body['hook']}"]
        validator = jsonschema_rs.validator_for(_whole(operation.definition.raw["requestBody"]))
        assert validator.is_valid(body), path.name
        body.pop("prefetch", None)
        body.pop("fhirServer", None)
        body.pop("fhirAuthorization", None)
        response = client.post(f"/cds-services/npc-trials-{body['hook']}", json=body)
        assert response.status_code == 412
        outcome = response.get_json()
        described = describe(load_settings(mode="open"))["components"]["schemas"]["OperationOutcome"]
        assert jsonschema_rs.is_valid(described, outcome)


def _whole(request_body):
    """Return a body's schema with everything it refers to."""
    schema = request_body["content"]["application/json"]["schema"]
    return {**schema, "components": describe(load_settings(mode="open"))["components"]}


# --- the id of a request


def test_every_answer_has_an_id_of_its_own(client):
    paths = ("/", "/livez", "/cds-services", "/nowhere", "/openapi.json")
    ids = [client.get(path).headers["X-Correlation-Id"] for path in (*paths, *paths)]
    assert len({UUID(one) for one in ids}) == len(ids)
    assert client.options(URL).headers["X-Correlation-Id"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("GET", "/nowhere", None), ("POST", URL, {}), ("DELETE", URL, None), ("POST", URL, hook(prefetch={}))],
)
def test_an_error_carries_the_id_of_its_answer(client, method, path, body):
    response = client.open(path, method=method, json=body)
    assert response.status_code >= 400
    assert response.get_json()["id"] == response.headers["X-Correlation-Id"]


def test_the_callers_own_id_is_not_taken(client):
    sent = {"X-Correlation-Id": "Zhang-San", "X-Request-Id": "Zhang-San", "traceparent": "Zhang-San"}
    response = client.get("/nowhere", headers=sent)
    assert b"Zhang" not in response.data
    assert "Zhang" not in str(response.headers)


def test_the_log_names_the_request(caplog):
    def broken(_record):
        raise KeyError("Zhang San")

    caplog.handler.addFilter(marked := Correlated())
    try:
        with caplog.at_level(logging.INFO, "cds_service"):
            response = create_app(services(broken)[0]).test_client().post(URL, json=hook())
            logging.getLogger("cds_service").info("outside of any request")
    finally:
        caplog.handler.removeFilter(marked)
    *inside, outside = (record.correlation for record in caplog.records)
    assert response.status_code == 500
    assert len(inside) >= 2
    assert set(inside) == {response.headers["X-Correlation-Id"]}
    assert outside == "-"


def test_a_served_application_logs_the_id(capfd):
    from cds_service.web.correlation import start_logging

    root = logging.getLogger()
    held, level = root.handlers[:], root.level
    root.handlers[:] = []
    try:
        start_logging()
        response = create_app(services()[0]).test_client().post("/api/evaluate", json=bundle())
    finally:
        root.handlers[:] = held
        root.setLevel(level)
    written = capfd.readouterr().err
    assert re.search(rf"INFO cds_service.web {response.headers['X-Correlation-Id']} POST /api/evaluate 400", written)
