"""A copy of the store in one file, taken while the service writes, and the store made anew from such a file.

For SQLite. PostgreSQL has its own tools, which know its roles, settings and sizes: see docs/store.md.
"""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import URL

from cds_service.errors import ConfigError, UnavailableError
from cds_service.store import audit
from cds_service.store.audit import Trail
from cds_service.store.database import BUSY_SECONDS, in_memory, make_engine, read_url, reading, writing
from cds_service.store.schema import NEWEST, metadata
from cds_service.store.store import open_store

_PATIENCE: Final = 30.0  # seconds for the service's own writers: a copy that is made at night can wait


@dataclass(frozen=True)
class Copied:
    """What a copy holds.

    Args:
        entries: how many patients on lists.
        audit: how many rows of the audit.
        digest: of its last row.
        bad: number of the first row of the audit that is not as it was written; None when all are.
        kept: where the file that was there before is now; None where there was none worth keeping.
    """

    entries: int
    audit: int
    digest: str
    bad: int | None = None
    kept: Path | None = None


def back_up(url: str, file: Path, *, who: str, now: datetime) -> Copied:
    """Write a copy of the store as it is at one moment; the service may go on writing.

    The file appears whole, for its owner's eyes only, or not at all. The audit is told before, which is in the copy.
    An audit that is not as it was written is copied all the same, and told.

    Raises:
        ConfigError: there is something of this name, it cannot be written, the audit cannot be told, or the store is no
            file or damaged.
    """
    source = _path(read_url(url))
    if not source.is_file():
        raise ConfigError("Setting store: there is no file of this name.")
    if file.exists():
        raise ConfigError(_taken(file))
    with _draft_beside(file) as draft:
        _tell_audit(source, who, now)
        with _failing_as_config("the store cannot be copied"), _connected(source) as driver:
            # What was removed is not in the copy: it is written anew, row by row, from one snapshot.
            driver.execute("VACUUM INTO ?", (str(draft),))
        copied = _look_into(draft)
        _to_disk(draft)
        try:
            os.link(draft, file)  # unlike a rename, it never takes another file's place
        except FileExistsError:
            raise ConfigError(_taken(file)) from None
        except OSError as error:
            raise ConfigError(f"The copy cannot be written ({error.strerror}).") from None
        _to_disk(file.parent)
    return copied


def restore(url: str, file: Path, *, replace: bool, now: datetime) -> Copied:
    """Make the store anew from a copy; the service must be stopped.

    The copy is looked through first: its integrity, its schema, every row of its audit. A store that holds anything is
    replaced only when told so, and kept beside.

    Raises:
        ConfigError: the copy is none or damaged, the store is in use, or holds something and is not to be replaced.
    """
    target = _path(read_url(url))
    if not file.is_file():
        raise ConfigError("There is no such copy.")
    if target.exists() and os.path.samefile(file, target):
        raise ConfigError("The copy is the store itself.")
    with _draft_beside(target) as draft:
        with _failing_as_config("The copy cannot be read"), _connected(file) as driver:
            driver.execute("VACUUM INTO ?", (str(draft),))
        copied = _look_into(draft)
        if copied.bad is not None:
            raise ConfigError(f"The copy's audit is not as it was written, or incomplete: look at row {copied.bad}.")
        _make_newest(draft)
        _to_disk(draft)
        kept = None
        if target.exists():
            holds = _close_down(target)
            if holds and not replace:
                raise ConfigError("The store holds rows; --replace keeps it beside and takes the copy instead.")
            if holds:
                kept = target.with_name(f"{target.name}.replaced-{now:%Y%m%dT%H%M%SZ}")
                try:
                    os.link(target, kept)
                except FileExistsError:
                    raise ConfigError("The store was replaced in this second already; try again.") from None
        os.replace(draft, target)
        _to_disk(target.parent)
    return dataclasses.replace(copied, kept=kept)


def _tell_audit(source: Path, who: str, now: datetime) -> None:
    """Write down that all of the store is about to leave it, names and charts."""
    with _failing_as_config("the store cannot be copied"), _connected(source) as driver:
        if driver.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'audit'").fetchone() is None:
            return  # of before there was one
    engine = make_engine(read_url(f"sqlite:///{source}"), create=False)
    try:
        with writing(engine, patience=_PATIENCE) as connection:
            trail = Trail(who, now)
            trail.add("backup", detail={})
            trail.write(connection)
    except UnavailableError:
        raise ConfigError("The audit cannot be told, so no copy was made; try again.") from None
    finally:
        engine.dispose()


def _path(url: URL) -> Path:
    if url.get_backend_name() == "postgresql":
        raise ConfigError("Setting store: for PostgreSQL use its own pg_dump and pg_restore (docs/store.md).")
    if in_memory(url):
        raise ConfigError("Setting store: the database in memory belongs to a running service; name another (--store).")
    return Path(url.database or "")


@contextmanager
def _draft_beside(file: Path) -> Iterator[Path]:
    """Make an empty private file in the folder of another; whatever it is by then, it is removed at the end."""
    try:
        number, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".draft", dir=file.parent)
    except OSError as error:
        raise ConfigError(f"Nothing can be written beside {file.name} ({error.strerror}).") from None
    os.close(number)
    try:
        yield Path(name)
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(name + suffix).unlink(missing_ok=True)


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as driver:
        yield driver


@contextmanager
def _failing_as_config(what: str) -> Iterator[None]:
    """Name a failure by kind: SQLite's texts may repeat what is in the file."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise ConfigError(f"{what} ({error.sqlite_errorname}).") from None


def _look_into(draft: Path) -> Copied:
    """Check a copy.

    Raises:
        ConfigError: it is damaged, or no store.
    """
    with _failing_as_config("The copy is damaged"), _connected(draft) as driver:
        if driver.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            raise ConfigError("The copy is damaged.")
        if driver.execute("PRAGMA foreign_key_check").fetchone() is not None:
            raise ConfigError("The copy is damaged: rows point to rows that are not there.")
        tables = {name for (name,) in driver.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "alembic_version" not in tables:
            raise ConfigError("The copy is no store of cds-service.")
        entries = driver.execute("SELECT count(*) FROM entries").fetchone()[0] if "entries" in tables else 0
    if "audit" not in tables:
        return Copied(entries, 0, "")  # of before there was one
    engine = make_engine(read_url(f"sqlite:///{draft}"), create=False)  # as it is: opening the store would migrate it
    try:
        with reading(engine) as connection:
            bad = audit.first_bad(connection)
            number, digest = audit.tip(connection)
    except UnavailableError:
        raise ConfigError("The copy is damaged: its audit cannot be read.") from None
    finally:
        engine.dispose()
    return Copied(entries, number, digest, bad)


def _make_newest(draft: Path) -> None:
    """Bring the schema up to date, before anything of the store is touched.

    Raises:
        ConfigError: it is newer than ours.
    """
    with _failing_as_config("The copy cannot be read"), _connected(draft) as driver:
        found = driver.execute("SELECT version_num FROM alembic_version").fetchone()
        if found is not None and found[0] > NEWEST:
            raise ConfigError("The copy belongs to a newer version of cds-service; install that one.")
    open_store(f"sqlite:///{draft}", create=False).close()
    with _failing_as_config("The copy cannot be written"), _connected(draft) as driver:
        driver.execute("PRAGMA journal_mode=DELETE")  # all in one file


def _close_down(target: Path) -> bool:
    """Take the write-ahead log into the file, which fails while anybody has it open; say whether it holds anything."""
    try:
        with _connected(target) as driver:
            driver.execute("PRAGMA busy_timeout=500")
            driver.execute("PRAGMA journal_mode=DELETE")
            tables = {name for (name,) in driver.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            return any(
                driver.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone()  # noqa: S608 - names of our tables
                for name in tables & set(metadata.tables)
            )
    except sqlite3.OperationalError:
        raise ConfigError("The store is in use; stop the service first.") from None
    except sqlite3.DatabaseError:
        return target.stat().st_size > 0  # damaged: that is what copies are for


def _to_disk(path: Path) -> None:
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _taken(file: Path) -> str:
    return f"There is something called {file.name}; a copy never takes its place."
