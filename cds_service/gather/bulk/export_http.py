"""Calls of a bulk export: one answer with its headers, or one file onto the disk; bounded, pinned, never redirected.

An export's addresses come from the server: where to ask how far it is, and where its files are. Each is compared with
the server's own scheme, host and port before anything is sent there.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

import requests
import urllib3

from cds_service.errors import ConfigError, RequestError
from cds_service.gather.access import Grant
from cds_service.gather.client import FhirClient, joined
from cds_service.gather.json_text import read_json
from cds_service.gather.origin import Origin
from cds_service.gather.transport import NO_CONNECTION, TIME_OUT
from cds_service.gather.wire import ForbiddenAddressError

CALL_SECONDS: Final = 60.0
FILE_SECONDS: Final = 6 * 3_600.0  # the line may be slow; one that is silent is given up sooner, see wire.py
LONGEST_WAIT: Final = 300.0  # of what a server asks for by Retry-After, at a time

ELSEWHERE: Final = "the server names an address on another host"
_CONNECT_SECONDS: Final = 30.0
_CHUNK: Final = 262_144
_GZIP: Final = b"\x1f\x8b"
_AGAIN: Final = frozenset([0, 408, 429, 500, 502, 503, 504])


@dataclass(frozen=True)
class Reply:
    """What came of a call.

    Args:
        status: the HTTP status; 0 when there was none.
        why: for people, when it is no success: "HTTP 403", "time-out". No patient data.
        again: whether it makes sense to ask once more.
        wait: the pause in seconds that the server asked for; None for none.
        body: the JSON object, where one was expected.
        location: of what was begun; absolute.
        progress: how far the server says it is, in per cent; None when it does not.
        size: bytes written, for a file.
    """

    status: int = 0
    why: str = ""
    again: bool = False
    wait: float | None = None
    body: Mapping[str, Any] | None = None
    location: str = ""
    progress: int | None = None
    size: int = 0


@dataclass(frozen=True)
class ExportServer:
    """A FHIR server that exports.

    Args:
        reach: opens it for so many seconds.
        file_origins: other hosts that its files may be on; they never get a token.
        max_file_bytes: the largest file that is taken, after decompression.
        now: seconds since 1970, for a date in Retry-After.
    """

    reach: Callable[[float], FhirClient]
    file_origins: tuple[Origin, ...] = ()
    max_file_bytes: int = 64 * 2**30
    now: Callable[[], float] = field(default=time.time, repr=False)

    def begin(self, path: str) -> Reply:
        """Ask for an export; ``path`` stands below the base."""
        client = self.reach(CALL_SECONDS)
        return self._call("GET", f"{client.origin.base}/{path}", {"Prefer": "respond-async"}, "application/fhir+json")

    def status(self, url: str) -> Reply:
        """Ask how far an export is."""
        return self._call("GET", url, {}, "application/json")

    def close(self, url: str, seconds: float = 10.0) -> Reply:
        """Tell the server that an export is no longer wanted."""
        return self._call("DELETE", url, {}, "application/json", seconds)

    def download(self, url: str, into: Path, *, token: bool) -> Reply:
        """Write a file onto the disk, unpacked.

        Args:
            url: from the manifest.
            into: is made or written anew; complete only when the reply has status 200 and no ``why``.
            token: whether the server asks for one with its files.

        Raises:
            ConfigError: the disk does not take it.
        """
        client = self.reach(FILE_SECONDS)
        url = client.origin.instead_of(client.aliases, url)
        ours = _host(client.origin).allows(url)
        if not ours and not any(one.allows(url) for one in self.file_origins):
            return Reply(why=ELSEWHERE)

        def keep(response: requests.Response) -> Reply:
            return _to_disk(response, into, self.max_file_bytes, client)

        return self._asked(client, "GET", url, {"Accept": "application/fhir+ndjson"}, keep, token and ours)

    def _call(
        self, method: str, url: str, headers: Mapping[str, str], accept: str, seconds: float = CALL_SECONDS
    ) -> Reply:
        client = self.reach(seconds)
        url = client.origin.instead_of(client.aliases, url)
        if not _host(client.origin).allows(url):
            return Reply(why=ELSEWHERE)

        def told(response: requests.Response) -> Reply:
            body = _json(response, client) if response.status_code == 200 and method == "GET" else Reply()
            place = response.headers.get("Content-Location", "")
            return Reply(
                response.status_code,
                body.why,
                body=body.body,
                wait=self._wait(response),
                location=joined(url, place) if place else "",
                progress=_per_cent(response.headers.get("X-Progress", "")),
            )

        return self._asked(client, method, url, {"Accept": accept, **headers}, told, True)

    def _asked(
        self,
        client: FhirClient,
        method: str,
        url: str,
        headers: Mapping[str, str],
        use: Callable[[requests.Response], Reply],
        token: bool,
    ) -> Reply:
        """Ask; with another token, once, when one that we fetched is refused."""
        grant = Grant(client.token) if client.access is None else client.access.grant("Patient", client.transport)
        if grant.why:
            # Refused at the start it is told at once; hours later it is more likely a fault that passes.
            return Reply(why=grant.why, again=grant.why == TIME_OUT or "Prefer" not in headers)
        reply = self._once(client, method, url, headers, use, grant.token if token else None)
        if reply.status == 401 and client.access is not None and grant.token is not None and token:
            grant = client.access.renewed("Patient", grant.token, client.transport)
            if not grant.why:
                reply = self._once(client, method, url, headers, use, grant.token)
        return reply

    def _once(
        self,
        client: FhirClient,
        method: str,
        url: str,
        headers: Mapping[str, str],
        use: Callable[[requests.Response], Reply],
        token: str | None,
    ) -> Reply:
        sent = {"Accept-Encoding": "gzip", "Cache-Control": "no-cache", **headers}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        try:
            with _opened(client, method, url, sent) as response:
                if response.status_code in (200, 202, 204):
                    return use(response)
                status = response.status_code
                why = f"HTTP {status}" + (", a redirect" if 300 <= status < 400 else "")
                return Reply(status, why, again=status in _AGAIN, wait=self._wait(response))
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            return Reply(why=TIME_OUT, again=True)
        except ForbiddenAddressError:
            return Reply(why="the server's name leads to an address that is never asked")
        except requests.exceptions.SSLError:
            return Reply(why="no trusted connection")
        except requests.ConnectionError:
            return Reply(why=NO_CONNECTION, again=True)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError):
            return Reply(why="the answer broke off", again=True)

    def _wait(self, response: requests.Response) -> float | None:
        """Read Retry-After: seconds, or a date."""
        asked = response.headers.get("Retry-After", "").strip()
        if asked.isascii() and asked.isdigit():
            return min(float(asked[:6]), LONGEST_WAIT)
        try:
            when = parsedate_to_datetime(asked)
        except (ValueError, OverflowError):  # no date, or one of a year that no calendar has
            return None
        seconds = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - self.now()
        return min(max(seconds, 0.0), LONGEST_WAIT)


@contextmanager
def _opened(client: FhirClient, method: str, url: str, headers: Mapping[str, str]) -> Iterator[requests.Response]:
    seconds = client.transport.deadline.remaining
    timeout: Any = urllib3.Timeout(total=seconds, connect=min(seconds, _CONNECT_SECONDS))
    with client.transport.session.request(
        method, url, headers=dict(headers), stream=True, allow_redirects=False, timeout=timeout
    ) as response:
        yield response


def _json(response: requests.Response, client: FhirClient) -> Reply:
    data = bytearray()
    while chunk := response.raw.read1(_CHUNK, decode_content=True):
        data += chunk
        if len(data) > client.transport.max_bytes:
            return Reply(why="the answer was too large")
    try:
        body = read_json(bytes(data), max_bytes=client.transport.max_bytes)
    except RequestError:
        return Reply(why="the answer was not JSON")
    return Reply(body=body) if isinstance(body, dict) else Reply(why="the answer was not a manifest")


def _to_disk(response: requests.Response, into: Path, max_bytes: int, client: FhirClient) -> Reply:
    if response.status_code != 200:
        return Reply(response.status_code, f"HTTP {response.status_code}")
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", ""):
        return Reply(200, "the file is packed in a way that was not asked for")
    size = 0
    parts = _unpacked(_raw(response), always=encoding.endswith("gzip"))
    if encoding.endswith("gzip"):
        parts = _unpacked(parts, always=False)  # a file that is gzip itself, packed once more on the way
    try:
        with _made(into) as file:
            for part in parts:
                size += len(part)
                if size > max_bytes:
                    return Reply(200, "the file was too large")
                if client.transport.deadline.passed:
                    return Reply(200, TIME_OUT, again=True)
                _put(file, part)
    except _BrokenError:
        return Reply(200, "the file broke off", again=True)
    return Reply(200, size=size)


class _BrokenError(Exception):
    """What came is no whole gzip file."""


def _raw(response: requests.Response) -> Iterator[bytes]:
    while chunk := response.raw.read1(_CHUNK, decode_content=False):
        yield chunk


def _unpacked(parts: Iterator[bytes], *, always: bool) -> Iterator[bytes]:
    """Undo gzip, of several members too, in pieces; what does not begin like gzip is handed on unless it must be."""
    head = b""
    for part in parts:
        head += part
        if len(head) >= len(_GZIP):
            break
    if not head.startswith(_GZIP):
        if always and head:
            raise _BrokenError
        if head:
            yield head
        yield from parts
        return
    engine = zlib.decompressobj(31)
    waiting = head
    while True:
        while waiting:
            if engine.eof:  # another member
                engine = zlib.decompressobj(31)
            try:
                yield engine.decompress(waiting, _CHUNK)
            except zlib.error:
                raise _BrokenError from None
            waiting = engine.unused_data if engine.eof else engine.unconsumed_tail
        following = next(parts, None)
        if following is None:
            break
        waiting = following
    while not engine.eof:  # all of the input is in, not all of the output out
        rest = engine.decompress(b"", _CHUNK)
        if not rest:
            raise _BrokenError
        yield rest


@contextmanager
def _made(path: Path) -> Iterator[int]:
    """Open a file that only we may read."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise ConfigError(f"The export cannot be written: {error.strerror}.") from None
    try:
        yield file
        _put(file, b"")
    finally:
        os.close(file)


def _put(file: int, data: bytes) -> None:
    """Write all of it; for nothing, see that what was written is on the disk."""
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(file, view) :]
        if not data:
            os.fsync(file)
    except OSError as error:  # the disk is full, most often
        raise ConfigError(f"The export cannot be written: {error.strerror}. Make room and run it again.") from None


def _host(origin: Origin) -> Origin:
    """The whole host: status and files of an export need not lie below the base."""
    return Origin(origin.scheme, origin.host, origin.port, ())


def _per_cent(text: str) -> int | None:
    """Read a percentage; whatever else the server writes is not repeated.

    >>> _per_cent("Exporting: 40% done"), _per_cent("400 of 4000")
    (40, None)
    """
    number = text.partition("%")[0].rstrip()[-3:].split(" ")[-1] if "%" in text else ""
    return int(number) if number.isascii() and number.isdigit() and int(number) <= 100 else None
