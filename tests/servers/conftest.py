"""Real FHIR servers for the tests in this folder, each started once and empty at the start."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from under_test import SERVERS, ServerUnderTest, installed_or_skip


@pytest.fixture(scope="session")
def started() -> Iterator[Callable[[str], ServerUnderTest]]:
    """The server of a name, started when it is first asked for; no fixture with parameters, which begins anew."""
    running: dict[str, ServerUnderTest] = {}
    with ExitStack() as stack:

        def server(name: str) -> ServerUnderTest:
            if name not in running:
                installed_or_skip(name)
                running[name] = SERVERS[name][0]().start()
                stack.callback(running[name].stop)
            return running[name]

        yield server


@pytest.fixture(scope="session")
def fhir_server(started: Callable[[str], ServerUnderTest]) -> ServerUnderTest:
    """One FHIR server for the whole run: give the patients you load ids of your own."""
    return started("sekmet")


@pytest.fixture(scope="session")
def hapi_server(started: Callable[[str], ServerUnderTest]) -> ServerUnderTest:
    """One HAPI FHIR server for the whole run: it takes 20 s to start."""
    return started("hapi")
