"""A server in a process of its own on loopback, asked over connections that stay open."""

from __future__ import annotations

import http.client
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

SECONDS_TO_START: Final = 60
SECONDS_TO_STOP: Final = 15


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Served:
    """A server process.

    Args:
        command: starts it.
        port: that it will listen on.
        path: that bodies are posted to.
        environment: of the process; nothing of ours.
        folder: it starts in.
    """

    def __init__(
        self, command: Sequence[str], port: int, path: str, environment: Mapping[str, str], folder: Path
    ) -> None:
        self._port, self._path = port, path
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(command, env=dict(environment), cwd=folder, stdout=quiet, stderr=quiet)
        give_up = time.monotonic() + SECONDS_TO_START
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                if self._process.poll() is not None or time.monotonic() > give_up:
                    self.stop()
                    raise RuntimeError(f"{command[0]} did not start to listen.") from None
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        """End it, and wait for that."""
        self._process.terminate()
        try:
            self._process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def ask(self, body: bytes, requests: int, connections: int = 1) -> list[tuple[int, bytes]]:
        """Post a body so many times over each of so many connections.

        Returns:
            Every answer's status and body.
        """
        with ThreadPoolExecutor(connections) as pool:
            asked = [pool.submit(self._ask, body, requests) for _ in range(connections)]
            return [answer for one in asked for answer in one.result()]

    def _ask(self, body: bytes, requests: int) -> list[tuple[int, bytes]]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        answers = []
        connection.connect()
        opened = connection.sock
        for _ in range(requests):
            connection.request("POST", self._path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answers.append((response.status, response.read()))
            # Whoever closes after each answer is measured at another thing than whoever does not.
            assert connection.sock is opened, "the connection was closed"
        connection.close()
        return answers

    def cpu_seconds(self) -> float:
        """Return the CPU time of the process, its threads and its children so far."""
        return sum(_cpu(one) for one in _tree(self._process.pid))


def _tree(pid: int) -> list[int]:
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            found += _tree(int(child))
    return found


def _cpu(pid: int) -> float:
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(one.read_text().split()[0]) for one in threads) / 1e9
