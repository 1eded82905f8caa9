"""A stream of chances that is the same for a seed on any machine and any release of Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Stream:
    """Draws by ``random()`` alone: it is the one method whose sequence Python promises to keep for a seed.

    >>> Stream("a").randint(1, 6) == Stream("a").randint(1, 6)
    True
    """

    __slots__ = ("random",)

    def __init__(self, seed: str) -> None:
        """Begin the stream that belongs to a text."""
        self.random: Callable[[], float] = Random(seed).random  # noqa: S311 - nothing secret

    def randrange(self, below: int) -> int:
        """Return a whole number from 0 to `below` - 1."""
        return int(self.random() * below)

    def randint(self, least: int, most: int) -> int:
        """Return a whole number, both ends included."""
        return least + int(self.random() * (most - least + 1))

    def uniform(self, least: float, most: float) -> float:
        """Return a number between the two."""
        return least + (most - least) * self.random()

    def choice(self, options: Sequence[T]) -> T:
        """Return one of them."""
        return options[int(self.random() * len(options))]

    def weighted(self, options: Sequence[T], weights: Sequence[int]) -> T:
        """Return one of them, each as often as its weight says."""
        point = self.random() * sum(weights)
        return next(one for one, up_to in zip(options, accumulate(weights), strict=True) if point < up_to)

    def sample(self, options: Sequence[T], count: int) -> list[T]:
        """Return so many different ones of them."""
        left = list(options)
        return [left.pop(int(self.random() * len(left))) for _ in range(count)]
