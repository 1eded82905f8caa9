"""The schema brought up to date at start, by one worker while the others wait."""

from __future__ import annotations

import importlib
import logging
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from cds_service.errors import ConfigError, UnavailableError
from cds_service.store import audit_schema, worklist_schema  # noqa: F401 - their tables join the metadata
from cds_service.store.database import BUSY_SECONDS, reading, writing
from cds_service.store.schema import NEWEST, metadata

log = logging.getLogger("cds_service.store")

MIGRATIONS: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 7235319  # any number, the same in every worker: PostgreSQL locks by number
_TRIES: Final = 50
_PATIENCE: Final = 60.0  # seconds that a worker waits for another that migrates


def prepare(engine: Engine, *, memory: bool) -> None:
    """Make the schema, or bring it up to date.

    Raises:
        ConfigError: the database cannot be opened, is broken, or belongs to a newer version of the service.
    """
    try:
        if memory:
            with writing(engine) as connection:
                metadata.create_all(connection)
            return
        if engine.dialect.name == "sqlite":
            _check_file(engine.url.database or "")
        with reading(engine) as connection:
            if _revision(connection) == NEWEST:
                return
        # Loaded here only, and before the lock is taken: its import takes seconds on a cold machine.
        importlib.import_module("alembic.command")
        with writing(engine, patience=_PATIENCE) as connection:
            _bring_up_to_date(connection)
    except UnavailableError:
        raise ConfigError("Setting store: the database cannot be opened or migrated; the log says why.") from None
    except SQLAlchemyError as error:
        raise ConfigError(f"Setting store: the database cannot be used ({type(error).__name__}).") from None


def see_schema(engine: Engine) -> None:
    """See that a database is a store of this version; change nothing.

    Raises:
        ConfigError: it is none, is of another version, or cannot be read.
    """
    try:
        with reading(engine) as connection:
            found = _revision(connection)
            sound = (
                engine.dialect.name != "sqlite" or connection.exec_driver_sql("PRAGMA quick_check(1)").scalar() == "ok"
            )
    except UnavailableError:
        raise ConfigError("Setting store: the database cannot be read; the log says why.") from None
    if not sound:
        raise _damaged()
    if found is None:
        raise ConfigError("Setting store: this database is no store of cds-service.")
    if found < NEWEST:
        raise ConfigError(
            f"Setting store: the database is of an older version of cds-service (schema {found}, now {NEWEST}). Make a "
            "backup; then serve or worklist take brings it up to date, and the older version cannot open it any more."
        )
    if found > NEWEST:
        raise _newer()


def _check_file(path: str) -> None:
    """Look for damage before anything relies on the file, and choose the write-ahead log."""
    # The driver itself: neither statement may stand in a transaction, and the engine always begins one.
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as driver:
        try:
            _choose_wal(driver)
            sound = driver.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
        except sqlite3.OperationalError:
            raise ConfigError("Setting store: the file stays locked or cannot be written.") from None
        except sqlite3.DatabaseError:
            sound = False
    if not sound:
        raise _damaged()


def _choose_wal(driver: sqlite3.Connection) -> None:
    for left in reversed(range(_TRIES)):
        # Switching needs the file alone for a moment, and SQLite does not always wait for that by itself.
        try:
            driver.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if not left:
                raise
            time.sleep(0.1)


def _bring_up_to_date(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
    # On SQLite the transaction itself is the lock.
    found = _revision(connection)
    if found == NEWEST:
        return  # another worker was first
    config = importlib.import_module("alembic.config").Config()
    command = importlib.import_module("alembic.command")
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = importlib.import_module("alembic.script").ScriptDirectory.from_config(config)
    if found is not None and found not in {one.revision for one in known.walk_revisions()}:
        raise _newer()
    if found is not None:
        log.warning("the store is brought up to date, from schema %s to %s: there is no way back", found, NEWEST)
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _damaged() -> ConfigError:
    return ConfigError("Setting store: the file is damaged or no SQLite database; restore a backup or name another.")


def _newer() -> ConfigError:
    return ConfigError("Setting store: the database belongs to a newer version of cds-service; install that one.")
