"""Backup and restore: whole or not at all, while the service writes, and never over what people decided."""

from __future__ import annotations

import getpass
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from cds_service.cli import main
from cds_service.store import Store, open_store
from cds_service.store.worklist import EntryState, Wanted, WhyForgotten
from tests.store.made_screenings import NOW, attestation, person, taken
from tests.store.postgresql_server import Server


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "live").mkdir()
    return tmp_path / "live" / "store.db"


@pytest.fixture
def live(path: Path, opened: Callable[[str], Store]) -> Store:
    store = opened(f"sqlite:///{path}")
    entry = taken(store)
    store.worklist.decide(entry.id, 1, state=EntryState.CONSENTED, who="Li", now=NOW)
    store.worklist.attest(entry.id, 2, attestation(), now=NOW)
    store.secret("sessions")
    return store


def run(command: str, file: Path, store: Path, *more: str) -> Result:
    return CliRunner().invoke(main, [command, str(file), "--store", f"sqlite:///{store}", *more])


def whole(path: Path) -> dict[str, list[object]]:
    """Return every row of every table."""
    with closing(sqlite3.connect(path)) as driver:
        names = [name for (name,) in driver.execute("SELECT name FROM sqlite_master WHERE type='table' ORDER BY name")]
        return {name: sorted(driver.execute(f"SELECT * FROM {name}"), key=repr) for name in names}


def test_everything_comes_back(live: Store, path: Path, tmp_path: Path) -> None:
    copy, new = tmp_path / "copy.db", tmp_path / "new.db"
    told = run("backup", copy, path)
    number, digest = live.worklist.audit_tip()
    assert told.output == f"{copy}: 1 entry of the worklist, 4 rows of the audit, the last {number}:{digest}.\n"
    assert told.exit_code == 0
    row = live.worklist.audit()[0]
    assert (row.what, row.who, row.entry, row.patient) == ("backup", getpass.getuser(), "", "")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert sorted(one.name for one in tmp_path.iterdir()) == ["copy.db", "live"]  # and nothing beside
    live.worklist.saw(who="Li", what="list", now=NOW)  # after the copy
    told = run("restore", copy, new)
    assert told.output == f"Restored: 1 entry of the worklist, 4 rows of the audit, the last {number}:{digest}.\n"
    assert new.stat().st_mode & 0o777 == 0o600
    assert sorted(one.name for one in tmp_path.iterdir()) == ["copy.db", "live", "new.db"]
    assert whole(new) == whole(copy)
    assert whole(new) != whole(path)
    again = open_store(f"sqlite:///{new}")
    entry = again.worklist.entries("NCT1", wanted=Wanted()).entries[0]
    assert entry == live.worklist.entry(entry.id)
    assert again.secret("sessions") == live.secret("sessions")
    again.worklist.note(entry.id, text="goes on", who="Li", now=NOW)
    assert again.worklist.verify_audit() is None
    with pytest.raises(sqlite3.IntegrityError, match="only grows"), closing(sqlite3.connect(new)) as driver:
        driver.execute("DELETE FROM audit")
    again.close()


def test_a_copy_taken_while_the_service_writes_is_of_one_moment(live: Store, path: Path, tmp_path: Path) -> None:
    entry = taken(live, who=person(2))
    ended, written = threading.Event(), [0]

    def write() -> None:
        while not ended.is_set():
            live.worklist.note(entry.id, text=f"{written[0]} ".ljust(2000, "x"), who="Li", now=NOW)
            written[0] += 1
            time.sleep(0.005)  # SQLite has no queue: who asks without pause keeps everybody else out

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    noted = []
    for number in range(4):
        before = written[0]
        while written[0] < before + 3 and writer.is_alive():
            time.sleep(0.01)
        copy = tmp_path / f"copy{number}.db"
        assert run("backup", copy, path).exit_code == 0
        tables = whole(copy)
        notes = [row for row in tables["events"] if row[4] == "noted"]  # type: ignore[index]
        assert len(notes) == sum(row[3] == "noted" for row in tables["audit"])  # type: ignore[index]
        assert len(notes) >= before
        noted.append(len(notes))
    assert writer.is_alive()
    ended.set()
    writer.join()
    assert noted == sorted(set(noted))


def test_no_copy_that_the_audit_does_not_tell_of(live: Store, path: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(path)) as driver:
        driver.execute("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END")
    told = run("backup", tmp_path / "copy.db", path)
    assert (told.exit_code, "no copy was made" in told.output) == (12, True)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["live"]


def test_a_copy_takes_no_other_file_s_place(live: Store, path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_text("mine")
    told = run("backup", copy, path)
    assert (told.exit_code, "never takes its place" in told.output) == (12, True)
    assert copy.read_text() == "mine"
    for wrong in (tmp_path / "no" / "copy.db", tmp_path / "live"):
        assert run("backup", wrong, path).exit_code != 0
    assert run("backup", path, path).exit_code == 12
    assert run("backup", tmp_path / "other.db", tmp_path / "none.db").exit_code == 12
    assert "backup" not in {row.what for row in live.worklist.audit()}
    assert sorted(one.name for one in tmp_path.iterdir()) == ["copy.db", "live"]


def test_what_cannot_be_written_leaves_nothing(live: Store, path: Path, tmp_path: Path) -> None:
    for number in range(40):
        text = f"{number} ".ljust(4000, "x")
        live.worklist.note(live.worklist.audit()[-1].entry, text=text, who="Li", now=NOW)
    script = (
        "import resource, sys; from cds_service.cli import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)); main(sys.argv[1:])"
    )
    arguments = ["backup", str(tmp_path / "copy.db"), "--store", f"sqlite:///{path}"]
    told = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (told.returncode, "Traceback" in told.stderr) == (12, False)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["live"]


def test_a_forgotten_patient_is_not_in_a_copy(live: Store, path: Path, tmp_path: Path) -> None:
    entry = taken(live, who=person(2, "canary"), content="canary-chart")
    live.worklist.forget(entry.patient, who="Li", reason=WhyForgotten.REQUEST, now=NOW)
    assert run("backup", tmp_path / "copy.db", path).exit_code == 0
    assert b"canary" not in (tmp_path / "copy.db").read_bytes()


def test_a_store_that_holds_rows_is_replaced_only_when_told(live: Store, path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    run("backup", copy, path)
    live.worklist.saw(who="Li", what="list", now=NOW)
    live.close()
    before = whole(path)
    told = run("restore", copy, path)
    assert (told.exit_code, "--replace" in told.output) == (12, True)
    assert whole(path) == before
    told = run("restore", copy, path, "--replace")
    assert told.exit_code == 0
    (kept,) = path.parent.glob("store.db.replaced-*")
    assert str(kept) in told.output
    assert kept.stat().st_mode & 0o777 == 0o600
    assert whole(kept) == before
    assert whole(path) == whole(copy)
    open_store(f"sqlite:///{path}").close()
    assert {one.name for one in path.parent.iterdir()} == {"store.db", kept.name}


def test_a_new_store_is_replaced_without_asking(live: Store, path: Path, tmp_path: Path) -> None:
    copy, new = tmp_path / "copy.db", tmp_path / "new.db"
    run("backup", copy, path)
    open_store(f"sqlite:///{new}").close()
    assert run("restore", copy, new).exit_code == 0
    assert whole(new) == whole(copy)
    empty = tmp_path / "empty.db"
    empty.touch()
    assert run("restore", copy, empty).exit_code == 0
    assert not list(tmp_path.glob("*.replaced-*"))


def test_a_store_in_use_is_not_replaced(live: Store, path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    run("backup", copy, path)
    live.worklist.audit()  # a connection of the service's pool stays open
    told = run("restore", copy, path, "--replace")
    assert (told.exit_code, "stop the service" in told.output) == (12, True)
    assert live.worklist.verify_audit() is None
    assert run("restore", path, path, "--replace").exit_code == 12


def test_a_damaged_store_is_replaced_and_kept(live: Store, path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    run("backup", copy, path)
    live.close()
    path.write_bytes(b"no database" * 999)
    assert run("restore", copy, path).exit_code == 12
    assert run("restore", copy, path, "--replace").exit_code == 0
    (kept,) = path.parent.glob("store.db.replaced-*")
    assert kept.read_bytes() == b"no database" * 999
    assert whole(path) == whole(copy)


def altered(copy: Path, *statements: str) -> None:
    with closing(sqlite3.connect(copy)) as driver:
        for statement in statements:
            driver.execute(statement)
        driver.commit()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda copy: copy.write_bytes(b"no database" * 999), "cannot be read"),
        (lambda copy: copy.write_bytes(copy.read_bytes()[:9000]), "cannot be read"),
        (lambda copy: copy.write_bytes(b""), "no store"),
        (lambda copy: copy.unlink(), "no such copy"),
        (lambda copy: altered(copy, "DROP TABLE alembic_version"), "no store"),
        (lambda copy: altered(copy, "UPDATE alembic_version SET version_num = '9999'"), "The copy belongs to a newer"),
        (lambda copy: altered(copy, "PRAGMA foreign_keys=OFF", "DELETE FROM people"), "damaged"),
        (
            lambda copy: altered(copy, "DROP TRIGGER audit_keeps_words", "UPDATE audit SET who = 'x' WHERE number = 2"),
            "row 2",
        ),
    ],
)
def test_a_bad_copy_changes_nothing(
    damage: Callable[[Path], object], says: str, live: Store, path: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    run("backup", copy, path)
    live.close()
    damage(copy)
    before, names = whole(path), sorted(tmp_path.iterdir())
    for arguments in ([], ["--replace"]):
        told = run("restore", copy, path, *arguments)
        assert told.exit_code == 12, told.output
        assert says in told.output
    assert (whole(path), sorted(tmp_path.iterdir())) == (before, names)
    assert [one.name for one in path.parent.iterdir()] == ["store.db"]


def test_a_copy_of_an_older_version_is_brought_up_to_date(live: Store, path: Path, tmp_path: Path) -> None:
    """A store of before the worklist: its cards and tokens."""
    copy = tmp_path / "copy.db"
    run("backup", copy, path)
    with closing(sqlite3.connect(copy)) as driver:
        for table in (
            "results", "missing_facts", "events", "attestations", "screenings", "entries", "charts", "people", "runs"
        ):  # fmt: skip
            driver.execute(f"DROP TABLE {table}")
        driver.execute("DROP TABLE own_secrets")
        driver.execute("DROP TABLE audit")
        driver.execute("UPDATE alembic_version SET version_num = '0001'")
        driver.execute(
            "INSERT INTO revocations (patient, trial, at) VALUES ('p', 'NCT1', '2026-03-01 09:30:00.000000')"
        )
        driver.commit()
    new = tmp_path / "new.db"
    told = run("restore", copy, new)
    assert told.output == "Restored: 0 entries of the worklist, no audit.\n"
    store = open_store(f"sqlite:///{new}")
    taken(store)
    assert store.worklist.verify_audit() is None
    store.close()
    assert len(whole(new)["revocations"]) == 1


def test_an_altered_audit_is_copied_and_told(live: Store, path: Path, tmp_path: Path) -> None:
    altered(path, "DROP TRIGGER audit_keeps_words", "UPDATE audit SET who = 'x' WHERE number = 3")
    told = run("backup", tmp_path / "copy.db", path)
    assert (told.exit_code, "Row 3 of the audit" in told.output) == (1, True)
    assert whole(tmp_path / "copy.db")["audit"] == whole(path)["audit"]


def test_memory_has_no_copies(tmp_path: Path) -> None:
    for command in ("backup", "restore"):
        told = CliRunner().invoke(main, [command, str(tmp_path / "x"), "--store", "sqlite://"])
        assert (told.exit_code, "memory" in told.output) == (12, True)


# --- PostgreSQL -----------------------------------------------------------------------------------------------


def test_postgresql_has_its_own_tools(tmp_path: Path) -> None:
    for command in ("backup", "restore"):
        told = CliRunner().invoke(main, [command, str(tmp_path / "x"), "--store", "postgresql://u:geheim@h/d"])
        assert (told.exit_code, "pg_dump" in told.output) == (12, True)
        assert "geheim" not in told.output


def test_the_commands_of_the_documentation_bring_everything_back(
    postgresql: Server, tmp_path: Path, opened: Callable[[str], Store]
) -> None:
    url, copy = postgresql.empty(), tmp_path / "store.dump"
    store = opened(url)
    entry = taken(store)
    entry = store.worklist.decide(entry.id, 1, state=EntryState.CONSENTED, who="Li", now=NOW)
    tip = store.worklist.audit_tip()
    documented = (Path(__file__).parents[2] / "docs" / "store.md").read_text(encoding="utf-8")
    with psycopg.connect(f"host={postgresql.folder} user=cds dbname=postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS restored")
        connection.execute("CREATE DATABASE restored")
    for program, documented_as, arguments in (
        ("pg_dump", 'pg_dump --format=custom --file=store.dump "$URL"', ["--format=custom", f"--file={copy}", url]),
        (
            "pg_restore",
            'pg_restore --exit-on-error --single-transaction --no-owner --dbname="$NEW_URL" store.dump',
            [
                *("--exit-on-error", "--single-transaction", "--no-owner"),
                f"--dbname={postgresql.url('restored')}",
                str(copy),
            ],
        ),
    ):
        assert documented_as in documented
        subprocess.run([str(postgresql.programs / program), *arguments], check=True, timeout=60)
    again = opened(postgresql.url("restored"))
    assert again.worklist.entry(entry.id) == entry
    assert (again.worklist.verify_audit(), again.worklist.audit_tip()) == (None, tip)
    again.worklist.note(entry.id, text="goes on", who="Li", now=NOW)
    with pytest.raises(psycopg.Error, match="only grows"), psycopg.connect(postgresql.url("restored")) as connection:
        connection.execute("DELETE FROM audit")
