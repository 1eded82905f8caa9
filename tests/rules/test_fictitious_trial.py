"""A second trial, made up and loaded from a folder of its own: it works, and no Python knows of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cds_service.screening.case_runner import run_case
from cds_service.trials.case_model import Case
from cds_service.trials.cases import load_cases
from cds_service.trials.coverage import missing_coverage
from cds_service.trials.library import load_library

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).resolve().parent / "fictitious" / "NCT99999999"
LIBRARY = load_library(ROOT / "rules", extra_trials=[FOLDER])
TRIAL = LIBRARY.trials["NCT99999999"]
CASES = load_cases(FOLDER / "tests.yaml", TRIAL, LIBRARY.facts)


@pytest.mark.parametrize("case", CASES.cases, ids=lambda case: case.it)
def test_case(case: Case) -> None:
    result = run_case(LIBRARY, CASES, case)
    assert not result.problems, f"tests.yaml:{case.line}"


def test_the_cases_cover_every_criterion_and_limit() -> None:
    assert missing_coverage(TRIAL, CASES) == ()
    assert CASES.cannot == {}


def test_no_python_names_it() -> None:
    sources = sorted((ROOT / "cds_service").rglob("*.py"))
    assert sources
    for source in sources:
        text = source.read_text(encoding="utf-8")
        assert TRIAL.id not in text, source
        assert not any(f'"{criterion.id}"' in text for criterion in TRIAL.criteria if "-" in criterion.id), source


def test_it_brings_only_rule_files() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == ["tests.yaml", "trial.yaml"]
    assert set(load_library(ROOT / "rules").facts) == set(LIBRARY.facts)


def test_it_has_one_gate_and_no_choice_of_gates() -> None:
    assert [gate.id for gate in TRIAL.gates] == ["screening"]
    assert dict(TRIAL.gate_needs) == {}
