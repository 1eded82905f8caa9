"""The doctor tells the truth about a good server, a guarded one, and each of those that the docs show."""

import base64
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from asking_doctor import KINDS, STALE, bundle, diagnose, patient_of, rules_loaded_once, run
from loading import store
from medplum_server import MedplumServer
from under_test import installed_or_skip

from cds_service.cli.fhir_server import DemoFhirServer, find_executable
from cds_service.trust.own_keys import new_key, public_key_set

__all__ = ["rules_loaded_once"]  # fixtures

ROOT = Path(__file__).resolve().parents[2]


def normalised(text):
    """A table without what differs from run to run: times, ports, and the blanks before them."""
    text = re.sub(r"within the \d+ s", "within the 4 s", re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8090", text))
    return re.sub(r" +", " ", re.sub(r"\d+ ms", "# ms", text)).strip()


def shown():
    """Return the tables in the docs: sekmet, HAPI, Medplum."""
    return re.findall(r"```text\n(.*?)```", (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def good_server(fhir_server):
    """A server of its own: the first patient that it lists must be ours."""
    with DemoFhirServer(find_executable()) as running:
        running.load(bundle(STALE))
        yield running


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    new_key(folder, "ES384", datetime.now(UTC))
    return folder


@pytest.fixture(scope="module")
def guarded_server(keys, fhir_server):
    """A server that asks for a token; nobody is in it."""
    kinds = ("Patient", "Medication", *KINDS)
    scopes = {
        "ours": " ".join(f"system/{kind}.rs" for kind in kinds),
        "less": " ".join(f"system/{kind}.rs" for kind in kinds if kind != "Observation"),
    }
    clients = [{"client_id": n, "jwks": public_key_set(keys), "scopes": s} for n, s in scopes.items()]
    auth = {"types": ["smart", "bearer"], "tokens": ["good"], "smart_clients": clients}
    with DemoFhirServer(find_executable(), {"server_auth": auth}) as running:
        yield running


class TestGoodServer:
    @pytest.fixture
    def server(self, good_server):
        return good_server

    def test_the_table_in_the_docs_is_what_it_prints(self, server):
        done = run(server.base_url, "--as-of", STALE.as_of.isoformat())
        assert normalised(done.stdout) == normalised(shown()[0])
        assert done.exit_code == 0
        assert done.stderr == ""

    def test_all_is_well_and_nothing_of_the_patient_is_told(self, server):
        done = run(
            server.base_url, "--format", "json", "--as-of", STALE.as_of.isoformat(), "--patient", patient_of(STALE)
        )
        told = json.loads(done.stdout)
        assert {one["result"] for one in told["findings"]} == {"ok"}
        assert [one["criterion"] for one in told["unknown"]] == ["no-prior-treatment", "life-expectancy", "bilirubin"]
        assert told["unknown"][2]["missing"] == [{"fact": "bilirubin_total", "reason": "stale"}]
        resources = [entry["resource"] for entry in bundle(STALE)["entry"]]
        secrets = {one["id"] for one in resources} | {resources[0]["birthDate"]}
        values = [one["valueQuantity"]["value"] for one in resources if "valueQuantity" in one]
        secrets |= {str(value) for value in values if value > 100}
        secrets |= {part["family"] for one in resources for part in one.get("name", [])}
        assert len(secrets) > 20
        assert not [one for one in secrets if re.search(rf"(?<![\w.]){re.escape(str(one))}(?![\w.])", done.stdout)]

    def test_a_patient_who_is_not_there(self, server):
        findings, code = diagnose(server.base_url, "--patient", "nobody")
        assert (code, findings["patient"]["told"]) == (1, "HTTP 404")
        assert "no such patient" in findings["patient"]["todo"]

    def test_a_path_without_a_server(self, server):
        wrong = server.base_url.removesuffix("/fhir") + "/nothing-here"
        findings, code = diagnose(wrong)
        assert (code, list(findings)) == (1, ["reachable"])
        assert findings["reachable"]["told"] == "HTTP 404"
        assert "base URL" in findings["reachable"]["todo"]

    def test_a_server_of_the_settings_is_reached_as_they_say(self, server, monkeypatch, tmp_path):
        (tmp_path / "token").write_text("from-the-settings")
        file = tmp_path / "service.toml"
        file.write_text(
            f'[[fhir_servers]]\nbase_url = "{server.base_url}/"\nauth = "token"\ntoken_file = "{tmp_path / "token"}"\n'
        )
        monkeypatch.setenv("CDS_CONFIG", str(file))
        findings, _ = diagnose(server.base_url)
        assert findings["authorization"]["told"] == "the token of the file"


class TestOtherServers:
    """The time that a card has is not asked for here: machines that test are slow."""

    @pytest.fixture(autouse=True)
    def patience(self, monkeypatch):
        monkeypatch.setenv("CDS_GATHER_SECONDS", "60")

    def table(self, server):
        assert store(server.base_url, bundle(STALE)).refused == ()
        return run(server.base_url, "--as-of", STALE.as_of.isoformat(), "--patient", patient_of(STALE))

    def test_hapi_is_what_the_docs_show(self, hapi_server):
        done = self.table(hapi_server)
        assert normalised(done.stdout) == normalised(shown()[1])
        assert (done.exit_code, done.stderr) == (0, "")

    def test_medplum_is_what_the_docs_show(self):
        installed_or_skip("medplum")
        with MedplumServer() as server:
            done = self.table(server)
        assert normalised(done.stdout) == normalised(shown()[2])
        assert (done.exit_code, done.stderr) == (0, "")


class TestBackendServices:
    @pytest.fixture
    def server(self, guarded_server):
        return guarded_server

    @pytest.fixture(autouse=True)
    def ours(self, keys, monkeypatch):
        monkeypatch.setenv("CDS_KEYS", str(keys))

    def test_a_registered_client(self, server):
        findings, _ = diagnose(server.base_url, "--client", "ours")
        assert findings["authorization"]["told"] == "SMART Backend Services, ES384, scopes v2"
        assert findings["scopes"]["result"] == "ok"
        assert findings["patient"]["told"] == "the server lists none"  # it was let in, and there is nobody

    def test_a_missing_scope(self, server):
        findings, code = diagnose(server.base_url, "--client", "less")
        assert (code, findings["scopes"]["told"]) == (1, "no leave to read: Observation")

    def test_an_unknown_client(self, server):
        findings, code = diagnose(server.base_url, "--client", "stranger")
        assert (code, findings["authorization"]["result"]) == (1, "wrong")
        assert "jwks.json" in findings["authorization"]["todo"]
        assert "patient" not in findings

    def test_no_token_and_a_wrong_one(self, server, tmp_path):
        file = tmp_path / "token"
        file.write_text("opaque-and-old")
        for arguments in ((), ("--token-file", str(file))):
            findings, code = diagnose(server.base_url, *arguments)
            assert (code, findings["patient"]["told"]) == (1, "HTTP 401")
            assert "has not expired" in findings["patient"]["todo"]
        file.write_text("good")
        assert diagnose(server.base_url, "--token-file", str(file))[1] == 0

    def test_an_expired_token(self, server, tmp_path):
        claims = base64.urlsafe_b64encode(json.dumps({"exp": datetime.now(UTC).timestamp() - 7300}).encode()).decode()
        (tmp_path / "token").write_text(f"eyJhbGciOiJub25lIn0.{claims.rstrip('=')}.c2ln")
        findings, code = diagnose(server.base_url, "--token-file", str(tmp_path / "token"))
        assert (code, findings["authorization"]["told"]) == (1, "the token expired 2 h ago")
