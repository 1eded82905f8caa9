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
import ast
import copy
import hashlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
PACKAGES = ("logic", "facts", "evaluation")
TESTS = [
    *("tests/unit", "tests/property", "tests/examples", "tests/golden", "tests/third_party"),
    "tests/docs/test_coverage_table.py",
]
# Doors, callers and the store: their tests are long and see little of the core.
NOT_THESE = ("tokens", "key_sets", "own_keys", "origins", "store", "muting", "fhir_client", "simulator", "command_line")
SECONDS_OF_TESTS = 20.0  # measured while being watched, which is three times as slow
SECONDS_FOR_ONE = 180.0
A_CHART = "chart"  # in place of a trial: the case states for itself what it is about
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
COMPARE = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
           ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In}  # fmt: skip
BINARY = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.BitOr: ast.BitAnd,
          ast.BitAnd: ast.BitOr}  # fmt: skip
CALLS = {"any": "all", "all": "any", "min": "max", "max": "min"}
WORDS = {"say", "Phrase", "TypeError", "ValueError", "RequestError", "ConfigError", "LogicError", "add_diagnostic"}


@dataclass(frozen=True)
class Mutant:
    """One change: in which module, at which line, what."""

    module: str
    line: int
    change: str
    source: str
    function: int
    """First line of the innermost function around it; 0 where it runs on import or is remembered between calls."""

    @property
    def key(self) -> str:
        """What it is known by as long as its module stays as it is."""
        return hashlib.sha256(f"{self.module}\n{self.source}".encode()).hexdigest()[:16]

    @property
    def defines_no_function(self) -> bool:
        """Whether its module holds constants alone."""
        return "def " not in self.source


def mutants_of(path: Path) -> list[Mutant]:
    """Return every mutant of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    found = []
    for index, (node, change) in enumerate(_changes(tree)):
        mutated = copy.deepcopy(tree)
        target, again = list(_changes(mutated))[index]
        assert again == change
        _apply(target, change)
        source = ast.unparse(ast.fix_missing_locations(mutated))
        found.append(Mutant(module, node.lineno, change, source, _function_around(tree, node)))
    return found


def _function_around(tree: ast.AST, node: Any) -> int:
    """Return the first line (of its decorators) of the innermost function whose body holds a node, else 0."""
    around = 0
    for one in ast.walk(tree):
        if not isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if one.body[0].lineno <= node.lineno <= (one.body[-1].end_lineno or 0) and one.lineno > around:
            if any("cache" in ast.unparse(decorator) for decorator in one.decorator_list):
                return 0
            around = min([one.lineno, *(decorator.lineno for decorator in one.decorator_list)])
    return around


def _changes(tree: ast.AST) -> Iterator[tuple[Any, str]]:
    """Yield each node that can be changed and the name of the change, in a stable order."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            skipped |= {id(child) for child in ast.iter_child_nodes(node)}
            continue
        for hidden in _hidden(node):
            skipped.add(id(hidden))
        if isinstance(node, ast.Compare):
            if type(node.ops[0]) in COMPARE:
                yield node, f"{type(node.ops[0]).__name__} -> {COMPARE[type(node.ops[0])].__name__}"
        elif isinstance(node, ast.BoolOp):
            yield node, "and -> or" if isinstance(node.op, ast.And) else "or -> and"
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield node, "not removed"
        elif isinstance(node, ast.BinOp) and type(node.op) in BINARY:
            yield node, f"{type(node.op).__name__} -> {BINARY[type(node.op)].__name__}"
        elif isinstance(node, (ast.If, ast.IfExp)):
            yield node, "condition negated"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            yield node, f"{node.func.id} -> {CALLS[node.func.id]}"
        elif isinstance(node, ast.Constant):
            if isinstance(node.value, bool):
                yield node, f"{node.value} -> {not node.value}"
            elif isinstance(node.value, int):
                yield node, f"{node.value} -> {node.value + 1}"
            elif isinstance(node.value, str) and node.value:
                yield node, f"{node.value[:30]!r} spoilt"


def _hidden(node: ast.AST) -> list[ast.AST]:
    """Return the children that say nothing to a program: docstrings, annotations, words, type-checking imports."""
    hidden: list[ast.AST | None] = []
    body = getattr(node, "body", None)
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        hidden += [node.returns, *node.decorator_list]
    if isinstance(node, ast.ClassDef):
        hidden += node.decorator_list
    if isinstance(body, list):
        # Also the words that explain a constant or a field.
        hidden += [part for part in body if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)]
    if isinstance(node, ast.arg):
        hidden.append(node.annotation)
    if isinstance(node, ast.AnnAssign):
        hidden.append(node.annotation)
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        hidden += list(node.args) if name in WORDS else []
        if name == "cast":
            hidden.append(node.args[0])
    if isinstance(node, ast.Raise):
        hidden.append(node.exc)
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        hidden.append(node)
    if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
        hidden.append(node.value)
    if isinstance(node, ast.JoinedStr):
        hidden += list(node.values)
    return [one for one in hidden if one is not None]


def _apply(node: Any, change: str) -> None:
    if isinstance(node, ast.Compare):
        node.ops[0] = COMPARE[type(node.ops[0])]()
    elif isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif isinstance(node, ast.UnaryOp):
        node.op = ast.UAdd()
        node.operand = ast.Call(ast.Name("bool", ast.Load()), [node.operand], [])
    elif isinstance(node, ast.BinOp):
        node.op = BINARY[type(node.op)]()
    elif isinstance(node, (ast.If, ast.IfExp)):
        node.test = ast.UnaryOp(ast.Not(), node.test)
    elif isinstance(node, ast.Call):
        node.func = ast.Name(CALLS[node.func.id], ast.Load())
    elif isinstance(node.value, bool):
        node.value = not node.value
    elif isinstance(node.value, int):
        node.value += 1
    else:
        node.value = "XX" + node.value


class _Hook(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Serves one module from a mutated source."""

    def __init__(self, module: str, source: Path) -> None:
        self.module, self.source = module, source

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        return importlib.util.spec_from_loader(name, self) if name == self.module else None

    def get_filename(self, fullname: str) -> str:
        return str(self.source)

    def get_data(self, path: str | bytes) -> bytes:
        return Path(os.fsdecode(path)).read_bytes()


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
    with _calls() as called:
        if trial == A_CHART:
            _charts().check(given, library)
        else:
            judge(read_bundle(given), library, as_of=as_of, anchor=anchor, trials=[trial])
    return frozenset(called)


@contextmanager
def _calls() -> Iterator[set[tuple[str, int]]]:
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


class _Recorder:
    """A pytest plugin: which of the package's functions each test calls, and how long it takes."""

    def __init__(self) -> None:
        self.found: dict[str, tuple[float, frozenset[tuple[str, int]]]] = {}

    def pytest_runtest_call(self, item: Any) -> Iterator[None]:
        started = time.perf_counter()
        with _calls() as called:
            yield  # a test that fails here, slowed down by being watched, raises and is not recorded
        self.found[item.nodeid] = (time.perf_counter() - started, frozenset(called))

    pytest_runtest_call = pytest.hookimpl(wrapper=True)(pytest_runtest_call)


def record_tests(path: Path) -> None:
    """Run the tests on the unchanged code; write what importing the package calls, and what each test calls."""
    with _calls() as on_import:
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
        sys.meta_path.insert(0, _Hook(mutant.module, source))
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
