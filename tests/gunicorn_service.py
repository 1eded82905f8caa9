"""The service as its image starts it: gunicorn with the Dockerfile's own command line, in verified mode."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from token_makers import ISSUER, by_joserfc, good_claims, jwk_set

ROOT = Path(__file__).resolve().parents[1]
BASE = "https://cds.example"
SERVICE = "/cds-services/npc-trials-patient-view"
_numbers = count()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        return int(door.getsockname()[1])


def command_line(port: int) -> list[str]:
    """The image's command, on a port of ours and by this Python."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if line.startswith("CMD ")]
    name, *rest = json.loads(line.removeprefix("CMD "))
    rest[rest.index("--bind") + 1] = f"127.0.0.1:{port}"
    return [sys.executable, "-m", name, *rest]


@dataclass
class Served:
    """A running service.

    Args:
        port: on loopback.
        process: gunicorn's master.
        folder: holds "log", its output, and "store.db".
    """

    port: int
    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    @property
    def store(self) -> Path:
        return self.folder / "store.db"

    def workers(self) -> list[int]:
        """The process ids of the workers alive."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(child) for child in children]

    def call(
        self, path: str, body: Any = None, *, signed: bool = True, port: int | None = None, timeout: float = 20.0
    ) -> tuple[int, bytes]:
        """Call it; the status and body, or 0 and nothing where the connection failed."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=timeout)
        headers = {"Authorization": bearer(path)} if signed else {}
        try:
            if body is None:
                connection.request("GET", path, headers=headers)
            else:
                connection.request("POST", path, json.dumps(body), {**headers, "Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def ready(self) -> tuple[int, dict[str, Any]]:
        status, body = self.call("/readyz", signed=False)
        return status, json.loads(body) if body else {}

    def until(self, what: Any, seconds: float = 20.0) -> None:
        """Wait for a condition."""
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, self.log
            time.sleep(0.05)


def bearer(path: str) -> str:
    """A token that nobody has used, for an address of the service."""
    claims = good_claims(time.time(), aud=f"{BASE}{path}", jti=f"{os.getpid()}-{next(_numbers)}")
    return f"Bearer {by_joserfc(claims, jku=...)}"


def hook(patient: str, base: str | None = None, token: str | None = None, **more: Any) -> dict[str, Any]:
    """The call of an EHR that opens a chart."""
    granted = {"access_token": token, "token_type": "Bearer", "expires_in": 300, "scope": "s", "subject": "c"}
    return {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/example", "patientId": patient},
        **({"fhirServer": base} if base else {}),
        **({"fhirAuthorization": granted} if token else {}),
        **more,
    }


@contextmanager
def served(
    folder: Path, fhir: str | None = None, settings: str = "", environment: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """Start the service; stopped at the end.

    Args:
        folder: an empty one.
        fhir: the FHIR base that calls may name.
        settings: further lines of its TOML file.
        environment: further variables.
    """
    (folder / "jwks.json").write_text(json.dumps(jwk_set("ec")))
    (folder / "service.toml").write_text(
        f"""mode = "verified"
public_base_url = "{BASE}"
store = "sqlite:///{folder}/store.db"
{settings}
[[clients]]
issuer = "{ISSUER}"
jwks_file = "{folder}/jwks.json"
fhir_servers = {json.dumps([fhir] if fhir else [])}
"""
    )
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    named = {"CDS_CONFIG": str(folder / "service.toml"), **(environment or {})}
    port = free_port()
    read, write = os.pipe()  # not the file itself: a limit on the size of files is to hit the store only
    with (folder / "log").open("wb") as log:
        copy = subprocess.Popen(["cat"], stdin=read, stdout=log)
        process = subprocess.Popen(
            command_line(port), cwd=ROOT, env={**inherited, **named}, stdout=write, stderr=write, pass_fds=()
        )
        os.close(read)
        os.close(write)
        running = Served(port, process, folder)
        try:
            running.until(lambda: process.poll() is not None or running.call("/livez", signed=False)[0] == 200, 60)
            assert process.poll() is None, running.log
            running.until(lambda: len(running.workers()) == 2)
            yield running
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            copy.wait(timeout=5)
