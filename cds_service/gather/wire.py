"""Connections to servers that may be hostile: one time-out for a whole answer, and addresses that are never asked.

A time-out of a socket starts anew with each byte that comes, so that headers which drip would hold a thread for hours.
Here it runs once, from the first byte awaited to the last. And a name is resolved once: what was looked at is what is
connected to, whatever the name server says the next time.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import socket
import time
from collections.abc import Iterator
from typing import Any, Final

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

now = time.monotonic

# A file of an export may take hours, but a server that has sent nothing for so long has gone away unnoticed.
_SILENT_SECONDS: Final = 120.0

# Where clouds answer a machine's own credentials to whoever asks from it. 169.254.169.254 is link-local, these are not.
# Sources: the documentation of AWS (IMDS over IPv6) and of Alibaba Cloud (instance metadata).
_METADATA: Final = frozenset({ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200")})


class ForbiddenAddressError(ValueError):
    """A name leads to an address that is never a FHIR server's. No urllib3 error: those are tried again."""


def forbidden(address: str) -> bool:
    """Say whether an address is never asked: link-local, multicast, unspecified, or a cloud's metadata service.

    >>> [forbidden(one) for one in ("169.254.169.254", "::ffff:169.254.169.254", "fe80::1%eth0", "10.1.2.3", "::1")]
    [True, True, True, False, False]
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    bare = getattr(found, "ipv4_mapped", None) or found
    return bare.is_link_local or bare.is_multicast or bare.is_unspecified or bare in _METADATA


class _Reader(io.RawIOBase):
    """The bytes of one answer: each ``recv`` may take what is left of the time-out, not the whole of it anew."""

    def __init__(self, connection: socket.socket, raw: Any) -> None:
        super().__init__()
        seconds = connection.gettimeout()
        self._connection, self._raw = connection, raw
        self._until = None if seconds is None else now() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._until is not None:
            left = self._until - now()
            if left <= 0:
                raise TimeoutError("timed out")
            self._connection.settimeout(min(left, _SILENT_SECONDS))
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer whose headers and body come within one time-out."""

    def __init__(self, sock: Any, *rest: Any, **named: Any) -> None:
        super().__init__(sock, *rest, **named)
        self.fp: Any = io.BufferedReader(_Reader(sock, self.fp.detach()))


class _Plain(HTTPConnection):
    response_class = _Response

    def _new_conn(self) -> socket.socket:
        return _connected(self)


class _Secure(HTTPSConnection):
    response_class = _Response

    def _new_conn(self) -> socket.socket:
        return _connected(self)


def _connected(connection: HTTPConnection) -> socket.socket:
    """Connect to the first address that answers, all of them within one time-out."""
    seconds = connection.timeout
    until = now() + seconds if isinstance(seconds, int | float) else None
    refusal: OSError | None = None
    for address in list(_addresses(connection)):
        try:
            return create_connection(
                (address, connection.port),
                None if until is None else max(0.001, until - now()),
                source_address=connection.source_address,
                socket_options=connection.socket_options,
            )
        except TimeoutError as error:
            raise ConnectTimeoutError(connection, "timed out") from error
        except OSError as error:
            refusal = error
    raise NewConnectionError(connection, "no connection") from refusal


def _addresses(connection: HTTPConnection) -> Iterator[str]:
    try:
        found = socket.getaddrinfo(connection.host, connection.port, 0, socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    for *_, place in found:
        address = str(place[0])
        if forbidden(address):
            raise ForbiddenAddressError("an address that is never asked")
        yield address


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class BoundedAdapter(HTTPAdapter):
    """Makes the connections of a session such."""

    pools: Final = {"http": _PlainPool, "https": _SecurePool}

    def init_poolmanager(self, *rest: Any, **named: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*rest, **named)
        self.poolmanager.pool_classes_by_scheme = self.pools

    def proxy_manager_for(self, proxy: Any, **named: Any) -> Any:
        """Make those through a proxy."""
        manager = super().proxy_manager_for(proxy, **named)
        manager.pool_classes_by_scheme = self.pools
        return manager
