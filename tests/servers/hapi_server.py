"""Run a HAPI FHIR JPA server for the tests: what most sandboxes and many hospitals run (Java, docs/adr/0018).

Its database is in memory: stopping it forgets all.
"""

import os
import select
import shutil
import subprocess
from pathlib import Path
from typing import Any, Self

from loading import store

from cds_service.errors import ConfigError

_INSTALLED = Path(__file__).resolve().parents[2] / ".hapi"
# Started once and soon stopped, so compiled in a hurry; half a gigabyte is enough for all our charts.
_JAVA = ("-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
_START_SECONDS = 240.0  # 18 s on two idle cores; it is all work for the processor
_STOP_SECONDS = 10.0


def find_hapi() -> Path:
    """Find Java and the folder that `make hapi` fills; return the folder.

    Raises:
        ConfigError: one of them is missing.
    """
    if shutil.which("java") is None:
        raise ConfigError("Java 17 or later is not installed: the HAPI FHIR server of the tests needs it.")
    if not (_INSTALLED / ".installed").is_file():
        raise ConfigError("The HAPI FHIR server of the tests is not assembled. Run `make hapi`.")
    return _INSTALLED


class HapiServer:
    """A FHIR R4 server on a free loopback port, empty at the start and gone at the end.

    Use it as a context manager, or call `start` and `stop`. It asks for no token.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._base_url = ""

    @property
    def base_url(self) -> str:
        """The FHIR base, such as `http://127.0.0.1:41234/fhir`, without a slash at the end."""
        if not self._base_url:
            raise ConfigError("The HAPI FHIR server is not running.")
        return self._base_url

    def start(self) -> Self:
        """Start the server and wait for its port.

        Raises:
            ConfigError: it is not assembled, or does not come up.
        """
        if self._process is not None:
            return self
        folder = find_hapi()
        path = os.pathsep.join((f"{folder / 'classes'}", f"{folder / 'lib'}/*"))
        self._process = subprocess.Popen(
            [str(shutil.which("java")), *_JAVA, "-cp", path, "HapiServer"],
            stdin=subprocess.PIPE,  # it ends with it
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        try:
            ready, _, _ = select.select([self._process.stdout], [], [], _START_SECONDS)
            port = self._process.stdout.readline().strip() if ready else b""
        except BaseException:  # Ctrl-C while waiting: leave no process behind
            self.stop()
            raise
        if not port:
            self.stop()
            raise ConfigError("The HAPI FHIR server did not start; run `make hapi` anew.")
        self._base_url = f"http://127.0.0.1:{int(port)}/fhir"
        return self

    def load(self, bundle: dict[str, Any]) -> None:
        """Store every resource of a Bundle in one transaction; see `DemoFhirServer.load`.

        Raises:
            ConfigError: the server refuses some. The message holds how many, nothing of them.
        """
        refused = store(self.base_url, bundle).refused
        if refused:
            raise ConfigError(f"The HAPI FHIR server refused {len(refused)} resources.")

    def stop(self) -> None:
        """Stop the server. Doing it twice is harmless."""
        process, self._process = self._process, None
        self._base_url = ""
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
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
