"""Writes ``docs/coverage-<trial>.md``: by criterion, which case proves each verdict and each reason for an unknown.

Run ``python -m tests.coverage_table`` (or ``make docs-tables``) after a case was added. Every case of ``tests.yaml``
and of ``tests/charts`` is run; one that names a criterion in its expectation, and is judged so, proves a cell.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from types import ModuleType

from cds_service.evaluation.judge import judge
from cds_service.evaluation.outcome import CriterionOutcome, TrialOutcome
from cds_service.facts.fact import Reason
from cds_service.facts.possible import possible_of
from cds_service.gather.bundle import read_bundle
from cds_service.screening.case_runner import run_cases
from cds_service.trials.cases import CASE_FILE, CaseFile, load_cases
from cds_service.trials.library import load_library
from cds_service.trials.model import Criterion, Library, Trial

ROOT = Path(__file__).resolve().parents[1]
TRIAL = "NCT07235319"
DOCUMENT = ROOT / "docs" / f"coverage-{TRIAL}.md"
DECIDED = ("pass", "fail")
ROWS = (*DECIDED, *(reason.value for reason in Reason))
IMPOSSIBLE = "—"
INTRODUCTION = f"""\
Made by `make docs-tables` from the cases that were run; do not edit. For each criterion: the verdicts, and the reasons
that an unknown can have (its first reason counts; what each means: [verdicts.md](verdicts.md)), with a case that proves
it and the number of cases that do. A case counts when it names the criterion in what it expects, and is judged so.
Cases without a file stand in [tests.yaml](../rules/trials/{TRIAL}/tests.yaml), the others under
[tests/charts](../tests/charts). {IMPOSSIBLE}: no reader of the criterion's facts can give this reason, or `cannot` in
tests.yaml says why there is no such verdict."""


@dataclass(frozen=True)
class Run:
    """One case, run.

    Args:
        name: how the table names it.
        expected: by criterion that the case names: the verdict it expects.
        outcome: what the engine said.
        in_chart: whether it is one of tests/charts.
    """

    name: str
    expected: dict[str, str]
    outcome: TrialOutcome
    in_chart: bool = False


@cache
def library() -> Library:
    return load_library(ROOT / "rules")


def trial() -> Trial:
    return library().trials[TRIAL]


@cache
def case_file() -> CaseFile:
    return load_cases(ROOT / "rules" / "trials" / TRIAL / CASE_FILE, trial(), library().facts)


@cache
def runs() -> tuple[Run, ...]:
    """Run every case, those of tests.yaml first."""
    return (*_of_rule_file(), *_of_charts())


def _of_rule_file() -> Iterator[Run]:
    for result in run_cases(library(), case_file()):
        if result.outcome is not None:
            yield Run(result.case.it, dict(result.case.verdicts), result.outcome)


def _of_charts() -> Iterator[Run]:
    charts = _chart_cases()
    for parameters in charts._cases():
        case, place = parameters.values[0], str(parameters.id).partition(": ")[0]
        anchor = case.get("anchor")
        outcome = judge(
            read_bundle(charts.build(case)),
            library(),
            as_of=date.fromisoformat(case["as_of"]),
            anchor=date.fromisoformat(anchor) if anchor else None,
            trials=[TRIAL],
        ).trials[0]
        said = case["expect"].get("criteria", {})
        expected = {name: one["verdict"] for name, one in said.items() if "verdict" in one}
        yield Run(f"`{place}.yaml`: {case['it']}", expected, outcome, in_chart=True)


def _chart_cases() -> ModuleType:
    """Load the reader of the chart cases from its file: another test module has the same name."""
    spec = importlib.util.spec_from_file_location("chart_cases", ROOT / "tests" / "charts" / "test_charts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row_of(outcome: CriterionOutcome) -> str:
    """Return the row that a judged criterion belongs to: its verdict, or its first reason."""
    return outcome.reasons[0].reason.value if outcome.reasons else outcome.verdict.value


@cache
def proofs() -> dict[tuple[str, str], list[str]]:
    """Return the names of the cases that prove each cell, by criterion and row, the most telling first.

    Those of tests.yaml come first, and among them the one that names the fewest criteria.
    """
    found: dict[tuple[str, str], list[Run]] = {}
    for run in runs():
        for outcome in run.outcome.criteria:
            name = outcome.criterion.id
            if run.expected.get(name) == outcome.verdict:
                found.setdefault((name, row_of(outcome)), []).append(run)
    for cell in found.values():
        cell.sort(key=lambda run: (run.in_chart, len(run.expected)))
    return {at: [run.name for run in cell] for at, cell in found.items()}


def possible_rows(criterion: Criterion) -> tuple[str, ...]:
    """Return the rows that a criterion can have at all, in order.

    A reason is possible when the reader of one of the needed facts can give it; a verdict unless tests.yaml says
    under ``cannot`` why there is none.
    """
    reasons = possible_of(criterion.needs.values(), library().facts)
    never = case_file().cannot.get(criterion.id, {})
    return tuple(row for row in ROWS if (row not in never if row in DECIDED else Reason(row) in reasons))


def empty_cells() -> list[tuple[str, str]]:
    """Return the possible cells that no case proves."""
    return [
        (criterion.id, row)
        for criterion in trial().criteria
        for row in possible_rows(criterion)
        if (criterion.id, row) not in proofs()
    ]


def table() -> str:
    """Return the document."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield f"# Which case proves what: {TRIAL}"
    yield ""
    yield from INTRODUCTION.splitlines()
    for criterion in trial().criteria:
        possible = possible_rows(criterion)
        yield ""
        yield f"## {criterion.id}"
        yield ""
        yield criterion.text
        yield ""
        yield "| | case | cases |"
        yield "| --- | --- | ---: |"
        for row in ROWS:
            names = proofs().get((criterion.id, row), [])
            if row not in possible:
                yield f"| {row} | {IMPOSSIBLE} | {IMPOSSIBLE} |"
            else:
                yield f"| {row} | {_cell(names[0]) if names else ''} | {len(names)} |"


def _cell(name: str) -> str:
    return name.replace("|", "\\|")


def main() -> None:
    DOCUMENT.write_text(table(), encoding="utf-8")
    for criterion, row in empty_cells():
        print(f"no case: {criterion} {row}")


if __name__ == "__main__":
    main()
