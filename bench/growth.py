"""How time and memory grow with the population: whole runs on patient-grouped input, and criteria over facts.

`python -m bench.growth [--patients 1000,5000,20000] [--facts 1000,10000,100000,1000000] [--rounds 3] [--json FILE]`
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from bench.cases import TRIAL, facts_of_patients, rules
from bench.patients import AS_OF
from cds_service.logic.compiled import Sentence, compile_sentences
from cds_service.logic.truth import State

# What a run took, told by the process that did it: its own, and of its workers all the time and the largest memory.
_RUN: Final = """
import json, resource, sys
from cds_service.cli import main
main(sys.argv[1:], standalone_mode=False)
own, workers = (resource.getrusage(one) for one in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
took = own.ru_utime + own.ru_stime + workers.ru_utime + workers.ru_stime
print(json.dumps({"seconds": took, "parent_kib": own.ru_maxrss, "worker_kib": workers.ru_maxrss}))
"""


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Return the power of the size that the time grows with: the slope of least squares between the logarithms.

    >>> round(exponent([10, 100, 1000], [1.0, 20.0, 400.0]), 3)
    1.301
    """
    return statistics.linear_regression([math.log(one) for one in sizes], [math.log(one) for one in seconds]).slope


def whole_runs(sizes: Sequence[int], scratch: Path) -> Iterator[dict[str, Any]]:
    """Judge populations of these sizes, in files of whole patients, with two workers."""
    for size in sizes:
        folder = scratch / f"synth-{size}"
        if not folder.exists():
            _command("-c", _RUN, "synth", "--patients", str(size), "--seed", "1", "--grouped", "--out", str(folder))
        with tempfile.TemporaryDirectory(dir=scratch) as out:
            words = ("--as-of", str(AS_OF), "--workers", "2", "--trial", TRIAL, "--format", "-", "--quiet")
            told = _command("-c", _RUN, "prescreen", "--ndjson", str(folder), "--out", str(Path(out) / "run"), *words)
        took = json.loads(told.splitlines()[-1])
        yield {
            "patients": size,
            "seconds": round(took["seconds"], 2),
            "parent_mb": round(took["parent_kib"] / 1024),
            "worker_mb": round(took["worker_kib"] / 1024),
        }


def over_facts(sizes: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Evaluate one trial's criteria over so many patients of whom the facts are at hand, one at a time."""
    trial = rules().trials[TRIAL]
    names = list(dict.fromkeys(name for one in trial.criteria for name in one.needs))
    places = {name: at for at, name in enumerate(names)}
    states = compile_sentences([Sentence(one.logic.tree, places) for one in trial.criteria], len(names))
    rows = [[values[name] for name in names] for values in facts_of_patients(1_000, missing=0.15)]
    for size in sizes:
        found: Counter[State] = Counter()
        start = time.process_time()
        for row in islice(_over_and_over(rows), size):
            found[min(states(row))] += 1
        took = time.process_time() - start
        assert found.total() == size
        yield {"patients": size, "seconds": round(took, 3)}


def _over_and_over(rows: Sequence[list[Any]]) -> Iterator[list[Any]]:
    while True:
        yield from rows


def _command(*words: str) -> str:
    made = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return made.stdout


def main() -> None:
    """Measure, print, and write JSON where asked."""
    reader = argparse.ArgumentParser(description="Growth of time (CPU, all processes) and of memory.")
    reader.add_argument("--patients", default="1000,5000,20000", help="sizes of whole runs; - for none")
    reader.add_argument("--facts", default="1000,10000,100000,1000000", help="patients over facts; - for none")
    reader.add_argument("--rounds", type=int, default=3, help="each round does every size once")
    reader.add_argument("--json", type=Path, help="where to write the results")
    asked = reader.parse_args()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        for name, sizes in (("whole runs", _sizes(asked.patients)), ("over facts", _sizes(asked.facts))):
            if not sizes:
                continue
            rounds: list[list[dict[str, Any]]] = []
            for _ in range(asked.rounds):
                made = whole_runs(sizes, Path(scratch)) if name == "whole runs" else over_facts(sizes)
                rounds.append(list(made))
                print(f"{name}: {rounds[-1]}", flush=True)
            powers = [exponent(sizes, [one["seconds"] for one in found]) for found in rounds]
            told = f"{statistics.median(powers):.3f} ({min(powers):.3f} to {max(powers):.3f})"
            print(f"{name}: time grows with the power {told}")
            results[name] = {"rounds": rounds, "exponents": powers}
    if asked.json:
        asked.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def _sizes(text: str) -> list[int]:
    return [] if text == "-" else [int(one) for one in text.split(",")]


if __name__ == "__main__":
    main()
