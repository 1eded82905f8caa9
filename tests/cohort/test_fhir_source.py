"""A FHIR server as the source: its patients found by condition or by name, each read as for a hook."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
from click.testing import CliRunner, Result

from cds_service.bootstrap import load_rules, reach
from cds_service.cli import main
from cds_service.cli.fhir_server import DemoFhirServer
from cds_service.errors import GatherError
from cds_service.gather.bulk import server as bulk_server
from cds_service.gather.chart import read_chart
from cds_service.present.json_text import to_json
from cds_service.rules_folder import rules_folder
from cds_service.screening.cohort import served
from cds_service.screening.cohort.asked_codes import trigger_codes
from cds_service.screening.cohort.job import Job, run
from cds_service.screening.cohort.judged import PatientInput, judge_of, record_of
from cds_service.screening.cohort.served import as_bundle, server_source
from cds_service.settings import FhirServer, Settings
from cds_service.trials.library import load_library
from tests.cohort.populations import DAY, EXAMPLES, TASK, npc, person, results

BASE = "https://fhir.test/r4"
TRIAL = "NCT07235319"
NAMES = sorted(path.name for path in EXAMPLES.iterdir())


def told(*command: str | Path) -> Result:
    return CliRunner().invoke(main, ["prescreen", *map(str, command), "--as-of", DAY.isoformat(), "--format", "-"])


def source(who: Any, base: str = BASE) -> Any:
    rules = load_rules()
    settings = Settings()
    return server_source(base, reach(FhirServer(base_url=base), settings), rules.library, (TRIAL,), who)


# With a real server.


@pytest.fixture(scope="module")
def fhir() -> Iterator[str]:
    with DemoFhirServer() as server:
        for name in NAMES:
            server.load(json.loads((EXAMPLES / name / "bundle.json").read_bytes()))
        yield server.base_url


@pytest.mark.server
def test_all_patients_have_the_verdicts_of_the_hook_and_of_bundles(fhir: str, tmp_path: Path) -> None:
    assert told("--fhir", fhir, "--all", "--out", tmp_path / "fhir").exit_code == 0
    assert told("--bundles", EXAMPLES, "--out", tmp_path / "bundles", "--workers", "1").exit_code == 0
    served_, bundled = results(tmp_path / "fhir"), results(tmp_path / "bundles")
    assert set(served_) == {f"Patient/{name}" for name in NAMES}
    rules = load_rules()
    for name in NAMES:
        one, other = served_[f"Patient/{name}"], bundled[f"Patient/{name}"]
        assert (one["results"], one["others"], one["unread"]) == (other["results"], other["others"], other["unread"])
        client = reach(FhirServer(base_url=fhir), Settings())(30)
        hook = rules.judge(read_chart({}, rules.plan, name, client), rules.library, as_of=DAY)
        wanted = next(t for t in json.loads(to_json(hook.to_json()))["results"] if t["trial"] == TRIAL)
        assert one["results"] == [wanted] or one["others"][0]["status"] == wanted["status"]


@pytest.mark.server
def test_patients_are_found_by_their_conditions(fhir: str, tmp_path: Path) -> None:
    assert told("--fhir", fhir, "--out", tmp_path / "run").exit_code == 0
    assert set(results(tmp_path / "run")) == {
        f"Patient/{name}" for name in NAMES if name not in ("healthy-person", "empty-problem-list")
    }


@pytest.mark.server
def test_patients_of_a_file_are_all_in_the_results(fhir: str, tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("\ufeffcandidate\r\n\r\nPatient/nobody\nin-induction\ncandidate\n")
    done = told("--fhir", fhir, "--patients", tmp_path / "ids.txt", "--out", tmp_path / "run")
    assert done.exit_code == 6
    assert "nobody" not in done.output
    found = results(tmp_path / "run")
    assert set(found) == {"Patient/candidate", "Patient/in-induction", "Patient/nobody"}
    assert found["Patient/nobody"]["unread"] == {"Patient": "The Patient could not be read (HTTP 404)."}
    assert found["Patient/nobody"]["results"] == []


# With answers made up.


def searchset(*found: dict[str, Any], link: str = "") -> dict[str, Any]:
    links = [{"relation": "next", "url": link}] if link else []
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in found], "link": links}


@responses.activate
def test_every_page_is_read_and_a_link_elsewhere_is_told(tmp_path: Path) -> None:
    responses.get(f"{BASE}/Patient", json=searchset(person("a"), person("b"), link=f"{BASE}/more"))
    responses.get(f"{BASE}/more", json=searchset(person("c"), link="https://evil.test/more"))
    ids, why = bulk_server.every_patient(reach(FhirServer(base_url=BASE), Settings()))
    assert ids == {"a", "b", "c"}
    assert "another server" in why


@pytest.mark.parametrize(("longest", "why"), [(1000, ""), (270, "fewer records than it announced")])
@responses.activate
def test_a_server_that_cuts_without_a_link_is_asked_for_a_longer_page(longest: int, why: str) -> None:
    def answer(request: Any) -> tuple[int, dict[str, str], str]:
        count = min(int(request.params["_count"]), longest)
        return 200, {}, json.dumps({**searchset(*(person(f"p{n}") for n in range(min(count, 300)))), "total": 300})

    responses.add_callback("GET", f"{BASE}/Patient", answer)
    ids, told_ = bulk_server.every_patient(reach(FhirServer(base_url=BASE), Settings()))
    assert len(ids) == min(300, longest)
    assert told_ == "" if not why else why in told_


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"resource": {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}}, "reports an error"),
        ({"resource": {"resourceType": "OperationOutcome", "issue": [{"severity": "warning"}]}}, ""),
        ({}, "an entry could not be read"),
        ({"resource": {"resourceType": "Patient"}}, "no id"),
    ],
)
@responses.activate
def test_what_came_along_with_the_patients_is_looked_at(entry: dict[str, Any], why: str) -> None:
    body = searchset(person("a"))
    body["entry"].append(entry)
    responses.get(f"{BASE}/Patient", json=body)
    ids, told_ = bulk_server.every_patient(reach(FhirServer(base_url=BASE), Settings()))
    assert ids == {"a"}
    assert told_ == "" if not why else why in told_


@responses.activate
def test_a_malformed_search_result_is_told() -> None:
    responses.get(f"{BASE}/Patient", json={"resourceType": "Bundle", "type": "searchset", "entry": {"a": 1}})
    with pytest.raises(GatherError, match="not a search result"):
        bulk_server.every_patient(reach(FhirServer(base_url=BASE), Settings()))


@responses.activate
def test_a_server_that_does_not_answer_is_told() -> None:
    responses.get(f"{BASE}/Condition", status=403)
    with pytest.raises(GatherError, match=r"Condition could not be searched \(HTTP 403\)"):
        bulk_server.patients_with(reach(FhirServer(base_url=BASE), Settings()), ["s|c"])


@responses.activate
def test_a_busy_server_is_waited_for() -> None:
    busy = {"Retry-After": "0"}
    for _ in range(2):
        responses.get(f"{BASE}/Patient/a", status=429, headers=busy)
    responses.get(f"{BASE}/Patient/a", json=person("a"))
    for kind in ("Observation", "Procedure", "MedicationStatement", "MedicationRequest", "MedicationAdministration"):
        responses.get(f"{BASE}/{kind}", json=searchset())
    for _ in range(2):
        responses.get(f"{BASE}/Condition", status=503, headers=busy)
    responses.get(f"{BASE}/Condition", json=searchset(npc("a")))
    pauses: list[float] = []
    rules = load_rules()
    record = bulk_server.read_patient(
        reach(FhirServer(base_url=BASE), Settings()), rules.plan, "a", lambda seconds: pauses.append(seconds)
    )
    assert all(read.complete for read in record.reads.values())
    assert pauses == list(bulk_server.PAUSES[: len(pauses)])
    assert pauses


@responses.activate
def test_a_record_that_stays_incomplete_is_judged_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_server, "PAUSES", ())
    responses.get(f"{BASE}/Patient/a", json=person("a"))
    responses.get(f"{BASE}/Condition", json=searchset(npc("a")))
    for kind in ("Observation", "Procedure", "MedicationStatement", "MedicationRequest", "MedicationAdministration"):
        responses.get(f"{BASE}/{kind}", status=503)
    done = run(Job(TASK, source(("a",)), tmp_path / "run"), workers=1)
    found = results(tmp_path / "run")["Patient/a"]
    assert set(found["unread"].values()) == {"HTTP 503"}
    assert "Condition" not in found["unread"]
    reasons = {
        one["reason"] for c in found["results"][0]["criteria"] if c["id"] == "hemoglobin" for one in c["reasons"]
    }
    assert reasons == {"not-fetched"}
    assert done.manifest["counts"]["judged"] == 1


def test_a_server_that_goes_down_stops_the_run_and_what_was_read_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules, asked = load_rules(), []
    up = True
    record = record_of(PatientInput("x", (json.dumps(person("x")).encode(),)))

    def read(_reach: Any, _plan: Any, patient: str) -> Any:
        asked.append(patient)
        if not up and patient >= "p039":
            raise GatherError("The Patient could not be read (no connection).")
        body = json.dumps(person(patient)).encode()
        return record_of(PatientInput(patient, (body,)))

    assert record.patient.reference == "Patient/x"
    monkeypatch.setattr(served, "read_patient", read)
    monkeypatch.setattr(served, "in_reach", lambda _reach: up)
    ids = tuple(f"p{n:03}" for n in range(50))
    job = Job(TASK, server_source(BASE, lambda _seconds: None, rules.library, (TRIAL,), ids), tmp_path / "run")  # type: ignore[arg-type,return-value]
    up = False
    with pytest.raises(GatherError, match="not in reach"):
        run(job, workers=1)
    assert asked[-1] == "p039"  # the last of its batch: never kept as out of reach
    asked.clear()
    up = True
    run(job, workers=1)
    assert asked == list(ids[20:])  # the first batch was kept
    assert len(results(tmp_path / "run")) == 50
    assert not any(one["unread"].get("Patient") for one in results(tmp_path / "run").values())


@pytest.mark.parametrize("times", [1, 2])
@responses.activate
def test_a_patient_for_whom_the_connection_breaks_is_read_once_more(
    times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def read(_reach: Any, _plan: Any, patient: str) -> Any:
        tries.append(patient)
        if len(tries) <= times:
            raise GatherError("The Patient could not be read (no connection).")
        return record_of(PatientInput(patient, (json.dumps(person(patient)).encode(),)))

    monkeypatch.setattr(served, "read_patient", read)
    responses.get(f"{BASE}/Patient", status=403)  # an answer too
    record, unread = source(("a",)).read("a")
    assert len(tries) == 2
    assert (record == "") == (times == 2)
    assert ("Patient" in unread) == (times == 2)


@responses.activate
def test_a_server_without_an_answer_is_not_in_reach() -> None:
    server = reach(FhirServer(base_url=BASE), Settings())
    assert not bulk_server.in_reach(server)  # nothing is registered: no connection
    silent = responses.get(f"{BASE}/Patient", body=requests.ReadTimeout())
    assert not bulk_server.in_reach(server)
    responses.remove(silent)
    responses.get(f"{BASE}/Patient", json=searchset())
    assert bulk_server.in_reach(server)


def test_a_record_that_was_read_is_put_together_the_same_from_what_was_kept() -> None:
    lines = tuple(line.encode() for line in _example_lines("sintilimab-by-name"))
    record = record_of(PatientInput("sintilimab-by-name", lines))
    drugs = {
        "Medication/m1": {"resourceType": "Medication", "id": "m1"},
        "https://a/fhir/Medication/m2": {"resourceType": "Medication", "id": "m2"},
    }
    whole = type(record)(record.patient, record.resources, record.reads, drugs, record.set_aside)
    kept, unread = as_bundle(whole)
    again = record_of(PatientInput("sintilimab-by-name", (kept.encode(),), (), unread))
    assert again.resources == record.resources
    assert again.reads == record.reads
    assert set(drugs) <= set(again.medications)


def _example_lines(name: str) -> list[str]:
    bundle = json.loads((EXAMPLES / name / "bundle.json").read_bytes())
    return [json.dumps(entry["resource"]) for entry in bundle["entry"]]


def test_the_codes_asked_for_are_listed_one_by_one_with_the_sites_own() -> None:
    codes = trigger_codes(load_library(rules_folder(), site="example"), [TRIAL])
    assert "http://hl7.org/fhir/sid/icd-10|C11.9" in codes
    assert "http://hl7.org/fhir/sid/icd-10|C119" in codes
    assert "http://snomed.info/sct|449248000" in codes
    assert "urn:oid:2.16.156.example.icd|C11.900" in codes  # the site's name of the system
    assert not any("M1" in code for code in codes)


def test_judging_needs_no_connection() -> None:
    line = judge_of(TASK)(PatientInput("a", (), (), {"Patient": "HTTP 403"}))
    assert json.loads(line)["unread"] == {"Patient": "HTTP 403"}
