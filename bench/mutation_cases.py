"""What the rule cases and chart cases notice of a mutant, and which functions each of them calls."""

from __future__ import annotations

import importlib
import os
import pickle
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mutants import ROOT

A_CHART = "chart"  # in place of a trial: the case states for itself what it is about


def notices(cases: Path, module: str, function: int) -> bool:
    """Say whether a case comes out otherwise than it states.

    Args:
        cases: as :func:`collect` wrote them.
        module: the mutated one; "" for none.
        function: first line of the function that holds the mutant; 0 to try every case.
    """
    from cds_service.evaluation.judge import judge
    from cds_service.facts import chart  # noqa: F401 - a module that no longer loads is noticed
    from cds_service.gather.bundle import read_bundle

    library, found = pickle.loads(cases.read_bytes())
    for calls, case in found:
        if function and (module, function) not in calls:
            continue
        trial, given, as_of, anchor, expect = pickle.loads(case)
        if trial == A_CHART:
            try:
                _charts().check(given, library)
            except AssertionError:
                return True
            continue
        whole = judge(read_bundle(given), library, as_of=as_of, anchor=anchor, trials=[trial])
        if not _as_expected(whole.trials[0], expect):
            return True
    return False


def _charts() -> Any:
    """Return the module of the chart cases; imported late, since it loads what is mutated."""
    folder = str(ROOT / "tests" / "charts")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module("test_charts")


def _as_expected(result: Any, expect: dict[str, Any]) -> bool:
    """Say whether an outcome holds what a case states; what it does not state is free."""
    told = {
        "status": result.status.value,
        "gate": result.gate,
        "blocked": list(result.blocked),
        "coverage": {"decided": result.decided, "total": len(result.criteria)},
    }
    if any(expect.get(key) is not None and expect[key] != value for key, value in told.items()):
        return False
    if expect.get("to_confirm") is not None and set(result.to_confirm) != set(expect["to_confirm"]):
        return False
    if expect.get("decisive") is not None and {one.fact for one in result.decisive} != set(expect["decisive"]):
        return False
    criteria = {one.criterion.id: one for one in result.criteria}
    for name, wanted in expect["criteria"].items():
        found = criteria.get(name)
        if found is None:
            return False
        reasons = [one.reason.value for one in found.reasons]
        leaning = found.leaning.value if found.leaning else None
        told = {"verdict": found.verdict.value, "can_change": found.state.can_change, "leaning": leaning}
        if any(key in wanted and wanted[key] != value for key, value in told.items()):
            return False
        if "reason" in wanted and set(reasons) != {wanted["reason"]}:
            return False
        if "first_reason" in wanted and reasons[:1] != [wanted["first_reason"]]:
            return False
    return True


def collect(path: Path) -> None:
    """Write every case as (trial, Bundle or chart case, day, anchor, expectation), with the functions that it calls."""
    from cds_service.screening.shorthand import to_bundle
    from cds_service.trials.cases import load_cases
    from cds_service.trials.library import load_library

    library = load_library(ROOT / "rules", [ROOT / "tests" / "rules" / "fictitious" / "NCT99999999"])
    found = []
    for trial in library.trials.values():
        folder = ROOT / "rules" / "trials" / trial.id
        folder = folder if folder.is_dir() else ROOT / "tests" / "rules" / "fictitious" / trial.id
        file = load_cases(folder / "tests.yaml", trial, library.facts)
        for case in file.cases:
            base = {key: value for key, value in file.patient.items() if key not in case.without}
            as_of = case.as_of or file.as_of
            bundle = to_bundle({**base, **case.given}, library, as_of)
            found.append((trial.id, bundle, as_of, case.anchor, _stated(case)))
    found += [(A_CHART, parameter.values[0], None, None, None) for parameter in _charts()._cases()]
    random.Random(1).shuffle(found)
    traced = [(_functions_called(case, library), pickle.dumps(case)) for case in found]
    path.write_bytes(pickle.dumps((library, traced)))
    assert not notices(path, "", 0), "the unchanged code must pass every case"


def _functions_called(case: Any, library: Any) -> frozenset[tuple[str, int]]:
    """Return (module, first line) of each of the package's functions that judging a case calls."""
    from cds_service.evaluation.judge import judge
    from cds_service.gather.bundle import read_bundle

    trial, given, as_of, anchor, _ = case
    with calls_made() as called:
        if trial == A_CHART:
            _charts().check(given, library)
        else:
            judge(read_bundle(given), library, as_of=as_of, anchor=anchor, trials=[trial])
    return frozenset(called)


@contextmanager
def calls_made() -> Iterator[set[tuple[str, int]]]:
    """Note (module, first line) of each of the package's functions called meanwhile."""
    called: set[tuple[str, int]] = set()
    package = str(ROOT / "cds_service") + os.sep

    def note(frame: Any, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(package):
            called.add((frame.f_globals["__name__"], frame.f_code.co_firstlineno))

    sys.setprofile(note)
    try:
        yield called
    finally:
        sys.setprofile(None)


def _stated(case: Any) -> dict[str, Any]:
    """Return what a rule case states, in the form of a chart case."""
    criteria: dict[str, dict[str, Any]] = {}
    for key, values in (("verdict", case.verdicts), ("can_change", case.can_change), ("leaning", case.leaning)):
        for name, value in values.items():
            criteria.setdefault(name, {})[key] = value
    for name, reason in case.why.items():
        criteria.setdefault(name, {})["first_reason"] = reason
    whole = {"status": case.status, "gate": case.gate, "to_confirm": case.to_confirm, "decisive": case.decisive}
    return {**whole, "criteria": criteria}
