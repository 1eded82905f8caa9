"""A Bulk Data export of a real FHIR server with SMART Backend Services, against the Bundles that it was filled with."""

import json
import logging
import urllib.request
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from cds_service.bootstrap import exporting
from cds_service.cli import main
from cds_service.cli.fhir_server import DemoFhirServer, as_transaction, find_executable
from cds_service.errors import GatherError
from cds_service.facts.record import RESOURCE_TYPES
from cds_service.gather.bulk.export import fetch_export
from cds_service.settings import FhirServer, load_settings
from cds_service.trust.own_keys import new_key, public_key_set
from cds_service.web.example_stories import example_stories

STORIES = example_stories()
LOADING = "only-for-loading"
NEEDED = ("Patient", *RESOURCE_TYPES)


def bundles():
    return [json.loads(story.bundle.read_text(encoding="utf-8")) for story in STORIES]


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    new_key(folder, "ES384", datetime.now(UTC))
    return folder


@pytest.fixture(scope="module")
def server(keys, fhir_server):
    less = " ".join(f"system/{kind}.rs" for kind in (*NEEDED, "Medication") if kind != "Observation")
    clients = [
        {"client_id": name, "jwks": public_key_set(keys), "scopes": scopes}
        for name, scopes in (("all", "system/*.rs"), ("less", less))
    ]
    # Scopes are granted by type, but not enforced: this server takes its status and file addresses for types of their
    # own, which only a scope for every type would open.
    auth = {
        "types": ["smart", "bearer"],
        "tokens": [LOADING],
        "smart_clients": clients,
        "token_lifetime": 2,  # has to be renewed on the way
        "enforce_scopes": False,
    }
    with DemoFhirServer(find_executable(), {"server_auth": auth}) as running:
        for bundle in bundles():
            request = urllib.request.Request(
                running.base_url,
                data=json.dumps(as_transaction(bundle)).encode(),
                headers={"Content-Type": "application/fhir+json", "Authorization": f"Bearer {LOADING}"},
            )
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
                assert answer.status == 200
        yield running


@pytest.fixture
def export(server, keys, tmp_path):
    def fetched(client="all", path="Patient/$export"):
        settings = load_settings(keys=keys)
        place = FhirServer(base_url=server.base_url, auth="smart", client_id=client)
        return fetch_export(exporting(place, settings), path, tmp_path / "export")

    return fetched


def names(resources):
    return sorted(f"{one['resourceType']}/{one['id']}" for one in resources if one["resourceType"] in NEEDED)


@pytest.mark.parametrize("path", ["Patient/$export", "$export"])
def test_everything_that_was_loaded_comes_back(export, tmp_path, path, caplog):
    caplog.set_level(logging.DEBUG)
    told = export(path=path)
    folder = tmp_path / "export"
    came = [json.loads(line) for file in folder.glob("*.ndjson") for line in file.read_bytes().splitlines()]
    loaded = [entry["resource"] for bundle in bundles() for entry in bundle["entry"]]
    assert names(came) == names(loaded)
    assert (told.lines, dict(told.incomplete)) == (len(came), {})
    assert "eyJ" not in caplog.text + "".join(file.read_text() for file in folder.glob("export*.json"))


def test_a_type_without_leave_is_told_and_not_in_the_folder(export, tmp_path):
    told = export("less")
    assert dict(told.incomplete) == {"Observation": "the server gives no leave to read Observation"}
    assert not list((tmp_path / "export").glob("Observation*"))
    assert list((tmp_path / "export").glob("Condition*"))


def test_an_unknown_client_gets_nothing(export):
    with pytest.raises(GatherError, match="does not know this client"):
        export("nobody")


def test_a_group_that_is_not_there(export):
    with pytest.raises(GatherError, match="could not be started"):
        export(path="Group/none/$export")


def test_prescreening_the_export_is_prescreening_the_bundles(server, keys, tmp_path, monkeypatch):
    """By the command, from kick-off to verdicts: the same for each patient as from the Bundle that was loaded."""
    place = {"base_url": server.base_url, "auth": "smart", "client_id": "all"}
    monkeypatch.setenv("CDS_KEYS", str(keys))
    monkeypatch.setenv("CDS_FHIR_SERVERS", json.dumps([place]))
    sources = {
        "exported": ["--export", f"{server.base_url}/$export"],
        "bundles": ["--bundles", str(STORIES[0].bundle.parents[1])],
    }
    told = {}
    for name, source in sources.items():
        out = tmp_path / name
        options = ["--as-of", "2026-03-01", "--workers", "1", "--format", "-", "--out", str(out)]
        ran = CliRunner().invoke(main, ["prescreen", *source, *options])
        assert ran.exit_code == 0, ran.output
        lines = [json.loads(line) for line in (out / "results.jsonl").read_bytes().splitlines()]
        told[name] = {one["patient"]: (one["results"], one["others"]) for one in lines}
    assert told["exported"] == told["bundles"]
    manifest = json.loads((tmp_path / "exported" / "manifest.json").read_text())
    assert (manifest["source"]["kind"], manifest["incomplete"]) == ("export", [])
    # The same command again: nothing is asked for any more.
    again = CliRunner().invoke(main, ["prescreen", *sources["exported"], "--out", str(tmp_path / "exported")])
    assert again.exit_code == 0, again.output
