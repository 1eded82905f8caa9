"""Many limits on one number, answered by one search: which of those who ask are missed, and which cannot tell.

Who asks is a bit of a mask. The limits are sorted, and for each place among them the masks of all below and of all
above are kept, so that a known number costs one bisection however many trials ask about it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import accumulate
from operator import or_
from typing import Final, NamedTuple

from cds_service.logic.compiled import compare
from cds_service.logic.values import ANY_NUMBER, Value

OPPOSITE: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
"""The sign of the negation: what is not below is at or above."""


class Missed(NamedTuple):
    """Masks of those who ask and do not get a yes: no for good, no that can change, unknown."""

    for_good: int = 0
    now: int = 0
    unknown: int = 0


class Thresholds:
    """Everyone's limits on one number, for one sign.

    >>> at_least = Thresholds(">=", {Decimal(90): 0b01, Decimal(100): 0b10})
    >>> from cds_service.logic.values import Numbers
    >>> at_least.missed(Value(Numbers.of(Decimal(95)), ANY_NUMBER))
    Missed(for_good=0, now=2, unknown=0)
    """

    def __init__(self, sign: str, limits: Mapping[Decimal, int]) -> None:
        """Sort the limits.

        Args:
            sign: one of ``< <= > >=``, the number on its left.
            limits: by limit, the mask of those who ask it.
        """
        self._sign = sign
        self._limits = sorted(limits)
        self._masks = [limits[limit] for limit in self._limits]
        self._below = _running(self._masks)
        self._above = _running(reversed(self._masks))[::-1]
        self.everyone = self._below[-1]

    def missed(self, value: Value) -> Missed:
        """Return who does not get a yes."""
        known = value.only
        if isinstance(known, Decimal):
            return Missed(now=self._missed_by(known))
        if value.now is ANY_NUMBER:
            return Missed(unknown=self.everyone)
        masks = {-2: 0, -1: 0, 0: 0, 1: 0, 2: 0}
        for limit, mask in zip(self._limits, self._masks, strict=True):
            masks[compare(value, self._sign, limit)] |= mask
        return Missed(masks[-2], masks[-1], masks[0])

    def _missed_by(self, known: Decimal) -> int:
        """Return who gets a no: for "at least", whose limit is above the number."""
        if self._sign == ">=":
            return self._above[bisect_right(self._limits, known)]
        if self._sign == ">":
            return self._above[bisect_left(self._limits, known)]
        if self._sign == "<=":
            return self._below[bisect_left(self._limits, known)]
        return self._below[bisect_right(self._limits, known)]


def _running(masks: Iterable[int]) -> list[int]:
    return list(accumulate(masks, or_, initial=0))
