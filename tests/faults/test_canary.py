"""The canary: one patient with planted names, ids and a token goes through every door, and nothing but the card tells.

Servers and commands run as processes of their own. Looked through: their logs, their standard error, every error body,
what the FHIR server and a foreign server were asked, the store, and the folder for temporary files.

What may tell: the card, to the clinician; ``evaluate``, on standard output, to who asked; the store, what the clinician
wrote as a comment.
"""

import copy
import http.client
import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import door_fakes
import fault_plays as plays
import pytest
from canary import PATIENT_ID, PLANTED, TOKEN, left_behind, secrets_in
from fault_chart import Chart, next_link
from fault_kinds import always, line, linked, on, page, status
from fault_runs import ROOT, example
from fault_server import FaultServer
from gunicorn_service import free_port, hook, served

from cds_service.web import create_app

HOOKS = ("patient-view", "encounter-start", "appointment-book", "order-select", "order-sign")
COMMENT = "what the clinician writes is kept"
NOTE = "Kanarienvogl canary-note"
COMMAND = str(Path(sys.executable).parent / "cds-service")


def planted():
    """The example candidate under another name."""
    bundle = json.loads(json.dumps(example()).replace("Patient/candidate", f"Patient/{PATIENT_ID}"))
    for entry in bundle["entry"]:
        resource = entry["resource"]
        if resource["resourceType"] == "Patient":
            resource |= {
                "id": PATIENT_ID,
                "identifier": [{"system": "urn:mrn", "value": "MRN-77310942"}],
                "name": [{"family": "Kanarienvogl", "given": ["Quetzalina"]}, {"text": "金丝雀"}],
                "birthDate": "1963-07-19",
                "telecom": [{"system": "phone", "value": "+86-555-0177-301"}],
                "address": [{"line": ["Zwitscherweg 1"]}],
            }
        else:
            resource["note"] = [{"text": NOTE}]
            resource["text"] = {"status": "generated", "div": f"<div>{NOTE}</div>"}
    return bundle


BUNDLE = planted()
CHART = Chart(BUNDLE)
ANGRY = plays.outcome("error") | {"issue": [{"severity": "error", "code": "exception", "diagnostics": NOTE}]}
NAMELESS = copy.deepcopy(CHART.records[0]) | {"code": NOTE, "effectiveDateTime": NOTE}


def faults(foreign):
    """What the patient's own FHIR server plays, by name."""
    every = ("Observation", "Condition")
    return {
        "honest": CHART.script,
        "stalls": on(("Observation",), line(plays.stall_midway), CHART),
        "cut": on(every, line(plays.cut), CHART),
        "no-http": on(every, line(plays.no_http), CHART),
        "login": on(every, always(plays.LOGIN + NOTE.encode(), 200, "text/html"), CHART),
        "outcome": on(every, always(ANGRY), CHART),
        "error-500": on(every, always(ANGRY, 500), CHART),
        "error-401": on(every, always(ANGRY, 401), CHART),
        "error-403": on(every, status(403), CHART),
        "no-patient": on(("Patient",), always(ANGRY, 404), CHART),
        "other-patient": on(("Patient",), always({**CHART.patient, "id": "Kanarienvogl"}), CHART),
        "next-elsewhere": on(every, linked(lambda asked: f"{foreign.base}/Patient/{PATIENT_ID}"), CHART),
        "redirect": on(every, status(302, location=f"{foreign.base}/Patient/{PATIENT_ID}"), CHART),
        "bad-link": on(every, page(link=next_link(f"http://[{NOTE}")), CHART),
        "nothing-readable": on(every, page(entry=[{"resource": NAMELESS}, {"resource": NOTE}]), CHART),
        "number": on(every, always(json.dumps({"a": NOTE}).encode()[:-1] + b', "b": NaN}'), CHART),
    }


def call_of(name, **more):
    return hook(PATIENT_ID, hookInstance=str(uuid4()), **more) | {
        "hook": name,
        "context": {
            "userId": "Practitioner/canary-practitioner",
            "patientId": PATIENT_ID,
            "encounterId": "e1",
            **_ordered(name),
        },
    }


def _ordered(name):
    sample = {
        "appointment-book": "appointment-book.candidate",
        "order-select": "order-select.cetuximab",
        "order-sign": "order-sign.radiotherapy",
    }.get(name)
    if sample is None:
        return {}
    text = (ROOT / "fhir_examples" / "hooks" / f"{sample}.json").read_text(encoding="utf-8")
    context = json.loads(text)["context"]
    moved = json.dumps(context).replace(f"Patient/{context['patientId']}", f"Patient/{PATIENT_ID}")
    return {key: value for key, value in json.loads(moved).items() if key not in ("userId", "patientId")}


def wrong_calls():
    """Calls with the canary where something else belongs."""
    good = call_of("patient-view")
    yield from (
        good | {"hook": NOTE},
        good | {"hookInstance": NOTE},
        good | {"context": good["context"] | {"patientId": NOTE}},
        good | {"context": good["context"] | {"userId": NOTE}},
        good | {"context": NOTE},
        good | {"fhirServer": f"https://ehr.invalid/{NOTE}"},
        good | {"fhirServer": "https://Kanarienvogl.invalid/fhir", "fhirAuthorization": NOTE},
        good | {"prefetch": {"patient": NOTE}},
        good | {"prefetch": {"patient": {"resourceType": "Patient", "id": "MRN-77310942"}}},
        good | {"prefetch": {"patient": {"resourceType": NOTE}}},
        good | {"prefetch": [NOTE]},
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Everything that was told, by whom; the cards apart."""
    folder = tmp_path_factory.mktemp("canary")
    temporary = folder / "temporary"
    temporary.mkdir()
    said = {"errors": [], "cards": [], "statuses": {}, "stderr": []}
    with FaultServer(CHART.script) as fhir, FaultServer(CHART.script) as foreign:
        variables = {"TMPDIR": str(temporary)}
        with served(folder, fhir.base, "gather_seconds = 1.0\napi = true", variables) as service:
            _through_the_service(service, fhir, foreign, said)
        _through_the_commands(folder, fhir, variables, said)
        said["foreign"] = list(foreign.asked)
        said["asked"] = list(fhir.asked)
    said |= {"log": service.log, "folder": folder, "temporary": temporary}
    return said


def _through_the_service(service, fhir, foreign, said):
    def post(path, body, signed=True):
        status, answer = service.call(path, body, signed=signed)
        text = answer.decode("utf-8")
        said["statuses"][status] = said["statuses"].get(status, 0) + 1
        if status != 200:
            said["errors"].append(text)
        return status, json.loads(text)

    prefetch = {"patient": CHART.patient, "observations": ANGRY}
    for name in HOOKS:
        for more in ({"fhirServer": fhir.base, "fhirAuthorization": granted()}, {"prefetch": prefetch}):
            _status, answer = post(f"/cds-services/npc-trials-{name}", call_of(name, **more))
            said["cards"] += answer.get("cards", [])
    for play in faults(foreign).values():
        fhir.script = play
        body = call_of("patient-view", fhirServer=fhir.base, fhirAuthorization=granted())
        _status, answer = post("/cds-services/npc-trials-patient-view", body)
        said["cards"] += answer.get("cards", [])
    fhir.script = CHART.script
    for body in wrong_calls():
        post("/cds-services/npc-trials-patient-view", body)
    for path in (f"/cds-services/{PATIENT_ID}", f"/Patient/{PATIENT_ID}", f"/api/evaluate?as_of={PATIENT_ID}"):
        post(path, {"a": NOTE})
    post("/cds-services/npc-trials-patient-view", call_of("patient-view"), signed=False)
    post("/api/evaluate", BUNDLE | {"type": NOTE, "entry": [{"resource": NOTE}]})
    post("/api/evaluate", [NOTE])
    # A token that is none, a token whose claims are the canary's.
    for value in (f"Bearer {TOKEN}", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJLYW5hcmllbnZvZ2wifQ.x"):
        said["errors"].append(_raw(service.port, value))
    uuids = [card["uuid"] for card in said["cards"] if "uuid" in card] or [str(uuid4())]
    reason = {"reason": {"code": NOTE, "system": NOTE, "display": NOTE}, "userComment": COMMENT}
    at = "2026-03-01T10:00:00Z"
    for item in (
        {"card": uuids[0], "outcome": "overridden", "outcomeTimestamp": at, "overrideReason": reason},
        {"card": NOTE, "outcome": NOTE, "outcomeTimestamp": NOTE},
    ):
        post("/cds-services/npc-trials-patient-view/feedback", {"feedback": [item]})


def granted():
    return {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 300, "scope": "s", "subject": "c"}


def _raw(port, authorization):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", "/cds-services", headers={"Authorization": authorization})
        answer = connection.getresponse()
        assert answer.status == 401
        return answer.read().decode()
    finally:
        connection.close()


def _through_the_commands(folder, fhir, variables, said):
    """What ``evaluate`` and ``doctor`` print as a complaint; ``doctor`` prints nothing of a patient at all."""
    good, broken, bad = folder / "good.json", folder / "broken.json", folder / "bad.json"
    good.write_text(json.dumps(BUNDLE), encoding="utf-8")
    broken.write_text(json.dumps(BUNDLE)[:-400], encoding="utf-8")
    bad.write_text(json.dumps({"resourceType": "Bundle", "type": NOTE, "entry": NOTE}), encoding="utf-8")
    token = folder / "token"
    token.write_text(TOKEN, encoding="ascii")
    doctor = ("doctor", fhir.base, "--patient", PATIENT_ID, "--token-file", str(token))
    commands = [("evaluate", str(good)), ("evaluate", "--format", "text", str(good)), ("evaluate", str(broken))]
    commands += [("evaluate", str(bad)), doctor, (*doctor, "--format", "json")]
    said["codes"] = []

    def run(*command):
        done = subprocess.run(
            [COMMAND, *command], cwd=ROOT, env=_environment(variables), capture_output=True, text=True, timeout=60
        )
        said["stderr"].append(done.stderr)
        said["codes"].append(done.returncode)
        if command[0] == "doctor":
            said["stderr"].append(done.stdout)

    for command in commands:
        run(*command)
    fhir.script = lambda asked: plays.plain(ANGRY, 500)
    run(*doctor)


def _environment(more):
    return {name: value for name, value in os.environ.items() if not name.startswith("CDS_")} | dict(more)


def test_every_kind_of_answer_was_had(told):
    assert {200, 400, 401, 404, 412} <= set(told["statuses"])
    assert len(told["cards"]) > 4
    assert "not read completely" in told["log"]
    assert "not judged" in told["log"]
    assert "caller refused" in told["log"]
    assert "feedback: " in told["log"]


def test_no_log_tells(told):
    assert secrets_in(told["log"]) == []


def test_no_error_tells(told):
    assert [found for text in told["errors"] if (found := secrets_in(text))] == []


def test_no_command_complains_of_the_patient_by_name(told):
    assert told["codes"][:4] == [0, 0, 2, 2]
    assert [found for text in told["stderr"] if (found := secrets_in(text))] == []


def test_the_card_names_nobody_and_links_to_nobody(told):
    """It may hold results and dates; who the patient is the clinician knows."""
    whole = json.dumps(told["cards"], ensure_ascii=False)
    assert [word for word in PLANTED if word in whole.replace(f"Patient/{PATIENT_ID}", "")] == []
    addresses = [link["url"] for card in told["cards"] for link in card.get("links", ())]
    assert [url for url in (*addresses, *(card["source"]["url"] for card in told["cards"])) if secrets_in(url)] == []


def test_only_the_patients_own_server_hears_of_the_patient(told):
    """There the id stands in the address, as FHIR reads; nothing else does, and the token is in none."""
    assert told["foreign"] == []
    for asked in told["asked"]:
        assert [word for word in secrets_in(asked.target) if word not in (PATIENT_ID, "Patient/c")] == []


def test_the_store_keeps_only_the_comment(told):
    data = b"".join(file.read_bytes() for file in told["folder"].glob("store.db*")).decode("utf-8", "replace")
    assert COMMENT in data
    assert secrets_in(data) == []


def test_no_file_is_left_behind(told):
    assert left_behind(told["temporary"]) == []


def test_a_defect_does_not_tell(caplog):
    """Whatever a defect of ours says of the patient stays out of the log and of the answer."""

    def judge(_record):
        raise KeyError(NOTE)

    client = create_app(door_fakes.services(judge)[0]).test_client()
    answer = client.post("/cds-services/npc-trials-patient-view", json=door_fakes.hook())
    assert answer.status_code == 500
    assert secrets_in(answer.text + caplog.text) == []


def test_serving_on_ones_own_machine_tells_nothing(tmp_path):
    """``serve``, as people start it, with the API that takes whole Bundles."""
    port = free_port()
    run = subprocess.Popen(
        [COMMAND, "serve", "--port", str(port)],
        cwd=ROOT, env=_environment({"TMPDIR": str(tmp_path)}), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    asked = (("api/evaluate", BUNDLE), ("api/evaluate", {"entry": [NOTE]}), (f"Patient/{PATIENT_ID}", {}))
    try:
        assert run.stdout.readline().startswith(b"Serving")
        answers = [_post(port, path, body) for path, body in asked]
    finally:
        run.terminate()
        out, err = run.communicate(timeout=15)
    assert [status for status, _ in answers] == [200, 400, 404]
    assert [secrets_in(text) for _, text in answers[1:]] == [[], []]
    assert "POST /api/evaluate 200" in err.decode()
    assert secrets_in(out.decode() + err.decode()) == []
    assert left_behind(tmp_path) == []


def _post(port, path, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", f"/{path}", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_the_watch_over_the_run_sees(tmp_path):
    """The watch of tests/canary.py finds what is planted, and lets templates pass."""
    for text in (
        f"GET /Patient/{PATIENT_ID}", "陈志远", "Zhiyuan Chen", "born 1963-07-19", "Bearer abcdefghijklmnopq",
        "eyJhbGciOiJFUzM4NCJ9.eyJpc3MiOiJodHRwczovL2VociJ9.sig", "Observation/o7",
    ):  # fmt: skip
        assert secrets_in(text), text
    for text in ("Patient/{{context.patientId}}", "such as Practitioner/abc", "no bearer token of three parts"):
        assert secrets_in(text) == [], text
    Path(tmp_path, "log").write_text(f"asked for {PATIENT_ID}", encoding="utf-8")
    Path(tmp_path, "chart.json").write_text(PATIENT_ID, encoding="utf-8")
    assert len(left_behind(tmp_path, ("log",))) == 1
    Path(tmp_path, "log").unlink()
