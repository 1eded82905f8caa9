"""The doctor says what is wrong with an address, and goes there as the settings say; and the sandboxes it knows."""

import json
import ssl
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address

import pytest
from asking_doctor import BASE, R4, diagnose, rules_loaded_once, run, web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cds_service.screening.doctor.sandboxes import sandboxes

__all__ = ["rules_loaded_once", "web"]  # fixtures


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
