"""The coverage table is up to date and has no empty cell; no case gives a reason that its reader does not declare."""

import re
from collections.abc import Iterator

import coverage_table as made
import pytest

from cds_service.evaluation.outcome import TrialOutcome
from cds_service.facts.chart import FACT_KINDS
from cds_service.facts.definitions import FactDefinition
from cds_service.facts.fact import Fact, Reason
from cds_service.facts.need import XULN, Need
from cds_service.facts.options import FACT_OPTIONS, NEED_DISEASE, REQUIRED_OPTIONS
from cds_service.facts.possible import ANCHORED, POSSIBLE_REASONS, WINDOWED, possible_reasons
from cds_service.screening.case_runner import run_cases
from cds_service.trials.cases import CASE_FILE, load_cases
from cds_service.trials.model import Trial

TRIALS = list(made.library().trials.values())


@pytest.mark.slow
def test_the_committed_table_is_the_one_the_cases_give() -> None:
    assert made.DOCUMENT.read_text(encoding="utf-8") == made.table(), "run: make docs-tables"


@pytest.mark.slow
def test_every_possible_cell_has_a_case() -> None:
    assert made.empty_cells() == [], "write a case, in tests.yaml or under tests/charts/gaps"


@pytest.mark.slow
def test_no_case_proves_what_is_said_to_be_impossible() -> None:
    possible = {(one.id, row) for one in made.trial().criteria for row in made.possible_rows(one)}
    assert set(made.proofs()) <= possible
    found = {(one.criterion.id, made.row_of(one)) for run in made.runs() for one in run.outcome.criteria}
    assert found <= possible


@pytest.mark.slow
def test_no_chart_gives_a_reason_outside_the_declared_ones() -> None:
    outside = {line for run in made.runs() for line in _outside(made.trial(), run.outcome)}
    assert outside == set()


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.id)
def test_no_case_of_a_trial_gives_a_reason_outside_the_declared_ones(trial: Trial) -> None:
    library = made.library()
    file = made.ROOT / "rules" / "trials" / trial.id / CASE_FILE
    results = run_cases(library, load_cases(file, trial, library.facts))
    outside = {line for one in results if one.outcome for line in _outside(trial, one.outcome)}
    assert outside == set()


def _outside(trial: Trial, outcome: TrialOutcome) -> Iterator[str]:
    needs = {criterion.id: criterion.needs for criterion in trial.criteria}
    for one in outcome.criteria:
        for name, fact in one.facts.items():
            definition = made.library().facts[fact.name]
            yield from _not_declared(fact, possible_reasons(needs[one.criterion.id][name], definition), definition)


def _not_declared(fact: Fact, declared: frozenset[Reason], definition: FactDefinition) -> Iterator[str]:
    for missing in fact.missing:
        if missing.reason not in declared:
            yield f"{definition.kind}: {missing.reason.value} for {fact.name}"


def test_every_reader_is_declared() -> None:
    assert set(POSSIBLE_REASONS) == FACT_KINDS
    assert set(REQUIRED_OPTIONS) == FACT_KINDS
    assert set(FACT_OPTIONS) | NEED_DISEASE | WINDOWED <= FACT_KINDS
    assert WINDOWED <= ANCHORED <= FACT_KINDS


def test_a_range_is_wanting_only_where_the_limit_is_a_multiple_of_it() -> None:
    hemoglobin = made.library().facts["hemoglobin"]
    assert Reason.NO_REFERENCE_RANGE not in possible_reasons(Need("hemoglobin", "g/L"), hemoglobin)
    assert Reason.NO_REFERENCE_RANGE in possible_reasons(Need("hemoglobin", XULN), hemoglobin)


@pytest.mark.slow
def test_the_table_has_a_row_for_each_verdict_and_reason() -> None:
    text = made.DOCUMENT.read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [one.id for one in made.trial().criteria]
    for row in ("pass", "fail", *(reason.value for reason in Reason)):
        assert len(re.findall(rf"^\| {row} \| ", text, re.MULTILINE)) == len(made.trial().criteria)
