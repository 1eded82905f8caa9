"""A store that is only read: nothing is made or migrated, and a read-only mount will do."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds_service.cli import main
from cds_service.errors import ConfigError, UnavailableError
from cds_service.store import Store, open_store, read_store
from tests.store.made_screenings import NOW, TRIAL, taken
from tests.store.test_store_upgrades import of_version

READING = (("audit", "verify"), ("worklist", "list"), ("feedback", "report"))
_NOBODY = 65534


@contextmanager
def nothing_writable() -> Iterator[Path]:
    """Give a folder in which, once it is left alone, not even its owner can write."""
    # Where everybody may look: the folders of tests are their owner's alone.
    folder = Path(tempfile.mkdtemp(prefix="cds-test-read-only-", dir="/tmp"))
    try:
        yield folder
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Be nobody for a while where we are root, who may write anywhere."""
    us = os.geteuid()
    if us == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(us)


def run(*given: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, given)
    return done.exit_code, done.output or repr(done.exception)


@pytest.mark.parametrize("running", [False, True], ids=["stopped", "service running"])
def test_a_store_is_read_where_nothing_can_be_written(running: bool) -> None:
    with nothing_writable() as folder:
        store = open_store(f"sqlite:///{folder}/store.db")
        taken(store)
        if not running:
            store.close()
        for file in folder.iterdir():
            file.chmod(0o444)
        folder.chmod(0o555)
        before = sorted(folder.iterdir())
        with as_nobody():
            read = read_store(f"sqlite:///{folder}/store.db")
            assert (read.worklist.verify_audit(), read.worklist.audit_tip()[0]) == (None, 1)
            assert read.worklist.counts(TRIAL).total == 1
            assert read.counts() == read.overrides() == []
            read.close()
        assert sorted(folder.iterdir()) == before
        store.close()


def test_an_older_store_is_not_migrated_by_reading_it(lasting_url: str, tmp_path: Path) -> None:
    of_version(lasting_url, "0002").dispose()
    for command in READING:
        code, told = run(*command, "--store", lasting_url)
        assert (code, "schema 0002" in told, "Make a backup" in told) == (12, True, True), told
    if lasting_url.startswith("sqlite"):
        assert run("backup", str(tmp_path / "copy.db"), "--store", lasting_url)[0] == 0
    open_store(lasting_url).close()
    for command in READING:
        assert run(*command, "--store", lasting_url)[0] == 0


def test_what_is_opened_to_be_read_refuses_to_be_written(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    open_store(url).close()
    store = read_store(url)
    with pytest.raises(UnavailableError):
        store.worklist.saw(who="Li", what="list", now=NOW)
    assert store.worklist.audit() == []
    store.close()


def test_what_is_no_store_is_told_and_left_alone(tmp_path: Path, opened: Callable[[str], Store]) -> None:
    (tmp_path / "empty.db").touch()
    (tmp_path / "text.db").write_bytes(b"no database" * 100)
    for name, why in (("none", "no file of this name"), ("empty", "no store of cds"), ("text", "cannot be read")):
        with pytest.raises(ConfigError, match=why):
            read_store(f"sqlite:///{tmp_path}/{name}.db")
    with pytest.raises(ConfigError, match="in memory"):
        read_store("sqlite://")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["empty.db", "text.db"]
