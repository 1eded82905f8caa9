"""Run a small local FHIR server (sekmet-fhir) for the demo and for tests.

sekmet-fhir lives in an environment of its own (`.venv-fhir`, see docs/adr/0006): here it is only an
executable that is started on a free loopback port with an empty database in a temporary folder, filled with
Bundles, and stopped.
"""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cds_service.errors import ConfigError

# Where the example calls of fhir_examples/hooks look for it; another is taken when this one is busy.
USUAL_PORT = 8090

Resource = dict[str, Any]

_CHECKOUT = Path(__file__).resolve().parents[2]
_START_SECONDS = 30.0  # ready in 0.7 s when measured; a first start on a cold disk takes longer
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.02
_REQUEST_SECONDS = 60.0
_START_TRIES = 3  # between choosing a free port and binding it another program may take it
_HOW_TO_INSTALL = (
    "Run `make .venv-fhir`, or install sekmet-fhir in an environment of its own and name its executable in "
    "CDS_DEMO_FHIR_SERVER."
)

# Our own answers only: an environment's HTTP proxy has no business between us and 127.0.0.1.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def find_executable() -> Path:
    """Find the sekmet executable: `CDS_DEMO_FHIR_SERVER`, else the checkout's `.venv-fhir`, else the PATH.

    Raises:
        ConfigError: None is there, or the one named in `CDS_DEMO_FHIR_SERVER` is not executable.
    """
    named = os.environ.get("CDS_DEMO_FHIR_SERVER", "").strip()
    if named:
        found = shutil.which(named)
        if found is None:
            raise ConfigError(f"CDS_DEMO_FHIR_SERVER names {named}, which is not an executable file.")
        return Path(found)
    own = shutil.which(_CHECKOUT / ".venv-fhir" / "bin" / "sekmet")
    found = str(own) if own else shutil.which("sekmet")
    if found is None:
        raise ConfigError(f"The demo FHIR server is not installed. {_HOW_TO_INSTALL}")
    return Path(found)


class DemoFhirServer:
    """A FHIR R4 server on a free loopback port, empty at the start and gone at the end.

    Use it as a context manager, or call `start` and `stop`. `base_url` is valid while it runs. It listens on
    127.0.0.1 only and asks for no token. It stores what it is given without judging it, so that untidy charts
    can be tried too.
    """

    def __init__(self, executable: Path | None = None, extra: Resource | None = None) -> None:
        self._executable = executable
        self._extra = extra or {}  # settings of sekmet's beside ours, such as who may read
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._base_url = ""

    @property
    def base_url(self) -> str:
        """The FHIR base, such as `http://127.0.0.1:41234/fhir`, without a slash at the end."""
        if not self._base_url:
            raise ConfigError("The demo FHIR server is not running.")
        return self._base_url

    def start(self) -> Self:
        """Start the server and wait until it answers `/metadata` (about 0.7 s).

        Raises:
            ConfigError: The executable is missing, or the server does not come up.
        """
        if self._process is not None:
            return self
        executable = self._executable or find_executable()
        try:
            for _ in range(_START_TRIES):
                if self._started(executable):
                    return self
                log_end = self._log_end()
                self.stop()
        except OSError as failure:
            self.stop()
            raise ConfigError(f"{executable} cannot be run: {failure.strerror}. {_HOW_TO_INSTALL}") from None
        except BaseException:  # Ctrl-C while waiting: leave no process behind
            self.stop()
            raise
        raise ConfigError(f"The demo FHIR server did not start. The end of its output:\n{log_end}")

    def load(self, bundle: Resource) -> None:
        """Store every resource of a Bundle in one transaction.

        Args:
            bundle: A FHIR Bundle. A `transaction` or `batch` is sent as it is. In any other (a `collection`),
                a resource with an id is PUT under that id and one without is created.

        Raises:
            ConfigError: The server refuses the Bundle. The message holds the status and the kind of issue,
                nothing of the resource.
        """
        if bundle.get("type") not in ("transaction", "batch"):
            bundle = as_transaction(bundle)
        if not bundle.get("entry"):
            return
        request = urllib.request.Request(  # noqa: S310 (base_url is our own http://127.0.0.1)
            self.base_url,
            data=json.dumps(bundle).encode(),
            headers={"Content-Type": "application/fhir+json", "Prefer": "return=minimal"},
            method="POST",
        )
        try:
            with _opener.open(request, timeout=_REQUEST_SECONDS) as response:
                response.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                why = _issue_codes(refusal.read())
            raise ConfigError(f"The demo FHIR server refused a Bundle: HTTP {refusal.code}, {why}.") from None
        except OSError as failure:
            raise ConfigError(f"The demo FHIR server did not answer: {type(failure).__name__}.") from None

    def stop(self) -> None:
        """Stop the server and remove its data. Doing it twice is harmless."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.cleanup()
        self._base_url = ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _started(self, executable: Path) -> bool:
        """Launch the process on one port; say whether it came up there."""
        port = _free_port()
        base_url = f"http://127.0.0.1:{port}/fhir"
        self._folder = tempfile.TemporaryDirectory(prefix="cds-demo-fhir-")
        folder = Path(self._folder.name)
        settings = folder / "settings.yaml"
        chosen = {**_settings(base_url, port, folder), **self._extra}
        settings.write_text(json.dumps(chosen), encoding="utf-8")  # JSON is YAML
        with (folder / "output.txt").open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 (an executable the operator named or installed)
                [str(executable), "serve", "--config", str(settings)],
                cwd=folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with _opener.open(f"{base_url}/metadata", timeout=_START_SECONDS) as response:
                    response.read()
            except OSError:
                time.sleep(_POLL_SECONDS)
                continue
            self._base_url = base_url
            return True
        return False

    def _log_end(self) -> str:
        if self._folder is None:
            return ""
        text = (Path(self._folder.name) / "output.txt").read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-10:])


def as_transaction(bundle: Resource) -> Resource:
    """Turn a `collection` Bundle into a `transaction` that stores its resources, Patients first.

    Args:
        bundle: A FHIR Bundle; its entries' `fullUrl` is kept, so that `urn:uuid:` references are resolved.

    Returns:
        A new Bundle; the given one is not changed.

    >>> bundle = {"entry": [{"resource": {"resourceType": "Patient", "id": "p1"}}]}
    >>> as_transaction(bundle)["entry"][0]["request"]
    {'method': 'PUT', 'url': 'Patient/p1'}
    >>> as_transaction({"resourceType": "Bundle", "type": "collection"})["entry"]
    []
    """
    entries: list[Resource] = []
    for entry in bundle.get("entry") or []:
        resource = entry.get("resource")
        if not isinstance(resource, dict):
            continue
        kind, identifier = resource.get("resourceType"), resource.get("id")
        request = {"method": "PUT", "url": f"{kind}/{identifier}"} if identifier else {"method": "POST", "url": kind}
        full_url = {"fullUrl": entry["fullUrl"]} if entry.get("fullUrl") else {}
        entries.append({**full_url, "resource": resource, "request": request})
    entries.sort(key=lambda entry: entry["resource"].get("resourceType") != "Patient")
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _settings(base_url: str, port: int, folder: Path) -> Resource:
    """Give sekmet's settings.yaml: loopback, quiet, nothing added to what we load."""
    return {
        "base_url": base_url,  # its `next` links are built from this, not from the Host header
        "host": "127.0.0.1",  # its default is every interface
        "port": port,
        "data_dir": str(folder),
        "log_inbound": False,
        "simulator": {"enabled": False, "auto": []},  # else it answers orders with resources of its own
        "validation": {"inbound": "off"},  # untidy charts are part of what is tried; also saves a slow import
    }


def _environment() -> dict[str, str]:
    """Give our environment without the SEKMET_* variables, which would override settings.yaml."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SEKMET_")}


def _free_port() -> int:
    for wanted in (USUAL_PORT, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                continue
            port: int = probe.getsockname()[1]
            return port
    raise ConfigError("No port is free on 127.0.0.1.")


def _issue_codes(body: bytes) -> str:
    try:
        issues = json.loads(body).get("issue") or []
        return ", ".join(sorted({str(issue["code"]) for issue in issues})) or "no reason given"
    except (ValueError, AttributeError, KeyError, TypeError):
        return "no reason given"
