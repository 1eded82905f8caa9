"""The same scripts without a network and without waiting: a socket whose pauses move a clock.

Everything above the socket is the real thing: requests, urllib3, http.client and the client under test.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import pytest
from fault_plays import Asked, Reset, Script, Step
from fault_server import heard

from cds_service.gather import wire
from cds_service.gather.client import FhirClient
from cds_service.gather.deadline import Deadline
from cds_service.gather.origin import Origin
from cds_service.gather.transport import Transport, make_session

T = TypeVar("T")
BASE = "http://127.0.0.1:9/fhir"  # port 9 is "discard": if anything went there, it would be refused


class Clock:
    """Time that passes only when a script or the client waits."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


class Stage:
    """A server that is played in process.

    Args:
        script: what it says to each request.
        patch: puts the fake in place of the sockets until the test ends.
    """

    def __init__(self, script: Script, patch: pytest.MonkeyPatch) -> None:
        self.script = script
        self.clock = Clock()
        self.asked: list[Asked] = []
        self.reads: list[float] = []
        """When each read of the wire began."""
        patch.setattr(wire, "_connected", lambda _connection: FakeSocket(self))
        patch.setattr(wire, "now", self.clock)

    def client(self, seconds: float = 4.0, **rest: Any) -> SerialClient:
        deadline = Deadline.after(seconds, self.clock)
        transport = Transport(make_session(), deadline, 1_000_000, self.clock.sleep)
        return SerialClient(Origin.of(BASE), transport, "secret-token", **rest)


class SerialClient(FhirClient):
    """Runs what should run at the same time one after the other, each from the same instant: random, yet repeatable."""

    def together(self, jobs: Mapping[str, Callable[[], T]], late: T) -> dict[str, T]:
        clock = self.transport.deadline.now
        assert isinstance(clock, Clock)
        start, results, ends = clock.at, {}, [clock.at]
        for name, job in jobs.items():
            clock.at = start
            result = job()
            results[name] = late if clock.at > self.transport.deadline.at + 0.05 else result
            ends.append(clock.at)
        clock.at = min(max(ends), max(start, self.transport.deadline.at))
        return results


class FakeSocket:
    """One connection: what urllib3 and http.client ask of a socket."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.seconds: float | None = None
        self.steps: Iterable[Step] = iter(())
        self._sent = b""

    def settimeout(self, seconds: float | None) -> None:
        self.seconds = seconds

    def gettimeout(self) -> float | None:
        return self.seconds

    def sendall(self, data: bytes) -> None:
        self._sent += data
        if b"\r\n\r\n" in self._sent:
            asked = heard(self._sent, BASE, self.stage.asked)
            self.stage.asked.append(asked)
            self.steps = iter(self.stage.script(asked))
            self._sent = b""

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Wire(self))

    def close(self) -> None:
        pass

    def shutdown(self, _how: int) -> None:
        pass


class _Wire(io.RawIOBase):
    def __init__(self, peer: FakeSocket) -> None:
        super().__init__()
        self._peer, self._left = peer, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        clock = self._peer.stage.clock
        self._peer.stage.reads.append(clock.at)
        assert len(self._peer.stage.reads) < 50_000, "a read without end"
        patience = self._peer.seconds
        while not self._left:
            step = next(self._peer.steps, b"")  # type: ignore[call-overload]
            if step == b"":
                return 0
            if isinstance(step, bytes):
                self._left = step
            elif isinstance(step, Reset):
                raise ConnectionResetError
            elif patience is not None and step >= patience:
                clock.sleep(patience)
                raise TimeoutError("timed out")
            else:
                clock.sleep(step)
                patience = None if patience is None else patience - step
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count
