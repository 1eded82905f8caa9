"""SMART Backend Services against an authorization server that checks what we sign (sekmet-fhir's own)."""

import itertools
import json
import logging
import time
import urllib.request
from datetime import UTC, datetime

import pytest

from cds_service.bootstrap import load_rules, reach
from cds_service.cli.fhir_server import DemoFhirServer, as_transaction, find_executable
from cds_service.errors import ConfigError
from cds_service.facts.record import Completeness
from cds_service.gather.chart import read_chart
from cds_service.gather.plan import Search
from cds_service.settings import FhirServer, load_settings
from cds_service.trust.own_keys import new_key, public_key_set
from cds_service.web.example_stories import example_stories

STORY = next(story for story in example_stories() if story.name == "candidate")
BUNDLE = json.loads(STORY.bundle.read_text(encoding="utf-8"))
PATIENT = next(e["resource"]["id"] for e in BUNDLE["entry"] if e["resource"]["resourceType"] == "Patient")
ALL = "system/*.rs"
BUT_OBSERVATIONS = " ".join(
    f"system/{kind}.rs"
    for kind in (
        "Patient",
        "Condition",
        "MedicationStatement",
        "MedicationRequest",
        "MedicationAdministration",
        "Procedure",
        "Medication",
    )
)
LOADING = "only-for-loading"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder of keys for each algorithm."""
    found = {}
    for algorithm in ("ES384", "RS384"):
        found[algorithm] = tmp_path_factory.mktemp(algorithm)
        new_key(found[algorithm], algorithm, datetime.now(UTC))
    return found


@pytest.fixture(scope="module")
def server(folders, fhir_server):
    clients = [
        {"client_id": f"{algorithm}-{name}", "jwks": public_key_set(folder), "scopes": scopes}
        for algorithm, folder in folders.items()
        for name, scopes in (("all", ALL), ("v1", "system/*.read"), ("less", BUT_OBSERVATIONS), ("none", "user/*.rs"))
    ]
    auth = {"types": ["smart", "bearer"], "tokens": [LOADING], "smart_clients": clients, "token_lifetime": 2}
    with DemoFhirServer(find_executable(), {"server_auth": auth}) as running:
        request = urllib.request.Request(
            running.base_url,
            data=json.dumps(as_transaction(BUNDLE)).encode(),
            headers={"Content-Type": "application/fhir+json", "Authorization": f"Bearer {LOADING}"},
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            assert answer.status == 200
        yield running


@pytest.fixture
def connect(server, folders):
    def opened(client, algorithm="ES384", **more):
        settings = load_settings(keys=folders[algorithm])
        asked = FhirServer(base_url=server.base_url, auth="smart", client_id=f"{algorithm}-{client}", **more)
        return reach(asked, settings)

    return opened


def conditions(client):
    return client.search(Search("Condition"), PATIENT)


@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
@pytest.mark.parametrize(("client", "style"), [("all", None), ("all", "v2"), ("v1", "v1"), ("v1", "v2")])
def test_reads_with_both_algorithms_and_both_spellings(connect, algorithm, client, style):
    harvest = conditions(connect(client, algorithm, scopes=style)(5))
    assert harvest.read.complete
    assert harvest.entries


def test_without_a_token_nothing_is_read(server):
    read = conditions(reach(FhirServer(base_url=server.base_url), load_settings())(5)).read
    assert (read.completeness, read.why) == (Completeness.FAILED, "HTTP 401")


def test_a_token_of_a_file(server, tmp_path):
    file = tmp_path / "token"
    file.write_text(f"{LOADING}\n")
    connect = reach(FhirServer(base_url=server.base_url, auth="token", token_file=file), load_settings())
    assert conditions(connect(5)).read.complete
    file.write_text("two words")
    with pytest.raises(ConfigError, match="token_file") as refusal:
        connect(5)
    assert "two words" not in str(refusal.value)


def test_an_unknown_client_and_a_foreign_key(server, connect, tmp_path):
    assert "does not know this client" in conditions(connect("nobody")(5)).read.why
    new_key(tmp_path, "ES384", datetime.now(UTC))
    settings = load_settings(keys=tmp_path)
    foreign = FhirServer(base_url=server.base_url, auth="smart", client_id="ES384-all")
    assert "does not know this client" in conditions(reach(foreign, settings)(5)).read.why


def test_a_client_without_any_scope(connect):
    assert "none of the scopes" in conditions(connect("none")(5)).read.why


def test_a_missing_scope_costs_that_type_only_and_is_told(connect):
    rules = load_rules()
    whole = read_chart({}, rules.plan, PATIENT, connect("all")(5))
    record = read_chart({}, rules.plan, PATIENT, connect("less")(5))
    unread = {kind: read.why for kind, read in record.reads.items() if not read.complete}
    assert unread == {"Observation": "the server gives no leave to read Observation"}
    assert record.resources["Condition"] == whole.resources["Condition"]
    outcome = rules.judge(record, rules.library, as_of=STORY.as_of)
    hemoglobin = outcome.trials[0].of("hemoglobin")
    assert (hemoglobin.verdict.value, [one.reason.value for one in hemoglobin.reasons]) == ("unknown", ["not-fetched"])


def test_a_token_that_ran_out_is_renewed_before_and_after(connect):
    client = connect("all")(20)
    clock = itertools.count()  # a second for each look: renewed long before the server would refuse
    client.access._clock = lambda: next(clock)
    assert all(conditions(client).read.complete for _ in range(4))

    stopped = connect("all")(20)
    stopped.access._clock = lambda: 0.0  # never renewed by itself
    assert conditions(stopped).read.complete
    before = stopped.access.grant("Condition", stopped.transport).token
    time.sleep(2.1)
    assert conditions(stopped).read.complete  # refused once with 401, then read with a new token
    assert stopped.access.grant("Condition", stopped.transport).token != before


def test_nothing_secret_is_shown_or_logged(connect, caplog):
    caplog.set_level(logging.DEBUG)
    client = connect("less")(5)
    assert read_chart({}, load_rules().plan, PATIENT, client).patient
    grant = client.access.grant("Condition", client.transport)
    shown = " ".join(map(repr, (client, client.access, grant, vars(client.access), client.access._client)))
    assert grant.token
    for text in (shown, caplog.text):
        assert grant.token not in text
        assert "eyJ" not in text
        assert PATIENT not in text


def test_a_changed_key_is_used_without_a_restart(server, connect, folders, tmp_path):
    """Keys are read for each token: one that is taken away signs no more."""
    settings = load_settings(keys=tmp_path)
    key = new_key(tmp_path, "ES384", datetime.now(UTC))
    connect = reach(FhirServer(base_url=server.base_url, auth="smart", client_id="ES384-all"), settings)
    assert "does not know" in conditions(connect(5)).read.why
    (tmp_path / f"{key.kid}.json").unlink()
    ours = next(folders["ES384"].glob("*.json"))
    (tmp_path / ours.name).write_bytes(ours.read_bytes())
    (tmp_path / ours.name).chmod(0o600)
    client = connect(5)
    client.access._failed.clear()
    assert conditions(client).read.complete


def test_the_settings_are_checked(tmp_path):
    base = "https://ehr.example/fhir"
    for wrong, settings, word in (
        (FhirServer(base_url="http://ehr.example/fhir"), load_settings(), "https"),
        (FhirServer(base_url="https://h/a/../b"), load_settings(), "base_url"),
        (FhirServer(base_url=base, auth="smart", client_id="c"), load_settings(), "CDS_KEYS"),
        (FhirServer(base_url=base, auth="smart", client_id="c"), load_settings(keys=tmp_path), "keys new"),
        (FhirServer(base_url=base, ca_file=tmp_path / "none"), load_settings(), "ca_file"),
    ):
        with pytest.raises(ConfigError, match=word):
            reach(wrong, settings)
    for wrong in ({"auth": "smart"}, {"client_id": "c"}, {"auth": "token"}, {"token_file": tmp_path}):
        with pytest.raises(ValueError, match="belong together"):
            FhirServer(base_url=base, **wrong)
