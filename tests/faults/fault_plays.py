"""What a scripted FHIR server says, step by step: bytes, pauses, and how it hangs up.

One script serves two stages: real sockets (`fault_server.py`) and a fake socket with a fake clock (`fake_socket.py`).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any
from urllib.parse import parse_qsl, urlsplit


class Reset:
    """The connection is reset, not closed."""


# Bytes are sent, a number is a pause in seconds; after the last step the connection is closed.
Step = bytes | float | Reset


@dataclass(frozen=True)
class Asked:
    """A request.

    Args:
        target: path and query, as sent.
        base: of the server, as its answers have to spell it.
        token: the Authorization header.
        times: how often the same was asked before.
    """

    target: str
    base: str
    token: str | None = None
    times: int = 0

    @property
    def path(self) -> str:
        """What stands after the base."""
        return urlsplit(self.target).path.removeprefix("/fhir").strip("/")

    @property
    def kind(self) -> str:
        """The resource type."""
        return self.path.partition("/")[0]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))


Script = Callable[[Asked], Iterable[Step]]


def head(status: int = 200, kind: str = "application/fhir+json", **headers: Any) -> bytes:
    """The first lines of an answer; ``content_length`` and the like become header names."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {kind}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def text(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body, default=str).encode()


def plain(body: Any, status: int = 200, kind: str = "application/fhir+json", **headers: Any) -> Iterator[Step]:
    """A whole answer."""
    data = text(body)
    yield head(status, kind, content_length=len(data), **headers) + data


def refusal(status: int, **headers: Any) -> Iterator[Step]:
    return plain(OUTCOME, status, **headers)


def outcome(severity: str, code: str = "processing") -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": code}]}


OUTCOME = outcome("error")
LOGIN = b"<!DOCTYPE html><html><body><form>Please log in</form></body></html>"


# How the line fails. Each takes the whole answer that would have come.


def stall_after_headers(data: bytes, seconds: float = 30.0) -> Iterator[Step]:
    yield head(content_length=len(data))
    yield seconds


def silence(_data: bytes, seconds: float = 30.0) -> Iterator[Step]:
    yield seconds


def stall_midway(data: bytes, seconds: float = 30.0) -> Iterator[Step]:
    yield head(content_length=len(data)) + data[: len(data) // 2]
    yield seconds


def drip_body(data: bytes, seconds: float = 0.02) -> Iterator[Step]:
    yield head(content_length=len(data))
    for byte in data:
        yield bytes([byte])
        yield seconds


def drip_headers(_data: bytes, seconds: float = 0.02) -> Iterator[Step]:
    for byte in chain(b"HTTP/1.1 200 OK\r\n", *repeat(b"X-More: and more\r\n", 50)):
        yield bytes([byte])
        yield seconds


def continue_for_ever(_data: bytes, seconds: float = 0.02) -> Iterator[Step]:
    while True:
        yield b"HTTP/1.1 100 Continue\r\n\r\n"
        yield seconds


def cut(data: bytes) -> Iterator[Step]:
    yield head(content_length=len(data)) + data[: len(data) // 2]


def cut_without_length(data: bytes) -> Iterator[Step]:
    yield head() + data[: len(data) // 2]


def reset_midway(data: bytes) -> Iterator[Step]:
    yield head(content_length=len(data)) + data[: len(data) // 2]
    yield Reset()


def hang_up(_data: bytes) -> Iterator[Step]:
    yield Reset()


def no_http(_data: bytes) -> Iterator[Step]:
    yield b"220 mail.example ESMTP ready\r\n"


def endless_chunks(_data: bytes) -> Iterator[Step]:
    yield head(transfer_encoding="chunked")
    while True:
        yield b"4000\r\n" + b" " * 0x4000 + b"\r\n"


def chunks_that_stop(data: bytes) -> Iterator[Step]:
    half = data[: len(data) // 2]
    yield head(transfer_encoding="chunked") + b"%x\r\n%s\r\n" % (len(half), half)


def wrong_chunks(_data: bytes) -> Iterator[Step]:
    yield head(transfer_encoding="chunked") + b"zz\r\n{}\r\n0\r\n\r\n"


def bomb(layers: int = 1, size: int = 200_000_000) -> bytes:
    """Blanks, packed so many times over."""
    part = gzip.compress(b" " * 1_000_000)
    data = part * (size // 1_000_000)  # members of one gzip file; quick to make
    for _ in range(layers - 1):
        data = gzip.compress(data)
    return data


def packed(data: bytes, encoding: str = "gzip") -> Iterator[Step]:
    yield head(content_length=len(data), content_encoding=encoding) + data


def no_gzip(data: bytes) -> Iterator[Step]:
    yield head(content_length=len(data), content_encoding="gzip") + data
