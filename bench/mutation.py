"""A mutation run over the core: how many small faults in ``logic``, ``facts`` and ``evaluation`` the tests notice.

    python bench/mutation.py --mutants 1000 --seed 20261122 --jobs 2 --answers mutation.jsonl

Each mutant changes one operator, constant or condition of one module. A seeded sample is taken over all modules in
proportion to the mutants they offer. A mutant is killed when the package no longer loads, when a rule case or a chart
case expects something else, or when a unit, property, example or golden test fails. Words for people (arguments of
``say``), docstrings, annotations, decorators and ``__all__`` are not mutated. Nothing in the checkout is changed: an
import hook serves the mutated source to a child process of its own. A mutant inside a function meets only the cases and
tests that call this function (recorded once, on the unchanged code), and of the tests the quickest: a mutant can so be
counted as a survivor too often, never too seldom. Each worker first tries unchanged modules, which have to survive. A
run that is stopped goes on where it was; ``--again`` tries the survivors once more.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pickle
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from mutants import ROOT, Hook, Mutant, mutants_of
from mutation_cases import collect, notices
from mutation_tests import record_tests, tests_for

sys.path.insert(0, str(ROOT))
PACKAGES = ("logic", "facts", "evaluation")
SECONDS_FOR_ONE = 180.0
THIRD_PARTY = (
    "pytest",
    "_pytest.assertion.rewrite",
    "hypothesis",
    "yaml",
    "ruamel.yaml",
    "jsonlogic",
    "pydantic",
    "fhir.resources",
)


def try_mutant(mutant: Mutant, folder: Path, tests: list[str]) -> str:
    """Try a mutant in a child of its own; return how it was noticed: "cases", "tests", "time-out"; "" if not at all."""
    child = os.fork()
    if child == 0:
        os._exit(_tried(mutant, folder, tests))
    until = time.monotonic() + SECONDS_FOR_ONE
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return {0: "", 1: "cases", 2: "tests"}.get(os.waitstatus_to_exitcode(status), "cases")
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "time-out"


def _tried(mutant: Mutant, folder: Path, tests: list[str]) -> int:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    source = folder / f"{os.getpid()}.py"
    try:
        source.write_text(mutant.source, encoding="utf-8")
        sys.meta_path.insert(0, Hook(mutant.module, source))
        if notices(folder / "cases", mutant.module, mutant.function):
            return 1
        return 2 if tests and pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]) else 0
    except BaseException:  # the mutant broke what it touches: noticed
        return 1
    finally:
        source.unlink(missing_ok=True)


def work(folder: Path, share: int, jobs: int, answers: Path) -> None:
    """Try every mutant of one share that has no answer yet, and write each answer as a line of JSON."""
    for name in THIRD_PARTY:
        importlib.import_module(name)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # quicker, and none of them is needed
    sample: list[Mutant] = pickle.loads((folder / "sample").read_bytes())
    on_import, recorded = pickle.loads((folder / "tests").read_bytes())
    known = read_answers(answers)
    for mutant in sample[share::jobs][:3]:
        as_is = ROOT.joinpath(*mutant.module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
        same = replace(mutant, source=as_is)
        assert try_mutant(same, folder, tests_for(mutant, recorded)) == "", f"{mutant.module} unchanged must survive"
    for mutant in sample[share::jobs]:
        if mutant.key in known:
            continue
        if (mutant.module, mutant.function) in on_import:
            mutant = replace(mutant, function=0)
        answer = {"key": mutant.key, "where": f"{mutant.module}:{mutant.line}", "change": mutant.change,
                  "by": try_mutant(mutant, folder, tests_for(mutant, recorded))}  # fmt: skip
        with answers.open("a", encoding="utf-8") as file:
            file.write(json.dumps(answer, ensure_ascii=False) + "\n")


def read_answers(file: Path) -> dict[str, dict[str, str]]:
    """Return the answers of earlier runs, by the mutant's key; the last one for a mutant counts."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return {answer["key"]: answer for answer in map(json.loads, lines)}


def main() -> None:
    """Run the sample and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--answers", type=Path, default=Path("mutation.jsonl"), help="kept between runs")
    parser.add_argument("--again", action="store_true", help="try the survivors of earlier runs once more")
    parser.add_argument("--step", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    answers = arguments.answers.resolve()
    if arguments.step:
        step, folder, share = arguments.step
        {
            "collect": lambda: collect(Path(folder) / "cases"),
            "record": lambda: record_tests(Path(folder) / "tests"),
            "work": lambda: work(Path(folder), int(share), arguments.jobs, answers),
        }[step]()
        return
    files = [path for package in PACKAGES for path in sorted((ROOT / "cds_service" / package).glob("*.py"))]
    everything = [mutant for path in files for mutant in mutants_of(path)]
    sample = random.Random(arguments.seed).sample(everything, min(arguments.mutants, len(everything)))
    print(f"{len(everything)} mutants offered, {len(sample)} sampled", flush=True)
    if arguments.again:
        kept = [answer for answer in read_answers(answers).values() if answer["by"]]
        answers.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in kept), encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "sample").write_bytes(pickle.dumps(sample))

        def step(what: str, share: int = 0) -> subprocess.Popen[bytes]:
            # Each in a process of its own: none may have loaded what a mutant changes.
            own = [sys.executable, __file__, "--jobs", str(arguments.jobs), "--answers", str(answers)]
            return subprocess.Popen([*own, "--step", what, name, str(share)], cwd=ROOT)

        for process in (step("collect"), step("record")):
            if process.wait():
                sys.exit("The unchanged code could not be tried.")
        for process in [step("work", share) for share in range(arguments.jobs)]:
            process.wait()
    report(sample, read_answers(answers), arguments.seed, len(everything))


def report(sample: list[Mutant], answers: dict[str, dict[str, str]], seed: int, offered: int) -> None:
    """Print the counts, and each survivor."""
    tried = [answers[mutant.key] for mutant in sample if mutant.key in answers]
    survivors = [answer for answer in tried if not answer["by"]]
    share = 100 * (len(tried) - len(survivors)) / max(1, len(tried))
    by = dict(Counter(answer["by"] for answer in tried if answer["by"]))
    print(f"seed {seed}: {offered} offered, {len(sample)} sampled, {len(tried)} tried, {share:.1f} % killed {by}")
    for answer in survivors:
        print(f"survived: {answer['where'].removeprefix('cds_service.')} {answer['change']}")


if __name__ == "__main__":
    main()
