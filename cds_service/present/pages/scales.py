"""Where a day and a number stand in a plot, and which of them are written at its edges."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from math import floor, log10
from typing import Final

OLDEST: Final = date(1900, 1, 1)
"""Before it nothing of a patient is plausible: a mistyped year would press a plot into its edge."""
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Days:
    """Days from left to right.

    Args:
        first: at ``left``.
        last: at ``right``.
        left: a coordinate.
        right: a coordinate.
    """

    first: date
    last: date
    left: float
    right: float

    def __call__(self, day: date) -> float:
        """Return where a day stands; days beyond an end stand at it."""
        within = min(max(day, self.first), self.last)
        return self.left + (self.right - self.left) * (within - self.first).days / max((self.last - self.first).days, 1)

    def holds(self, day: date) -> bool:
        """Say whether a day is in the plot."""
        return self.first <= day <= self.last

    def chosen(self, days: Iterable[date], apart: float) -> list[date]:
        """Return days whose labels do not run into each other; the last is kept, then the earliest.

        Args:
            days: that may be written.
            apart: the room that a label needs; the last one's stands before its day, and needs half as much again.
        """
        kept: list[date] = []
        inside = sorted({day for day in days if self.holds(day)})
        for day in [*inside[-1:], *inside[:-1]]:
            if all(abs(self(day) - self(one)) >= (apart * 1.5 if one == inside[-1] else apart) for one in kept):
                kept.append(day)
        return sorted(kept)


@dataclass(frozen=True)
class Numbers:
    """Numbers from the bottom up.

    Args:
        least: at ``bottom``.
        most: at ``top``.
        bottom: a coordinate.
        top: a coordinate, smaller than ``bottom``.
    """

    least: float
    most: float
    bottom: float
    top: float

    def __call__(self, value: Decimal | float) -> float:
        """Return where a number stands; numbers beyond an end stand at it."""
        within = min(max(float(value), self.least), self.most)
        return self.bottom - (self.bottom - self.top) * (within - self.least) / (self.most - self.least)

    def ticks(self, wanted: int = 3) -> list[Decimal]:
        """Return round numbers to write at the edge."""
        step = _round_step((self.most - self.least) / wanted)
        start = floor(self.least / step)
        found = (Decimal(str(round(step * at, 10))) for at in range(start, start + 4 * wanted))
        return [one for one in found if self.least <= one <= self.most]


def plausible(day: date | None, last: date) -> bool:
    """Say whether a day has a place in a plot; others are in its table only."""
    return day is not None and OLDEST <= day <= last


def span_of(days: Iterable[date], at_least: int) -> tuple[date, date]:
    """Return the first and the last day, with a little air at both ends.

    Args:
        days: at least one.
        at_least: the fewest days between them.
    """
    known = sorted(days)
    first, last = known[0], known[-1]
    air = timedelta(days=max((last - first).days // 25, 1))
    first, last = first - air, last + air
    missing = at_least - (last - first).days
    return (first - timedelta(days=missing) if missing > 0 else first), last


def range_of(values: Iterable[Decimal]) -> tuple[float, float]:
    """Return the ends of an axis that holds all values, with air; zero where they come near it."""
    known = sorted(float(one) for one in values)
    least, most = (known[0], known[-1]) if known else (0.0, 1.0)
    air = (most - least) * 0.15 or abs(most) * 0.15 or 1.0
    # An axis that begins a little above nothing misleads; one that begins far above it hides nothing.
    bottom = 0.0 if 0 <= least < most / 2 else least - air
    return bottom, most + air


def _round_step(rough: float) -> float:
    size = 10.0 ** floor(log10(rough))
    return next(step * size for step in _STEPS if step * size >= rough * 0.999)
