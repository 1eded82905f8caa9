"""Run the awkward FHIR server of the tests: Medplum's router over its memory, behind a small shim (Node).

What is awkward about it is told in docs/servers.md. It keeps everything in memory: stopping it forgets all.
"""

import json
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from child_server import ChildServer

from cds_service.cli.fhir_server import as_transaction
from cds_service.errors import ConfigError

_CHECKOUT = Path(__file__).resolve().parents[2]
_SHIM = Path(__file__).parent / "medplum" / "server.mjs"
_INSTALLED = _CHECKOUT / ".medplum"
_START_SECONDS = 60.0  # 2 s when measured: it reads all of R4's definitions first
_REQUEST_SECONDS = 60.0

# Our own answers only: an environment's HTTP proxy has no business between us and 127.0.0.1.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def find_medplum() -> Path:
    """Find Node and the folder that `make medplum` fills; return the folder.

    Raises:
        ConfigError: one of them is missing.
    """
    if shutil.which("node") is None:
        raise ConfigError("Node 20 or later is not installed: the Medplum server of the tests needs it.")
    if not (_INSTALLED / "node_modules" / "@medplum" / "fhir-router").is_dir():
        raise ConfigError("The Medplum server of the tests is not installed. Run `make medplum`.")
    return _INSTALLED


class MedplumServer(ChildServer):
    """Medplum: see `ChildServer`. It stores whatever it is given."""

    called, made_by, path, start_seconds = "Medplum", "make medplum", "/fhir/R4", _START_SECONDS

    def command(self) -> list[str]:
        """Return what runs it.

        Raises:
            ConfigError: it is not installed.
        """
        folder = find_medplum()
        return [str(shutil.which("node")), str(_SHIM), str(folder)]

    def load(self, bundle: dict[str, Any]) -> None:
        """Store every resource of a Bundle, each under its own id where it has one.

        Args:
            bundle: a FHIR Bundle of any type; see `DemoFhirServer.load`.

        Raises:
            ConfigError: an entry was refused. The message holds how many, nothing of them.
        """
        if bundle.get("type") not in ("transaction", "batch"):
            bundle = as_transaction(bundle)
        if not bundle.get("entry"):
            return
        request = urllib.request.Request(
            self.base_url,
            data=json.dumps(bundle).encode(),
            headers={"Content-Type": "application/fhir+json"},
            method="POST",
        )
        try:
            with _opener.open(request, timeout=_REQUEST_SECONDS) as response:
                entries = json.load(response)["entry"]
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise ConfigError(f"The Medplum server refused a Bundle: HTTP {refusal.code}.") from None
        except OSError as failure:
            raise ConfigError(f"The Medplum server did not answer: {type(failure).__name__}.") from None
        # Its transactions are batches: what fails fails alone.
        refused = [entry["response"]["status"] for entry in entries if not entry["response"]["status"].startswith("2")]
        if refused:
            raise ConfigError(f"The Medplum server refused {len(refused)} entries: HTTP {', '.join(set(refused))}.")
