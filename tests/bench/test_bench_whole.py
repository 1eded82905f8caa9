"""The benchmarks that start processes: both servers answer, and a run says what a script says; without timing."""

import pytest

from bench.growth import exponent, over_facts, whole_runs
from bench.laboratory_limits import plain_python
from bench.over_http import over_http
from bench.paired import MissingError
from bench.whole_cohort import compared, prescreened


def test_our_hook_and_healthchains_answer_the_same_call():
    """Ours with a card for the candidate, HealthChain's with the one that its handler always says."""
    try:
        pair = over_http(10, resources=40)
    except MissingError as missing:
        pytest.skip(str(missing))  # an error in CI
    try:
        pair.check()
    finally:
        pair.done()


def test_a_run_says_what_a_script_that_does_a_part_of_it_settles(tmp_path):
    """A query in DuckDB or Spark is held against the script where they are installed: `python -m bench`."""
    pytest.importorskip("orjson", reason="extra: dev")
    folder, results = prescreened(tmp_path, 40)
    rows = plain_python(folder)
    compared(results, rows)
    turned = [(rows[0][0], {"pass": "fail"}.get(rows[0][1], "pass"), *rows[0][2:]), *rows[1:]]
    with pytest.raises(AssertionError, match="age"):
        compared(results, turned)


def test_growth_tells_seconds_and_memory(tmp_path):
    (told,) = whole_runs([30], tmp_path)
    assert told["patients"] == 30
    assert 0.2 < told["seconds"] < 60
    assert 40 < told["parent_mb"] < 4000  # here the parent is the process of many tests
    assert [one["patients"] for one in over_facts([10, 300])] == [10, 300]
    assert exponent([1, 10, 100], [2.0, 20.0, 200.0]) == pytest.approx(1)
