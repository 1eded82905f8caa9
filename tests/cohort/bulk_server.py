"""A server that exports, on loopback: honest by default, with faults where a test puts them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TIME = "2026-03-01T00:00:00Z"


@dataclass(frozen=True)
class Said:
    """An answer. ``cut``: the body ends before the length that was promised; ``location``: of the job begun."""

    status: int = 200
    body: bytes | dict[str, Any] = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    location: bool = False
    pause: float = 0.0


@dataclass(frozen=True)
class Heard:
    """A request."""

    method: str
    path: str
    query: str
    headers: dict[str, str]


def lines(*resources: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in resources)


PATIENTS = lines({"resourceType": "Patient", "id": "a"}, {"resourceType": "Patient", "id": "b"})
CONDITIONS = lines(*({"resourceType": "Condition", "id": f"c{n}"} for n in range(3)))


class BulkServer:
    """Exports two types. ``faults`` maps a step to answers that come first, one each time.

    Steps: ``begin``, ``status``, ``close``, and each file's name. A callable answers for ever.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"Patient": PATIENTS, "Condition": CONDITIONS}
        self.types = {"Patient": "Patient", "Condition": "Condition"}
        self.manifest: dict[str, Any] = {}
        self.faults: dict[str, list[Said] | Callable[[Heard], Said]] = {}
        self.heard: list[Heard] = []
        self.jobs = 0
        self.file_host = ""
        self.packed: dict[str, Callable[[bytes], tuple[bytes, dict[str, str]]]] = {}
        self._lock, self._stopped = threading.Lock(), threading.Event()
        outer = self

        class Door(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer._answer(self)

            do_DELETE = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self._server.daemon_threads = True

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def base(self) -> str:
        return f"{self.root}/fhir"

    def steps(self) -> list[str]:
        """What was asked, in order."""
        return [self._step(one) for one in self.heard]

    def whole_manifest(self) -> dict[str, Any]:
        host = self.file_host or self.root
        output = [
            {"type": kind, "url": f"{host}/files/{self.jobs}/{name}", "count": self.files[name].count(b"\n")}
            for name, kind in self.types.items()
        ]
        return {"transactionTime": TIME, "requiresAccessToken": True, "output": output, "error": [], **self.manifest}

    def _step(self, heard: Heard) -> str:
        if heard.path.endswith("$export"):
            return "begin"
        if heard.path.startswith("/jobs/"):
            return "status" if heard.method == "GET" else "close"
        return heard.path.rpartition("/")[2]

    def _honest(self, heard: Heard, step: str) -> Said:
        if step == "begin":
            self.jobs += 1
            return Said(202, location=True)
        if step == "close":
            return Said(202)
        if heard.path.split("/")[2] != str(self.jobs):
            return Said(404)
        if step == "status":
            return Said(200, self.whole_manifest())
        if step not in self.files:
            return Said(404)
        data, headers = self.packed.get(step, lambda data: (data, {}))(self.files[step])
        return Said(200, data, headers)

    def _answer(self, door: BaseHTTPRequestHandler) -> None:
        path, _, query = door.path.partition("?")
        heard = Heard(door.command, path, query, {name.lower(): value for name, value in door.headers.items()})
        with self._lock:
            self.heard.append(heard)
            step = self._step(heard)
            fault = self.faults.get(step)
            if callable(fault):
                said = fault(heard)
            elif fault:
                said = fault.pop(0)
            else:
                said = self._honest(heard, step)
            headers = dict(said.headers)
            if said.location:
                headers["Content-Location"] = f"{self.root}/jobs/{self.jobs}"
        self._stopped.wait(said.pause)
        body = json.dumps(said.body).encode() if isinstance(said.body, dict) else said.body
        door.send_response(said.status)
        for name, value in headers.items():
            door.send_header(name, value)
        door.send_header("Content-Length", str(len(body) + (1000 if said.cut else 0)))
        door.send_header("Connection", "close")
        with suppress(OSError):  # the client may have been killed
            door.end_headers()
            door.wfile.write(body)


@contextmanager
def bulk_server() -> Iterator[BulkServer]:
    server = BulkServer()
    thread = threading.Thread(target=server._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server._stopped.set()
        server._server.shutdown()
        server._server.server_close()
        thread.join(5)
