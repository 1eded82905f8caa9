"""The two sides of every benchmark give the same: at small sizes, without timing."""

import pytest

from bench import cases
from bench.cohort import cohort
from bench.paired import Pair, measure


@pytest.mark.parametrize("resources", [50, 120])
def test_a_patient_judged_by_hand_gets_our_verdicts(resources):
    pytest.importorskip("orjson", reason="extra: dev")
    cases.patient(resources).check()


@pytest.mark.parametrize("missing", [0.0, 0.15, 0.4])
def test_every_evaluator_gives_the_same_answers(missing):
    if not missing:
        pytest.importorskip("datalogic_py", reason="extra: dev")
    cases.evaluation(60, missing).check()


def test_many_trials_judged_together_are_each_judged_alone():
    cases.trials(40, resources=30).check()


def test_a_population_gets_the_verdicts_that_judging_each_patient_gives():
    pytest.importorskip("orjson", reason="extra: dev")
    cohort(40).check()


def test_an_unsteady_reference_is_not_quoted(monkeypatch):
    """Each round of the reference takes twice the one before; the other side is steady."""
    ticks = iter([0.0, 1.0, 0.0, 1.0, *(one for n in range(7) for one in (0.0, 2.0**n, 0.0, 1.0))])
    monkeypatch.setattr("bench.paired.time.process_time", lambda: next(ticks))
    told = measure(Pair("x", "a", {"a": lambda: None, "b": lambda: None}, lambda: None), rounds=7)
    assert told["quotable"] is False
    assert told["reference_spread"] == 64


def test_a_ratio_is_the_median_of_the_rounds(monkeypatch):
    ticks = iter([0.0, 1.0, 0.0, 1.0, *(one for n in range(7) for one in (0.0, 1.0, 0.0, 1.0 + n))])
    monkeypatch.setattr("bench.paired.time.process_time", lambda: next(ticks))
    told = measure(Pair("x", "a", {"a": lambda: None, "b": lambda: None}, lambda: None), rounds=7)
    assert told["quotable"] is True
    assert told["sides"]["b"] == {"microseconds": 4e6, "ratio": 4.0, "least": 1.0, "greatest": 7.0}


def test_sides_that_differ_are_never_timed():
    def differ():
        raise AssertionError("the sides differ")

    with pytest.raises(AssertionError, match="differ"):
        measure(Pair("x", "a", {"a": pytest.fail}, differ))


def test_what_a_case_started_is_stopped_though_its_sides_differ():
    def differ():
        raise AssertionError("the sides differ")

    stopped = []
    with pytest.raises(AssertionError, match="differ"):
        measure(Pair("x", "a", {"a": pytest.fail}, differ, done=lambda: stopped.append(True)))
    assert stopped == [True]


def test_a_long_case_is_timed_three_times_by_its_own_clock():
    calls = []
    now = iter(range(100))
    told = measure(
        Pair("x", "a", {"a": lambda: calls.append(1)}, lambda: None, clock=lambda: float(next(now)), long=True)
    )
    assert (len(calls), told["rounds"], told["sides"]["a"]["microseconds"]) == (3, 3, 1e6)
