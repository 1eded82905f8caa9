"""Work spread over processes: whatever dies costs its own part, is tried once more alone, and is told."""

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from cds_service.engines.local import Local
from cds_service.errors import RequestError, UnavailableError


def doubling() -> Callable[[int], int]:
    return lambda number: 2 * number


def dying(folder: Path, times: int) -> Callable[[int], int]:
    """Make a function whose process is killed over item 3, the first times."""

    def work(number: int) -> int:
        tries = len(list(folder.glob("tried-*")))
        if number == 3 and tries < times:
            (folder / f"tried-{tries}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return 2 * number

    return work


def failing() -> Callable[[int], int]:
    def work(number: int) -> int:
        if number == 3:
            raise RequestError("It cannot be done.", field="three")
        if number == 4:
            raise OSError(28, "No space left on device")
        return number

    return work


def who(folder: Path) -> Callable[[int], int]:
    return lambda _number: os.getpid()


@pytest.mark.parametrize("workers", [1, 2])
def test_every_item_is_done_once(workers: int) -> None:
    with Local(doubling, workers) as engine:
        assert sorted(engine.map(range(20))) == [(number, 2 * number) for number in range(20)]
        assert sorted(engine.map([5])) == [(5, 10)]
        assert list(engine.map([])) == []


def test_one_worker_works_here_and_two_elsewhere(tmp_path: Path) -> None:
    with Local(partial(who, tmp_path), 1) as engine:
        assert {pid for _, pid in engine.map(range(4))} == {os.getpid()}
    with Local(partial(who, tmp_path), 2) as engine:
        pids = {pid for _, pid in engine.map(range(8))}
        assert os.getpid() not in pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_process_that_dies_costs_nothing_when_it_works_the_second_time(tmp_path: Path) -> None:
    with Local(partial(dying, tmp_path, 1), 2) as engine:
        assert sorted(engine.map(range(8))) == [(number, 2 * number) for number in range(8)]


def test_a_process_that_dies_twice_is_told_and_the_rest_is_done(tmp_path: Path) -> None:
    with Local(partial(dying, tmp_path, 2), 2) as engine:
        results = engine.map(range(8))
        done = [next(results)[0] for _ in range(7)]
        with pytest.raises(UnavailableError, match="died twice"):
            next(results)
    assert sorted(done) == [0, 1, 2, 4, 5, 6, 7]


def test_what_the_function_raises_comes_here() -> None:
    with Local(failing, 2) as engine, pytest.raises(OSError, match="No space left"):
        list(engine.map([4, 4]))
    # An error that cannot travel says its kind.
    with Local(failing, 2) as engine, pytest.raises(RuntimeError, match="RequestError"):
        list(engine.map([3, 3]))
