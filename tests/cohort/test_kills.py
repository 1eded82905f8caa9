"""SIGKILL at random points: the run goes on where it was, and nothing is lost or doubled.

``KILLS=50 python -m pytest tests/cohort/test_kills.py`` is the long form (``make soak``).
"""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cds_service.screening.cohort.source import ndjson_source
from tests.cohort.populations import TASK, by_type, example, observation, prescreened, renamed, write

KILLS = int(os.environ.get("KILLS", "4"))
PART_BYTES = 30_000
FILES = ("results.jsonl", "charts.jsonl", "manifest.json", "quarantine.jsonl")


class Runs:
    """Runs of one job, each in a process group of its own."""

    def __init__(self, source: Path, workers: int) -> None:
        options = [sys.executable, "-m", "tests.cohort.killed_runs", str(source), str(PART_BYTES), str(workers)]
        self._driver = subprocess.Popen(options, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, out: Path, kill_after: float | None = None) -> bool:
        """Run the job, or what is left of it; say whether it came to its end."""
        assert self._driver.stdin is not None
        assert self._driver.stdout is not None
        print(out, file=self._driver.stdin, flush=True)
        process = int(self._driver.stdout.readline())
        if kill_after is not None:
            time.sleep(kill_after)
            with suppress(ProcessLookupError):
                os.killpg(process, signal.SIGKILL)
        return int(self._driver.stdout.readline()) == 0

    def close(self) -> None:
        assert self._driver.stdin is not None
        self._driver.stdin.close()
        assert self._driver.wait(60) == 0
        assert self._driver.stdout is not None
        self._driver.stdout.close()


def files_of(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in FILES}


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_random_points_it_ends_with_the_same_bytes(workers: int, tmp_path: Path) -> None:
    lines = [one for n in range(16) for one in renamed(example("candidate"), "candidate", f"p{n}")]
    files: dict[str, list[Any]] = dict(by_type(lines))
    files["Observation.ndjson"] += ["oops", observation("nobody")]
    source = write(tmp_path / "in", files)
    prescreened(ndjson_source(source, part_bytes=PART_BYTES), tmp_path / "undisturbed", task=replace(TASK, charts=True))
    wanted = files_of(tmp_path / "undisturbed")
    runs, draw = Runs(source, workers), random.Random(KILLS + workers)
    begun = time.monotonic()
    assert runs.run(tmp_path / "timed")
    seconds = time.monotonic() - begun
    killed = ended = 0
    kills = KILLS // workers  # processes that begin take their time
    while killed < kills:
        out = tmp_path / f"run{ended}"
        while killed < kills:
            if runs.run(out, kill_after=draw.uniform(0.02, seconds * 0.6)):
                break
            killed += 1
            # Half of a name is never there: what has its name is whole.
            assert not (out / "manifest.json").exists() or files_of(out) == wanted
        assert runs.run(out)
        assert files_of(out) == wanted
        assert not [one.name for one in out.rglob("*") if one.name.endswith(".draft") or one.name == "work"]
        ended += 1
    runs.close()
    assert killed == kills
