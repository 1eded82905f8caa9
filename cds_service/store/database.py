"""The connection to the database: how it is opened, how a transaction begins, what its failures are called."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, literal, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool

from cds_service.errors import ConfigError, UnavailableError

log = logging.getLogger("cds_service.store")

BUSY_SECONDS: Final = 5.0
_IMMEDIATE: Final = "cds_immediate"
# PostgreSQL: nothing waits for ever, neither for a server that does not answer nor for a lock, a statement or us.
_STATEMENT_SECONDS: Final = 30
_POSTGRESQL: Final = {
    "connect_timeout": BUSY_SECONDS,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": _STATEMENT_SECONDS * 1000,
    "application_name": "cds-service",
    "options": f"-c lock_timeout={BUSY_SECONDS:.0f}s -c statement_timeout={_STATEMENT_SECONDS}s"
    f" -c idle_in_transaction_session_timeout={_STATEMENT_SECONDS}s",
}


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
    if url.get_backend_name() == "postgresql":
        if url.drivername not in ("postgresql", "postgresql+psycopg"):
            raise ConfigError("Setting store: the only driver for PostgreSQL is psycopg; write postgresql://...")
        return url.set(drivername="postgresql+psycopg")
    # With "uri=true" a name may mean memory after all, where each worker would take a used token again.
    if url.get_backend_name() == "sqlite" and url.query:
        raise ConfigError("Setting store: nothing may follow the path of a sqlite file.")
    return url


def in_memory(url: URL) -> bool:
    """Say whether the database ends with the process."""
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


def make_engine(url: URL, *, create: bool, read_only: bool = False) -> Engine:
    """Return an engine; nothing is opened yet, but that a new SQLite file is made for its owner's eyes only.

    Args:
        url: of the database.
        create: whether a SQLite file that is not there is made.
        read_only: whether a SQLite file is opened to be read only, which one on a read-only mount can be.

    Raises:
        ConfigError: the driver is not installed, or the file cannot be made.
    """
    try:
        if url.get_backend_name() != "sqlite":
            # What the URL itself says wins.
            arguments = {name: value for name, value in _POSTGRESQL.items() if name not in url.query}
            return create_engine(
                url, connect_args=arguments, pool_pre_ping=True, pool_timeout=BUSY_SECONDS, hide_parameters=True
            )
        options: dict[str, Any] = {
            "connect_args": {"timeout": BUSY_SECONDS, "check_same_thread": False},
            "pool_timeout": BUSY_SECONDS,
        }
        if in_memory(url):
            # One connection, lent to one thread at a time: what is in memory belongs to its connection.
            options |= {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0}
        elif read_only:
            options["creator"] = partial(_connect_to_read, Path(url.database or ""))
        else:
            _make_file(Path(url.database or ""), create)
        engine = create_engine(url, hide_parameters=True, **options)
    except (NoSuchModuleError, ImportError):
        raise ConfigError(
            "Setting store: the driver of this database is not installed; pip install 'cds-service[postgresql]'."
        ) from None
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _make_file(path: Path, create: bool) -> None:
    if not create and not path.exists():
        raise ConfigError("Setting store: there is no file of this name.")
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        mode = stat.S_IMODE(os.fstat(file).st_mode)
        os.close(file)
    except OSError as error:
        raise ConfigError(f"Setting store: the file cannot be opened for writing ({error.strerror}).") from None
    if mode & stat.S_IRWXO:
        # Not mended here: what others copied is copied, and somebody must know. The group of the file is the site's.
        log.warning("every user of this machine can open the store's file (mode %04o): chmod 600 the file", mode)


def _connect_to_read(path: Path) -> sqlite3.Connection:
    def connect(how: str) -> sqlite3.Connection:
        uri = f"{path.absolute().as_uri()}?{how}"
        driver = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)
        try:
            driver.execute("PRAGMA schema_version")  # it opens the file only now
        except sqlite3.Error:
            driver.close()
            raise
        return driver

    try:
        return connect("mode=ro")
    except sqlite3.OperationalError:
        # With a write-ahead log SQLite writes beside the file even to read it, unless it is told that nobody writes.
        # Somebody who has the store open has a log there.
        if path.with_name(f"{path.name}-wal").exists():
            raise
        return connect("mode=ro&immutable=1")


def _set_up(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver begins no transaction of its own: see _begin
    connection.execute("PRAGMA synchronous=FULL")  # an answer that says "stored" survives a power cut
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")  # what is forgotten is overwritten


def _begin(connection: Connection) -> None:
    # A writer that begins as a reader could find the database changed and fail at its first write, wait or not.
    immediate = connection.get_execution_options().get(_IMMEDIATE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


@contextmanager
def writing(engine: Engine, *, patience: float | None = None) -> Iterator[Connection]:
    """Open a transaction that writes; committed at the end.

    Args:
        engine: of the database.
        patience: seconds to wait for another writer, where it is not the usual.

    Raises:
        UnavailableError: the database does not answer, is locked for too long, full or broken.
    """
    with failing_as_unavailable(), engine.connect() as plain:
        if patience is not None and engine.dialect.name == "sqlite":
            plain.connection.cursor().execute(f"PRAGMA busy_timeout={int(patience * 1000)}")
        connection = plain.execution_options(**{_IMMEDIATE: True})
        try:
            with connection.begin():
                if patience is not None and engine.dialect.name == "postgresql":
                    for name in ("lock_timeout", "statement_timeout"):
                        connection.exec_driver_sql(f"SET LOCAL {name} = {int(patience * 1000)}")
                yield connection
        finally:
            if patience is not None and engine.dialect.name == "sqlite" and not plain.invalidated:
                plain.connection.cursor().execute(f"PRAGMA busy_timeout={int(BUSY_SECONDS * 1000)}")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that only reads: all its statements see the same moment.

    Raises:
        UnavailableError: the database does not answer, or holds what cannot be read.
    """
    try:
        with failing_as_unavailable(), engine.connect() as plain:
            moment = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
            connection = plain.execution_options(**moment)
            with connection.begin():
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
    # What comes back is told by both; the number of rows of an INSERT is not.
    statement = dialect.insert(table).values(**row).on_conflict_do_nothing().returning(literal(1))
    return connection.execute(statement).first() is not None


def clear_traces(engine: Engine) -> None:
    """Let nothing that was removed stay readable in SQLite's write-ahead log, as far as no reader holds it."""
    if engine.dialect.name == "sqlite" and not in_memory(engine.url):
        with (
            closing(sqlite3.connect(engine.url.database or "", timeout=BUSY_SECONDS)) as driver,
            suppress(sqlite3.Error),
        ):
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def failing_as_unavailable() -> Iterator[None]:
    """Turn the database's failures into ours, named by kind only: their texts repeat what was to be written."""
    try:
        yield
    except (DBAPIError, PoolTimeoutError) as error:
        name = _name_of(error)
        log.error("the store failed: %s", f"{type(error).__name__}, {name}" if name else type(error).__name__)
        if name in _FULL:
            raise UnavailableError(f"The disk of the store is full ({name}); make room on it.") from None
        raise UnavailableError("The store is down for now.") from None


_FULL: Final = frozenset({"SQLITE_FULL", "DiskFull"})


def _name_of(error: DBAPIError | PoolTimeoutError) -> str:
    """Return the database's own name of a failure, which holds nothing of what was to be written; "" for none.

    Source: https://sqlite.org/rescode.html; PostgreSQL, appendix A, as psycopg names its classes.
    """
    original = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(original, sqlite3.Error):
        return getattr(original, "sqlite_errorname", "")  # the driver's own errors have none
    return type(original).__name__ if getattr(original, "sqlstate", None) else ""
