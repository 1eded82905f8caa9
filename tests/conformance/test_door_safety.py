"""What a stranger at the door can do: nothing of what they write comes back or is logged, and no card is another's."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner
from door_fakes import KEYS, PATIENT, TRIAL, bundle, condition, full_prefetch, hook, needs_data, outcome, services
from flask.testing import FlaskClient

from cds_service.cli import main
from cds_service.cli.listening import in_background, listening
from cds_service.errors import ConfigError
from cds_service.evaluation.outcome import PatientOutcome
from cds_service.facts.record import Record
from cds_service.present.overrides import OWN
from cds_service.web import create_app

HOOK_URL = "/cds-services/npc-trials-patient-view"
CANARY = "canary4711"


def client_of(judge: Callable[..., PatientOutcome] | PatientOutcome | None = None, **chosen: Any) -> FlaskClient:
    return create_app(services(judge or outcome(needs_data()), **chosen)[0]).test_client()


@pytest.mark.parametrize(
    "path", [f"//cds-services/{CANARY}", f"/cds-services//{CANARY}", "//cds-services", f"/{CANARY}//"]
)
def test_no_address_is_tidied_into_another(path: str) -> None:
    # A redirect would name the caller's own Host and path, in HTML, and before anybody asked who calls.
    answer = client_of().post(path, headers={"Host": "localhost"})
    assert answer.status_code == 404
    assert answer.mimetype == "application/fhir+json"
    assert "Location" not in answer.headers
    assert CANARY not in answer.text


def test_the_log_repeats_no_method(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = client_of()
    assert client.open("/cds-services", method="CANARY4711").status_code == 405
    assert CANARY not in caplog.text.lower()
    assert client.get("/cds-services").status_code == 200
    assert "GET /cds-services 200" in caplog.text


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "127.0.0.2", "[::1]:8000"])
def test_open_mode_answers_to_the_names_of_this_machine(host: str) -> None:
    assert client_of().get("/cds-services", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "10.0.0.1", "localhost:80x", "a@localhost"]
)
@pytest.mark.parametrize("path", ["/cds-services", "/", "/simulator", "/nothing"])
def test_open_mode_refuses_a_name_that_was_made_to_mean_this_machine(host: str, path: str) -> None:
    # A page elsewhere can let its own name resolve to 127.0.0.1; the browser then takes our answers for its own.
    answer = client_of().get(path, headers={"Host": host})
    assert answer.status_code == 400
    assert answer.mimetype == "application/fhir+json"
    assert "evil" not in answer.text


def test_a_call_id_used_for_two_patients_mutes_the_one_who_was_overridden() -> None:
    def judge(record: Record) -> PatientOutcome:
        return PatientOutcome(record.patient.reference, outcome().as_of, (needs_data(),), {}, {})

    client = client_of(judge)
    again = str(uuid4())

    def cards(patient: str, instance: str = again) -> list[dict[str, Any]]:
        body = hook(
            hookInstance=instance,
            context={"userId": "Practitioner/a", "patientId": patient},
            prefetch=full_prefetch(
                patient={**PATIENT, "id": patient}, conditions=bundle(condition(subject=f"Patient/{patient}"))
            ),
        )
        found = client.post(HOOK_URL, json=body).get_json()["cards"]
        assert isinstance(found, list)
        return found

    (first,), (second,) = cards("p1"), cards("p2")
    assert first["uuid"] != second["uuid"]
    told = {
        "card": second["uuid"],
        "outcome": "overridden",
        "outcomeTimestamp": "2026-03-01T09:30:00Z",
        "overrideReason": {"reason": {"code": "declined", "system": OWN}},
    }
    assert client.post(f"{HOOK_URL}/feedback", json={"feedback": [told]}).status_code == 200
    assert len(cards("p1", str(uuid4()))) == 1, "nobody declined for this patient"
    assert cards("p2", str(uuid4())) == []


def test_the_same_id_at_another_server_is_another_patient(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    client = client_of(store=url)

    def cards(**server: str) -> list[dict[str, Any]]:
        found = client.post(HOOK_URL, json=hook(hookInstance=str(uuid4()), **server)).get_json()["cards"]
        assert isinstance(found, list)
        return found

    here, there = "http://127.0.0.1:9998/fhir", "https://other.example/fhir"
    (card,) = cards(fhirServer=f"{here}/")
    reason = {"reason": {"code": "declined", "system": OWN}}
    told = {"card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": "2026-03-01T09:30:00Z"}
    client.post(f"{HOOK_URL}/feedback", json={"feedback": [{**told, "overrideReason": reason}]})
    assert cards(fhirServer=here) == []
    assert len(cards(fhirServer=there)) == len(cards()) == 1
    # And it is taken back there.
    revoke = ["feedback", "revoke", TRIAL, "--store", url]
    for options, number in ([], 0), (["--fhir-server", there], 0), (["--fhir-server", here], 1):
        said = CliRunner().invoke(main, [*revoke, *options], input="p1\n")
        assert said.exit_code == 0
        assert f"{number} override" in said.output
    assert len(cards(fhirServer=here)) == 1
    said = CliRunner().invoke(main, [*revoke, "--fhir-server", "canary"], input="p1\n")
    assert said.exit_code == ConfigError.exit_code
    assert CANARY not in said.output


def test_the_same_call_told_again_gets_the_same_cards() -> None:
    client = client_of()
    assert client.post(HOOK_URL, json=hook()).get_json() == client.post(HOOK_URL, json=hook()).get_json()


def test_a_clock_that_runs_ahead_does_not_have_the_last_word() -> None:
    client = client_of()

    def tell(card: str, outcome: str, at: str, **more: Any) -> None:
        told = {"card": card, "outcome": outcome, "outcomeTimestamp": at, **more}
        for _ in range(2):  # told again, it is still one
            assert client.post(f"{HOOK_URL}/feedback", json={"feedback": [told]}).status_code == 200

    def cards() -> list[dict[str, Any]]:
        found = client.post(HOOK_URL, json=hook(hookInstance=str(uuid4()))).get_json()["cards"]
        assert isinstance(found, list)
        return found

    (card,) = cards()
    tell(card["uuid"], "overridden", "9999-12-31T23:59:59Z")
    assert cards() == []
    now = datetime.now(UTC).isoformat()
    tell(card["uuid"], "accepted", now, acceptedSuggestions=[{"id": card["suggestions"][0]["uuid"]}])
    assert len(cards()) == 1


# Planted in every place that a caller can write to; each call is wrong in another way, the last ones are right.
_SERVER = {"fhirServer": "http://127.0.0.1:1/canary4711"}
_TOKEN = {"access_token": CANARY, "token_type": "Bearer", "scope": CANARY, "subject": CANARY, "expires_in": 1}
_WHO = {"userId": f"Practitioner/{CANARY}", "patientId": CANARY, "encounterId": CANARY}
_NAMED = {**PATIENT, "id": CANARY, "name": [{"text": CANARY}], "identifier": [{"value": CANARY}]}
BAD: tuple[dict[str, Any], ...] = (
    {"hook": CANARY},
    {"hookInstance": CANARY},
    {"context": {**_WHO, "userId": CANARY}},
    {"context": {**_WHO, "patientId": f"{CANARY}/x"}},
    {"context": _WHO, "prefetch": {CANARY: CANARY}},
    {"context": _WHO, "prefetch": {"patient": {"resourceType": CANARY}}},
    {"context": _WHO, "prefetch": {"patient": {"resourceType": "Bundle", "entry": CANARY}}},
    {"context": _WHO, "prefetch": {"patient": _NAMED, "conditions": {"resourceType": "Bundle", "entry": CANARY}}},
    {"context": _WHO, "prefetch": {"patient": {**_NAMED, "id": "other"}}},
    {"context": _WHO, "fhirServer": f"{CANARY}://x"},
    {"context": _WHO, **_SERVER, "fhirAuthorization": {**_TOKEN, "token_type": CANARY}},
    {"context": _WHO, **_SERVER, "fhirAuthorization": {**_TOKEN, "access_token": f"{CANARY} "}},
    {"context": _WHO, **_SERVER, "fhirAuthorization": {**_TOKEN, "patient": CANARY + "x"}},
    {"context": _WHO, **_SERVER, "fhirAuthorization": _TOKEN, "prefetch": ...},
    {"context": _WHO, "prefetch": ..., CANARY: CANARY},
)


def test_nothing_that_was_planted_comes_out_of_a_refusal_or_a_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = client_of()
    for changes in BAD:
        refused = client.post(HOOK_URL, json=hook(**changes), headers={"Authorization": f"Bearer {CANARY}"})
        assert 400 <= refused.status_code < 500, changes
        assert CANARY not in refused.text + str(refused.headers), changes
    for text in (f"{CANARY}", f'{{"{CANARY}": NaN}}', f'{{"{CANARY}": 1, "{CANARY}": 2}}', f'"{CANARY}\\ud800"'):
        refused = client.post(HOOK_URL, data=text, content_type="application/json")
        assert refused.status_code == 400
        assert CANARY not in refused.text
    for path in (
        f"/{CANARY}",
        f"/cds-services/{CANARY}",
        f"/cds-services/{CANARY}/feedback",
        f"/api/evaluate?{CANARY}=1",
    ):
        assert CANARY not in client.post(path, json={}).text
    assert CANARY not in client.post(f"/api/evaluate?trial={CANARY}", json=bundle(_NAMED)).text
    prefetch = {"patient": _NAMED, **{key: None for key in KEYS}}
    spoken = client.post(HOOK_URL, json=hook(context=_WHO, **_SERVER, fhirAuthorization=_TOKEN, prefetch=prefetch))
    assert spoken.status_code == 200
    assert CANARY not in caplog.text
    assert " ".join(record.getMessage() for record in caplog.records)


def test_a_defect_shows_no_value(caplog: pytest.LogCaptureFixture) -> None:
    def judge(_record: Record) -> PatientOutcome:
        raise KeyError(CANARY)

    caplog.set_level(logging.DEBUG)
    answer = client_of(judge).post(HOOK_URL, json=hook())
    assert answer.status_code == 500
    assert CANARY not in answer.text + caplog.text
    assert "KeyError" in caplog.text


def test_the_small_server_logs_no_request_line(capfd: pytest.CaptureFixture[str]) -> None:
    with listening(create_app(services()[0]), "127.0.0.1", 0) as server, in_background(server):
        for line in (f"GET /{CANARY} HTTP/1.1", f"{CANARY.upper()} / HTTP/1.1", f"{CANARY}", f"GET {CANARY} HTTP/9"):
            with socket.create_connection(("127.0.0.1", server.port), timeout=5) as caller:
                caller.sendall(f"{line}\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                caller.recv(100)
    shown = capfd.readouterr()
    assert CANARY not in (shown.out + shown.err).lower()
