"""Fault 53: eighty clients send a byte now and then, and the service behind deploy/nginx.conf answers as before."""

import datetime
import http.client
import ipaddress
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from gunicorn_service import SERVICE, bearer, free_port, hook, served

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "deploy" / "nginx.conf"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
CALL = json.loads((ROOT / "fhir_examples" / "hooks" / "patient-view.full-prefetch.json").read_text(encoding="utf-8"))
EACH = 40  # that drip headers, and that drip a body: more in all than the service has threads

pytestmark = pytest.mark.skipif(NGINX is None, reason="install: make nginx (Debian, as root)")


def certificate(folder):
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "fullchain.pem").write_bytes(made.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)


class Proxy:
    """nginx with the shipped file, its addresses, certificate and folder for bodies replaced and nothing else.

    Args:
        folder: for its files.
        service_port: of the service behind it.
        changes: to the file beyond those, old text and new.
    """

    def __init__(self, folder, service_port, *changes):
        self.folder, self.port = folder, free_port()
        # Not below the folder of a test: nginx's workers may be another user's, who cannot enter there.
        self.outside = tempfile.TemporaryDirectory(prefix="bodies-", dir="/dev/shm")
        self.bodies = Path(self.outside.name, "in")
        Path(self.outside.name).chmod(0o711)
        certificate(folder)
        text = CONF.read_text(encoding="utf-8")
        for old, new in (
            ("server 127.0.0.1:8000;", f"server 127.0.0.1:{service_port};"),
            ("listen 443 ssl;", f"listen 127.0.0.1:{self.port} ssl;"),
            ("/etc/cds/tls/", f"{folder}/"),
            ("client_body_temp_path /run/cds-nginx;", f"client_body_temp_path {self.bodies};"),
            *changes,
        ):
            assert old in text
            text = text.replace(old, new)
        (folder / "nginx.conf").write_text(text, encoding="utf-8")
        self.tls = ssl.create_default_context(cafile=str(folder / "fullchain.pem"))

    def command(self, *more):
        return [NGINX, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-e", "stderr", *more]

    def __enter__(self):
        checked = subprocess.run(self.command("-t"), capture_output=True, text=True, check=False, timeout=20)
        assert checked.returncode == 0, checked.stderr
        assert "[warn]" not in checked.stderr
        with (self.folder / "access").open("wb") as out, (self.folder / "log").open("wb") as err:
            self.process = subprocess.Popen(self.command("-g", "daemon off;"), stdout=out, stderr=err)
        end = time.monotonic() + 20
        while self.call("/livez")[0] == 0:
            assert time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.1)
        return self

    def __exit__(self, *_error):
        self.process.terminate()
        self.process.wait(timeout=10)
        self.outside.cleanup()

    def connect(self):
        return self.tls.wrap_socket(socket.create_connection(("127.0.0.1", self.port), 10), server_hostname="127.0.0.1")

    def call(self, path, body=None, **headers):
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=self.tls)
        try:
            method, data = ("GET", None) if body is None else ("POST", body)
            connection.request(method, path, data, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type"), answer.read()
        except OSError:
            return 0, None, b""
        finally:
            connection.close()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    folder, behind = tmp_path_factory.mktemp("nginx"), tmp_path_factory.mktemp("service")
    with served(behind) as service, Proxy(folder, service.port) as proxy:
        yield proxy


@pytest.fixture
def dripping(proxy):
    """Clients that send a byte every second: half of them amid the headers, half amid a body of 2,000 bytes."""
    stop, open_sockets = threading.Event(), []
    for number in range(2 * EACH):
        peer = proxy.connect()
        head = b"POST /cds-services/npc-trials-patient-view HTTP/1.1\r\nHost: x\r\nX-Slow: "
        if number % 2:
            head = head.replace(b"X-Slow: ", b"Content-Type: application/json\r\nContent-Length: 2000\r\n\r\n{")
        peer.sendall(head)
        open_sockets.append(peer)
    alive = [len(open_sockets)]

    def drip():
        while not stop.wait(1):
            left = 0
            for peer in open_sockets:
                try:
                    peer.sendall(b" ")
                    left += 1
                except OSError:
                    pass
            alive.append(left)

    thread = threading.Thread(target=drip)
    thread.start()
    yield alive
    stop.set()
    thread.join()
    for peer in open_sockets:
        peer.close()


def test_slow_clients_hold_nobody_up(proxy, dripping):
    took = []
    for _ in range(12):
        begun = time.monotonic()
        assert proxy.call("/livez")[0] == 200
        took.append(time.monotonic() - begun)
        time.sleep(0.25)
    begun = time.monotonic()
    status, _kind, body = proxy.call(SERVICE, json.dumps(CALL), Authorization=bearer(SERVICE))
    print(f"\n/livez in {1000 * max(took):.0f} ms at most; a hook in {1000 * (time.monotonic() - begun):.0f} ms")
    assert status == 200
    assert "cards" in json.loads(body)
    assert max(took) < 2
    assert dripping[0] == 2 * EACH
    assert len(dripping) > 2


def test_what_nginx_refuses_is_told_as_the_service_tells_it(proxy):
    status, kind, body = proxy.call(SERVICE, " " * (2 * 2**20 + 1), Authorization=bearer(SERVICE))
    assert (status, kind) == (413, "application/fhir+json")
    assert json.loads(body)["resourceType"] == "OperationOutcome"
    status, _kind, body = proxy.call("/cds-services")
    assert (status, json.loads(body)["issue"][0]["code"]) == (401, "login")
    assert proxy.call("/readyz")[0] == 200


def test_a_service_that_is_down_is_told_so(tmp_path):
    with Proxy(tmp_path, free_port()) as proxy:  # nobody listens there
        status, kind, body = proxy.call(SERVICE, json.dumps(hook("candidate")), Authorization=bearer(SERVICE))
    assert (status, kind) == (502, "application/fhir+json")
    assert json.loads(body)["issue"][0]["code"] == "transient"


def test_no_body_and_no_path_is_left_on_the_disk(proxy):
    secret = "canary-in-a-path"
    proxy.call(f"/cds-services/{secret}?a={secret}", json.dumps({"a": secret * 50_000}), Authorization="Bearer x")
    assert secret not in left_by(proxy)


def left_by(proxy):
    files = [Path(path, name) for path, _folders, names in os.walk(proxy.folder) for name in names]
    assert {file.name for file in files} >= {"fullchain.pem", "key.pem", "nginx.conf", "access", "log"}
    assert {file.name for file in files} <= {"fullchain.pem", "key.pem", "nginx.conf", "nginx.pid", "access", "log"}
    return "".join(file.read_text(errors="replace") for file in files)


def test_no_path_is_told_where_the_service_is_down(tmp_path):
    secret = "canary-of-a-service-that-is-down"
    with Proxy(tmp_path, free_port()) as proxy:
        status, _kind, _body = proxy.call(f"/{secret}?a={secret}", "{}", Referer=f"https://x.invalid/{secret}")
        assert status == 502
        assert " 502 " in left_by(proxy)
        assert secret not in left_by(proxy)


BUFFERED = "a client request body is buffered to a temporary file "


def test_a_body_of_many_small_chunks_goes_to_the_folder_in_memory(tmp_path):
    """nginx unlinks such a file as it opens it; where it was stands in a warning, here switched on."""
    count = 500_000
    with (
        Proxy(tmp_path, free_port(), ("error_log stderr alert;", "error_log stderr warn;")) as proxy,
        proxy.connect() as peer,
    ):
        peer.sendall(b"POST /cds-services/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        peer.sendall(b"1\r\n \r\n" * count + b"0\r\n\r\n")
        assert peer.recv(100).startswith(b"HTTP/1.1 502 ")
        told = [line.split(BUFFERED)[1] for line in left_by(proxy).splitlines() if BUFFERED in line]
    assert told
    assert all(where.startswith(f"{proxy.bodies}/") for where in told)
