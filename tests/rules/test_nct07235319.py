"""The cases of NCT07235319, one test each, and what they must cover."""

from __future__ import annotations

from pathlib import Path

import pytest

from cds_service.screening.case_runner import run_case
from cds_service.trials.case_model import Case
from cds_service.trials.cases import load_cases
from cds_service.trials.coverage import missing_coverage
from cds_service.trials.library import load_library

RULES = Path(__file__).resolve().parents[2] / "rules"
LIBRARY = load_library(RULES)
TRIAL = LIBRARY.trials["NCT07235319"]
CASES = load_cases(RULES / "trials" / TRIAL.id / "tests.yaml", TRIAL, LIBRARY.facts)


@pytest.mark.parametrize("case", CASES.cases, ids=lambda case: case.it)
def test_case(case: Case) -> None:
    result = run_case(LIBRARY, CASES, case)
    assert not result.problems, f"tests.yaml:{case.line}"


def test_the_cases_cover_every_criterion_and_limit() -> None:
    assert missing_coverage(TRIAL, CASES) == ()


def test_a_wrong_expectation_is_noticed() -> None:
    case = next(case for case in CASES.cases if case.verdicts.get("hemoglobin") == "pass")
    wrong = Case(**{**case.__dict__, "verdicts": {**case.verdicts, "hemoglobin": "fail"}})
    assert run_case(LIBRARY, CASES, wrong).problems


def test_the_eighteen_criteria_and_their_gates() -> None:
    disease = ["npc-primary", "age", "histology", "metastasis", "ecog", "stage", "no-prior-treatment"]
    course = ["life-expectancy", "measurable-lesion", "response"]
    labs = ["hemoglobin", "neutrophils", "platelets", "renal", "bilirubin", "transaminases", "inr-pt", "aptt"]
    assert [criterion.id for criterion in TRIAL.criteria] == disease + course + labs
    assert (len(TRIAL.at("screening")), len(TRIAL.at("randomisation"))) == (17, 18)
    assert TRIAL.exclusions == "not-published"
