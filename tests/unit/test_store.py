"""The store: real SQLite files, processes and threads that race, files that are damaged, locked or too new."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine

from cds_service.errors import ConfigError, UnavailableError
from cds_service.store import Answer, CardFeedback, Kind, SentCard, Store, database, key_of, open_store
from cds_service.store.feedback import MOST_FOR_ONE_CARD
from cds_service.store.migrate import MIGRATIONS
from cds_service.store.schema import NEWEST, metadata

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
SOON = NOW + timedelta(minutes=5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


def rows(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as driver:
        (number,) = driver.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert isinstance(number, int)
        return number


# --- tokens ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", [True, False])
def test_a_token_is_used_once(file: bool, url: str) -> None:
    store = open_store(url if file else "sqlite://")
    assert store.use_token("https://ehr", "a", SOON, NOW)
    assert not store.use_token("https://ehr", "a", SOON, NOW)
    assert store.use_token("https://ehr", "b", SOON, NOW)
    assert store.use_token("https://other", "a", SOON, NOW)
    assert store.use_token("https://ehra", "", SOON, NOW)  # not the same as ("https://ehr", "a")
    assert not store.use_token("https://ehr", "a", SOON + timedelta(minutes=1), NOW)


def test_a_token_is_used_once_after_a_restart(url: str) -> None:
    first = open_store(url)
    assert first.use_token("https://ehr", "a", SOON, NOW)
    first.close()
    assert not open_store(url).use_token("https://ehr", "a", SOON, NOW)


@pytest.mark.parametrize("file", [True, False])
def test_threads_that_race(file: bool, url: str) -> None:
    store = open_store(url if file else "sqlite://")
    won: list[int] = []

    def present() -> None:
        won.append(sum(store.use_token("https://ehr", str(number), SOON, NOW) for number in range(40)))

    threads = [threading.Thread(target=present) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 6
    assert sum(won) == 40


def test_expired_tokens_are_forgotten_now_and_then(url: str, path: Path) -> None:
    store = open_store(url)
    for number in range(5):
        store.use_token("https://ehr", str(number), SOON, NOW)
    later = SOON + timedelta(seconds=61)
    assert store.use_token("https://ehr", "new", later + timedelta(minutes=5), later)
    assert rows(path, "used_tokens") == 1


def test_nothing_readable_is_kept_of_a_token(url: str, path: Path) -> None:
    store = open_store(url)
    store.use_token("https://canary-issuer", "canary-jti", SOON, NOW)
    store.close()
    assert b"canary" not in path.read_bytes()


# --- when it fails --------------------------------------------------------------------------------------------


def test_a_locked_file_is_waited_for_and_then_unavailable(
    url: str, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    store = open_store(url)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError):
            store.use_token("https://ehr", "canary", SOON, NOW)
        assert store.overrides() == []  # readers do not wait for a writer
        other.execute("ROLLBACK")
    assert store.use_token("https://ehr", "canary", SOON, NOW)
    assert "canary" not in caplog.text


def test_a_store_that_breaks_while_it_is_used(url: str, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = open_store(url)
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TABLE used_tokens")
        other.execute("DROP TABLE cards")
        other.commit()
    with pytest.raises(UnavailableError) as caught:
        store.use_token("https://ehr", "canary", SOON, NOW)
    with pytest.raises(UnavailableError):
        store.remember("tenant", [card("canary")])
    with pytest.raises(UnavailableError):
        store.counts()
    assert "canary" not in str(caught.value) + caplog.text
    assert caught.value.__suppress_context__


def test_an_instant_without_a_time_zone_is_a_defect_not_an_outage() -> None:
    with pytest.raises(Exception, match="time zone") as caught:
        open_store("sqlite://").use_token("https://ehr", "a", datetime(2026, 3, 1), NOW)
    assert not isinstance(caught.value, UnavailableError)


@pytest.mark.parametrize("change", ["kind='from-the-future'", "marks='{half'", "sent='yesterday'"])
def test_a_row_that_cannot_be_read_is_a_failure_of_the_store(url: str, path: Path, change: str) -> None:
    # A defect there (500) would silence the patient for good; a store that is down silences nothing.
    store = open_store(url)
    store.remember("t", [card()])
    store.add_feedback("t", [overridden()])
    with closing(sqlite3.connect(path)) as driver:
        driver.execute(f"UPDATE cards SET {change}")
        driver.commit()
    with pytest.raises(UnavailableError):
        store.overrides(key_of("patient", "p"))
    with pytest.raises(UnavailableError):
        store.cards("t", ["c1"])


def test_what_was_acknowledged_survives_a_kill(url: str) -> None:
    """A process that is killed right after an answer loses nothing that it answered for."""
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, signal, sys; from datetime import *; from cds_service.store import open_store\n"
            "now = datetime.now(UTC); store = open_store(sys.argv[1])\n"
            "print(store.use_token('i', 'j', now + timedelta(minutes=5), now), flush=True)\n"
            "os.kill(os.getpid(), signal.SIGKILL)",
            url,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (told.stdout, told.returncode) == ("True\n", -9)
    assert not open_store(url).use_token("i", "j", SOON, NOW)


# --- opening --------------------------------------------------------------------------------------------------


def test_the_file_is_its_owners_only_and_written_durably(url: str, path: Path) -> None:
    store = open_store(url)
    assert path.stat().st_mode & 0o777 == 0o600
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 5000
        for beside in path.parent.iterdir():
            assert beside.stat().st_mode & 0o077 == 0


def damage_header(path: Path) -> None:
    path.write_bytes(b"this is no database, whatever it is called" * 200)


def damage_page(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    for page in range(1, len(whole) // 4096):
        whole[page * 4096 : page * 4096 + 200] = os.urandom(200)
    path.write_bytes(whole)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize("damage", [damage_header, damage_page, cut])
def test_a_damaged_file_stops_the_start(damage, url: str, path: Path) -> None:  # type: ignore[no-untyped-def]
    open_store(url).close()
    damage(path)
    with pytest.raises(ConfigError, match="Setting store: the file is damaged"):
        open_store(url)


def test_an_empty_file_is_a_new_store(url: str, path: Path) -> None:
    path.touch()
    assert open_store(url).counts() == []


def test_a_newer_schema_stops_the_start(url: str, path: Path) -> None:
    open_store(url).close()
    with closing(sqlite3.connect(path)) as driver:
        driver.execute("UPDATE alembic_version SET version_num = '9999'")
        driver.commit()
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="newer version"):
        open_store(url)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "url",
    [
        "not a url",
        "mysql://u:geheim@h/d",
        "postgresql+nodriver://u:geheim@h/d",
        "sqlite:////nowhere-at-all/geheim.db",
        "sqlite:////proc/geheim.db",
        "sqlite:///file::memory:?uri=true&x=geheim",
        "sqlite:////tmp/geheim.db?mode=ro&uri=true",
        "",
    ],
)
def test_a_wrong_url_stops_the_start_without_being_shown(url: str) -> None:
    with pytest.raises(ConfigError, match="Setting store") as caught:
        open_store(url)
    assert "geheim" not in str(caught.value)


def test_an_opened_store_is_opened_again_without_migrating(url: str, path: Path) -> None:
    """The second start changes nothing, and does not load Alembic, which takes seconds on a cold machine."""
    open_store(url).close()
    code = (
        "import sys; from cds_service.store import open_store; open_store(sys.argv[1]); print('alembic' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout == "False\n"


def test_a_report_does_not_make_a_store(url: str, path: Path) -> None:
    with pytest.raises(ConfigError, match="no file"):
        open_store(url, create=False)
    assert not path.exists()


# --- the schema -----------------------------------------------------------------------------------------------


def test_migrations_lead_to_the_tables_of_the_code(url: str) -> None:
    open_store(url).close()
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == NEWEST
    engine.dispose()


def test_one_line_of_migrations_up_to_the_newest() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [NEWEST]


# --- cards and feedback ---------------------------------------------------------------------------------------


def card(patient: str = "p", uuid: str = "c1", **changes: object) -> SentCard:
    fields: dict[str, object] = {
        "uuid": uuid,
        "service": "npc",
        "kind": Kind.CANDIDATE,
        "trial": "NCT1",
        "patient": key_of("patient", patient),
        "sent": NOW,
        "suggestions": ("s1",),
        "marks": {"hemoglobin": ["a", "b"]},
        "unsettled": ("hemoglobin",),
    }
    return SentCard(**{**fields, **changes})  # type: ignore[arg-type]


def overridden(uuid: str = "c1", reason: str = "declined", at: datetime = NOW, **rest: object) -> CardFeedback:
    return CardFeedback(uuid, Answer.OVERRIDDEN, at, at, reason, **rest)  # type: ignore[arg-type]


def test_a_card_comes_back_as_it_was(url: str) -> None:
    store = open_store(url)
    store.remember("t", [card()])
    store.remember("t", [card(trial="another")])  # the same card again: the first stays
    assert store.cards("t", {"c1", "c2"}) == {"c1": card()}
    assert store.cards("u", {"c1"}) == {}


def test_instants_are_kept_in_utc(url: str, path: Path) -> None:
    store = open_store(url)
    there = NOW.astimezone(timezone(timedelta(hours=8)))
    store.remember("t", [card(sent=there)])
    kept = store.cards("t", {"c1"})["c1"].sent
    assert kept == NOW
    assert kept.utcoffset() == timedelta(0)
    with closing(sqlite3.connect(path)) as driver:
        assert driver.execute("SELECT sent FROM cards").fetchone() == ("2026-03-01 09:30:00.000000",)


def test_the_last_feedback_on_a_card_counts() -> None:
    store = open_store("sqlite://")
    store.remember("t", [card()])
    assert store.add_feedback("t", [overridden()]) == 1
    assert [one.reason for one in store.overrides(card().patient)] == ["declined"]
    accepted = CardFeedback("c1", Answer.ACCEPTED, NOW + timedelta(seconds=5), NOW, suggestions=("s1",))
    assert store.add_feedback("t", [accepted]) == 1
    assert store.overrides(card().patient) == []
    store.add_feedback("t", [overridden(reason="not-now", at=NOW + timedelta(seconds=9))])
    assert [one.reason for one in store.overrides(card().patient)] == ["not-now"]
    assert store.overrides(key_of("patient", "q")) == []


def test_an_override_can_be_taken_back() -> None:
    store = open_store("sqlite://")
    store.remember("t", [card(), card(uuid="c2", trial="NCT2"), card("q", "c3")])
    store.add_feedback("t", [overridden(), overridden("c2"), overridden("c3")])
    store.revoke(card().patient, "NCT1", NOW + timedelta(days=1))
    assert [(one.card.uuid) for one in store.overrides()] == ["c2", "c3"]
    store.remember("t", [card(uuid="c4")])
    store.add_feedback("t", [overridden("c4", at=NOW + timedelta(days=2))])
    assert [(one.card.uuid) for one in store.overrides()] == ["c2", "c3", "c4"]


def test_overrides_come_in_the_order_in_which_they_were_told() -> None:
    """By our clock: a client's may be wrong."""
    store = open_store("sqlite://")
    store.remember("t", [card(uuid="c1"), card(uuid="c2"), card(uuid="c0")])
    for uuid, at, received in (("c2", 9, 1), ("c1", 1, 2), ("c0", 5, 2)):
        instants = (NOW + timedelta(seconds=seconds) for seconds in (at, received))
        store.add_feedback("t", [CardFeedback(uuid, Answer.OVERRIDDEN, *instants)])
    assert [one.card.uuid for one in store.overrides()] == ["c2", "c1", "c0"]


def test_workers_wait_for_one_that_migrates(url: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than for any other writer."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    path.touch()
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(1.5, lambda: other.execute("ROLLBACK"))
        release.start()
        store = open_store(url)
        release.join()
    assert store.counts() == []


def test_one_card_takes_so_much_feedback_and_no_more(url: str, path: Path) -> None:
    store = open_store(url)
    store.remember("t", [card()])
    many = [overridden(at=NOW + timedelta(seconds=number)) for number in range(MOST_FOR_ONE_CARD + 20)]
    assert store.add_feedback("t", many) == len(many)
    assert rows(path, "feedback") == MOST_FOR_ONE_CARD
    last = CardFeedback("c1", Answer.ACCEPTED, many[-1].at + timedelta(seconds=1), NOW, suggestions=("s1",))
    assert store.overrides(card().patient)
    store.add_feedback("t", [last])
    assert store.overrides(card().patient) == []  # the newest is what counts, however many came before
    assert store.add_feedback("t", [last]) == 0
    assert rows(path, "feedback") == MOST_FOR_ONE_CARD


def test_feedback_shows_no_comment() -> None:
    assert "canary" not in repr(overridden(comment="canary"))


items = st.builds(
    CardFeedback,
    card=st.sampled_from(["c1", "c2"]),
    outcome=st.sampled_from(Answer),
    at=st.integers(0, 5).map(lambda seconds: NOW + timedelta(seconds=seconds)),
    received=st.just(NOW),
    reason=st.just("declined"),
)


@given(st.lists(items, max_size=12, unique_by=lambda one: (one.card, one.outcome, one.at)), st.data())
def test_telling_twice_is_telling_once(told: list[CardFeedback], data: st.DataObject) -> None:
    def after(calls: list[list[CardFeedback]]) -> tuple[int, object, object]:
        store = open_store("sqlite://")
        store.remember("t", [card(), card(uuid="c2")])
        new = sum(store.add_feedback("t", call) for call in calls)
        store.remember("t", [card()])
        return new, store.counts(), sorted(store.overrides(), key=lambda one: one.card.uuid)

    repeated = data.draw(st.permutations(told + told)) if told else []
    at = data.draw(st.integers(0, len(repeated)))
    first, second = after([told]), after([list(repeated[:at]), list(repeated[at:])])
    assert first[0] == len(told) == second[0]
    # Two outcomes of one card at the same instant have no order but that of arrival.
    instants = [(one.card, one.at) for one in told]
    if len(set(instants)) == len(instants):
        assert first[1:] == second[1:]


def test_a_correction_takes_the_place_of_what_was_told() -> None:
    store = open_store("sqlite://")
    store.remember("t", [card()])
    first = CardFeedback(card().uuid, Answer.OVERRIDDEN, NOW, NOW, "other", "wrong patient")
    right = replace(first, reason="declined", comment="", received=NOW + timedelta(minutes=1))
    assert [store.add_feedback("t", [one]) for one in (first, first, right, right)] == [1, 0, 1, 0]
    (override,) = store.overrides()
    assert (override.reason, override.received) == ("declined", NOW)
    assert [(one.overridden, one.commented) for one in store.counts()] == [({"declined": 1}, 1)]
    # What was taken back stays so.
    store.revoke(card().patient, card().trial, NOW)
    assert store.add_feedback("t", [replace(first, received=NOW + timedelta(hours=1))]) == 1
    assert store.overrides() == []


def test_counts_add_up() -> None:
    store = open_store("sqlite://")
    store.remember("t", [card(uuid=f"c{number}") for number in range(5)])
    store.remember("t", [card(uuid="x", kind=Kind.CONFLICT)])
    store.remember("u", [card(uuid="c0")])
    store.add_feedback("t", [overridden("c0"), overridden("c1"), overridden("c2", "", comment="why")])
    store.add_feedback("t", [CardFeedback("c3", Answer.ACCEPTED, NOW, NOW, suggestions=("s1",))])
    first, second = store.counts()
    assert (first.kind, first.sent, first.accepted, first.without_feedback) == ("candidate", 6, 1, 2)
    assert (first.overridden, first.commented) == ({"": 1, "declined": 2}, 1)
    assert (second.kind, second.sent, second.without_feedback) == ("conflict", 1, 1)


def test_a_store_that_is_let_go_closes_what_it_opened(url: str, recwarn: pytest.WarningsRecorder) -> None:
    def use() -> None:
        store: Store = open_store(url)
        store.use_token("i", "j", SOON, NOW)

    use()
    assert not [one for one in recwarn if issubclass(one.category, ResourceWarning)]
