"""A disk that is full while a run is taken: it is told by its name, with what is taken; taken again, all are there."""

import logging
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cds_service.screening.patient import Rules
from cds_service.screening.worklist.run_intake import take_run
from cds_service.store import database, open_store
from tests.intake.taken_runs import NOW, NPC, PATIENTS, cds, listed

INTAKE = "cds_service.screening.worklist.run_intake"


@pytest.fixture
def by_twos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{INTAKE}._TOGETHER", 2)


@pytest.fixture
def room(by_twos: None, undisturbed: Path, rules: Rules, tmp_path: Path) -> int:
    """Pages of a store that some of the run fits into, but not all of it."""
    file, pages = tmp_path / "measured.db", []

    def measure(_patients: int) -> None:
        with closing(sqlite3.connect(file)) as driver:
            pages.append(driver.execute("PRAGMA page_count").fetchone()[0])

    store = open_store(f"sqlite:///{file}")
    take_run(undisturbed, store.worklist, rules, source="", now=NOW, today=NOW.date(), tell=measure)
    store.close()
    assert pages[1] < pages[-1]
    return pages[1]


def test_a_full_disk_is_named_with_what_was_taken(
    room: int, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    set_up = database._set_up

    def small(connection: Any, record: object) -> None:
        set_up(connection, record)
        connection.execute(f"PRAGMA max_page_count={room}")

    url = f"sqlite:///{tmp_path}/worklist.db"
    with monkeypatch.context() as full, caplog.at_level(logging.ERROR):
        full.setattr(database, "_set_up", small)
        told = cds("worklist", "take", undisturbed, "--server", "-", "--store", url)
        assert told.exit_code == 5, told.output
        in_chinese = cds("worklist", "take", undisturbed, "--server", "-", "--store", url, CDS_LANGUAGE="zh")
    found = re.fullmatch(
        r"cds-service: Only (\d) patients of the run are taken: "
        r"The disk of the store is full \(SQLITE_FULL\); make room on it\. Take it again for the rest\.\n",
        told.stderr,
    )
    assert found, told.stderr
    assert "the store failed: OperationalError, SQLITE_FULL" in caplog.text
    assert "存储所在的磁盘已满（SQLITE_FULL）" in in_chinese.stderr
    assert re.search("[a-z]{3} ", in_chinese.stderr) is None, in_chinese.stderr
    store = open_store(url)
    assert 0 < int(found[1]) == len(listed(store)) < PATIENTS
    store.close()
    told = cds("worklist", "take", undisturbed, "--server", "-", "--store", url)
    assert f"{PATIENTS} patients taken" in told.output
    assert NPC in told.output
    store = open_store(url)
    assert len(listed(store)) == PATIENTS
    store.close()
