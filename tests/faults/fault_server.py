"""Plays scripts on real sockets on loopback; remembers what was asked."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable

from fault_plays import Asked, Reset, Script


class FaultServer:
    """A server; use it as a context.

    Args:
        script: what it says to each request; may be replaced between calls.
        tls: wraps each connection, when given.
    """

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.connections = 0
        self._tls = tls
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self._door = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._threads: list[threading.Thread] = []

    @property
    def port(self) -> int:
        return self._door.getsockname()[1]

    @property
    def base(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/fhir"

    def counts(self) -> dict[str, int]:
        """How often each type was asked for."""
        return dict(Counter(one.kind for one in self.asked))

    def __enter__(self) -> FaultServer:
        self._start(self._accept)
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopped.set()
        self._door.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()
        self._door.close()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                peer, _ = self._door.accept()
            except OSError:
                return
            self.connections += 1
            peer.settimeout(2)  # so that no thread outlives its test
            self._start(self._talk, peer)

    def _talk(self, peer: socket.socket) -> None:
        try:
            if self._tls is not None:
                with peer:
                    peer = self._tls.wrap_socket(peer, server_side=True)
            with peer:
                asked = self._read(peer)
                if asked is not None:
                    self._say(peer, asked)
        except OSError:
            pass  # the client went away, as it should

    def _read(self, peer: socket.socket) -> Asked | None:
        data = b""
        while b"\r\n\r\n" not in data:
            more = peer.recv(65_536)
            if not more:
                return None
            data += more
            if data[:1] == b"\x16" and self._tls is None:  # a TLS handshake, where plain HTTP is spoken
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
                return None
        return self._heard(data)

    def _heard(self, data: bytes) -> Asked:
        with self._lock:
            asked = heard(data, self.base, self.asked)
            self.asked.append(asked)
        return asked

    def _say(self, peer: socket.socket, asked: Asked) -> None:
        for step in self.script(asked):
            if isinstance(step, bytes):
                peer.sendall(step)
            elif isinstance(step, Reset):
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            elif self._stopped.wait(step):
                return


def heard(data: bytes, base: str, before: list[Asked]) -> Asked:
    """Read a request's head."""
    first, *lines = data.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
    target = first.split(" ")[1]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Asked(target, base, headers.get("authorization"), sum(one.target == target for one in before))
