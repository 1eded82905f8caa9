"""What the store promises on every database, and what only a database on another machine can do: be down or slow."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from cds_service.errors import ConfigError, UnavailableError
from cds_service.store import Answer, CardFeedback, Kind, SentCard, Store, open_store
from cds_service.store.audit_schema import POSTGRESQL, SQLITE
from cds_service.store.schema import NEWEST, metadata
from tests.store.made_screenings import NOW, taken
from tests.store.postgresql_server import Server

SOON = NOW + timedelta(minutes=5)


def test_a_token_is_used_once(store: Store) -> None:
    assert store.use_token("https://ehr", "a", SOON, NOW)
    assert not store.use_token("https://ehr", "a", SOON, NOW)
    assert store.use_token("https://ehr", "b", SOON, NOW)
    assert store.use_token("https://ehr", "a", SOON, SOON + timedelta(hours=1))  # forgotten by then
    store.try_out(NOW)


_RACER = """
import sys
from datetime import UTC, datetime, timedelta
from cds_service.store import open_store
print("ready", flush=True)
sys.stdin.readline()
store = open_store(sys.argv[1])
now = datetime.now(UTC)
print(sum(store.use_token("https://ehr", str(n), now + timedelta(minutes=5), now) for n in range(50)))
print(store.secret("sessions").hex())
"""


def test_processes_that_race_on_a_new_database(lasting_url: str) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _RACER, lasting_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    answers = [racer.communicate(timeout=60) for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0, 0], [error for _out, error in answers]
    assert sum(int(out.split()[0]) for out, _error in answers) == 50
    assert len({out.split()[1] for out, _error in answers}) == 1


def test_cards_and_feedback_come_back_as_they_were(store: Store) -> None:
    card = SentCard("c1", "npc", Kind.CANDIDATE, "NCT1", "p" * 64, NOW, ("s1",), {"a": ["x"]}, ("a",))
    store.remember("t", [card])
    store.remember("t", [card])
    assert store.cards("t", {"c1", "c2"}) == {"c1": card}
    told = CardFeedback("c1", Answer.OVERRIDDEN, NOW, NOW, "declined", "her words 王")
    assert (store.add_feedback("t", [told]), store.add_feedback("t", [told])) == (1, 0)
    (override,) = store.overrides("p" * 64)
    assert (override.card, override.reason, override.received) == (card, "declined", NOW)
    (count,) = store.counts()
    assert (count.sent, count.overridden, count.commented) == (1, {"declined": 1}, 1)
    store.revoke("p" * 64, "NCT1", NOW)
    assert store.overrides() == []


def test_migrations_lead_to_the_tables_and_triggers_of_the_code(
    lasting_url: str, opened: Callable[[str], Store]
) -> None:
    engine = opened(lasting_url)._engine
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == NEWEST
        if engine.dialect.name == "sqlite":
            rows = connection.execute(text("SELECT sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name"))
            assert sorted(row.sql for row in rows) == sorted(SQLITE)
        else:
            rows = connection.execute(text("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"))
            assert {row.tgname for row in rows} == {"audit_keeps_rows"}
            assert any("audit_keeps_rows" in statement for statement in POSTGRESQL)


def test_a_store_of_before_the_worklist_is_brought_up_to_date(lasting_url: str, opened: Callable[[str], Store]) -> None:
    store = opened(lasting_url)
    store.use_token("https://ehr", "a", SOON, NOW)
    with store._engine.begin() as connection:
        for table in (
            "results", "missing_facts", "events", "attestations", "screenings", "entries", "charts", "people", "runs"
        ):  # fmt: skip
            connection.execute(text(f"DROP TABLE {table}"))
        for table in ("own_secrets", "audit"):
            connection.execute(text(f"DROP TABLE {table}"))
        if store._engine.dialect.name == "postgresql":
            connection.execute(text("DROP FUNCTION audit_only_grows"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    store.close()
    again = opened(lasting_url)
    assert not again.use_token("https://ehr", "a", SOON, NOW)
    taken(again)
    assert again.worklist.verify_audit() is None


def test_a_newer_schema_stops_the_start(lasting_url: str, opened: Callable[[str], Store]) -> None:
    with opened(lasting_url)._engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="newer version"):
        open_store(lasting_url)


def test_a_row_that_cannot_be_read_is_a_failure_of_the_store(store: Store) -> None:
    entry = taken(store)
    with store._engine.begin() as connection:
        connection.execute(text("UPDATE people SET names = '{half'"))
    with pytest.raises(UnavailableError):
        store.worklist.entry(entry.id)


def test_the_worklist_keeps_its_store_open() -> None:
    worklist = open_store("sqlite://").worklist
    worklist.saw(who="Li", what="list", now=NOW)
    assert len(worklist.audit()) == 1


# --- PostgreSQL alone -----------------------------------------------------------------------------------------


def test_an_entry_that_somebody_holds_is_not_waited_for_for_ever(
    postgresql: Server, opened: Callable[[str], Store]
) -> None:
    url = postgresql.empty()
    store = opened(f"{url}&options=-c lock_timeout=300ms")  # what the URL says wins
    entry = taken(store)
    with psycopg.connect(url) as other:
        other.execute("SELECT 1 FROM entries FOR UPDATE")
        begun = time.monotonic()
        with pytest.raises(UnavailableError):
            store.worklist.note(entry.id, text="x", who="Li", now=NOW)
        assert time.monotonic() - begun < 3
        assert store.worklist.entry(entry.id) == entry  # readers do not wait
    store.worklist.note(entry.id, text="x", who="Li", now=NOW)


def test_time_outs_are_set_unless_the_url_says_otherwise(postgresql: Server, opened: Callable[[str], Store]) -> None:
    with opened(postgresql.empty())._engine.connect() as connection:
        names = (
            "lock_timeout",
            "statement_timeout",
            "idle_in_transaction_session_timeout",
            "fsync",
            "application_name",
        )
        found = [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in names]
    assert found == ["5s", "30s", "30s", "on", "cds-service"]


def test_a_server_that_does_not_answer_stops_the_start() -> None:
    begun = time.monotonic()
    with pytest.raises(ConfigError, match="cannot be opened"):
        open_store("postgresql://u:geheim@/db?host=/nowhere-at-all")
    assert time.monotonic() - begun < 10
    with pytest.raises(ConfigError, match="psycopg") as caught:
        open_store("postgresql+psycopg2://u:geheim@h/db")
    assert "geheim" not in str(caught.value)


def test_a_server_that_crashes_while_it_is_used(
    postgresql: Server, caplog: pytest.LogCaptureFixture, opened: Callable[[str], Store]
) -> None:
    store = opened(postgresql.empty())
    entry = taken(store)
    acknowledged, ended = [0], threading.Event()

    def write() -> None:
        while not ended.is_set():
            try:
                store.worklist.note(entry.id, text=f"canary {acknowledged[0]}", who="Li", now=NOW)
                acknowledged[0] += 1
            except UnavailableError:
                ended.wait(0.05)

    writer = threading.Thread(target=write)
    writer.start()
    time.sleep(0.5)
    postgresql.stop()
    try:
        with pytest.raises(UnavailableError):
            store.worklist.entry(entry.id)
    finally:
        postgresql.start()
    before = acknowledged[0]
    for _ in range(100):
        if acknowledged[0] > before:
            break
        time.sleep(0.1)
    ended.set()
    writer.join()
    noted = sum(one.what == "noted" for one in store.worklist.history(entry.id))
    assert 0 < before < acknowledged[0] <= noted <= acknowledged[0] + 1
    assert store.worklist.verify_audit() is None
    assert "canary" not in caplog.text
