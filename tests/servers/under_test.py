"""The three FHIR servers of the tests behind one small interface."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, Self

import pytest
from hapi_server import HapiServer, find_hapi
from medplum_server import MedplumServer, find_medplum

from cds_service.cli.fhir_server import DemoFhirServer, find_executable
from cds_service.errors import ConfigError


class ServerUnderTest(Protocol):
    """A FHIR server on loopback that asks for no token; stopped, it forgets all."""

    @property
    def base_url(self) -> str:
        """The FHIR base, without a slash at the end."""

    def start(self) -> Self:
        """Start it and wait until it answers."""

    def load(self, bundle: dict[str, Any]) -> None:
        """Store every resource of a Bundle."""

    def stop(self) -> None:
        """Stop it."""


SERVERS: dict[str, tuple[Callable[[], ServerUnderTest], Callable[[], Path]]] = {
    "sekmet": (DemoFhirServer, find_executable),
    "medplum": (MedplumServer, find_medplum),
    "hapi": (HapiServer, find_hapi),
}


def installed_or_skip(name: str) -> None:
    """Skip the test where a server is not installed, saying what to install; in CI that is an error."""
    try:
        SERVERS[name][1]()
    except ConfigError as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(missing))
