"""Which functions of the core each test calls, and the quickest tests that call a mutant's."""

from __future__ import annotations

import importlib
import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mutants import ROOT, Mutant
from mutation_cases import calls_made

TESTS = [
    *("tests/unit", "tests/property", "tests/examples", "tests/golden", "tests/third_party"),
    "tests/docs/test_coverage_table.py",
]
# Doors, callers and the store: their tests are long and see little of the core.
NOT_THESE = ("tokens", "key_sets", "own_keys", "origins", "store", "muting", "fhir_client", "simulator", "command_line")
SECONDS_OF_TESTS = 20.0  # measured while being watched, which is three times as slow


class _Recorder:
    """A pytest plugin: which of the package's functions each test calls, and how long it takes."""

    def __init__(self) -> None:
        self.found: dict[str, tuple[float, frozenset[tuple[str, int]]]] = {}

    def pytest_runtest_call(self, item: Any) -> Iterator[None]:
        started = time.perf_counter()
        with calls_made() as called:
            yield  # a test that fails here, slowed down by being watched, raises and is not recorded
        self.found[item.nodeid] = (time.perf_counter() - started, frozenset(called))

    pytest_runtest_call = pytest.hookimpl(wrapper=True)(pytest_runtest_call)


def record_tests(path: Path) -> None:
    """Run the tests on the unchanged code; write what importing the package calls, and what each test calls."""
    with calls_made() as on_import:
        importlib.import_module("cds_service.evaluation.judge")
    recorder = _Recorder()
    ignored = [f"--ignore=tests/unit/test_{name}.py" for name in NOT_THESE]
    pytest.main(["-q", "-p", "no:cacheprovider", *ignored, *TESTS], plugins=[recorder])
    path.write_bytes(pickle.dumps((frozenset(on_import), recorder.found)))


def tests_for(mutant: Mutant, recorded: dict[str, tuple[float, frozenset[tuple[str, int]]]]) -> list[str]:
    """Return the quickest tests that call a mutant's function.

    For a line that runs on import: tests that call any function of its module; for a module of constants alone, of the
    modules that import it.
    """
    chosen, spent = [], 0.0
    users = _users(mutant.module) if mutant.defines_no_function else {mutant.module}
    for name, (seconds, called) in sorted(recorded.items(), key=lambda one: one[1][0]):
        wanted = (mutant.module, mutant.function)
        if wanted in called or (not mutant.function and any(module in users for module, _ in called)):
            spent += seconds
            if spent > SECONDS_OF_TESTS:
                break
            chosen.append(name)
    return chosen


def _users(module: str) -> set[str]:
    """Return the modules of the package that import a module."""
    files = (ROOT / "cds_service").rglob("*.py")
    return {
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for file in files
        if f"from {module} import" in file.read_text(encoding="utf-8")
    }
