"""Run a HAPI FHIR JPA server for the tests: what most sandboxes and many hospitals run (Java, docs/adr/0018).

Its database is in memory: stopping it forgets all.
"""

import os
import shutil
from pathlib import Path
from typing import Any

from child_server import ChildServer
from loading import store

from cds_service.errors import ConfigError

_INSTALLED = Path(__file__).resolve().parents[2] / ".hapi"
# Started once and soon stopped, so compiled in a hurry; half a gigabyte is enough for all our charts.
_JAVA = ("-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
_START_SECONDS = 240.0  # 18 s on two idle cores; it is all work for the processor


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


class HapiServer(ChildServer):
    """HAPI: see `ChildServer`."""

    called, made_by, path, start_seconds = "HAPI FHIR", "make hapi", "/fhir", _START_SECONDS

    def command(self) -> list[str]:
        """Return what runs it.

        Raises:
            ConfigError: it is not assembled.
        """
        folder = find_hapi()
        classes = os.pathsep.join((f"{folder / 'classes'}", f"{folder / 'lib'}/*"))
        return [str(shutil.which("java")), *_JAVA, "-cp", classes, "HapiServer"]

    def load(self, bundle: dict[str, Any]) -> None:
        """Store every resource of a Bundle in one transaction; see `DemoFhirServer.load`.

        Raises:
            ConfigError: the server refuses some. The message holds how many, nothing of them.
        """
        refused = store(self.base_url, bundle).refused
        if refused:
            raise ConfigError(f"The HAPI FHIR server refused {len(refused)} resources.")
