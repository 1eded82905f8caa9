"""`make sandbox-tests` works: run as an integrator runs it, against a server on this machine."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sandboxes.chosen import chosen

from cds_service.web.example_stories import example_stories

ROOT = Path(__file__).resolve().parents[2]
TESTS = len(re.findall(r"^def test_", (ROOT / "tests" / "sandboxes" / "test_sandbox.py").read_text(), re.MULTILINE))


def make(*variables):
    """Run the target; nothing is installed anew."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SANDBOX", "MAKE"))}
    return subprocess.run(
        ["make", "--old-file=.venv/.dev", "sandbox-tests", *variables],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_server_is_read_and_passes(fhir_server):
    for story in example_stories()[:4]:
        fhir_server.load(json.loads(story.bundle.read_text(encoding="utf-8")))
    done = make("SANDBOX=hapi", f"SANDBOX_URL={fhir_server.base_url}")
    assert done.returncode == 0, done.stdout
    assert f"{TESTS} passed" in done.stdout


def test_nobody_there_is_one_plain_line():
    done = make("SANDBOX=hapi", "SANDBOX_URL=https://nowhere.invalid/fhir")
    assert done.returncode != 0
    assert "https://nowhere.invalid/fhir: reachable: no connection." in done.stdout
    assert "Traceback" not in done.stdout


def test_a_name_is_needed():
    done = make()
    assert done.returncode != 0
    assert "make sandbox-tests SANDBOX=hapi" in done.stderr


def test_no_other_run_collects_them():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/sandboxes"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("SANDBOX")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 5  # nothing was collected


class TestChosen:
    @pytest.fixture
    def choose(self, monkeypatch):
        def choose(**variables):
            for name, value in variables.items():
                monkeypatch.setenv(name, value)
            return chosen.__wrapped__()

        return choose

    def test_none(self, choose):
        assert choose() is None

    def test_the_only_hosts_are_the_sandboxs(self, choose):
        found = choose(SANDBOX="oracle-health", SANDBOX_CLIENT="ours")
        assert found.hosts == {"fhir-ehr-code.cerner.com", "authorization.cerner.com"}
        assert (found.server.auth, found.server.client_id, found.patients) == ("smart", "ours", ())
        found = choose(SANDBOX="hapi", SANDBOX_URL="http://127.0.0.1:1/fhir", SANDBOX_PATIENTS="a,b")
        assert (found.hosts, found.patients) == ({"127.0.0.1"}, ("a", "b"))

    def test_a_token_of_a_file(self, choose):
        found = choose(SANDBOX="epic", SANDBOX_TOKEN_FILE="/somewhere/token")
        assert (found.server.auth, str(found.server.token_file)) == ("token", "/somewhere/token")

    @pytest.mark.parametrize(
        ("name", "told"), [("nothing", "known: smart-health-it, hapi"), ("aidbox", "SANDBOX_URL"), ("epic", "_CLIENT")]
    )
    def test_what_is_missing_is_told(self, choose, name, told):
        with pytest.raises(pytest.UsageError, match=told):
            choose(SANDBOX=name)
