"""Real FHIR servers for the tests in this folder, each started once and empty at the start."""

from collections.abc import Iterator

import pytest
from hapi_server import HapiServer
from under_test import installed_or_skip

from cds_service.cli.fhir_server import DemoFhirServer


@pytest.fixture(scope="session")
def fhir_server() -> Iterator[DemoFhirServer]:
    """One FHIR server for the whole run: give the patients you load ids of your own."""
    installed_or_skip("sekmet")
    with DemoFhirServer() as server:
        yield server


@pytest.fixture(scope="session")
def hapi_server() -> Iterator[HapiServer]:
    """One HAPI FHIR server for the whole run: it takes 20 s to start."""
    installed_or_skip("hapi")
    with HapiServer() as server:
        yield server
