"""A cohort from files to verdicts: our prescreening run, against queries and scripts that do a part of its work."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from bench.laboratory_limits import CRITERIA, Row, in_duckdb, plain_python
from bench.paired import MissingError, Pair
from bench.patients import AS_OF

COMMAND: Final = Path(sys.executable).with_name("cds-service")
DUCKDB: Final = "DuckDB, a part of it"
PYTHON: Final = "plain Python, the same part"
SPARK: Final = "PySpark local[2], the same part"
OURS: Final = "ours, 2 workers, all of it"


def whole_cohort(patients: int | None = None, *, cpu: bool = False) -> Pair:
    """Files of a population to verdicts.

    Args:
        patients: how many; the variable BENCH_PATIENTS or 500 where left out.
        cpu: time CPU, of our processes and of Spark's Java too, instead of the clock on the wall.

    Raises:
        MissingError: DuckDB is not installed.
    """
    if not find_spec("duckdb"):
        raise MissingError("DuckDB is not installed: pip install 'cds-service[bench]'")
    count = patients or int(os.environ.get("BENCH_PATIENTS", "500"))
    scratch = Path(tempfile.mkdtemp(prefix="bench-"))
    folder, run = scratch / "synth", scratch / "run"
    _synthesise(folder, count)

    def ours() -> Path:
        shutil.rmtree(run, ignore_errors=True)
        return _prescreen(folder, run)

    sides: dict[str, Callable[[], Any]] = {
        DUCKDB: lambda: in_duckdb(folder),
        PYTHON: lambda: plain_python(folder),
        OURS: ours,
    }
    done: list[Callable[[], object]] = [lambda: shutil.rmtree(scratch, ignore_errors=True)]
    java: list[Callable[[], float]] = []
    if find_spec("pyspark"):
        from bench.spark_limits import LimitsInSpark

        session = LimitsInSpark(scratch / "spark")
        done.insert(0, session.stop)
        java.append(session.cpu_seconds)
        sides[SPARK] = lambda: session.rows(folder)

    def check() -> None:
        rows = sides[DUCKDB]()
        for name, side in sides.items():
            if name not in (OURS, DUCKDB):
                assert side() == rows, name
        told = compared(ours(), rows)
        print(f"  {told}")

    size = sum(file.stat().st_size for file in folder.glob("*.ndjson")) / 1e6
    timed = "CPU" if cpu else "elapsed"
    note = f"{count} patients, {size:.0f} MB of NDJSON, files to verdicts; {timed} time of one patient"

    def clean() -> None:
        for one in done:
            one()

    return Pair(
        "whole-cohort" + "-cpu" * cpu,
        DUCKDB,
        sides,
        check,
        note,
        count,
        clock=(lambda: sum(os.times()[:4]) + sum(one() for one in java)) if cpu else time.perf_counter,
        long=True,
        done=clean,
    )


def compared(results: Path, rows: list[Row]) -> str:
    """Hold every verdict that the query settles against ours.

    Returns:
        How many were compared, for people.
    """
    judged: dict[str, dict[str, str]] = {}
    for line in results.read_text(encoding="utf-8").splitlines():
        told = json.loads(line)
        for one in told["results"]:
            judged[told["patient"].removeprefix("Patient/")] = {
                criterion["id"]: criterion["verdict"] for criterion in one["criteria"]
            }
    counts: Counter[str] = Counter()
    ours: Counter[tuple[str, str]] = Counter()
    theirs: Counter[tuple[str, str]] = Counter()
    for patient, *verdicts in rows:
        for criterion, verdict in zip(CRITERIA, verdicts, strict=True):
            counts[verdict] += 1
            if verdict != "more":
                ours[criterion, judged[patient][criterion]] += 1
                theirs[criterion, verdict] += 1
                assert judged[patient][criterion] == verdict, (patient, criterion, verdict)
    assert ours == theirs
    assert counts["pass"]
    assert counts["fail"]
    assert counts["more"] < 0.1 * counts.total()
    diseased = {patient for patient, found in judged.items() if found["npc-primary"] == "pass"}
    assert diseased <= {patient for patient, *_ in rows}
    settled = counts.total() - counts["more"]
    return f"{settled} verdicts of {len(rows)} patients with NPC equal; {counts['more']} that the query does not settle"


def prescreened(scratch: Path, patients: int) -> tuple[Path, Path]:
    """Make a population and judge it; return the folder of its files and the file of results."""
    _synthesise(scratch / "synth", patients)
    return scratch / "synth", _prescreen(scratch / "synth", scratch / "run")


def _synthesise(folder: Path, patients: int) -> None:
    _command("synth", "--patients", str(patients), "--seed", "1", "--missing", "0", "--out", str(folder))


def _prescreen(folder: Path, run: Path) -> Path:
    options = ("--as-of", str(AS_OF), "--workers", "2", "--trial", "NCT07235319", "--format", "-", "--quiet")
    _command("prescreen", "--ndjson", str(folder), "--out", str(run), *options)
    return run / "results.jsonl"


def _command(*words: str) -> None:
    made = subprocess.run([COMMAND, *words], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
