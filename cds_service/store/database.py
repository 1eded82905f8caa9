"""The connection to the database: how it is opened, how a transaction begins, what its failures are called."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool

from cds_service.errors import ConfigError, UnavailableError

log = logging.getLogger("cds_service.store")

BUSY_SECONDS: Final = 5.0
_IMMEDIATE: Final = "cds_immediate"


def read_url(text: str) -> URL:
    """Read the URL of a database.

    Raises:
        ConfigError: it is none, or of a database that is not supported. The URL may hold a password: it is not shown.
    """
    try:
        url = make_url(text)
    except ArgumentError:
        raise ConfigError("Setting store: not a database URL, such as sqlite:////var/lib/cds/store.db.") from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigError("Setting store: give a sqlite or postgresql URL.")
    # With "uri=true" a name may mean memory after all, where each worker would take a used token again.
    if url.get_backend_name() == "sqlite" and url.query:
        raise ConfigError("Setting store: nothing may follow the path of a sqlite file.")
    return url


def in_memory(url: URL) -> bool:
    """Say whether the database ends with the process."""
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


def make_engine(url: URL, *, create: bool) -> Engine:
    """Return an engine; nothing is opened yet, but that a new SQLite file is made for its owner's eyes only.

    Raises:
        ConfigError: the driver is not installed, or the file cannot be made.
    """
    try:
        if url.get_backend_name() != "sqlite":
            return create_engine(url, pool_pre_ping=True, pool_timeout=BUSY_SECONDS, hide_parameters=True)
        options: dict[str, Any] = {
            "connect_args": {"timeout": BUSY_SECONDS, "check_same_thread": False},
            "pool_timeout": BUSY_SECONDS,
        }
        if in_memory(url):
            # One connection, lent to one thread at a time: what is in memory belongs to its connection.
            options |= {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0}
        else:
            _make_file(Path(url.database or ""), create)
        engine = create_engine(url, hide_parameters=True, **options)
    except (NoSuchModuleError, ImportError):
        raise ConfigError("Setting store: the driver of this database is not installed.") from None
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _make_file(path: Path, create: bool) -> None:
    if not create and not path.exists():
        raise ConfigError("Setting store: there is no file of this name.")
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise ConfigError(f"Setting store: the file cannot be opened for writing ({error.strerror}).") from None


def _set_up(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver begins no transaction of its own: see _begin
    connection.execute("PRAGMA synchronous=FULL")  # an answer that says "stored" survives a power cut
    connection.execute("PRAGMA foreign_keys=ON")


def _begin(connection: Connection) -> None:
    # A writer that begins as a reader could find the database changed and fail at its first write, wait or not.
    immediate = connection.get_execution_options().get(_IMMEDIATE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


@contextmanager
def writing(engine: Engine, *, patience: float | None = None) -> Iterator[Connection]:
    """Open a transaction that writes; committed at the end.

    Args:
        engine: of the database.
        patience: seconds to wait for another writer, where it is not the usual; for SQLite, and for the connection's
            whole life.

    Raises:
        UnavailableError: the database does not answer, is locked for too long, full or broken.
    """
    with failing_as_unavailable(), engine.connect() as plain:
        if patience is not None and engine.dialect.name == "sqlite":
            plain.connection.cursor().execute(f"PRAGMA busy_timeout={int(patience * 1000)}")
        connection = plain.execution_options(**{_IMMEDIATE: True})
        with connection.begin():
            yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that only reads.

    Raises:
        UnavailableError: the database does not answer, or holds what cannot be read.
    """
    try:
        with failing_as_unavailable(), engine.connect() as connection, connection.begin():
            yield connection
    except ValueError as error:
        # A row that somebody else wrote, or a newer version of us: no reason to fail a call that can do without.
        log.error("the store holds a row that cannot be read: %s", type(error).__name__)
        raise UnavailableError("The store is down for now.") from None


def insert_new(connection: Connection, table: Table, row: Mapping[str, object]) -> bool:
    """Insert a row unless one with its unique key is there; say whether it was inserted.

    The database decides, not a look beforehand: two workers may come in the same moment.
    """
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return connection.execute(dialect.insert(table).values(**row).on_conflict_do_nothing()).rowcount == 1


@contextmanager
def failing_as_unavailable() -> Iterator[None]:
    """Turn the database's failures into ours, named by kind only: their texts repeat what was to be written."""
    try:
        yield
    except (DBAPIError, PoolTimeoutError) as error:
        log.error("the store failed: %s", type(error).__name__)
        raise UnavailableError("The store is down for now.") from None
