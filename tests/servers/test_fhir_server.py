"""The demo FHIR server starts, stores Bundles, answers searches, and leaves nothing behind."""

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from cds_service.cli.fhir_server import DemoFhirServer, as_transaction, find_executable
from cds_service.errors import ConfigError

pytestmark = pytest.mark.server

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def read(server: DemoFhirServer, path: str, **query: str) -> dict[str, Any]:
    url = f"{server.base_url}/{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
    with _opener.open(url, timeout=10) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def chart(patient: str, observations: int = 0) -> dict[str, Any]:
    subject = {"reference": f"Patient/{patient}"}
    resources: list[dict[str, Any]] = [
        {
            "resourceType": "Condition",
            "id": f"{patient}-c1",
            "subject": subject,
            "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "C11.9"}]},
        },
        {"resourceType": "Patient", "id": patient, "birthDate": "1970-01-01"},
    ]
    resources += [
        {
            "resourceType": "Observation",
            "id": f"{patient}-o{number}",
            "status": "final",
            "subject": subject,
            "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
            "effectiveDateTime": f"2025-10-{number + 1:02}",
            "valueQuantity": {"value": 100 + number, "unit": "g/L"},
        }
        for number in range(observations)
    ]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": resource} for resource in resources],
    }


def test_what_was_loaded_is_found_by_search(fhir_server: DemoFhirServer) -> None:
    fhir_server.load(chart("found-by-search"))

    assert read(fhir_server, "Patient/found-by-search")["birthDate"] == "1970-01-01"
    found = read(fhir_server, "Condition", patient="found-by-search")
    assert [entry["resource"]["id"] for entry in found["entry"]] == ["found-by-search-c1"]
    by_code = read(fhir_server, "Condition", patient="found-by-search", code="http://hl7.org/fhir/sid/icd-10|C11.9")
    assert by_code["total"] == 1


def test_a_long_answer_comes_in_pages_on_the_same_base(fhir_server: DemoFhirServer) -> None:
    fhir_server.load(chart("many-pages", observations=25))

    ids: list[str] = []
    page = read(fhir_server, "Observation", patient="many-pages", _count="10", _sort="-date")
    while True:
        ids += [entry["resource"]["id"] for entry in page["entry"]]
        further = [link["url"] for link in page["link"] if link["relation"] == "next"]
        if not further:
            break
        assert further[0].startswith(fhir_server.base_url + "/")
        page = read(fhir_server, further[0].removeprefix(fhir_server.base_url + "/"))

    assert ids == [f"many-pages-o{number}" for number in reversed(range(25))]


def test_an_empty_bundle_and_an_untidy_chart_are_stored(fhir_server: DemoFhirServer) -> None:
    fhir_server.load({"resourceType": "Bundle", "type": "collection"})
    untidy = chart("untidy")
    untidy["entry"][0]["resource"]["unheardOf"] = True

    fhir_server.load(untidy)

    assert read(fhir_server, "Condition", patient="untidy")["total"] == 1


def test_a_refused_bundle_is_told_without_its_content(fhir_server: DemoFhirServer) -> None:
    bundle = chart("secret-id")
    bundle["entry"][0]["resource"]["resourceType"] = "Nonsense"

    with pytest.raises(ConfigError, match="HTTP 4") as refusal:
        fhir_server.load(bundle)

    assert "secret-id" not in str(refusal.value)


def test_stop_frees_the_port_and_removes_the_data(fhir_server: DemoFhirServer) -> None:
    server = DemoFhirServer()
    with server:
        metadata = f"{server.base_url}/metadata"
        assert server.base_url != fhir_server.base_url
        assert server.start() is server  # already running: the same one
        assert server._folder is not None
        folder = Path(server._folder.name)

    server.stop()  # twice is harmless
    assert not folder.exists()
    with pytest.raises(urllib.error.URLError):
        _opener.open(metadata, timeout=2)
    with pytest.raises(ConfigError, match="not running"):
        _ = server.base_url


def test_the_environment_does_not_change_the_server(
    fhir_server: DemoFhirServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEKMET_BASE_URL", "https://elsewhere.invalid/fhir")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    with DemoFhirServer() as server:
        server.load(chart("own-base"))
        page = read(server, "Condition", patient="own-base")

    assert page["link"][0]["url"].startswith("http://127.0.0.1:")


class TestExecutable:
    def test_a_wrong_name_in_the_environment_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CDS_DEMO_FHIR_SERVER", "/nowhere/sekmet")
        with pytest.raises(ConfigError, match="CDS_DEMO_FHIR_SERVER names /nowhere/sekmet"):
            find_executable()

    def test_a_missing_one_is_told_with_what_to_install(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.delenv("CDS_DEMO_FHIR_SERVER", raising=False)
        monkeypatch.setenv("PATH", os.fspath(tmp_path))
        monkeypatch.setattr("cds_service.cli.fhir_server._CHECKOUT", tmp_path)
        with pytest.raises(ConfigError, match=r"make \.venv-fhir"):
            find_executable()

    def test_one_that_dies_at_once_is_told_with_its_output(self, tmp_path: Path) -> None:
        broken = tmp_path / "sekmet"
        broken.write_text("#!/bin/sh\necho it is broken\nexit 1\n", encoding="utf-8")
        broken.chmod(0o755)
        with pytest.raises(ConfigError, match="it is broken"):
            DemoFhirServer(broken).start()

    def test_one_that_cannot_be_run_is_told(self, tmp_path: Path) -> None:
        moved = tmp_path / "sekmet"
        moved.write_text("#!/nowhere/python\n", encoding="utf-8")
        moved.chmod(0o755)
        with pytest.raises(ConfigError, match="cannot be run"):
            DemoFhirServer(moved).start()


def test_a_collection_becomes_a_transaction_with_the_patient_first() -> None:
    bundle = chart("p", observations=1)
    bundle["entry"].append({"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Observation"}})

    entries = as_transaction(bundle)["entry"]

    assert [entry["request"]["url"] for entry in entries] == [
        "Patient/p",
        "Condition/p-c1",
        "Observation/p-o0",
        "Observation",
    ]
    assert entries[-1]["request"]["method"] == "POST"
    assert entries[-1]["fullUrl"] == "urn:uuid:1"
    assert "request" not in bundle["entry"][0]
