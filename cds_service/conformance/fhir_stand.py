"""A small FHIR server on this machine that serves one chart to who brings the token, and a host nobody may call."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from cds_service.conformance.chart import Chart, searchset
from cds_service.errors import RequestError

Mode = Literal["good", "foreign-next", "redirect", "refuse", "fail"]
_ROOT: Final = "/fhir"


@dataclass(frozen=True)
class Asked:
    """One request that came.

    Args:
        path: as it came, with the query or form behind a ``?``.
        authorization: the header, "" when there was none.
    """

    path: str
    authorization: str

    @property
    def kind(self) -> str:
        """The resource type asked for."""
        return self.path.removeprefix(f"{_ROOT}/").partition("?")[0].partition("/")[0]


@dataclass
class FhirStand:
    """A running FHIR server, and the foreign host beside it.

    Args:
        chart: what it serves.
        token: what has to be brought.
        mode: how it behaves.
        asked: requests to the server.
        strayed: requests to the foreign host, where no token may ever go.
    """

    chart: Chart
    token: str
    mode: Mode = "good"
    asked: list[Asked] = field(default_factory=list)
    strayed: list[Asked] = field(default_factory=list)
    base: str = ""
    foreign: str = ""
    # A request may come while the checks look at what came before.
    lock: threading.Lock = field(default_factory=threading.Lock)

    def behave(self, mode: Mode) -> None:
        """Behave so from now on, with nothing asked yet."""
        with self.lock:
            self.mode = mode
            self.asked, self.strayed = [], []

    def answer(self, asked: Asked) -> tuple[int, dict[str, str], Any]:
        """Return status, headers and body for a request."""
        path, _, query = asked.path.removeprefix(_ROOT).lstrip("/").partition("?")
        if path == "metadata":
            return 200, {}, {"resourceType": "CapabilityStatement", "status": "active", "fhirVersion": "4.0.1"}
        if self.mode == "refuse" or asked.authorization != f"Bearer {self.token}":
            return 401, {"WWW-Authenticate": "Bearer"}, _outcome("login")
        if self.mode == "fail":
            return 500, {}, None
        if self.mode == "redirect":
            return 302, {"Location": f"{self.foreign}{_ROOT}/{path}?{query}"}, _outcome("processing")
        path = path.removesuffix("/_search")
        found = self.chart.answer(unquote(path) + (f"?{query}" if query else ""))
        if found is None:
            return 404, {}, _outcome("not-found")
        if self.mode == "foreign-next" and found.get("resourceType") == "Bundle":
            one = [entry["resource"] for entry in found.get("entry", ())]
            found = searchset(one, f"{self.foreign}{_ROOT}/{path}?page=2")
        return 200, {}, found


@contextmanager
def running(chart: Chart, token: str, port: int = 0) -> Iterator[FhirStand]:
    """Run the server until the block ends.

    Args:
        chart: what it serves.
        token: what has to be brought.
        port: 0 for a free one.

    Raises:
        RequestError: the port cannot be used.
    """
    stand = FhirStand(chart, token)
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), _handler(stand, foreign=False))
    except OSError:
        raise RequestError("--fhir-port: this port cannot be used; choose another.", field="--fhir-port") from None
    other = ThreadingHTTPServer(("127.0.0.1", 0), _handler(stand, foreign=True))
    stand.base = f"http://127.0.0.1:{server.server_port}{_ROOT}"
    stand.foreign = f"http://127.0.0.1:{other.server_port}"
    threads = [threading.Thread(target=one.serve_forever, args=(0.05,), daemon=True) for one in (server, other)]
    for thread in threads:
        thread.start()
    try:
        yield stand
    finally:
        for one, thread in zip((server, other), threads, strict=True):
            one.shutdown()
            thread.join()
            one.server_close()


def _handler(stand: FhirStand, *, foreign: bool) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body in one packet: else each answer waits 40 ms for an acknowledgement
        timeout = 5

        def do_GET(self) -> None:
            self._serve(self.path)

        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8", "replace")
            self._serve(f"{self.path}?{'&'.join(f'{name}={quote(value)}' for name, value in parse_qsl(form))}")

        def _serve(self, path: str) -> None:
            asked = Asked(path, self.headers.get("Authorization", ""))
            with stand.lock:
                (stand.strayed if foreign else stand.asked).append(asked)
                # A key set that no service may fetch, or a page of results that no service may read.
                status, headers, body = (200, {}, searchset([])) if foreign else stand.answer(asked)
            sent = b"<html>Internal error</html>" if body is None else json.dumps(body).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "text/html" if body is None else "application/fhir+json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    return Handler


def _outcome(code: str) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code}]}


def below(path: str) -> bool:
    """Say whether a path that came is below the FHIR base, whatever a server would decode."""
    segments = unquote(unquote(urlsplit(path).path)).split("/")
    return path.startswith(f"{_ROOT}/") and ".." not in segments
