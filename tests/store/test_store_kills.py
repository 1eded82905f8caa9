"""SIGKILL while people decide and screenings are taken: what was acknowledged is there, once, and the audit holds.

``KILLS=500 python -m pytest tests/store/test_store_kills.py`` is the long form (``make soak``).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import func, select

from cds_service.store import Store
from cds_service.store.audit_schema import audit
from cds_service.store.database import reading
from cds_service.store.worklist_schema import entries, events, people, screenings
from tests.store.killed_writers import WRITERS
from tests.store.postgresql_server import Server

NAME_OF_CHANGE = {"screened": "gate", "noted": "text", "decided": "reason", "attested": "reason"}


class Writers:
    """Pairs of writers, killed at different moments."""

    def __init__(self, url: str, draw: random.Random) -> None:
        command = [sys.executable, "-W", "error", "-m", "tests.store.killed_writers", url]
        self._driver = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._draw = draw

    def write_and_die(self, name: str) -> list[str]:
        """Let two writers write, kill both; return what was acknowledged."""
        assert self._driver.stdin is not None
        print(name, file=self._driver.stdin, flush=True)
        acknowledged: list[str] = []
        processes: list[int] = []
        wanted = self._draw.choice([0, 0, 1, 3, 10, 30])  # some are killed while they open the store
        while not processes or len(acknowledged) < wanted:
            line = self._line()
            if " " in line:
                processes = list(map(int, line.split()))
            else:
                acknowledged.append(line)
        for process in processes:
            time.sleep(self._draw.uniform(0, 0.04))
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        while (line := self._line()) != "ended":
            acknowledged.append(line)
        return acknowledged

    def close(self) -> None:
        assert self._driver.stdin is not None
        assert self._driver.stdout is not None
        self._driver.stdin.close()
        assert self._driver.wait(60) == 0
        self._driver.stdout.close()

    def _line(self) -> str:
        assert self._driver.stdout is not None
        line = self._driver.stdout.readline()
        assert line, "the writers' process ended"
        return line.rstrip("\n")


def changes_after(store: Store, last: int) -> tuple[list[str], int]:
    """Return the names of the changes that are there, and the number of the last."""
    with reading(store._engine) as connection:
        rows = connection.execute(select(events).where(events.c.id > last).order_by(events.c.id)).all()
    # A screening that was taken twice stands again if the other writer's came between: two events, one screening.
    found = dict.fromkeys((row.detail[NAME_OF_CHANGE[row.what]], row.what == "screened" or row.id) for row in rows)
    return [name for name, _ in found], rows[-1].id if rows else last


def check_all(store: Store) -> None:
    """Whole, nothing twice, each change in the audit, and the audit as it was written."""
    with reading(store._engine) as connection:
        if store._engine.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA integrity_check").all() == [("ok",)]
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        count = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (people, entries, events, audit)
        }
        twice = select(screenings.c.gate).group_by(screenings.c.gate).having(func.count() > 1)
        assert connection.execute(twice).all() == []
        stands = select(func.count()).select_from(entries).join(screenings, screenings.c.id == entries.c.latest)
        assert connection.execute(stands).scalar_one() == count["entries"]
    assert count["people"] == count["entries"] <= 9
    assert count["events"] == count["audit"]
    assert store.worklist.verify_audit() is None


@pytest.mark.parametrize("kind", ["file", "postgresql"])
def test_what_was_acknowledged_is_there_once_after_a_kill(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, opened: Callable[[str], Store]
) -> None:
    kills = int(os.environ.get("KILLS", "150" if kind == "file" else "20"))
    if kind == "file":
        url = f"sqlite:///{tmp_path}/store.db"
    else:
        server: Server = request.getfixturevalue("postgresql")
        url = server.empty()
    store = opened(url)
    writers = Writers(url, random.Random(kills))
    there: Counter[str] = Counter()
    acknowledged: set[str] = set()
    last = 0
    for number in range(-(-kills // WRITERS)):
        told = writers.write_and_die(str(number))
        assert len(told) == len(set(told))
        acknowledged.update(told)
        found, last = changes_after(store, last)
        there.update(found)
        # What a writer was about to acknowledge may be there, and its first, which it does not tell.
        assert acknowledged <= there.keys()
        check_all(store)
    writers.close()
    assert set(there.values()) == {1}
    unasked = {change for change in there.keys() - acknowledged if not change.endswith("-first")}
    assert len(unasked) <= kills
    assert len(acknowledged) > kills
