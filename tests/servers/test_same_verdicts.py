"""The same chart gives the same verdicts, whichever server it is read from, and as it does as a Bundle.

Besides our examples and published patients, a sample of the charts of tests/charts: ``SERVER_CHARTS=2000`` takes all.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from loading import Stored, store
from samples import Sample, published, sampled_charts, stories, subject_elsewhere
from under_test import SERVERS, ServerUnderTest

from cds_service.bootstrap import build, load_rules
from cds_service.gather.bundle import read_bundle
from cds_service.gather.chart import read_chart
from cds_service.gather.client import FhirClient
from cds_service.gather.deadline import Deadline
from cds_service.gather.origin import Origin
from cds_service.gather.plan import KEYS
from cds_service.gather.transport import Transport, make_session
from cds_service.settings import load_settings
from cds_service.web import create_app

RULES = load_rules()
SPOKEN = [name for name, trial in RULES.library.trials.items() if trial.speaks]  # charts are read for these
SESSION = make_session()
STORIES = stories()
CHARTS = sampled_charts()
PUBLISHED = published(2, 1)
HOOKED = [
    one for one in STORIES if one.name in ("candidate", "stale-bilirubin", "sintilimab-by-name", "healthy-person")
]
ELSEWHERE = subject_elsewhere()
SEARCHED = {code for search in RULES.plan.searches for code in search.codes}
LOADED: dict[tuple[str, int], Stored] = {}


@pytest.fixture
def server(request: pytest.FixtureRequest, started: Callable[[str], ServerUnderTest]) -> ServerUnderTest:
    """The server named by the test's parameter."""
    return started(request.param)


def each(samples: Sequence[Any], medplum: Sequence[Any]) -> pytest.MarkDecorator:
    """Parametrize by server and sample. Medplum gets fewer: a search there looks at all that was ever loaded."""
    chosen = [(name, one) for name in SERVERS for one in (medplum if name == "medplum" else samples)]
    ids = [f"{name}-{one if isinstance(one, str) else one.name}" for name, one in chosen]
    return pytest.mark.parametrize(("server", "sample"), chosen, ids=ids, indirect=["server"])


def judged(record: Any, sample: Sample) -> dict[str, Any]:
    outcome = RULES.judge(record, RULES.library, as_of=sample.as_of, anchor=sample.anchor, trials=SPOKEN)
    return outcome.to_json()


def from_server(base_url: str, patient_id: str) -> Any:
    client = FhirClient(Origin.of(base_url), Transport(SESSION, Deadline.after(60.0), 50_000_000))
    return read_chart({}, RULES.plan, patient_id, client)


def load(server: Any, sample: Sample) -> Stored:
    """Load a patient, once into each server."""
    key = (server.base_url, id(sample.loaded))
    if key not in LOADED:
        LOADED[key] = store(server.base_url, sample.loaded)
    return LOADED[key]


def compare(server: Any, sample: Sample, bundle: dict[str, Any]) -> None:
    """Judge what comes back from the server: it must be what the Bundle itself gives, to the last word."""
    stored = load(server, sample)
    own, full_url = sample.patient
    patient_id = own or stored.names[full_url].removeprefix("Patient/")
    expected = judged(read_bundle(bundle), sample)
    found = judged(from_server(server.base_url, patient_id), sample)
    text = json.dumps(expected["results"], default=float)
    for name, given in stored.names.items():
        text = text.replace(json.dumps(name), json.dumps(given))
    assert json.loads(json.dumps(found["results"], default=float)) == json.loads(text)
    assert found["unread"] == expected["unread"]


@each(STORIES, STORIES)
def test_example_patients(server: Any, sample: Sample) -> None:
    assert load(server, sample).refused == ()
    compare(server, sample, sample.whole)


@each(PUBLISHED, PUBLISHED[:7])
def test_published_patients(server: Any, sample: Sample) -> None:
    assert load(server, sample).refused == ()
    compare(server, sample, sample.whole)


@each(CHARTS, CHARTS[::3])
def test_charts(server: Any, sample: Sample) -> None:
    """Without what no search by code finds: results in components, without a code, or with the house's own."""
    assert load(server, sample).refused == ()
    entries = sample.whole["entry"]
    found = {**sample.whole, "entry": [one for one in entries if not hidden(one["resource"])]}
    compare(server, sample, found)


def hidden(resource: dict[str, Any]) -> bool:
    """Whether no search of ours finds it: of Observations, those are asked for that have one of the codes needed."""
    return resource["resourceType"] == "Observation" and not codes_of(resource) & SEARCHED


def codes_of(resource: dict[str, Any]) -> set[str]:
    code = resource.get("code")
    codings = code.get("coding", []) if isinstance(code, dict) else []
    return {f"{one.get('system')}|{one.get('code')}" for one in codings if isinstance(one, dict)}


@each([ELSEWHERE], [ELSEWHERE])
def test_a_result_of_another_servers_patient_with_the_same_id_is_never_used(server: Any, sample: Sample) -> None:
    """Some servers find it by the id alone; HAPI does not."""
    assert load(server, sample).refused == ()
    for record in (read_bundle(sample.whole), from_server(server.base_url, sample.patient[0])):
        (npc,) = judged(record, sample)["results"]
        (hemoglobin,) = [one for one in npc["criteria"] if one["id"] == "hemoglobin"]
        assert hemoglobin["verdict"] == "unknown"
        assert hemoglobin["evidence"] == []


@each(HOOKED, HOOKED)
def test_a_hook_without_prefetch_gets_the_card_of_a_full_one(server: Any, sample: Sample) -> None:
    assert load(server, sample).refused == ()
    client = create_app(
        build(load_settings(mode="open", gather_seconds=60), clock=lambda: sample.as_of, rules=RULES)
    ).test_client()
    call = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "fhirServer": server.base_url,
        "context": {"userId": "Practitioner/example", "patientId": sample.patient[0]},
    }
    body = json.loads(json.dumps(sample.whole, default=float))
    resources = [entry["resource"] for entry in body["entry"]]
    prefetch: dict[str, Any] = {
        key: {
            "resourceType": "Bundle",
            "type": "searchset",
            "entry": [{"resource": r} for r in resources if r["resourceType"] == kind],
        }
        for kind, key in KEYS.items()
    }
    prefetch["patient"] = next(one for one in resources if one["resourceType"] == "Patient")
    asked = client.post("/cds-services/npc-trials-patient-view", json=call)
    given = client.post("/cds-services/npc-trials-patient-view", json={**call, "prefetch": prefetch})
    assert asked.status_code == given.status_code == 200
    assert plain(asked.get_data(as_text=True)) == plain(given.get_data(as_text=True))
    assert len(asked.get_json()["cards"]) == (sample.name != "healthy-person")


def plain(text: str) -> str:
    """Write 2.0 as 2: a server written in JavaScript (Medplum) does not keep the nought."""
    return re.sub(r"\b(\d+)\.0\b", r"\1", text)
