"""A FHIR server of the tests that runs as a child: it prints its port when it listens, and its memory goes with it."""

import select
import subprocess
from abc import ABC, abstractmethod
from typing import ClassVar, Self

from cds_service.errors import ConfigError

_STOP_SECONDS = 10.0


class ChildServer(ABC):
    """A FHIR R4 server on a free loopback port, empty at the start and gone at the end.

    Use it as a context manager, or call `start` and `stop`. It asks for no token.
    """

    called: ClassVar[str]
    made_by: ClassVar[str]
    """What the reader runs when it does not start."""
    path: ClassVar[str]
    start_seconds: ClassVar[float]

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._base_url = ""

    @abstractmethod
    def command(self) -> list[str]:
        """Return what runs it.

        Raises:
            ConfigError: it is not installed.
        """

    @property
    def base_url(self) -> str:
        """The FHIR base, such as `http://127.0.0.1:41234/fhir`, without a slash at the end."""
        if not self._base_url:
            raise ConfigError(f"The {self.called} server is not running.")
        return self._base_url

    def start(self) -> Self:
        """Start the server and wait for its port.

        Raises:
            ConfigError: it is not installed, or does not come up.
        """
        if self._process is not None:
            return self
        self._process = subprocess.Popen(
            self.command(),
            stdin=subprocess.PIPE,  # HAPI ends with it, also when these tests are killed
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        try:
            ready, _, _ = select.select([self._process.stdout], [], [], self.start_seconds)
            port = self._process.stdout.readline().strip() if ready else b""
        except BaseException:  # Ctrl-C while waiting: leave no process behind
            self.stop()
            raise
        if not port:
            self.stop()
            raise ConfigError(f"The {self.called} server did not start; run `{self.made_by}` anew.")
        self._base_url = f"http://127.0.0.1:{int(port)}{self.path}"
        return self

    def stop(self) -> None:
        """Stop the server. Doing it twice is harmless."""
        process, self._process = self._process, None
        self._base_url = ""
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
