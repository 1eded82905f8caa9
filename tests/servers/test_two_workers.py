"""Two gunicorn workers, one store: a token replayed a thousand times at once is taken exactly once."""

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from token_makers import ISSUER, by_joserfc, good_claims, jwk_set

ROOT = Path(__file__).resolve().parents[2]
BASE = "https://cds.example"
REPLAYS, CLIENTS = 1_000, 20


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        return door.getsockname()[1]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A port where two workers serve in verified mode, and the folder of their logs: "log" and "access"."""
    folder = tmp_path_factory.mktemp("verified")
    (folder / "jwks.json").write_text(json.dumps(jwk_set("ec")))
    (folder / "service.toml").write_text(
        f"""
mode = "verified"
public_base_url = "{BASE}"
store = "sqlite:///{folder}/store.db"

[[clients]]
issuer = "{ISSUER}"
jwks_file = "{folder}/jwks.json"
"""
    )
    port, log = free_port(), folder / "log"
    command = [
        sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "2", "--threads", "8",
        "--worker-class", "gthread", "--no-control-socket", "--graceful-timeout", "2",
        "--access-logfile", str(folder / "access"), "--access-logformat", "%(p)s %(s)s", "cds_service.wsgi:app",
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    environment["CDS_CONFIG"] = str(folder / "service.toml")
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        try:
            until = time.monotonic() + 30
            while call(port, "/livez", None)[0] != 200:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.1)
            yield port, folder
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def call(port, path, *authorizations):
    """GET an address; the status and body, or 0 when nobody answers yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.putrequest("GET", path)
        for value in authorizations:
            if value is not None:
                connection.putheader("Authorization", value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


def bearer(jti):
    claims = good_claims(time.time(), aud=f"{BASE}/cds-services", jti=jti)
    return f"Bearer {by_joserfc(claims, jku=...)}"


def test_a_thousand_replays_at_once_are_taken_once(service):
    port, folder = service
    token = bearer("replayed")
    start = threading.Barrier(CLIENTS)
    statuses = Counter()
    lock = threading.Lock()

    def replay():
        start.wait()
        for _ in range(REPLAYS // CLIENTS):
            status, _body = call(port, "/cds-services", token)
            with lock:
                statuses[status] += 1

    threads = [threading.Thread(target=replay) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == {200: 1, 401: REPLAYS - 1}
    served = {line.split()[0] for line in (folder / "access").read_text().splitlines() if line.endswith("401")}
    assert len(served) == 2  # both workers took part
    text = (folder / "log").read_text()
    assert text.count("caller refused: token used before") == REPLAYS - 1
    assert text.count("Booting worker") == 2
    assert "Bearer" not in text
    assert token.split(".")[2] not in text


def test_many_good_tokens_at_once_are_all_taken(service):
    port, _folder = service
    tokens = [bearer(f"good-{number}") for number in range(100)]
    statuses = []

    def use(mine):
        statuses.extend(call(port, "/cds-services", token)[0] for token in mine)

    threads = [threading.Thread(target=use, args=(tokens[number::10],)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 100


def test_two_authorization_headers_are_refused(service):
    port, _folder = service
    first, second = bearer("first"), bearer("second")
    status, body = call(port, "/cds-services", first, second)
    assert (status, b"OperationOutcome" in body) == (401, True)
    assert call(port, "/cds-services", first)[0] == 200  # neither was used up
