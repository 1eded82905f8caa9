"""The audit: it only grows, by the database's own word, and a row that was altered anyway is found."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from cds_service.cli import main
from cds_service.errors import UnavailableError
from cds_service.store import Store, open_store
from cds_service.store.database import writing
from cds_service.store.worklist import EntryState, WhyForgotten
from tests.store.made_screenings import NOW, TRIAL, attestation, chart, differs, judged, person, taken


def filled(store: Store) -> None:
    """Leave twelve rows."""
    entry = taken(store)
    store.worklist.decide(entry.id, 1, state=EntryState.DECLINED, reason="canary", who="Dr Li", now=NOW)
    store.worklist.note(entry.id, text="canary", who="Dr Li", now=NOW)
    store.worklist.assign(entry.id, 2, assignee="canary", who="Dr Li", now=NOW)
    store.worklist.attest(entry.id, 3, attestation(reason="canary"), now=NOW)
    store.worklist.withdraw(entry.id, 4, "life-expectancy", gate="screening", who="Dr Li", now=NOW)
    store.worklist.acknowledge(entry.id, 5, screening=entry.latest.id, who="Dr Li", now=NOW)
    for number in range(4):
        detail = {"rows": number, "format": "csv"}
        store.worklist.saw(who="Chen", what="list", trial=TRIAL, detail=detail, now=NOW + timedelta(hours=number))
    store.worklist.saw(who="Chen", what="entry", entry_id=entry.id, now=NOW)


def test_every_change_and_every_read_is_there(store: Store) -> None:
    filled(store)
    rows = store.worklist.audit()
    assert [one.number for one in rows] == list(range(12, 0, -1))
    assert [one.what for one in reversed(rows)] == [
        "screened", "decided", "noted", "assigned", "attested", "withdrawn", "seen", *["list"] * 4, "entry",
    ]  # fmt: skip
    entry = store.worklist.entry(rows[0].entry)
    assert entry is not None
    assert (rows[0].patient, rows[0].trial, rows[0].who, rows[0].at) == (entry.patient, TRIAL, "Chen", NOW)
    assert rows[1].detail == {"rows": 3, "format": "csv"}
    assert rows[10].detail == {"state": "declined", "was": "new"}
    assert store.worklist.audit(before=4, limit=2) == rows[9:11]
    assert store.worklist.audit(entry_id=entry.id) == [one for one in rows if one.entry]
    assert store.worklist.audit_tip() == (12, rows[0].digest)
    assert store.worklist.verify_audit() is None


def test_no_words_about_a_patient_are_in_it(store: Store) -> None:
    filled(store)
    told = repr(store.worklist.audit())
    assert "canary" not in told
    assert not any(name in told for name in (*person().names, person().reference, person().birth_date))


def test_the_database_itself_refuses_to_change_or_remove(store: Store) -> None:
    filled(store)
    rows = store.worklist.audit()
    tries = [
        "UPDATE audit SET who = 'nobody' WHERE number = 3",
        "UPDATE audit SET number = 99 WHERE number = 12",
        "DELETE FROM audit WHERE number = 12",
        "DELETE FROM audit",
    ]
    if store._engine.dialect.name == "postgresql":
        tries += ["TRUNCATE audit"]
    else:
        tries += [
            "INSERT OR REPLACE INTO audit SELECT number, at, 'nobody', what, entry, patient, trial, detail, digest"
            " FROM audit WHERE number = 3",
            "INSERT INTO audit SELECT 14, at, who, what, entry, patient, trial, detail, digest FROM audit LIMIT 1",
        ]
    for statement in tries:
        with pytest.raises(DBAPIError, match="only grows"), store._engine.connect() as connection, connection.begin():
            connection.execute(text(statement))
    assert store.worklist.audit() == rows


def without_triggers(store: Store, statement: str) -> None:
    """Do what somebody does who owns the database."""
    sqlite = store._engine.dialect.name == "sqlite"
    names = ["audit_keeps_rows"] + ["audit_keeps_words", "audit_in_order"] * sqlite
    with writing(store._engine) as connection:
        for name in names:
            connection.execute(text(f"DROP TRIGGER {name}" + ("" if sqlite else " ON audit")))
        connection.execute(text(statement))


@pytest.mark.parametrize(
    ("statement", "bad"),
    [
        ("UPDATE audit SET who = 'nobody' WHERE number = 3", 3),
        ("UPDATE audit SET detail = '{}' WHERE number = 9", 9),
        ("UPDATE audit SET entry = '' WHERE number = 12", 12),
        ("UPDATE audit SET digest = 'x' WHERE number = 12", 12),
        ("UPDATE audit SET patient = trial, trial = patient WHERE number = 4", 4),
        ("DELETE FROM audit WHERE number = 1", 1),
        ("DELETE FROM audit WHERE number = 5", 5),
        ("UPDATE audit SET number = 0 WHERE number = 1", 1),
        ("DELETE FROM audit WHERE number = 12", None),  # the end cut off: seen by who wrote the last digest down
    ],
)
def test_a_row_that_was_altered_is_found(store: Store, statement: str, bad: int | None) -> None:
    filled(store)
    without_triggers(store, statement)
    assert store.worklist.verify_audit() == bad


def test_an_instant_that_was_altered_is_found(store: Store) -> None:
    filled(store)
    without_triggers(store, "UPDATE audit SET at = '2026-03-01 09:30:00.000001' WHERE number = 2")
    assert store.worklist.verify_audit() == 2


def test_a_change_that_cannot_be_audited_is_not_made(store: Store) -> None:
    entry = taken(store)
    with writing(store._engine) as connection:
        connection.execute(text("ALTER TABLE audit RENAME TO elsewhere"))
    for change in (
        lambda: store.worklist.decide(entry.id, 1, state=EntryState.DECLINED, who="Li", now=NOW),
        lambda: store.worklist.note(entry.id, text="x", who="Li", now=NOW),
        lambda: store.worklist.forget(entry.patient, who="Li", reason=WhyForgotten.OTHER, now=NOW),
        lambda: taken(store, judged("candidate"), content="b"),
        lambda: store.worklist.saw(who="Li", what="entry", entry_id=entry.id, now=NOW),
    ):
        with pytest.raises(UnavailableError):
            change()
    assert store.worklist.entry(entry.id) == entry
    assert len(store.worklist.history(entry.id)) == 1


def test_what_cannot_be_audited_must_not_be_shown(tmp_path: Path) -> None:
    """Fault 54: reading would go on while nothing can be written; `saw` says that it must not."""
    url = f"sqlite:///{tmp_path}/store.db"
    store = open_store(url)
    entry = taken(store)
    with writing(store._engine) as connection:  # as on a full disk: the file may not grow
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    def look_often() -> None:
        for _ in range(200):
            store.worklist.saw(who="Li", what="entry", entry_id=entry.id, detail={"x": "y" * 500}, now=NOW)

    with pytest.raises(UnavailableError):
        look_often()
    assert store.worklist.entry(entry.id) == entry
    assert store.worklist.verify_audit() is None
    store.close()


def test_writers_at_once_make_one_chain(lasting_url: str, opened: Callable[[str], Store]) -> None:
    store = opened(lasting_url)
    entry = taken(store)
    failures: list[Exception] = []

    def write(number: int) -> None:
        try:
            for turn in range(10):
                store.worklist.note(entry.id, text=f"{number} {turn}", who=str(number), now=NOW)
                store.worklist.saw(who=str(number), what="entry", entry_id=entry.id, now=NOW)
                both = [judged("candidate", trial=trial) for trial in (("A", "B") if number % 2 else ("B", "A"))]
                store.worklist.take(person(7), chart(f"{number}-{turn}"), both, differs=differs, now=NOW)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.worklist.verify_audit() is None
    rows = store.worklist.audit(limit=1000)
    assert len(rows) == 1 + 4 * 10 * 4
    assert sum(one.what == "noted" for one in store.worklist.history(entry.id)) == 40


# --- the command ----------------------------------------------------------------------------------------------


def test_the_command_says_what_is_wrong(lasting_url: str, opened: Callable[[str], Store]) -> None:
    store = opened(lasting_url)
    verify = ["audit", "verify", "--store", lasting_url]
    assert CliRunner().invoke(main, verify).output == "0 rows, all as they were written.\n"
    filled(store)
    number, digest = store.worklist.audit_tip()
    told = CliRunner().invoke(main, verify)
    assert (told.exit_code, told.output) == (
        0,
        f"12 rows, all as they were written. The last: {number}:{digest}\n",
    )
    store.worklist.saw(who="Li", what="list", now=NOW)
    kept = [*verify, "--last", f"{number}:{digest}"]
    assert CliRunner().invoke(main, kept).exit_code == 0
    assert CliRunner().invoke(main, [*verify, "--last", "12"]).exit_code == 12
    without_triggers(store, "DELETE FROM audit WHERE number >= 12")
    assert CliRunner().invoke(main, verify).exit_code == 0
    told = CliRunner().invoke(main, kept)
    assert (told.exit_code, "11 rows" in told.output) == (1, True)
    with writing(store._engine) as connection:
        connection.execute(text("UPDATE audit SET who = 'nobody' WHERE number = 3"))
    told = CliRunner().invoke(main, verify)
    assert (told.exit_code, told.output) == (1, "Row 3 of the audit is not as it was written, or missing.\n")


def test_the_command_needs_a_store_that_lasts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CDS_STORE", raising=False)
    assert CliRunner().invoke(main, ["audit", "verify"]).exit_code == 12
    assert CliRunner().invoke(main, ["audit", "verify", "--store", f"sqlite:///{tmp_path}/no.db"]).exit_code == 12
    assert not (tmp_path / "no.db").exists()
