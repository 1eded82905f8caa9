"""The ranking is one total order whatever order patients came in; the numbers of the funnels add up."""

from __future__ import annotations

import itertools
import json
import random
from decimal import Decimal
from pathlib import Path

import pytest
from drawn_results import ASKS, lines
from hypothesis import given, settings
from hypothesis import strategies as st
from run_maker import NPC, line_of, rules, statuses, story_outcomes, write_run

from cds_service.evaluation.outcome import PatientOutcome, Status
from cds_service.present.cohort.lists import Cohort, Row, read_cohort
from cds_service.present.cohort.read_back import patient_outcome
from cds_service.present.cohort.run_folder import open_run
from cds_service.present.json_text import to_json

RULES = rules()
LIBRARY = RULES.library
TRIAL = LIBRARY.trials[NPC]
ORDER = [Status.CANDIDATE, Status.NEEDS_DATA, Status.NOT_NOW, Status.EXCLUDED]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


def read(folder: Path, drawn: list[dict]) -> Cohort:
    return read_cohort(open_run(write_run(folder, drawn, LIBRARY)), LIBRARY)


def shown(cohort: Cohort) -> tuple[list[Row], list[Row]]:
    (one,) = cohort.lists
    return list(cohort.ranked(one)), list(cohort.unsure(one))


@settings(max_examples=40)
@given(lines(TRIAL), st.randoms(use_true_random=False))
def test_one_order_whatever_order_they_came_in(folder, drawn, shuffler: random.Random):
    first = shown(read(folder, drawn))
    shuffler.shuffle(drawn)
    second = shown(read(folder, drawn))
    assert first == second
    (one,) = read(folder, drawn).lists
    ranks = [rank for rank, _offset in one.ranked]
    assert all(before < after for before, after in itertools.pairwise(ranks)), "no two are the same"
    assert [row.number for row in first[0]] == list(range(1, len(ranks) + 1))


@settings(max_examples=40)
@given(lines(TRIAL))
def test_each_is_where_the_contract_puts_it(folder, drawn):
    ranked, unsure = shown(read(folder, drawn))
    told = {one["patient"]: one for one in drawn}
    verdict = {
        name: (line["results"][0]["criteria"][0]["verdict"] if line["results"] else "fail")
        for name, line in told.items()
    }
    assert {row.patient.patient for row in ranked} == {name for name, one in verdict.items() if one == "pass"}
    assert [row.patient.patient for row in unsure] == sorted(name for name, one in verdict.items() if one == "unknown")
    for before, after in itertools.pairwise(ranked):
        one, other = (told[row.patient.patient]["results"][0] for row in (before, after))
        statuses_of = [ORDER.index(Status(result["status"])) for result in (one, other)]
        assert statuses_of == sorted(statuses_of)
        if statuses_of[0] == statuses_of[1]:
            keys = [_key(result) for result in (one, other)]
            assert keys[0] < keys[1] or (keys[0] == keys[1] and before.patient.patient < after.patient.patient)


def _key(result: dict) -> list:
    """Say what decides between two of one status, in the plainest words."""
    end = "9999-12-31"
    if result["status"] == "candidate":
        leaning = {one["id"]: one["leaning"] for one in result["criteria"]}
        doubts = [name for name in result["to_confirm"] if leaning[name] == "fail"]
        return [len(doubts), result["valid_until"] or end]
    if result["status"] == "needs-data":
        return [len(result["decisive"]), sorted(ASKS.index(one["ask"]["kind"]) for one in result["decisive"])]
    return [(result["look_again"] or end) if result["status"] == "not-now" else ""]


@settings(max_examples=40)
@given(lines(TRIAL))
def test_the_funnels_add_up(folder, drawn):
    cohort = read(folder, drawn)
    (one,) = cohort.lists
    assert sum(funnel.patients for funnel in one.funnels) == len(drawn)
    for funnel in one.funnels:
        trigger, *rest = funnel.steps
        assert [step.criterion for step in rest[:-1]] == [c.id for c in TRIAL.at(funnel.gate) if not c.trigger]
        left = trigger.passed
        for step in rest:
            assert step.entered == left
            left -= step.failed
        assert sum(funnel.statuses.values()) == trigger.passed
        assert left == funnel.statuses[Status.CANDIDATE] + funnel.statuses[Status.NEEDS_DATA]
    assert sum(step.passed for step in (funnel.steps[0] for funnel in one.funnels)) == len(one.ranked)
    assert sum(step.unknown for step in (funnel.steps[0] for funnel in one.funnels)) == len(one.unsure)


@pytest.fixture(scope="session")
def stories() -> list[PatientOutcome]:
    return story_outcomes(RULES, tuple(LIBRARY.trials))


def test_the_funnels_of_the_stories_add_up_for_every_trial(tmp_path, stories):
    trials = tuple(LIBRARY.trials)
    run = write_run(tmp_path / "run", map(line_of, stories), LIBRARY, trials)
    cohort = read_cohort(open_run(run), LIBRARY)
    listed = 0
    for one in cohort.lists:
        assert sum(funnel.patients for funnel in one.funnels) == len(stories)
        for funnel in one.funnels:
            last = funnel.steps[-1]
            left = last.passed + last.unknown
            assert left == funnel.statuses[Status.CANDIDATE] + funnel.statuses[Status.NEEDS_DATA]
        listed += len(one.ranked)
    assert listed > 20
    assert statuses(stories)["candidate"] == sum(
        funnel.statuses[Status.CANDIDATE] for one in cohort.lists for funnel in one.funnels
    )


def test_a_result_is_read_back_as_it_was(stories):
    for outcome in stories:
        whole = line_of(outcome)
        whole["results"] = outcome.to_json()["results"]
        text = to_json(whole)
        back = patient_outcome(_loaded(text), LIBRARY, "en", LIBRARY.trials).to_json()
        for result in (*back["results"], *(told := outcome.to_json())["results"]):
            for one in result["criteria"]:
                one["valid_until"] = None  # the contract's criterion keeps no facts to tell it from
        assert to_json(back) == to_json(told)


def _loaded(text: str) -> dict:
    found = json.loads(text, parse_float=Decimal)
    assert isinstance(found, dict)
    return found
