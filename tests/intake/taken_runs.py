"""Runs of eight patients taken into a worklist: what the tests of taking share."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from cds_service.cli import main
from cds_service.screening.cohort.charts import CHARTS
from cds_service.screening.patient import Rules
from cds_service.screening.worklist.run_intake import TakenRun, take_run
from cds_service.store import Store
from cds_service.store.worklist import Wanted
from tests.cohort.populations import (
    TASK,
    by_type,
    example,
    renamed,
)

NPC = "NCT07235319"
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
KEEP = replace(TASK, charts=True)
FILES = ("results.jsonl", CHARTS, "manifest.json", "quarantine.jsonl")
PATIENTS = 8


def files_of(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in FILES}


def lines_of(names: dict[str, str]) -> dict[str, list[Any]]:
    """Return the files of patients who have the records of stories."""
    return by_type([one for name, story in names.items() for one in renamed(example(story), story, name)])


def take(out: Path, store: Store, rules: Rules, source: str = "", days: int = 0) -> TakenRun:
    """Take a run some days later than the first one."""
    now = NOW + timedelta(days=days)
    return take_run(out, store.worklist, rules, source=source, now=now, today=now.date())


def begun(out: Path, at: datetime | None, **more: str) -> None:
    """Let a run have begun at another time; None for a run that does not say."""
    job = json.loads((out / "job.json").read_bytes())
    job.pop("begun")
    (out / "job.json").write_text(json.dumps({**job, **({"begun": at.isoformat()} if at else {}), **more}))


def listed(store: Store) -> dict[str, Any]:
    return {one.person.reference: one for one in store.worklist.entries(NPC, wanted=Wanted(size=500)).entries}


def cds(*given: str | Path, **env: str) -> Any:
    return CliRunner().invoke(main, [*map(str, given)], env={**os.environ, **env})
