"""Two or more ways of doing one thing, timed in turns: only ratios within one run are worth quoting.

Time is the CPU time of this process: a machine that others use takes the wall clock, not the processor's work. A case
whose work lies in other processes names another clock.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

ROUNDS: Final = 9
LONG_ROUNDS: Final = 3
LEAST_SECONDS: Final = 0.15
WIDEST: Final = 2.0
"""A reference whose slowest round took more than this times its quickest tells nothing."""


class MissingError(RuntimeError):
    """What a case compares with is not installed; says what to install."""


@dataclass(frozen=True)
class Pair:
    """One comparison.

    Args:
        name: of the case.
        reference: what the others are measured by, a key of ``sides``.
        sides: each does the whole work once.
        check: asserts that all sides give the same; called before any timing.
        note: what is compared, for people.
        work: how many units (patients, rows) one call does.
        clock: seconds; the CPU time of this process where left out.
        long: one call takes so long that three rounds of one call each are enough, after `check`.
        done: called at the end, to stop what was started.
    """

    name: str
    reference: str
    sides: Mapping[str, Callable[[], object]]
    check: Callable[[], None]
    note: str = ""
    work: int = 1
    clock: Callable[[], float] = lambda: time.process_time()  # looked up when called: a test puts its own there
    long: bool = False
    done: Callable[[], None] = lambda: None


def measure(pair: Pair, rounds: int = ROUNDS) -> dict[str, Any]:
    """Time a pair in alternating rounds.

    Returns:
        Per side its median time of one unit in microseconds, and the median, least and greatest ratio to the
        reference; ``quotable`` is False when the reference itself was not steady.
    """
    try:
        taken = _taken(pair, rounds)
    finally:
        pair.done()
    steady = taken[pair.reference]
    spread = max(steady) / min(steady)
    return {
        "case": pair.name,
        "note": pair.note,
        "reference": pair.reference,
        "reference_spread": round(spread, 2),
        "quotable": spread <= WIDEST,
        "rounds": len(steady),
        "sides": {name: _told(times, steady) for name, times in taken.items()},
    }


def _taken(pair: Pair, rounds: int) -> dict[str, list[float]]:
    pair.check()
    repeats = {name: 1 if pair.long else _repeats(side, pair.clock) for name, side in pair.sides.items()}
    taken: dict[str, list[float]] = {name: [] for name in pair.sides}
    for _ in range(LONG_ROUNDS if pair.long else max(rounds, 7)):
        for name, side in pair.sides.items():
            taken[name].append(_once(side, repeats[name], pair.clock) / pair.work)
    return taken


def _told(times: list[float], reference: list[float]) -> dict[str, float]:
    ratios = [one / other for one, other in zip(times, reference, strict=True)]
    return {
        "microseconds": round(statistics.median(times) * 1e6, 2),
        "ratio": round(statistics.median(ratios), 3),
        "least": round(min(ratios), 3),
        "greatest": round(max(ratios), 3),
    }


def _repeats(side: Callable[[], object], clock: Callable[[], float]) -> int:
    """Return how often a side must run for a round to be long enough to time."""
    side()
    once = max(_once(side, 1, clock), 1e-7)
    return max(1, min(100_000, int(LEAST_SECONDS / once)))


def _once(side: Callable[[], object], repeats: int, clock: Callable[[], float]) -> float:
    gc.collect()
    start = clock()
    for _ in range(repeats):
        side()
    return (clock() - start) / repeats
