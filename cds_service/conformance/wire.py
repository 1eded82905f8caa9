"""One HTTP exchange, by the standard library alone: no redirect, no proxy, a deadline, a largest size."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlsplit

from cds_service.errors import RequestError

_LARGEST: Final = 16 * 2**20


@dataclass(frozen=True)
class Reply:
    """What came back.

    Args:
        status: of HTTP; 0 when no answer came.
        headers: names in lower case.
        body: as it came.
        seconds: until the last byte.
        trouble: why there is no answer.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0
    trouble: str = ""

    @property
    def good(self) -> bool:
        """Whether it is a success."""
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """Whether it is the caller's fault: 4xx."""
        return 400 <= self.status < 500

    @property
    def json_type(self) -> bool:
        """Whether it is sent as JSON."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))

    def value(self) -> Any:
        """Read the body as strict JSON.

        Raises:
            ValueError: it is none; the message says why and holds nothing of it.
        """
        return read_strict(self.body)

    def cards(self) -> list[Any] | None:
        """Return the cards of a success; None when there is no such array."""
        try:
            value = self.value()
        except ValueError:
            return None
        cards = value.get("cards") if isinstance(value, dict) else None
        return cards if isinstance(cards, list) else None

    def __str__(self) -> str:
        """Say what came without repeating it: charts of real patients may be used."""
        return self._said

    @cached_property  # said of each check, and some hundred checks look at one answer
    def _said(self) -> str:
        if self.trouble:
            return self.trouble
        cards = self.cards() if self.status == 200 else None
        if cards is not None:
            return f"{self.status}, {len(cards)} cards"
        return f"{self.status}, {len(self.body)} bytes"


class Host:
    """A service's base URL, and exchanges with it.

    Args:
        base: such as ``https://cds.example.org``.
        timeout: seconds for one exchange.

    Raises:
        RequestError: the base is no such URL.
    """

    def __init__(self, base: str, timeout: float) -> None:
        """Take the base apart."""
        try:
            parts = urlsplit(base)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.query
            or parts.fragment
            or parts.username
        ):
            raise RequestError("URL must be the base URL of a service, such as http://127.0.0.1:8000.", field="URL")
        self.base = base.rstrip("/")
        self.scheme, self.name, self.port = parts.scheme, parts.hostname, port
        self.path = parts.path.rstrip("/")
        self.timeout = timeout

    @property
    def loopback(self) -> bool:
        """Whether it is this machine."""
        return self.name in ("localhost", "127.0.0.1", "::1")

    def exchange(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Reply:
        """Send one request and read its answer; what goes wrong is told in the answer.

        Args:
            method: of HTTP.
            path: below the base.
            headers: as sent.
            body: as sent.
        """
        started = time.monotonic()
        link: http.client.HTTPConnection
        if self.scheme == "https":
            link = http.client.HTTPSConnection(
                self.name, self.port, timeout=self.timeout, context=ssl.create_default_context()
            )
        else:
            link = http.client.HTTPConnection(self.name, self.port, timeout=self.timeout)
        try:
            link.request(method, self.path + path, body=body, headers=dict(headers or {}))
            answer = link.getresponse()
            got = _read(answer, started + self.timeout)
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, names, got, time.monotonic() - started)
        except TimeoutError:
            return Reply(0, trouble=f"no answer within {self.timeout:g} s")
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Reply(0, trouble=f"no answer ({type(error).__name__})")
        finally:
            link.close()


def _read(answer: http.client.HTTPResponse, deadline: float) -> bytes:
    """Read to the end; the time-out of a socket bounds one read only."""
    parts: list[bytes] = []
    size = 0
    while part := answer.read1(65536):
        parts.append(part)
        size += len(part)
        if time.monotonic() > deadline:
            raise TimeoutError
        if size > _LARGEST:
            raise ValueError("too large")
    return b"".join(parts)


def read_strict(body: bytes) -> Any:
    """Read JSON as RFC 8259 has it: UTF-8, no NaN, each key once.

    Raises:
        ValueError: it is not; the message holds nothing of the body.
    """

    def constant(_name: str) -> Any:
        raise _NotStrictError("NaN or Infinity")

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _value in found}) != len(found):
            raise _NotStrictError("a key stands twice")
        return dict(found)

    try:
        return json.loads(body.decode("utf-8"), parse_constant=constant, object_pairs_hook=pairs)
    except _NotStrictError:
        raise
    except UnicodeDecodeError:
        raise ValueError("no UTF-8") from None
    except (ValueError, RecursionError):
        raise ValueError("no JSON") from None


class _NotStrictError(ValueError):
    pass
