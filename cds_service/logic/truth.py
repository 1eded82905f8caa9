"""The five states of a protocol sentence: strong Kleene logic on two horizons, now and later.

A leaf is a pair (now, later). ``now`` is true, false or unknown with what is known today; ``later`` equals
``now`` for what cannot change any more and is unknown for what can. Only five pairs exist, in one order::

    FALSE_FOR_GOOD < FALSE < UNKNOWN < TRUE < TRUE_FOR_GOOD          (F! < F~ < U < T~ < T!)

so that AND is the minimum, OR the maximum and NOT the sign. Source: the eligibility contract, section 2;
S. C. Kleene, Introduction to Metamathematics (1952), section 64.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, IntEnum
from typing import NoReturn


class Truth(Enum):
    """One horizon of a sentence. It has no truth value of its own for Python: ``bool()`` raises."""

    FALSE = "false"
    UNKNOWN = "unknown"
    TRUE = "true"

    @classmethod
    def of(cls, known: bool) -> Truth:
        """Return the truth of a two-valued answer."""
        return cls.TRUE if known else cls.FALSE

    def __bool__(self) -> NoReturn:
        """Refuse: an unknown read as false is the fault this package exists to prevent."""
        raise TypeError("a Truth is three-valued: compare it with 'is', never use it as a condition")


class State(IntEnum):
    """A sentence on both horizons.

    >>> State.all_of([State.TRUE, State.TRUE_FOR_GOOD])
    <State.TRUE: 1>
    >>> State.all_of([])
    <State.TRUE_FOR_GOOD: 2>
    """

    FALSE_FOR_GOOD = -2
    FALSE = -1
    UNKNOWN = 0
    TRUE = 1
    TRUE_FOR_GOOD = 2

    @classmethod
    def of(cls, now: Truth, later: Truth) -> State:
        """Combine two horizons; a ``later`` that differs from ``now`` counts as "may change"."""
        if now is Truth.UNKNOWN:
            return cls.UNKNOWN
        side = 1 if now is Truth.TRUE else -1
        return cls(side * (2 if later is now else 1))

    @classmethod
    def all_of(cls, states: Iterable[State]) -> State:
        """Return the AND; of nothing, true for good."""
        return min(states, default=cls.TRUE_FOR_GOOD)

    @classmethod
    def any_of(cls, states: Iterable[State]) -> State:
        """Return the OR; of nothing, false for good."""
        return max(states, default=cls.FALSE_FOR_GOOD)

    @property
    def negated(self) -> State:
        """The NOT of this state."""
        return State(-self.value)

    @property
    def now(self) -> Truth:
        """The horizon of today."""
        if self is State.UNKNOWN:
            return Truth.UNKNOWN
        return Truth.TRUE if self.value > 0 else Truth.FALSE

    @property
    def later(self) -> Truth:
        """The horizon of any later day: unknown unless the state holds for good."""
        return self.now if abs(self.value) == 2 else Truth.UNKNOWN

    @property
    def can_change(self) -> bool:
        """Whether later data or time can still change it; true for every unknown."""
        return abs(self.value) < 2

    def __bool__(self) -> NoReturn:
        """Refuse, as :class:`Truth` does."""
        raise TypeError("a State is five-valued: compare it with 'is', never use it as a condition")
