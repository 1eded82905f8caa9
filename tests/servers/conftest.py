"""A real FHIR server for the tests in this folder."""

import os
from collections.abc import Iterator

import pytest

from cds_service.cli.fhir_server import DemoFhirServer, find_executable
from cds_service.errors import ConfigError


@pytest.fixture(scope="session")
def fhir_server() -> Iterator[DemoFhirServer]:
    """One FHIR server for the whole run: give the patients you load ids of your own."""
    try:
        executable = find_executable()
    except ConfigError as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"install: make .venv-fhir ({missing})")
    with DemoFhirServer(executable) as server:
        yield server
