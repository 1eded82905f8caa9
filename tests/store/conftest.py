"""The three kinds of store: a SQLite file, memory, a database of a real PostgreSQL server."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cds_service.store import Store, open_store
from tests.store.postgresql_server import INSTALL, Server, programs


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    found = programs()
    if found is None:
        pytest.skip(INSTALL)
    server = Server(found)
    yield server
    server.close()


@pytest.fixture(params=["file", "memory", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new database of each kind."""
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgresql")
        return server.empty()
    return "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path}/store.db"


@pytest.fixture(params=["file", "postgresql"])
def lasting_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new database of each kind that several processes can share."""
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgresql")
        return server.empty()
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
def opened() -> Iterator[Callable[[str], Store]]:
    """Open stores that are closed at the end of the test."""
    stores: list[Store] = []

    def open_one(url: str) -> Store:
        stores.append(open_store(url))
        return stores[-1]

    yield open_one
    for store in stores:
        store.close()


@pytest.fixture
def store(url: str, opened: Callable[[str], Store]) -> Store:
    return opened(url)
