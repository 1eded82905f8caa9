"""412 names the field that is to blame, where one is, and a FHIR server that may not be asked is told apart."""

import json
import logging
import time

import pytest
import requests
import responses
from door_fakes import FAILED, PATIENT, full_prefetch, hook, searchset, services
from token_makers import BASE, ISSUER, PATH, by_joserfc, good_claims, jwk_set

from cds_service.web import create_app

SERVER = "http://127.0.0.1:9998/fhir"
ANOTHER = "http://127.0.0.1:9999/secret-fhir"
NOT_THIS_CLIENTS = "not sent, and fhirServer is not one of this client's FHIR servers"


@pytest.fixture
def verified(tmp_path):
    """A service in verified mode with one EHR of one FHIR server."""
    (tmp_path / "jwks.json").write_text(json.dumps(jwk_set("ec")))
    built, _asked = services(
        mode="verified",
        public_base_url=BASE,
        clients=[{"issuer": ISSUER, "jwks_file": tmp_path / "jwks.json", "fhir_servers": [SERVER]}],
        store=f"sqlite:///{tmp_path}/store.db",
    )
    return create_app(built).test_client()


def signed():
    token = by_joserfc(good_claims(time.time()), "ec", jku=...)
    return {"Authorization": f"Bearer {token}"}


def issue_of(answer):
    assert answer.status_code == 412, answer.get_json()
    return answer.get_json()["issue"][0]


def test_a_server_that_is_none_of_the_clients_is_named_as_that(verified, caplog):
    with caplog.at_level(logging.WARNING):
        issue = issue_of(verified.post(PATH, json=hook(prefetch=..., fhirServer=ANOTHER), headers=signed()))
    assert issue["diagnostics"] == f"The Patient could not be read ({NOT_THIS_CLIENTS})."
    assert issue["expression"] == ["fhirServer"]
    assert f"not judged: The Patient could not be read ({NOT_THIS_CLIENTS})." in caplog.text
    assert "secret" not in json.dumps(issue) + caplog.text


def test_so_is_it_beside_prefetch_that_is_not_enough(verified):
    answer = verified.post(PATH, json=hook(prefetch={"patient": PATIENT}, fhirServer=ANOTHER), headers=signed())
    issue = issue_of(answer)
    assert f"conditions: {NOT_THIS_CLIENTS};" in issue["diagnostics"]
    assert issue["expression"] == ["fhirServer"]


def test_open_mode_asks_this_machine_only():
    client = create_app(services()[0]).test_client()
    issue = issue_of(client.post(PATH, json=hook(prefetch=..., fhirServer="https://secret.example/fhir")))
    assert "open mode asks only a fhirServer on this machine" in issue["diagnostics"]
    assert issue["expression"] == ["fhirServer"]


@pytest.mark.parametrize(
    ("answered", "field"),
    [
        ({"body": requests.ConnectionError()}, "fhirServer"),
        ({"status": 500}, "fhirServer"),
        ({"json": {**PATIENT, "id": "p2"}}, "fhirServer"),
        ({"status": 401}, "fhirAuthorization"),
        ({"status": 404}, "context.patientId"),
    ],
)
def test_what_a_server_answered_says_whom_to_ask(answered, field):
    client = create_app(services()[0]).test_client()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        web.get(f"{SERVER}/Patient/p1", **answered)
        for kind in ("Condition", "Observation", "Procedure"):
            web.get(f"{SERVER}/{kind}", json=searchset())
        issue = issue_of(client.post(PATH, json=hook(prefetch=..., fhirServer=SERVER)))
    assert issue["expression"] == [field]


@pytest.mark.parametrize(
    ("prefetch", "field"),
    [
        (full_prefetch(patient={**PATIENT, "id": "p2"}), "prefetch.patient"),
        (full_prefetch(patient=FAILED), "prefetch.patient"),
        (full_prefetch(patient=None), "prefetch.patient"),
        ({"conditions": None}, "prefetch.patient"),
        ({"patient": PATIENT}, "prefetch"),
    ],
)
def test_what_was_sent_or_not_is_named(prefetch, field):
    client = create_app(services()[0]).test_client()
    assert issue_of(client.post(PATH, json=hook(prefetch=prefetch)))["expression"] == [field]
