"""A store of an older version, with rows in it, brought up to date: nothing is lost, and it goes on from there."""

from __future__ import annotations

import importlib
import os
import stat
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, MetaData, insert, select, text

from cds_service.store import Store, open_store
from cds_service.store.database import make_engine, read_url, writing
from cds_service.store.exact_json import dump
from cds_service.store.keys import key_of
from cds_service.store.migrate import MIGRATIONS
from cds_service.store.people import key_of_person
from cds_service.store.result import brief_of
from cds_service.store.schema import metadata
from cds_service.store.worklist import Entry, Wanted, WhyForgotten
from tests.store.made_screenings import DAY, NOW, TRIAL, chart, differs, judged, person

MANY = 1103  # more than one step of the migration takes at once
RESULT: dict[str, Any] = {
    "status": "candidate",
    "blocked": [],
    "to_confirm": ["life-expectancy"],
    "valid_until": "2026-03-12",
    "criteria": [
        {"id": "life-expectancy", "verdict": "unknown", "leaning": "fail", "notes": [], "message": "long"},
        {"id": "ecog", "verdict": "pass", "leaning": None, "notes": ["leans-against"], "evidence": [{"value": 1}]},
        {"id": "bilirubin", "verdict": "pass", "evidence": [{"value": Decimal("1.50"), "note": "µ\0王"}]},
    ],
}
BRIEF = {
    "to_confirm": ["life-expectancy"],
    "valid_until": "2026-03-12",
    "criteria": [
        {"id": "life-expectancy", "verdict": "unknown", "leaning": "fail"},
        {"id": "ecog", "verdict": "pass", "notes": ["leans-against"]},
    ],
}


def of_version(url: str, version: str) -> Engine:
    """Return a new database as a version of the schema left it."""
    engine, config = make_engine(read_url(url), create=True), Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        importlib.import_module("alembic.command").upgrade(config, version)
    return engine


def fill(engine: Engine) -> None:
    """Put an entry with many screenings of different days in, as version 0002 wrote it."""
    tables, now = MetaData(), NOW if engine.dialect.name == "postgresql" else NOW.replace(tzinfo=None)
    tables.reflect(engine)
    who = person()
    row = {"patient": "a" * 32, "entry": "e" * 32, "trial": TRIAL}
    named = {"names": dump(who.names), "search": "wang 1", "birth_date": who.birth_date, "gender": who.gender}
    blank = dict.fromkeys(("state_by", "state_reason", "state_criterion"), "")
    numbers = {"version": 3, "changed": True, "latest": MANY, "seen": 1, "updated": now}

    def screening(number: int) -> dict[str, Any]:
        day = DAY - timedelta(days=MANY - number)
        once = key_of("screening", "sha256:rules", "sha256:a", day.isoformat(), "", "")
        at = now - timedelta(days=MANY - number)
        moment = {"taken": at, "at": at, "day": day, "as_of": day, "once": once, "fingerprint": "sha256:a"}
        told = {"rules_digest": "sha256:rules", "attested": "", "gate": "screening", "status": "candidate"}
        counts = {"decided": 13, "total": 17, "missing_count": 1, "doubts": 2, "missing": '["a"]'}
        return {"entry": "e" * 32, "trial": TRIAL, **moment, **told, **counts, "result": dump(RESULT)}

    def put(table: str, *rows: dict[str, Any]) -> None:
        connection.execute(insert(tables.tables[table]), list(rows))

    with writing(engine) as connection:
        source = {"source": who.source, "reference": who.reference, "key": key_of_person(who.source, who.reference)}
        put("people", {"patient": row["patient"], **source, **named})
        put("charts", {"patient": row["patient"], "fingerprint": "sha256:a", "body": b"a"})
        entry = {"id": row["entry"], "patient": row["patient"], "trial": TRIAL, "state": "contacted"}
        put("entries", {**entry, "assignee": "Chen", **blank, **numbers})
        put("screenings", *(screening(number) for number in range(1, MANY + 2)))
        connection.execute(text(f"DELETE FROM screenings WHERE id = {MANY + 1}"))  # as if forgotten: its id is named
        put("missing_facts", {"screening": MANY, "fact": "a"})
        event = {"entry": row["entry"], "at": now, "who": "Li", "what": "noted", "detail": '{"text":"her words"}'}
        put("events", event)


@pytest.fixture
def upgraded(lasting_url: str, opened: Callable[[str], Store]) -> Store:
    engine = of_version(lasting_url, "0002")
    fill(engine)
    engine.dispose()
    return opened(lasting_url)


def listed(store: Store) -> Entry:
    (entry,) = store.worklist.entries(TRIAL, wanted=Wanted()).entries
    return entry


def test_every_row_is_there_and_says_what_it_said(upgraded: Store) -> None:
    entry, worklist = listed(upgraded), upgraded.worklist
    assert (entry.person, entry.state, entry.assignee, entry.version) == (person(), "contacted", "Chen", 3)
    assert (entry.changed, entry.seen, entry.latest.id, entry.latest.missing) == (True, 1, MANY, ("a",))
    judged_before = worklist.screenings(entry.id)
    assert [one.id for one in judged_before] == list(range(MANY, 0, -1))
    assert all((one.brief, one.since, one.days) == (BRIEF, one.as_of, 1) for one in judged_before)
    assert brief_of(RESULT) == BRIEF
    for number in (1, 500, 501, MANY):
        assert dump(worklist.result(entry.id, number)) == dump(RESULT)
    assert worklist.history(entry.id)[0].detail == {"text": "her words"}
    assert worklist.counts(TRIAL).missing == {"a": 1}
    with upgraded._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert connection.execute(select(text("count(*)")).select_from(text("results"))).scalar() == MANY


def test_it_goes_on_from_there(upgraded: Store) -> None:
    before = listed(upgraded)

    def come(day: date, content: str = "a") -> Entry:
        new = judged("candidate", as_of=day, result=RESULT, missing=("a",))
        now = datetime.combine(day, NOW.time(), UTC)
        upgraded.worklist.take(person(), chart(content), [new], differs=differs, now=now, today=day)
        return listed(upgraded)

    assert come(DAY) == before  # the same one again
    confirmed = come(DAY + timedelta(days=1))
    assert (confirmed.latest.id, confirmed.latest.since, confirmed.latest.days) == (MANY, DAY, 2)
    new = come(DAY + timedelta(days=2), "b").latest
    assert (new.id, new.brief) == (MANY + 2, BRIEF)
    upgraded.worklist.forget(before.patient, who="Li", reason=WhyForgotten.RETENTION, now=NOW)
    assert upgraded.worklist.verify_audit() is None


# --- a file that others can read ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True), (0o602, True)])
def test_a_file_that_everybody_can_open_is_warned_of(
    mode: int, warned: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "private-name.db"
    open_store(f"sqlite:///{path}").close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    os.chmod(path, mode)
    caplog.clear()
    open_store(f"sqlite:///{path}").close()
    told = [one.getMessage() for one in caplog.records if "chmod 600" in one.getMessage()]
    assert len(told) == warned
    assert not any("private-name" in one for one in told)
    assert stat.S_IMODE(path.stat().st_mode) == mode  # whose it is decides
