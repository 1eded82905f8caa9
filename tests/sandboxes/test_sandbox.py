"""A sandbox read as in a hospital: whatever it holds, nothing fails silently and nothing but reading is done."""

import json
import logging
from datetime import date

import pytest
import requests
from click.testing import CliRunner
from sandboxes.chosen import chosen

from cds_service.bootstrap import load_rules, reach
from cds_service.cli import main
from cds_service.errors import GatherError
from cds_service.evaluation.outcome import Status, Verdict
from cds_service.facts.fact import Reason
from cds_service.facts.record import RESOURCE_TYPES
from cds_service.gather.bundle import read_bundle
from cds_service.gather.chart import PATIENT_ID, read_chart
from cds_service.present.json_text import to_json
from cds_service.settings import load_settings

CHOSEN = chosen()
RULES = load_rules()
SECONDS = 60.0  # sandboxes are slow, and far away
PATIENTS = 3  # looked at, when none is named
POST_ROW = "_search by POST"


@pytest.fixture(scope="module")
def asked():
    """Every request of the run, by method and path."""
    seen = []
    send = requests.Session.request

    def noted(self, method, url, *rest, **named):
        seen.append((method, url.partition("?")[0]))
        return send(self, method, url, *rest, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.Session, "request", noted)
        yield seen


@pytest.fixture(scope="module")
def findings(asked):
    """What the doctor finds; without a FHIR server there is nothing to test, and that is told in one line."""
    server = CHOSEN.server
    arguments = [server.base_url, "--sandbox", CHOSEN.name, "--format", "json"]
    arguments += ["--client", server.client_id] if server.client_id else []
    arguments += ["--token-file", str(server.token_file)] if server.token_file else []
    arguments += ["--patient", CHOSEN.patients[0]] if CHOSEN.patients else []
    done = CliRunner().invoke(main, ["doctor", *arguments])
    if done.exit_code not in (0, 1):
        pytest.exit(f"the doctor could not start: {done.stderr.strip()}", returncode=1)
    found = {one["check"]: one for one in json.loads(done.stdout)["findings"]}
    for check in ("reachable", "FHIR release", "authorization"):
        one = found.get(check)
        if one is not None and one["result"] == "wrong":
            pytest.exit(f"{CHOSEN.server.base_url}: {check}: {one['told']}. {one['todo']}", returncode=1)
    return found


@pytest.fixture(scope="module")
def opened(findings):
    """Opens the server."""
    settings = load_settings()
    return {
        by_post: reach(CHOSEN.server.model_copy(update={"post_search": by_post}), settings) for by_post in (False, True)
    }


@pytest.fixture(scope="module")
def patients(opened):
    """Ids of patients: the named ones; else of people with a diagnosis; else of anybody."""
    found = list(CHOSEN.patients)
    for kind in ("Condition", "Patient"):
        if len(found) < PATIENTS and not CHOSEN.patients:
            body = opened[False](SECONDS).ask(kind, (("_count", "50"),)).body or {}
            for entry in body.get("entry") or []:
                resource = entry.get("resource") or {}
                subject = (resource.get("subject") or {}).get("reference") or ""
                name = resource.get("id") if kind == "Patient" else subject.rpartition("Patient/")[2]
                if isinstance(name, str) and PATIENT_ID.fullmatch(name) and name not in found:
                    found.append(name)
    if not found:
        pytest.exit("no search finds a patient there: name some in SANDBOX_PATIENTS", returncode=1)
    return found[:PATIENTS] if not CHOSEN.patients else found


@pytest.fixture(scope="module")
def charts(opened, patients):
    """The record of each patient, or why there is none."""
    read = {}
    for patient in patients:
        try:
            read[patient] = read_chart({}, RULES.plan, patient, opened[False](SECONDS))
        except GatherError as error:
            read[patient] = error
    return read


def records(charts):
    return {patient: one for patient, one in charts.items() if not isinstance(one, GatherError)}


def judged(record):
    return RULES.judge(record, RULES.library, as_of=date.today())


def test_the_doctor_tries_everything(findings):
    assert findings["patient"]["result"] == "ok"
    for kind in RESOURCE_TYPES:
        one = findings[f"search {kind}"]
        assert one["result"] in ("ok", "wrong")
        assert one["result"] == "ok" or one["todo"]
    assert all(one["result"] in ("ok", "look", "wrong", "not tried") for one in findings.values())


def test_every_type_is_read_or_told_why(charts, findings):
    assert charts
    for record in charts.values():
        if isinstance(record, GatherError):
            assert "could be read" in str(record) or "could not be read" in str(record)
            continue
        assert set(record.reads) == set(RESOURCE_TYPES)
        assert all(read.complete or read.why for read in record.reads.values())
    # What the doctor reads of a patient is read here too.
    assert records(charts) or findings["chart as for a card"]["result"] == "wrong"


def test_verdicts_by_the_contract(charts):
    reasons = {reason.value for reason in Reason}
    for record in records(charts).values():
        told = json.loads(to_json(judged(record).to_json()))
        assert {one["trial"] for one in told["results"]} == set(RULES.library.trials)
        for one in told["results"]:
            assert one["status"] in set(Status)
            assert one["coverage"]["total"] == len(one["criteria"])
            assert one["coverage"]["decided"] == sum(c["verdict"] != "unknown" for c in one["criteria"])
            assert one["status"] == "needs-data" or one["decisive"] == []
            for criterion in one["criteria"]:
                assert criterion["verdict"] in set(Verdict)
                assert criterion["message"]
                assert {reason["reason"] for reason in criterion["reasons"]} <= reasons
                assert criterion["reasons"] or criterion["verdict"] != "unknown"


def test_what_was_not_read_is_never_absent(charts):
    """Cut a type off: what was unknown never passes for it."""
    for record in records(charts).values():
        whole = {(t.trial.id, c.criterion.id): c.verdict for t in judged(record).trials for c in t.criteria}
        for kind in ("Condition", "Observation"):
            reads = {**record.reads, kind: type(record.reads[kind]).failed("HTTP 403")}
            less = type(record)(record.patient, {**record.resources, kind: ()}, reads, record.medications)
            for trial in judged(less).trials:
                for one in trial.criteria:
                    before = whole.get((trial.trial.id, one.criterion.id))
                    assert not (before is Verdict.UNKNOWN and one.verdict is Verdict.PASS), one.criterion.id


def test_read_as_a_bundle_it_is_the_same(charts):
    """The same records in one file give the same verdicts."""
    for record in records(charts).values():
        if all(read.complete for read in record.reads.values()):
            bodies = [record.patient.body, *record.medications.values()]
            bodies += [source.body for sources in record.resources.values() for source in sources]
            bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in bodies]}
            assert judged(read_bundle(bundle)).trials == judged(record).trials


def test_by_post_as_by_get_where_the_doctor_says_so(findings, opened, charts):
    row = findings.get(POST_ROW)
    if row is not None and "finds the same" in row["told"]:
        for patient, record in records(charts).items():
            again = read_chart({}, RULES.plan, patient, opened[True](SECONDS))
            assert {kind: {one.reference for one in found} for kind, found in again.resources.items()} == {
                kind: {one.reference for one in found} for kind, found in record.resources.items()
            }


def test_nothing_is_logged_of_a_patient(opened, patients, caplog):
    with caplog.at_level(logging.DEBUG):
        for patient in patients:
            opened[False](SECONDS).patient(patient)
    assert not [patient for patient in patients if patient in caplog.text]


def test_it_only_reads(asked, charts):
    """Last: of everything that was asked."""
    assert charts
    assert asked
    own = CHOSEN.server.base_url.rstrip("/")
    posts = {url for method, url in asked if method != "GET" and url.startswith(own)}
    assert {method for method, _ in asked} <= {"GET", "POST"}
    assert all(url.endswith("/_search") or "token" in url for url in posts)


def test_no_other_host_can_be_reached():
    with pytest.raises(RuntimeError, match="tried to look up"):
        requests.get("http://elsewhere.example/", timeout=1)
