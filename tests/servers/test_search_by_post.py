"""Real servers searched by POST give the very record that they give by GET, and Medplum's awkward ways do no harm."""

import json
import os
from urllib.parse import urlsplit

import pytest
from loading import store
from medplum_server import MedplumServer, find_medplum

from cds_service.bootstrap import load_rules, reach
from cds_service.cli.fhir_server import DemoFhirServer
from cds_service.errors import ConfigError
from cds_service.facts.record import Completeness, Read
from cds_service.gather.bundle import read_bundle
from cds_service.gather.chart import read_chart
from cds_service.gather.plan import LONGEST_PAGE, Search
from cds_service.settings import FhirServer, load_settings
from cds_service.web.example_stories import example_stories

RULES = load_rules()
STORIES = {story.name: json.loads(story.bundle.read_text(encoding="utf-8")) for story in example_stories()}
AS_OF = {story.name: story.as_of for story in example_stories()}
NAMES = ("stale-bilirubin", "after-5-cycles-pr", "sintilimab-by-name")


def patient_of(bundle):
    return next(one["resource"]["id"] for one in bundle["entry"] if one["resource"]["resourceType"] == "Patient")


def records(patient, count, kind="Observation"):
    """A patient with so many records of one type."""
    one = {"resourceType": kind, "status": "final", "subject": {"reference": f"Patient/{patient}"}}
    resources = [{"resourceType": "Patient", "id": patient}]
    resources += [{**one, "id": f"{patient}-{number}"} for number in range(count)]
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}


def client(server, seconds=30.0, **rest):
    return reach(FhirServer(base_url=server.base_url, **rest), load_settings())(seconds)


@pytest.fixture(scope="module")
def medplum():
    try:
        find_medplum()
    except ConfigError as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(missing))
    with MedplumServer() as server:
        for name in NAMES:
            server.load(STORIES[name])
        server.load(records("post-some", 25))
        # It looks at every record of a type in each search: these must not slow the others down.
        server.load(records("many", 251, "Encounter"))
        server.load(records("too-many", 1001, "ServiceRequest"))
        yield server


@pytest.fixture(scope="module")
def sekmet(fhir_server: DemoFhirServer):
    for name in NAMES:
        fhir_server.load(STORIES[name])
    fhir_server.load(records("post-some", 25))
    return fhir_server


@pytest.fixture(scope="module")
def hapi(hapi_server):
    for name in NAMES:
        assert store(hapi_server.base_url, STORIES[name]).refused == ()
    hapi_server.load(records("post-some", 25))
    return hapi_server


@pytest.fixture(params=["sekmet", "medplum", "hapi"])
def server(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("name", NAMES)
def test_by_post_as_by_get(server, name):
    patient = patient_of(STORIES[name])
    by_get = read_chart({}, RULES.plan, patient, client(server))
    by_post = read_chart({}, RULES.plan, patient, client(server, post_search=True))
    assert by_post == by_get
    assert all(read.complete for read in by_post.reads.values())
    judged = [RULES.judge(one, RULES.library, as_of=AS_OF[name]) for one in (by_post, read_bundle(STORIES[name]))]
    assert judged[0].trials == judged[1].trials


def test_pages_of_a_search_by_post(server):
    """HAPI and sekmet link on, by GET; Medplum cuts."""
    reader = client(server, post_search=True)
    answer = reader.ask("Observation", (("patient", "Patient/post-some"), ("_count", "10")))
    assert len(answer.body["entry"]) == 10
    assert len(reader.search(Search("Observation"), "post-some").entries) == 25


def test_repeated_parameters_reach_the_server_by_post(sekmet):
    """Two dates are a window: a form that loses one finds more."""
    patient = patient_of(STORIES["after-5-cycles-pr"])
    window = (("patient", f"Patient/{patient}"), ("date", "ge2026-01-01"), ("date", "lt2026-02-01"), ("_count", "100"))
    for two in (window, (window[0], window[2], window[1], window[3])):
        by_get, by_post = (client(sekmet).ask("Observation", two, post=post).body for post in (False, True))
        half = client(sekmet).ask("Observation", two[:2] + two[3:], post=True).body
        assert by_post["total"] == by_get["total"]
        assert by_post["total"] < half["total"]


def test_nobody_is_a_patient_who_was_not_found(server):
    assert client(server, post_search=True).patient("nobody")[1] == Read.failed("the server found no such patient")
    assert client(server).patient("nobody")[1] == Read.failed("HTTP 404")


class TestMedplum:
    def test_only_the_reference_finds_records(self, medplum):
        ask = client(medplum).ask
        assert ask("Observation", (("patient", "Patient/post-some"),)).body["total"] == 25
        assert ask("Observation", (("patient", "post-some"),)).body["total"] == 0

    def test_it_cuts_without_a_link_and_total_tells(self, medplum):
        body = client(medplum).ask("Observation", (("patient", "Patient/post-some"), ("_count", "10"))).body
        assert (len(body["entry"]), body["total"], "link" in body) == (10, 25, False)

    def test_more_records_than_a_page(self, medplum):
        harvest = client(medplum).search(Search("Encounter"), "many")
        assert (len(harvest.entries), harvest.read) == (251, Read())

    def test_more_records_than_it_gives_at_once(self, medplum):
        harvest = client(medplum).search(Search("ServiceRequest"), "too-many")
        assert harvest.read.completeness is Completeness.INCOMPLETE
        assert len(harvest.entries) == LONGEST_PAGE  # the second, longer page, which is not all either

    def test_an_unknown_parameter_finds_nothing(self, medplum):
        """So do not send it any but those that every server must know."""
        ask = client(medplum).ask
        assert ask("Observation", (("patient", "Patient/post-some"), ("unheard-of", "1"))).body["total"] == 0

    def test_what_is_not_installed_is_told(self, monkeypatch, tmp_path):
        monkeypatch.setattr("medplum_server._INSTALLED", tmp_path)
        with pytest.raises(ConfigError, match="make medplum"):
            MedplumServer().start()

    def test_a_shim_that_dies_is_told(self, medplum, monkeypatch, tmp_path):
        broken = tmp_path / "server.mjs"
        broken.write_text("process.exit(1)")
        monkeypatch.setattr("medplum_server._SHIM", broken)
        with pytest.raises(ConfigError, match="did not start"):
            MedplumServer().start()

    def test_a_refused_entry_is_told_without_its_content(self, medplum):
        bundle = records("secret", 0)
        bundle = {**bundle, "type": "transaction"}
        bundle["entry"][0]["request"] = {"method": "PUT", "url": "Patient/other"}
        with pytest.raises(ConfigError, match="refused 1 entries: HTTP 400") as refusal:
            medplum.load(bundle)
        assert "secret" not in str(refusal.value)

    def test_it_is_gone_at_the_end(self, medplum):
        with MedplumServer() as short:
            assert short.start() is short
            place = urlsplit(short.base_url)
            assert place.hostname == "127.0.0.1"
            assert client(short).ask("Observation", (("patient", "Patient/post-some"),)).body["total"] == 0
        short.stop()
        with pytest.raises(ConfigError, match="not running"):
            _ = short.base_url
