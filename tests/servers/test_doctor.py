"""The doctor tells the truth about a good server, and says plainly what is wrong with a bad one."""

import base64
import json
import re
import ssl
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import responses
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from loading import store
from medplum_server import MedplumServer
from under_test import installed_or_skip

from cds_service.bootstrap import load_rules
from cds_service.cli import main
from cds_service.cli.fhir_server import DemoFhirServer, find_executable
from cds_service.facts.record import RESOURCE_TYPES
from cds_service.screening.doctor.sandboxes import sandboxes
from cds_service.trust.own_keys import new_key, public_key_set
from cds_service.web.example_stories import example_stories

ROOT = Path(__file__).resolve().parents[2]
STORIES = {story.name: story for story in example_stories()}
STALE = STORIES["stale-bilirubin"]
BASE = "https://ehr.invalid/fhir"
R4 = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}
KINDS = RESOURCE_TYPES
RULES = load_rules()


def bundle(story):
    return json.loads(story.bundle.read_text(encoding="utf-8"))


def patient_of(story):
    return next(e["resource"]["id"] for e in bundle(story)["entry"] if e["resource"]["resourceType"] == "Patient")


def run(*arguments):
    return CliRunner().invoke(main, ["doctor", *arguments])


def diagnose(*arguments):
    """Return the findings by name, and the exit code."""
    done = run(*arguments, "--format", "json", "--as-of", STALE.as_of.isoformat())
    told = json.loads(done.stdout)
    assert told["passed"] is (done.exit_code == 0)
    return {one["check"]: one for one in told["findings"]}, done.exit_code


def results(findings):
    return {check: one["result"] for check, one in findings.items()}


@pytest.fixture(autouse=True)
def rules_loaded_once(monkeypatch):
    monkeypatch.setattr("cds_service.cli.doctor.load_rules", lambda _site: RULES)


@pytest.fixture
def web():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


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


class TestWrongAddresses:
    def test_nobody_there(self):
        findings, code = diagnose("http://127.0.0.1:1/fhir")
        assert (code, findings["reachable"]["told"]) == (1, "no connection")
        assert "port" in findings["reachable"]["todo"]

    def test_a_name_that_leads_nowhere(self):
        findings, code = diagnose(BASE)
        assert (code, list(findings)) == (1, ["reachable"])

    @pytest.mark.parametrize(
        ("metadata", "check", "word"),
        [
            ({"json": {**R4, "fhirVersion": "3.0.2"}}, "FHIR release", "STU3"),
            ({"json": {"resourceType": "Conformance", "fhirVersion": "1.0.2"}}, "FHIR release", "DSTU2"),
            ({"body": "<html>", "content_type": "text/html"}, "reachable", "a web page"),
            ({"body": "<html>", "content_type": "text/html; charset=utf-8", "status": 404}, "reachable", "a web page"),
            ({"json": {"hello": "world"}}, "reachable", "not of FHIR"),
            ({"body": "hello"}, "reachable", "not FHIR JSON"),
            ({"status": 302, "headers": {"Location": "https://login.invalid"}}, "reachable", "a redirect"),
            ({"status": 500}, "reachable", "HTTP 500"),
        ],
    )
    def test_something_else_answers(self, web, metadata, check, word):
        web.get(f"{BASE}/metadata", **metadata)
        findings, code = diagnose(BASE)
        assert (code, findings[check]["result"]) == (1, "wrong")
        assert word in findings[check]["told"]
        assert findings[check]["todo"]
        assert list(findings)[-1] == check

    @pytest.mark.parametrize(
        ("arguments", "word"),
        [
            ((), "BASE_URL"),
            (("http://ehr.invalid/fhir",), "BASE_URL must begin with https"),
            (("https://user:secret@ehr.invalid/fhir",), "user information"),
            ((BASE, "--patient", "a/b?secret"), "--patient"),
            ((BASE, "--as-of", "secret"), "--as-of"),
            ((BASE, "--client", "c", "--token-file", "t"), "--client"),
            ((BASE, "--client", "c"), "CDS_KEYS"),
            ((BASE, "--token-file", "secret"), "token_file"),
            ((BASE, "--ca", "secret"), "ca_file"),
            (("--sandbox", "aidbox"), "BASE_URL"),
            (("--sandbox", "epic"), "--client"),
        ],
    )
    def test_wrong_options_are_one_line(self, arguments, word):
        done = run(*arguments)
        assert done.exit_code in (2, 12)
        assert len(done.stderr.splitlines()) == 1
        assert word in done.stderr
        assert "secret" not in done.output


class Server:
    """A small FHIR server of one patient with two results, three diagnoses and habits of its own."""

    def __init__(self, web, **habits):
        self.habits = habits
        self.asked = []
        web.get(f"{BASE}/metadata", json=R4)
        web.get(f"{BASE}/Patient/p1", json={"resourceType": "Patient", "id": "p1", "birthDate": "1970-01-01"})
        web.add_callback(responses.GET, re.compile(rf"{BASE}/[A-Z][A-Za-z]*\?.*"), self.answer)
        if "post" not in habits:
            web.add_callback(responses.POST, re.compile(rf"{BASE}/[A-Z][A-Za-z]*/_search"), self.answer)
        one = {"subject": {"reference": "Patient/p1"}}
        hemoglobin = {"coding": [{"system": "http://loinc.org", "code": "718-7"}]}
        cancer = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "C11.9"}]}
        self.records = {
            "Condition": [{"resourceType": "Condition", "id": f"c{n}", "code": cancer, **one} for n in range(3)],
            "Observation": [
                {"resourceType": "Observation", "id": f"o{n}", "status": "final", "code": hemoglobin, **one}
                for n in range(2)
            ],
        }

    def answer(self, request):
        kind = urlsplit(request.url).path.split("/")[2]
        raw = request.body if request.method == "POST" else urlsplit(request.url).query
        query = {name: values[0] for name, values in parse_qs(raw).items()}
        self.asked.append(request.url)
        if kind in self.habits.get("refused", ()):
            return 403, {}, "{}"
        found = self.records.get(kind, [])
        bare = not query["patient"].startswith("Patient/")
        if bare is not self.habits.get("bare", bare):
            found = []
        if "code" in query and self.habits.get("code") != "ignored":
            wanted = query["code"].split(",")
            found = [one for one in found if self._coded(one) in wanted]
        if "date" in query and self.habits.get("date") != "ignored":
            found = []
        if request.method == "POST" and "finds" in self.habits:
            found = []
        count, begin = int(query.get("_count", 20)), int(query.get("begin", 0))
        page = [] if begin and "lossy" in self.habits else found[begin : begin + count]
        body = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in page]}
        if self.habits.get("total", True) is not None:
            body["total"] = len(found) + self.habits.get("more", 0)
        if begin + count < len(found) and self.habits.get("links", True):
            query["begin"] = str(begin + count)
            base = self.habits.get("elsewhere", BASE)
            text = "&".join(f"{name}={value}" for name, value in query.items())
            body["link"] = [{"relation": "next", "url": f"{base}/{kind}?{text}"}]
        return 200, {}, json.dumps(body)

    def _coded(self, one):
        coding = one["code"]["coding"][0]
        return coding["code"] if self.habits.get("code") == "bare" else f"{coding['system']}|{coding['code']}"


HABITS = [
    ({}, {}),
    ({"links": False}, {"paging": "look"}),
    ({"links": False, "total": None}, {"paging": "wrong", "total": "look"}),
    ({"elsewhere": "https://inner.invalid:8443/fhir"}, {"paging": "wrong"}),
    ({"total": None}, {"total": "look"}),
    ({"more": -1}, {"total": "look"}),
    ({"code": "ignored"}, {"code filter": "look"}),
    ({"date": "ignored"}, {"date filter": "look"}),
    ({"post": None}, {"_search by POST": "look"}),
    ({"finds": "by GET only"}, {"_search by POST": "look"}),
    ({"lossy": True}, {"paging": "wrong"}),
    ({"lossy": True, "total": None}, {"paging": "wrong", "total": "look"}),
    ({"bare": False}, {}),
]


@pytest.mark.parametrize(("habits", "marked"), HABITS, ids=lambda one: " ".join(one) or "none")
def test_a_habit_shows_in_its_row_and_no_other(web, habits, marked):
    Server(web, **habits)
    findings, code = diagnose(BASE, "--patient", "p1")
    assert {check: result for check, result in results(findings).items() if result != "ok"} == marked
    assert code == ("wrong" in marked.values())
    assert all(findings[check]["todo"] for check in marked)


def test_a_link_elsewhere_is_told_without_its_query(web):
    server = Server(web, elsewhere="https://inner.invalid:8443/fhir")
    findings, _ = diagnose(BASE, "--patient", "p1")
    assert findings["paging"]["told"].endswith("lead elsewhere, to https://inner.invalid:8443")
    assert "aliases" in findings["paging"]["todo"]
    assert all(url.startswith(BASE) for url in server.asked)


def test_an_alias_mends_it(web, monkeypatch):
    Server(web, elsewhere="https://inner.invalid:8443/fhir")
    servers = [{"base_url": BASE, "aliases": ["https://inner.invalid:8443/fhir"]}]
    monkeypatch.setenv("CDS_FHIR_SERVERS", json.dumps(servers))
    findings, code = diagnose(BASE, "--patient", "p1")
    assert (code, findings["paging"]["result"]) == (0, "ok")


def test_a_server_that_announces_more_than_it_sends(web):
    Server(web, more=1)
    findings, code = diagnose(BASE, "--patient", "p1")
    assert code == 1
    assert findings["total"]["result"] == findings["search Condition"]["result"] == "wrong"


def test_a_server_that_knows_codes_only_without_their_system(web):
    """Every result would look absent, and nothing would tell."""
    server = Server(web, code="bare")
    findings, code = diagnose(BASE, "--patient", "p1")
    assert findings["search Observation"]["count"] == 0
    assert (code, findings["code filter"]["result"]) == (1, "wrong")
    assert server.asked


def test_a_server_that_takes_only_the_bare_id(web):
    Server(web, bare=True)
    findings, code = diagnose(BASE, "--patient", "p1")
    assert (code, findings["patient parameter"]["result"]) == (1, "wrong")


def test_a_type_that_is_refused_is_told_with_what_it_costs(web):
    Server(web, refused=("Observation",))
    done = run(BASE, "--patient", "p1", "--format", "json", "--as-of", "2026-03-01")
    told = json.loads(done.stdout)
    findings = {one["check"]: one for one in told["findings"]}
    assert findings["search Observation"]["told"] == "nothing was read: HTTP 403"
    assert "leave" in findings["search Observation"]["todo"]
    assert findings["chart as for a card"]["told"] == "not complete: Observation"
    missing = {one["criterion"]: one["missing"] for one in told["unknown"] if one["trial"] == "NCT07235319"}
    assert missing["hemoglobin"] == [{"fact": "hemoglobin", "reason": "not-fetched"}]
    assert "for want of access" in findings["unknown for NCT07235319"]["told"]


def test_nothing_can_be_read(web):
    Server(web, refused=KINDS)
    findings, code = diagnose(BASE, "--patient", "p1")
    assert code == 1
    assert "Nothing but the Patient" in findings["chart as for a card"]["told"]


def test_records_of_others_and_codes_of_the_house(web):
    server = Server(web)
    server.records["Condition"][2]["subject"] = {"reference": "Patient/p2"}
    server.records["Observation"][1]["code"] = {"coding": [{"system": "urn:lab:secret", "code": "HB"}]}
    findings, code = diagnose(BASE, "--patient", "p1")
    assert (code, findings["records set aside"]["told"]) == (1, "1 another patient's")
    assert findings["codes"]["told"] == "nothing maps: 1 Observation.code"
    assert "secret" not in json.dumps(findings)


def test_pages_that_lose_records(web):
    Server(web, lossy=True)
    assert diagnose(BASE, "--patient", "p1")[0]["paging"]["told"].endswith("fewer records than it announced")


def test_a_login_page_with_401_is_a_matter_of_tokens(web):
    web.get(f"{BASE}/metadata", json=R4)
    web.get(f"{BASE}/Patient", status=401, body="<html>", content_type="text/html")
    findings, code = diagnose(BASE)
    assert (code, findings["patient"]["told"]) == (1, "HTTP 401")


def test_metadata_behind_the_login(web):
    Server(web)
    web.replace(responses.GET, f"{BASE}/metadata", status=401)
    findings, code = diagnose(BASE, "--patient", "p1")
    assert (code, findings["reachable"]["result"]) == (0, "look")


def test_types_that_are_not_offered(web):
    Server(web)
    resources = [{"type": kind} for kind in KINDS if kind != "MedicationStatement"]
    web.replace(responses.GET, f"{BASE}/metadata", json={**R4, "rest": [{"resource": resources}]})
    findings, _ = diagnose(BASE, "--patient", "p1")
    assert findings["types offered"]["told"] == "not announced: MedicationStatement"


class _Metadata(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        body = json.dumps({**R4, "fhirVersion": "3.0.2"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/fhir+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def listening(context=None):
    """A server that says it is STU3, over TLS when there is a context; gives its port and what it was asked."""
    server = HTTPServer(("127.0.0.1", 0), _Metadata)
    server.asked = []
    server.handle_error = lambda *_: None  # a client that does not trust us hangs up
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1], server.asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def self_signed(folder):
    """Write a certificate for 127.0.0.1 with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    day = timedelta(days=1)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, datetime.now(UTC) - day, datetime.now(UTC) + day)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "ca.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "both.pem").write_bytes(certificate.public_bytes(pem) + plain)


class TestTheWayThere:
    def test_a_private_certificate_authority(self, tmp_path):
        self_signed(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "both.pem")
        with listening(context) as (port, asked):
            address = f"https://127.0.0.1:{port}/fhir"
            findings, code = diagnose(address)
            assert (code, findings["reachable"]["told"]) == (1, "no trusted connection")
            assert "--ca" in findings["reachable"]["todo"]
            assert not asked
            findings, _ = diagnose(address, "--ca", str(tmp_path / "ca.pem"))
            assert "STU3" in findings["FHIR release"]["told"]

    def test_the_proxy_of_the_settings_and_none_of_the_environment(self, monkeypatch):
        with listening() as (port, asked):
            for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
            findings, _ = diagnose("http://127.0.0.1:1/fhir")
            assert findings["reachable"]["told"] == "no connection"
            assert not asked
            servers = [{"base_url": "http://127.0.0.1:1/fhir", "proxy": f"http://127.0.0.1:{port}"}]
            monkeypatch.setenv("CDS_FHIR_SERVERS", json.dumps(servers))
            findings, _ = diagnose("http://127.0.0.1:1/fhir")
            assert asked == ["http://127.0.0.1:1/fhir/metadata"]
            assert "STU3" in findings["FHIR release"]["told"]


class TestSandboxes:
    def test_each_is_data_with_a_source(self):
        names = {"smart-health-it", "hapi", "epic", "oracle-health", "medplum", "firely", "aidbox"}
        assert set(sandboxes()) == names
        for one in sandboxes().values():
            assert one.source.startswith("https://")
            assert one.base_url.startswith("https://") or one.title.startswith("Aidbox")
            assert one.quirks
            assert one.tried is False  # set it when the doctor was run there

    def test_one_is_introduced_and_tried(self, web):
        web.get("https://hapi.fhir.org/baseR4/metadata", json={**R4, "fhirVersion": "3.0.2"})
        done = run("--sandbox", "hapi")
        assert done.exit_code == 1
        assert "not tried yet by us" in done.stdout
        assert "Anybody writes there" in done.stdout
        assert "STU3" in done.stdout

    def test_ones_own_address_of_a_sandbox(self, web):
        web.get(f"{BASE}/metadata", json={**R4, "fhirVersion": "3.0.2"})
        assert run(BASE, "--sandbox", "hapi").exit_code == 1
