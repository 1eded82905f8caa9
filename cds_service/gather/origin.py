"""Where a token may go: one FHIR base, compared by scheme, host, port and whole path segments.

``startswith`` is not enough: ``https://h/r4x`` and ``https://h/r4/../admin`` both start with ``https://h/r4``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

_PORTS: Final = {"http": 80, "https": 443}
_NEVER: Final = re.compile(r"[\x00-\x20\x7f\\]|[^\x00-\x7f]")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")  # how a host that is an address ends (WHATWG URL, section 3.5)
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.\-]*[a-z0-9])?|[0-9a-f:.]*:[0-9a-f:.]*")


@dataclass(frozen=True)
class Origin:
    """A FHIR base URL, taken apart.

    Args:
        scheme: "http" or "https".
        host: lower case, without brackets.
        port: always given.
        path: the segments of the base path.
    """

    scheme: str
    host: str
    port: int
    path: tuple[str, ...]

    @classmethod
    def of(cls, url: str) -> Self:
        """Read a base URL.

        Raises:
            ValueError: not an absolute http(s) URL, or it has user information, a query, a fragment, a
                backslash, control characters, or ``.`` and ``..`` segments.
        """
        parts = _split(url)
        if parts.query or parts.fragment or "?" in url or "#" in url:
            raise ValueError("a base URL has no query")
        return cls(parts.scheme, parts.hostname or "", parts.port or _PORTS[parts.scheme], _segments(parts.path))

    @property
    def base(self) -> str:
        """The base URL, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return "/".join([f"{self.scheme}://{host}{port}", *self.path])

    @property
    def loopback(self) -> bool:
        """Whether it is this machine, by a name or address that cannot mean another one."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def numeric(self) -> bool:
        """Whether the host is an address and no name, in whatever spelling resolvers take.

        >>> [Origin.of(f"http://{host}").numeric for host in ("10.1.2.3", "2130706433", "0x7f.1", "[::1]", "4.example")]
        [True, True, True, True, False]
        """
        return ":" in self.host or _NUMBER.fullmatch(self.host.rpartition(".")[2]) is not None

    def allows(self, url: str) -> bool:
        """Say whether a URL is this base or lies below it.

        >>> Origin.of("https://h/r4").allows("https://h:443/r4/Patient?_page=2")
        True
        >>> Origin.of("https://h/r4").allows("https://h/r4x/Patient")
        False
        """
        try:
            parts = _split(url)
            port = parts.port or _PORTS[parts.scheme]
            path = _segments(parts.path)
        except ValueError:
            return False
        same = (parts.scheme, parts.hostname, port) == (self.scheme, self.host, self.port)
        return same and path[: len(self.path)] == self.path

    def instead_of(self, aliases: Iterable[Origin], url: str) -> str:
        """Return a URL below an alias as the one below this base; any other URL as it is.

        Gateways write the inner host into links. Such a link is not followed there: it is read as one of ours.

        >>> inner = Origin.of("http://inner:8080/fhir")
        >>> Origin.of("https://h/r4").instead_of([inner], "http://inner:8080/fhir/Patient?page=2")
        'https://h/r4/Patient?page=2'
        """
        for alias in aliases:
            if alias.allows(url):
                parts = _split(url)
                rest = _segments(parts.path)[len(alias.path) :]
                return "/".join([self.base, *rest]) + urlunsplit(("", "", "", parts.query, ""))
        return url


def _split(url: str) -> SplitResult:
    if _NEVER.search(url):
        raise ValueError("a URL holds no blanks, backslashes or control characters")
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc or parts.port == 0:
        raise ValueError("an absolute http or https URL without user information is needed")
    if not _HOST.fullmatch(parts.hostname) or ("[" in parts.netloc) is not (":" in parts.hostname):
        raise ValueError("no host name")
    return parts


def _segments(path: str) -> tuple[str, ...]:
    segments = tuple(segment for segment in path.split("/") if segment)
    for segment in segments:
        # Also when encoded, which some server behind a proxy would undo; encoded twice, it means to get past somebody.
        bare = unquote(segment)
        # Servlet containers cut ";..." off a segment before they look at it.
        if bare.partition(";")[0] in (".", "..") or "/" in bare or "\\" in bare or unquote(bare) != bare:
            raise ValueError("a path that points elsewhere")
    return segments
