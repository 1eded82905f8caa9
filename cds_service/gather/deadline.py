"""One deadline for a whole screening, handed to every call: time-outs of single calls would add up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Deadline:
    """A point on a monotonic clock.

    Args:
        at: when, in seconds of that clock.
        now: the clock.
    """

    at: float
    now: Callable[[], float] = time.monotonic

    @classmethod
    def after(cls, seconds: float, now: Callable[[], float] = time.monotonic) -> Self:
        """Return the deadline that many seconds from now."""
        return cls(now() + seconds, now)

    @property
    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.at - self.now())

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        return self.remaining <= 0.0
