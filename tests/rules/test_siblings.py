"""The cases of three sibling trials, one test each, what they must cover, and that they stay silent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cds_service.screening.case_runner import run_case
from cds_service.trials.case_model import Case
from cds_service.trials.cases import CaseFile, load_cases
from cds_service.trials.coverage import missing_coverage
from cds_service.trials.library import load_library

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = load_library(ROOT / "rules")
SIBLINGS = ("NCT04557020", "NCT05062005", "NCT04850235")


def _cases(trial: str) -> CaseFile:
    return load_cases(ROOT / "rules" / "trials" / trial / "tests.yaml", LIBRARY.trials[trial], LIBRARY.facts)


FILES = {trial: _cases(trial) for trial in SIBLINGS}


@pytest.mark.parametrize(
    ("trial", "case"),
    [pytest.param(trial, case, id=f"{trial}: {case.it}") for trial in SIBLINGS for case in FILES[trial].cases],
)
def test_case(trial: str, case: Case) -> None:
    result = run_case(LIBRARY, FILES[trial], case)
    assert not result.problems, f"{trial}/tests.yaml:{case.line}"


@pytest.mark.parametrize("trial", SIBLINGS)
def test_the_cases_cover_every_criterion_and_limit(trial: str) -> None:
    assert missing_coverage(LIBRARY.trials[trial], FILES[trial]) == ()


@pytest.mark.parametrize("trial", SIBLINGS)
def test_every_published_line_is_encoded_or_refused_with_a_reason(trial: str) -> None:
    loaded = LIBRARY.trials[trial]
    encoded = {line for criterion in loaded.criteria for line in criterion.source}
    assert encoded | set(loaded.not_encoded) == set(loaded.lines)
    assert all(loaded.not_encoded.values())
    assert loaded.exclusions == "encoded"


@pytest.mark.parametrize("trial", SIBLINGS)
def test_it_waits_for_review_and_is_read_in_two_languages(trial: str) -> None:
    loaded = LIBRARY.trials[trial]
    assert loaded.review == "pending"
    assert set(loaded.title) == {"en", "zh"}
    assert loaded.url == f"https://clinicaltrials.gov/study/{trial}"


def test_a_limit_that_looks_wrong_stays_as_published() -> None:
    loaded = LIBRARY.trials["NCT04557020"]
    platelets = next(criterion for criterion in loaded.criteria if criterion.id == "platelets")
    assert {int(limit) for limits in platelets.logic.limits.values() for limit in limits} == {4}
    assert "platelets-as-written" in platelets.conventions
    assert re.search(r"\b4\b", loaded.lines["I7"])


@pytest.mark.parametrize("trial", SIBLINGS)
def test_no_python_names_it(trial: str) -> None:
    assert not [path for path in (ROOT / "cds_service").rglob("*.py") if trial in path.read_text(encoding="utf-8")]
