"""Run the benchmarks: `python -m bench [--json FILE] [--rounds N] [CASE ...]`."""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable
from pathlib import Path

from bench import cases
from bench.cohort import cohort
from bench.over_http import over_http
from bench.paired import ROUNDS, MissingError, Pair, measure
from bench.whole_cohort import whole_cohort

CASES: dict[str, Callable[[], Pair]] = {
    "patient-50": lambda: cases.patient(50),
    "patient-500": lambda: cases.patient(500),
    "patient-5000": lambda: cases.patient(5000),
    "evaluation": cases.evaluation,
    "evaluation-missing": lambda: cases.evaluation(missing=0.15),
    "trials-10": lambda: cases.trials(10),
    "trials-100": lambda: cases.trials(100),
    "trials-1000": lambda: cases.trials(1000),
    "cohort": cohort,
    "http-1": lambda: over_http(1),
    "http-10": lambda: over_http(10),
    "http-10-at-once-4": lambda: over_http(10, connections=4),
    "http-10-cpu": lambda: over_http(10, cpu=True),
    "whole-cohort": whole_cohort,
    "whole-cohort-cpu": lambda: whole_cohort(cpu=True),
}


def main() -> None:
    """Measure, print a table, and write JSON where asked."""
    reader = argparse.ArgumentParser(description="Paired benchmarks; ratios, not times.")
    reader.add_argument("case", nargs="*", choices=[[], *CASES], metavar="CASE", help=", ".join(CASES))
    reader.add_argument("--json", type=Path, help="where to write the results")
    reader.add_argument("--rounds", type=int, default=ROUNDS, help="of each case, 7 at least")
    asked = reader.parse_args()
    results = []
    for name in asked.case or CASES:
        try:
            pair = CASES[name]()
        except MissingError as missing:
            print(f"\n{name}: left out. {missing}")
            continue
        told = measure(pair, asked.rounds)
        results.append(told)
        print(f"\n{told['case']}: {told['note']}")
        if not told["quotable"]:
            print(f"  not to be quoted: the reference took between 1 and {told['reference_spread']} times its quickest")
        for side, took in told["sides"].items():
            ratio = f"x {took['ratio']:<9g} ({took['least']:g} to {took['greatest']:g})" if told["quotable"] else ""
            print(f"  {side:<30} {took['microseconds']:>12,.2f} us   {ratio}")
    if asked.json:
        machine = {
            "python": platform.python_version(),
            "machine": platform.machine(),
            "clock": "CPU time, or as the note says",
        }
        asked.json.write_text(json.dumps({"machine": machine, "cases": results}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
