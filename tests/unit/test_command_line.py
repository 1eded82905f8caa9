"""The command line: one clear line for what is wrong, the right exit code, and the contract on standard output."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from door_fakes import PATIENT, bundle

from cds_service.cli import main
from cds_service.errors import Complaint, ConfigError, GatherError, RuleError
from cds_service.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
CANDIDATE = ROOT / "fhir_examples" / "patients" / "candidate" / "bundle.json"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in [name for name in os.environ if name.startswith("CDS_")]:
        monkeypatch.delenv(name)


def run(*arguments, **rest):
    return CliRunner().invoke(main, [str(argument) for argument in arguments], **rest)


def refused(result, code, word):
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert word in result.stderr


def test_evaluate_prints_the_contract():
    result = run("evaluate", CANDIDATE, "--as-of", "2026-03-01")
    body = json.loads(result.stdout, parse_float=Decimal)
    assert result.exit_code == 0
    assert body["patient"] == "Patient/candidate"
    assert body["results"][0]["status"] == "candidate"


def test_evaluate_reads_standard_input_and_prints_text():
    result = run("evaluate", "-", "--as-of", "2026-03-01", "--format", "text", input=CANDIDATE.read_bytes())
    assert result.exit_code == 0
    assert "may be a candidate, for review" in result.stdout
    assert result.stdout.endswith("\n")
    assert not result.stdout.endswith("\n\n")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["nowhere.json"], "BUNDLE"),
        ([ROOT], "BUNDLE"),
        ([CANDIDATE, "--as-of", "1 March"], "--as-of"),
        ([CANDIDATE, "--as-of", "2026-02-30"], "--as-of"),
        ([CANDIDATE, "--anchor", "20260301"], "--anchor"),
        ([CANDIDATE, "--as-of", "2026-03-02", "--anchor", "2026-03-01"], "anchor"),
        ([CANDIDATE, "--as-of", "2026-03-01", "--trial", "NCT99999999"], "trial"),
        ([ROOT / "pyproject.toml"], "BUNDLE"),
        ([ROOT / "fhir_examples" / "hooks" / "patient-view.no-prefetch.json"], "resourceType"),
    ],
)
def test_evaluate_names_what_is_wrong(arguments, word):
    refused(run("evaluate", *arguments), 2, word)


@pytest.mark.parametrize(("body", "word"), [(bundle(), "Patient"), (bundle(PATIENT, {**PATIENT, "id": "2"}), "two")])
def test_evaluate_refuses_a_bundle_that_is_not_one_patient(body, word):
    refused(run("evaluate", "-", input=json.dumps(body)), 2, word)


def test_unknown_options_and_commands_exit_2():
    assert run("evaluate", CANDIDATE, "--format", "xml").exit_code == 2
    assert run("nothing").exit_code == 2
    assert run("evaluate").exit_code == 2


def test_every_error_has_its_exit_code(monkeypatch):
    complaints = [Complaint("a.yaml:3", "one"), Complaint("b.yaml:4", "two", "did you mean three")]
    errors = {10: RuleError(complaints), 12: ConfigError("one"), 3: GatherError("one")}
    for code, error in errors.items():

        def fail(*_site, error=error):
            raise error

        monkeypatch.setattr("cds_service.bootstrap.load_rules", fail)
        result = run("evaluate", CANDIDATE)
        assert result.exit_code == code
        assert "one" in result.stderr
        assert ("b.yaml:4: two (did you mean three)" in result.stderr) is (code == 10)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "ehr.example", ""])
def test_serve_refuses_to_be_open_to_others(host):
    refused(run("serve", "--host", host, "--port", "0"), 12, "--host")


def test_serve_says_when_the_port_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as door:
        refused(run("serve", "--port", door.getsockname()[1]), 12, "--port")


def test_serve_serves_until_it_is_stopped():
    command = [sys.executable, "-c", "from cds_service.cli import main; main()", "serve", "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
    try:
        base = process.stdout.readline().split()[1]
        with urllib.request.urlopen(f"{base}cds-services", timeout=10) as response:
            assert json.load(response)["services"][0]["hook"] == "patient-view"
        process.send_signal(signal.SIGTERM)
        rest, log = process.communicate(timeout=10)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    assert "Stopped." in rest
    assert "open mode" in log


@pytest.mark.parametrize("mode", [None, "open"])
def test_wsgi_is_never_open(mode):
    environment = {**os.environ, **({"CDS_MODE": mode} if mode else {})}
    done = subprocess.run(
        [sys.executable, "-c", "import cds_service.wsgi"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "ConfigError" in done.stderr.splitlines()[-1]
    assert "CDS_MODE" in done.stderr


def test_settings_complain_without_the_value(monkeypatch, tmp_path):
    monkeypatch.setenv("CDS_PORT", "secret")
    with pytest.raises(ConfigError, match="port") as refusal:
        load_settings()
    assert "secret" not in str(refusal.value)
    monkeypatch.delenv("CDS_PORT")
    file = tmp_path / "service.toml"
    monkeypatch.setenv("CDS_CONFIG", str(file))
    with pytest.raises(ConfigError, match="CDS_CONFIG"):
        load_settings()
    for text, word in (("prot = 1", "prot"), ("port = ", "TOML"), ("mode = 'jwt'", "mode")):
        file.write_text(text)
        with pytest.raises(ConfigError, match=word):
            load_settings()
    file.write_text("port = 9\ngather_seconds = 1.5\ncors_origins = ['https://ehr.example']")
    monkeypatch.setenv("CDS_PORT", "10")
    settings = load_settings()
    assert (settings.port, settings.gather_seconds, settings.cors_origins) == (10, 1.5, ("https://ehr.example",))
