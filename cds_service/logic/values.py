"""What a leaf may be: a set of possible values, never a guess.

``<5`` is the interval below 5, a birth date of ``1956`` a range of ages, a quantity without a usable unit the
whole line. A comparison is true when it holds for every member of the set, false when it holds for none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, getcontext, localcontext
from itertools import pairwise
from typing import Final

from cds_service.logic.truth import State, Truth

Scalar = str | bool | Decimal


@dataclass(frozen=True)
class Interval:
    """A range of numbers; None is an open end at infinity.

    >>> Interval.point(Decimal(3))
    Interval(low=Decimal('3'), high=Decimal('3'), low_open=False, high_open=False)
    """

    low: Decimal | None = None
    high: Decimal | None = None
    low_open: bool = False
    high_open: bool = False

    @classmethod
    def point(cls, value: Decimal) -> Interval:
        """Return the interval that holds one number."""
        return cls(value, value)

    def compare(self, relation: str, other: Interval) -> Truth:
        """Compare every member of this interval with every member of another.

        Args:
            relation: one of ``< <= > >=``.
            other: the right-hand side.

        Returns:
            True if it holds for all pairs, false if for none, else unknown.
        """
        if relation in (">", ">="):
            return other.compare("<" if relation == ">" else "<=", self)
        if _wholly_below(self, other, strictly=relation == "<"):
            return Truth.TRUE
        if _wholly_below(other, self, strictly=relation == "<="):
            return Truth.FALSE
        return Truth.UNKNOWN

    def cells(self, limits: Iterable[Decimal]) -> list[Decimal]:
        """Return each limit inside this interval, and one member of every piece between them."""
        inside = sorted({limit for limit in limits if self.holds(limit)})
        between = [_between(left, right) for left, right in pairwise([self.low, *inside, self.high])]
        # The ends themselves, since the middle of a point may be rounded away from it.
        ends = [end for end in (self.low, self.high) if end is not None]
        return list(dict.fromkeys(value for value in (*inside, *ends, *between) if self.holds(value)))

    def holds(self, value: Decimal) -> bool:
        """Say whether a number is a member."""
        above = self.low is None or value > self.low or (value == self.low and not self.low_open)
        below = self.high is None or value < self.high or (value == self.high and not self.high_open)
        return above and below


def _between(left: Decimal | None, right: Decimal | None) -> Decimal:
    """Return a number between two edges, None being infinity."""
    if left is None:
        return Decimal(0) if right is None else right - 1
    if right is None:
        return left + 1
    with localcontext(prec=2 * getcontext().prec):
        return (left + right) / 2


def _wholly_below(left: Interval, right: Interval, *, strictly: bool) -> bool:
    """Say whether each member of ``left`` is below (or, unless strictly, at) each member of ``right``."""
    if left.high is None or right.low is None:
        return False
    if left.high != right.low:
        return left.high < right.low
    return not strictly or left.high_open or right.low_open


@dataclass(frozen=True)
class Numbers:
    """A set of numbers as a union of intervals; empty is not allowed."""

    intervals: tuple[Interval, ...]

    @classmethod
    def of(cls, *values: Decimal) -> Numbers:
        """Return the set of these numbers."""
        return cls(tuple(Interval.point(value) for value in dict.fromkeys(values)))

    def union(self, other: Numbers) -> Numbers:
        """Return the set of what is in either."""
        return Numbers(tuple(dict.fromkeys(self.intervals + other.intervals)))

    def compare(self, relation: str, other: Numbers) -> Truth:
        """Compare every member with every member of the other set (see :meth:`Interval.compare`)."""
        return _unanimous(a.compare(relation, b) for a in self.intervals for b in other.intervals)

    def equals(self, other: Numbers) -> Truth:
        """Say whether both are one and the same number."""
        pairs = [(a, b) for a in self.intervals for b in other.intervals]
        if all(a == b and a.low is not None and a.low == a.high for a, b in pairs):
            return Truth.TRUE
        return Truth.FALSE if all(_apart(a, b) for a, b in pairs) else Truth.UNKNOWN

    def cells(self, limits: Iterable[Decimal]) -> list[Decimal]:
        """Return one member for each piece the limits cut the set into: enough to know any threshold's answer."""
        limits = tuple(limits)
        return list(dict.fromkeys(value for interval in self.intervals for value in interval.cells(limits)))


def _apart(left: Interval, right: Interval) -> bool:
    return _wholly_below(left, right, strictly=True) or _wholly_below(right, left, strictly=True)


def _unanimous(answers: Iterable[Truth]) -> Truth:
    distinct = set(answers)
    return distinct.pop() if len(distinct) == 1 else Truth.UNKNOWN


@dataclass(frozen=True)
class Choices:
    """A set of possible codes or booleans; ``options`` None means "any"."""

    options: frozenset[str | bool] | None

    @classmethod
    def of(cls, *options: str | bool) -> Choices:
        """Return the set of these options."""
        return cls(frozenset(options))

    def union(self, other: Choices) -> Choices:
        """Return the set of what is in either."""
        return Choices(None if self.options is None or other.options is None else self.options | other.options)

    def is_in(self, listed: frozenset[str | bool]) -> Truth:
        """Say whether the value, whichever it is, is in the list."""
        if self.options is None:
            return Truth.FALSE if not listed else Truth.UNKNOWN
        if self.options <= listed:
            return Truth.TRUE
        return Truth.FALSE if self.options.isdisjoint(listed) else Truth.UNKNOWN


Values = Numbers | Choices
ANY_NUMBER: Final = Numbers((Interval(),))
ANY_CHOICE: Final = Choices(None)
EITHER: Final = Choices.of(True, False)
YES: Final = Choices.of(True)
NO: Final = Choices.of(False)


@dataclass(frozen=True)
class Value:
    """A leaf's possible values today and on any later day (``later`` holds all of ``now``).

    Two answers that compiled rules ask again and again are worked out once, here:

    Attributes:
        only: the one number or code that it is today, when it may be anything later (a laboratory result, say).
        sentence: the state of a boolean as a plain number, None for a number or a code.
    """

    now: Values
    later: Values
    only: Decimal | str | None = field(default=None, init=False, compare=False, repr=False)
    sentence: int | None = field(default=None, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Work out what compiled rules ask."""
        now = self.now
        if isinstance(now, Numbers):
            if len(now.intervals) == 1 and self.later is ANY_NUMBER:
                low = now.intervals[0].low
                if low is not None and low == now.intervals[0].high:
                    object.__setattr__(self, "only", low)
            return
        if now.options is not None and len(now.options) == 1:
            (option,) = now.options
            if isinstance(option, bool):
                object.__setattr__(self, "sentence", (1 if option else -1) * (2 if self.later == now else 1))
            elif self.later is ANY_CHOICE:
                object.__setattr__(self, "only", option)
        elif now.options is None or not any(isinstance(option, str) for option in now.options):
            object.__setattr__(self, "sentence", 0)

    @classmethod
    def fixed(cls, values: Values) -> Value:
        """Return a value that cannot change any more."""
        return cls(values, values)

    @classmethod
    def scalar(cls, literal: Scalar) -> Value:
        """Return the value of a literal."""
        return cls.fixed(Numbers.of(literal) if isinstance(literal, Decimal) else Choices.of(literal))

    def state(self) -> State:
        """Read a boolean value as a sentence.

        Raises:
            TypeError: if the value is not boolean; there is no truthiness here.
        """
        return State.of(_sentence(self.now), _sentence(self.later))


def _sentence(values: Values) -> Truth:
    if not isinstance(values, Choices) or (
        values.options is not None and any(isinstance(o, str) for o in values.options)
    ):
        raise TypeError("only a boolean value can stand where a sentence is asked")
    return values.is_in(frozenset([True]))
