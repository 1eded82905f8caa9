"""This service under the conformance suite, in each mode; the results page; and a proof for every requirement."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import results_page as made
from click.testing import CliRunner
from our_service import RUNS, TWO, chart, free_port, results, serving

from cds_service.cli import main
from cds_service.conformance.findings import Outcome
from cds_service.conformance.suite import Run, check
from cds_service.settings import load_settings

pytestmark = pytest.mark.slow
STORY = made.ROOT / "fhir_examples/patients/candidate/bundle.json"


@pytest.mark.parametrize("name", [*RUNS, "sandbox"])
def test_no_check_fails(name):
    failed = [
        f"{one.check.id} {one.service}: {one.sent}: {one.came}: {one.fault}"
        for one in results(name)
        if one.outcome is Outcome.FAIL
    ]
    assert failed == []


def test_the_made_up_patient_of_the_suite_does():
    with serving(load_settings(mode="open", port=0)) as base:
        assert [one for one in check(Run(base, TWO[:1])) if one.outcome is Outcome.FAIL] == []


def test_every_row_of_the_services_duty_has_a_proof():
    assert made.unproven() == []


def test_the_results_page_is_the_one_the_run_gives():
    assert made.DOCUMENT.read_text(encoding="utf-8") == made.page(), "run: make docs-tables"


def test_what_is_not_used():
    """Rows that hold because what they speak of is not there: hookVersion, dependent templates, system actions."""
    ended = {one.check.id: one.outcome for name in RUNS for one in results(name)}
    assert {ended[name] for name in ("D11", "D15", "K15", "K16")} == {Outcome.NOT_APPLICABLE}
    assert ended["K18"] is Outcome.PASS


def test_the_command_checks_a_service_under_gunicorn(tmp_path):
    """As a hospital would: gunicorn, tokens, and the command with files."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from jwt.algorithms import ECAlgorithm

    key = generate_private_key(SECP384R1())
    (tmp_path / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    jwk = {**json.loads(ECAlgorithm.to_jwk(key.public_key())), "kid": "one", "alg": "ES384", "use": "sig"}
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [jwk]}))
    port, fhir = free_port(), free_port()
    base = f"http://127.0.0.1:{port}"
    client = {
        "issuer": "https://ehr.example",
        "jwks_file": str(tmp_path / "keys.json"),
        "fhir_servers": [f"http://127.0.0.1:{fhir}/fhir"],
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")} | {
        "CDS_MODE": "verified",
        "CDS_PUBLIC_BASE_URL": base,
        "CDS_CLIENTS": json.dumps([client]),
        "CDS_STORE": f"sqlite:///{tmp_path}/store.db",
        "CDS_CORS_ORIGINS": '["http://localhost:8080"]',
    }
    command = [f"{Path(sys.executable).parent}/gunicorn", "--bind", f"127.0.0.1:{port}", "--threads", "4"]
    command += ["--no-control-socket", "--workers", "2", "cds_service.wsgi:app"]
    server = subprocess.Popen(command, env=environment, cwd=made.ROOT, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        while "Booting worker" not in (line := server.stderr.readline()):
            assert line, "gunicorn did not start"
        arguments = ["conformance", base, "--service", TWO[0], "--patient", str(STORY), "--fhir-port", str(fhir)]
        arguments += ["--issuer-key", str(tmp_path / "key.pem"), "--issuer", "https://ehr.example", "--kid", "one"]
        result = CliRunner().invoke(main, [*arguments, "--timeout", "30"])
    finally:
        server.terminate()
        _out, log = server.communicate(timeout=20)
    assert result.exit_code == 0, result.output
    assert "\nfail  " not in result.output
    assert ", 0 failed, " in result.output
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["ftp://127.0.0.1"], "URL"),
        (["127.0.0.1:8000"], "URL"),
        (["http://127.0.0.1:9", "--patient", "nowhere.json"], "--patient"),
        (["http://127.0.0.1:9", "--patient", str(made.PROOFS)], "--patient"),
        (["http://127.0.0.1:9", "--issuer-key", str(made.PROOFS)], "--issuer-key"),
    ],
)
def test_a_wrong_option_is_named(arguments, named):
    result = CliRunner().invoke(main, ["conformance", *arguments])
    assert result.exit_code == 2
    assert named in result.output


def test_a_service_that_is_not_offered_is_named():
    with serving(load_settings(mode="open", port=0)) as base:
        result = CliRunner().invoke(main, ["conformance", base, "--service", "another"])
    assert result.exit_code == 2
    assert "--service" in result.output


def test_nobody_there_is_a_failure():
    result = CliRunner().invoke(main, ["conformance", "http://127.0.0.1:9", "--format", "json"])
    assert (result.exit_code, result.stdout) == (3, "")


def test_the_chart_has_cards_to_look_at():
    assert len(chart().resources) > 10
    ended = {(one.check.id, one.service): one.outcome for one in results("open")}
    for service in TWO:
        assert ended["K01", service] is Outcome.PASS
    assert ended["K11", TWO[0]] is Outcome.PASS
