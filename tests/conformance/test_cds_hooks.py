"""The CDS Hooks 2.0 service as a client sees it: discovery, calls, errors, CORS."""

import json
import logging
from decimal import Decimal

import pytest
import responses
from door_fakes import (
    AS_OF,
    FAILED,
    KEYS,
    PATIENT,
    bundle,
    condition,
    full_prefetch,
    hook,
    outcome,
    searchset,
    services,
)
from fhir.resources.R4B.operationoutcome import OperationOutcome
from flask.testing import FlaskClient

from cds_service.web import create_app

URL = "/cds-services/npc-trials-patient-view"
BASE = "http://127.0.0.1:9999/fhir"


def make(judge=None, **settings) -> FlaskClient:
    built, _seen = services(judge, **settings)
    return create_app(built).test_client()


@pytest.fixture
def client() -> FlaskClient:
    return make()


def refused(response, status, field=None):
    assert response.status_code == status
    assert response.mimetype == "application/fhir+json"
    issue = OperationOutcome.model_validate(response.get_json()).issue[0]
    assert issue.severity == "error"
    if field is not None:
        assert issue.expression == [field]
    return issue


# --- discovery ------------------------------------------------------------------------------------------------


def test_discovery(client):
    response = client.get("/cds-services")
    assert response.status_code == 200
    assert response.mimetype == "application/json"
    service = response.get_json()["services"][0]
    assert service["id"] == "npc-trials-patient-view"
    assert service["hook"] == "patient-view"
    assert all(isinstance(service[key], str) and service[key] for key in ("title", "description", "usageRequirements"))
    assert service["version"].count(".") == 2
    assert list(service["prefetch"]) == ["patient", *KEYS]
    for template in service["prefetch"].values():
        assert template.count("{{") == 1
        assert "{{context.patientId}}" in template
        assert not template.startswith(("http", "/"))
        names = [part.partition("=")[0] for part in template.partition("?")[2].split("&")]
        assert len(names) == len(set(names))


# --- calls ----------------------------------------------------------------------------------------------------


def test_a_call_answers_cards(client):
    response = client.post(URL, json=hook())
    assert response.status_code == 200
    assert response.mimetype == "application/json"
    (card,) = response.get_json()["cards"]
    assert card["indicator"] == "info"


def test_nothing_to_say_is_an_empty_list():
    response = make(outcome()).post(URL, json=hook())
    assert (response.status_code, response.get_json()) == (200, {"cards": []})


def test_the_same_call_gives_the_same_answer(client):
    assert client.post(URL, json=hook()).data == client.post(URL, json=hook()).data
    other = hook(hookInstance="11577c69-dfbe-44ad-ba6d-3e05e953b2ea")
    assert client.post(URL, json=hook()).data != client.post(URL, json=other).data


def test_takes_what_clients_add(client):
    body = hook(
        extension={"com.epic.cdshooks.request.bpa-trigger-action": "60"},
        unknown=[1],
        context={"userId": "PractitionerRole/a.b-1", "patientId": "p1", "encounterId": "e1", "more": {}},
    )
    assert client.post(URL, json=body).status_code == 200
    assert client.post(URL, json=hook(fhirServer=None, fhirAuthorization=None)).status_code == 200
    typed = client.post(URL, data=json.dumps(hook()), content_type="application/fhir+json; charset=UTF-8")
    assert typed.status_code == 200


def test_a_token_sent_anyway_is_ignored_in_open_mode(client):
    for value in ("Bearer a.b.c", "Bearer", "Basic x", "nonsense"):
        assert client.post(URL, json=hook(), headers={"Authorization": value}).status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"hook": ...}, "hook"),
        ({"hook": "order-sign"}, "hook"),
        ({"hook": 1}, "hook"),
        ({"hookInstance": ...}, "hookInstance"),
        ({"hookInstance": "d1577c69"}, "hookInstance"),
        ({"hookInstance": "{d1577c69-dfbe-44ad-ba6d-3e05e953b2ea}"}, "hookInstance"),
        ({"hookInstance": 5}, "hookInstance"),
        ({"context": ...}, "context"),
        ({"context": []}, "context"),
        ({"context": {"patientId": "p1"}}, "context.userId"),
        ({"context": {"userId": "example", "patientId": "p1"}}, "context.userId"),
        ({"context": {"userId": "Device/1", "patientId": "p1"}}, "context.userId"),
        ({"context": {"userId": "Practitioner/1"}}, "context.patientId"),
        ({"context": {"userId": "Practitioner/1", "patientId": "Patient/p1"}}, "context.patientId"),
        ({"context": {"userId": "Practitioner/1", "patientId": ["p1"]}}, "context.patientId"),
        ({"context": {"userId": "Practitioner/1", "patientId": "p1", "encounterId": 4}}, "context.encounterId"),
        ({"prefetch": []}, "prefetch"),
        ({"prefetch": {"patient": "text"}}, "prefetch.patient"),
        ({"prefetch": {"mine": 5}}, "prefetch"),
        ({"fhirServer": "ehr.example/fhir"}, "fhirServer"),
        ({"fhirServer": 1}, "fhirServer"),
        ({"fhirServer": "http://127.0.0.1/fhir?x=1"}, "fhirServer"),
        ({"fhirAuthorization": {"access_token": "a", "token_type": "Bearer"}}, "fhirServer"),
        ({"fhirServer": BASE, "fhirAuthorization": "a"}, "fhirAuthorization"),
        ({"fhirServer": BASE, "fhirAuthorization": {"token_type": "Bearer"}}, "fhirAuthorization.access_token"),
        (
            {"fhirServer": BASE, "fhirAuthorization": {"access_token": "a\r\nX: b", "token_type": "Bearer"}},
            "fhirAuthorization.access_token",
        ),
        ({"fhirServer": BASE, "fhirAuthorization": {"access_token": "a"}}, "fhirAuthorization.token_type"),
        (
            {"fhirServer": BASE, "fhirAuthorization": {"access_token": "a", "token_type": "Bearer", "patient": "p2"}},
            "fhirAuthorization.patient",
        ),
    ],
)
def test_a_wrong_call_names_its_field(client, change, field):
    refused(client.post(URL, json=hook(**change)), 400, field)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b"5", b'{"hook": NaN}', b'{"a":1,"a":2}', b"[" * 5000, b"\xff"]
)
def test_what_is_no_request(client, data):
    refused(client.post(URL, data=data, content_type="application/json"), 400, "body")


def test_never_repeats_the_input(client):
    for data in ('{"Zhang San": }', json.dumps(hook(hook="Zhang San", prefetch={"Zhang San": 5}))):
        assert b"Zhang" not in client.post(URL, data=data, content_type="application/json").data
    assert b"Zhang" not in client.get("/Zhang").data
    assert b"Zhang" not in client.post("/cds-services/Zhang", json=hook()).data


def test_other_addresses_methods_and_types(client):
    refused(client.post("/cds-services/other", json=hook()), 404)
    refused(client.get("/nowhere"), 404)
    assert "POST" in client.get(URL).headers["Allow"]
    refused(client.get(URL), 405)
    refused(client.delete("/cds-services"), 405)
    refused(client.post("/cds-services", json={}), 405)
    for kind in ("text/plain", "application/xml", "", "application/json; charset=latin-1"):
        refused(client.post(URL, data=json.dumps(hook()), content_type=kind), 415)
    refused(client.post(URL, data=b"x", content_type="application/json", headers={"Content-Encoding": "gzip"}), 415)


def test_a_large_call_is_refused_and_one_at_the_limit_is_not():
    body = json.dumps(hook(extension={"padding": "x" * 2000})).encode()
    exact = make(max_hook_bytes=len(body))
    assert exact.post(URL, data=body, content_type="application/json").status_code == 200
    refused(exact.post(URL, data=body + b" ", content_type="application/json"), 413)
    refused(make().post(URL, data=b" " * 20_000_000, content_type="application/json"), 413)


@pytest.mark.parametrize(
    "prefetch",
    [
        {},
        {"patient": PATIENT},
        {"patient": None, "conditions": searchset(condition())},
        {"patient": FAILED, "conditions": searchset(condition())},
        {"patient": {**PATIENT, "id": "p2"}, "conditions": searchset(condition())},
        {"conditions": searchset(condition())},
        {"patient": PATIENT, **dict.fromkeys(KEYS, FAILED)},
    ],
)
def test_412_when_nothing_can_be_judged(client, prefetch):
    refused(client.post(URL, json=hook(prefetch=prefetch)), 412)
    if not prefetch:
        refused(client.post(URL, json=hook(prefetch=...)), 412)


def test_412_when_the_fhir_server_does_not_answer(client):
    with responses.RequestsMock():
        issue = refused(client.post(URL, json=hook(prefetch=..., fhirServer=BASE)), 412)
    assert "no connection" in issue.diagnostics


def test_asks_the_given_server_with_the_given_token():
    built, seen = services()
    with responses.RequestsMock() as web:
        web.get(
            f"{BASE}/Procedure",
            json=searchset({"resourceType": "Procedure", "id": "x", "subject": {"reference": "Patient/p1"}}),
        )
        prefetch = full_prefetch()
        del prefetch["procedures"]
        authorization = {"access_token": "abc", "token_type": "Bearer", "expires_in": 300, "scope": "s", "subject": "c"}
        body = hook(prefetch=prefetch, fhirServer=f"{BASE}/", fhirAuthorization=authorization)
        assert create_app(built).test_client().post(URL, json=body).status_code == 200
        assert web.calls[0].request.headers["Authorization"] == "Bearer abc"
    assert [source.reference for source in seen[0].resources["Procedure"]] == ["Procedure/x"]


def test_a_defect_is_told_without_its_message(caplog):
    def broken(_record):
        raise KeyError("Zhang San")

    with caplog.at_level(logging.INFO, "cds_service"):
        issue = refused(make(broken).post(URL, json=hook()), 500)
    assert issue.code == "exception"
    assert "Zhang" not in caplog.text + issue.diagnostics
    assert "KeyError" in caplog.text


def test_logs_hold_no_input(client, caplog):
    with caplog.at_level(logging.DEBUG):
        client.post(URL, json=hook(context={"userId": "Practitioner/Zhang", "patientId": "p1"}))
        client.post("/cds-services/Zhang", json=hook())
        client.post("/api/evaluate?trial=Zhang", json=bundle({**PATIENT, "name": [{"text": "Zhang"}]}))
    assert "Zhang" not in caplog.text
    assert caplog.text.count("cds_service.web") == 3


# --- CORS -----------------------------------------------------------------------------------------------------


def cors(response):
    return {name: value for name, value in response.headers.items() if name.startswith("Access-Control")}


def preflight(client, origin, path=URL):
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    return client.options(path, headers={"Origin": origin, **asked})


@pytest.mark.parametrize("origin", ["http://localhost:8080", "https://127.0.0.1", "http://[::1]:3000"])
def test_loopback_origins_in_open_mode(client, origin):
    response = preflight(client, origin)
    assert response.status_code == 200
    assert cors(response) == {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
        "Access-Control-Allow-Headers": "authorization, content-type",
        "Access-Control-Max-Age": "600",
    }
    for answer in (
        client.get("/cds-services", headers={"Origin": origin}),
        client.post(URL, json=hook(), headers={"Origin": origin}),
        client.post(URL, json={}, headers={"Origin": origin}),
        client.post("/cds-services/other", json={}, headers={"Origin": origin}),
    ):
        assert cors(answer) == {"Access-Control-Allow-Origin": origin}
        assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "*",
        "http://localhost.evil.example",
        "http://localhost:8080/path",
        "http://127.0.0.1@evil.example",
        "",
    ],
)
def test_other_origins_get_nothing(client, origin):
    assert cors(preflight(client, origin)) == {}
    assert cors(client.post(URL, json=hook(), headers={"Origin": origin})) == {}


def test_configured_origins_are_exact():
    client = make(cors_origins=("https://ehr.example",))
    assert cors(preflight(client, "https://ehr.example"))
    for origin in ("https://ehr.example.evil", "http://ehr.example", "https://ehr.example:444", "https://EHR.example"):
        assert cors(preflight(client, origin)) == {}


def test_the_api_is_not_for_other_pages(client):
    assert cors(client.post("/api/evaluate", json=bundle(PATIENT), headers={"Origin": "http://localhost:1"})) == {}


# --- the API and the pages ------------------------------------------------------------------------------------


def test_evaluate_answers_the_contract(client):
    response = client.post("/api/evaluate?trial=NCT00000001", json=bundle(PATIENT))
    body = json.loads(response.data, parse_float=Decimal)
    assert response.status_code == 200
    assert body["as_of"] == AS_OF.isoformat()
    assert body["results"][0]["trial"] == "NCT00000001"
    assert b'"value":12.10' in response.data


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("as_of=2026-02-30", 400, "as_of"),
        ("as_of=20260301", 400, "as_of"),
        ("as_of=", 400, "as_of"),
        ("as_of=2026-03-01&as_of=2026-03-02", 400, "as_of"),
        ("anchor=tomorrow", 400, "anchor"),
        ("anchor=2026-02-01", 400, "anchor"),
        ("asof=2026-03-01", 400, "query"),
        ("trial=NCT1", 404, "trial"),
    ],
)
def test_evaluate_refuses(client, query, status, field):
    refused(client.post(f"/api/evaluate?{query}", json=bundle(PATIENT)), status, field)


def test_evaluate_refuses_what_is_no_bundle(client):
    refused(client.post("/api/evaluate", json=PATIENT), 400, "resourceType")
    refused(client.post("/api/evaluate", json=bundle()), 400, "entry")
    refused(client.post("/api/evaluate", data="{}", content_type="text/plain"), 415)
    refused(client.get("/api/evaluate"), 405)


def test_the_index_and_the_sign_of_life(client):
    page = client.get("/")
    assert page.mimetype == "text/html"
    assert "/cds-services/npc-trials-patient-view" in page.text
    assert "NCT00000001" in page.text
    for path in ("/livez", "/healthz"):
        assert client.get(path).get_json() == {"status": "ok"}
    assert page.headers["X-Content-Type-Options"] == "nosniff"


def test_a_server_that_may_not_be_asked_is_left_alone_and_prefetch_still_answers(client):
    """Open mode asks servers on this machine only; no connection to another is opened (the suite would refuse it)."""
    answered = client.post(URL, json=hook(fhirServer="https://ehr.example/fhir"))
    assert answered.status_code == 200
    bare = client.post(
        URL, json={key: v for key, v in hook(fhirServer="https://ehr.example/fhir").items() if key != "prefetch"}
    )
    refused(bare, 412)
