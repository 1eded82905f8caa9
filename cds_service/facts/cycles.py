"""Cycles of chemotherapy begun, counted by administrations.

A cycle starts with the first dose at least 18 days after the previous cycle's start: gemcitabine on days 1 and 8
and cisplatin split over three days are one cycle, and a delayed day 8 stays in its own. Source: the contract,
section 6 (Cycles).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from cds_service.facts.treated import Treatment

CYCLE_GAP_DAYS: Final = 18
CYCLE_LENGTH_DAYS: Final = 21


@dataclass(frozen=True)
class Cycles:
    """Cycles begun.

    Args:
        starts: the first day of each, in order.
        countable: whether they were counted by administrations with exact days; else ``starts`` is an estimate.
    """

    starts: tuple[date, ...]
    countable: bool

    def began(self, number: int) -> date | None:
        """Return the day on which a cycle (1-based) began; None when it has not."""
        return self.starts[number - 1] if len(self.starts) >= number else None


def cycle_starts(days: Iterable[date]) -> tuple[date, ...]:
    """Return the first day of each cycle.

    >>> [d.day for d in cycle_starts([date(2026, 1, 1), date(2026, 1, 8), date(2026, 1, 22), date(2026, 1, 29)])]
    [1, 22]
    """
    starts: list[date] = []
    for day in sorted(set(days)):
        if not starts or (day - starts[-1]).days >= CYCLE_GAP_DAYS:
            starts.append(day)
    return tuple(starts)


def count_cycles(chemotherapy: Iterable[Treatment], as_of: date) -> Cycles:
    """Count cycles of the chemotherapy that counts; statements and requests give an estimate only.

    The estimate of a period is one cycle for every 21 days begun, as the clinical notes (3.8) have it.
    """
    given = list(chemotherapy)
    doses = [one for one in given if one.entry is not None and one.entry.type == "MedicationAdministration"]
    if doses or not given:
        exact = all(one.when is not None and one.when.first == one.when.last for one in doses)
        return Cycles(cycle_starts(one.when.first for one in doses if one.when is not None), exact)
    days: list[date] = []
    for one in given:
        if one.when is None or one.entry is None:
            continue
        end = one.entry.end.last if one.entry.end is not None else as_of
        ongoing = one.entry.end is not None or one.entry.status == "active"
        length = (min(end, as_of) - one.when.first).days if ongoing and one.entry.type == "MedicationStatement" else 0
        days += [one.when.first + timedelta(days=at) for at in range(0, max(length, 0) + 1, CYCLE_LENGTH_DAYS)]
    return Cycles(cycle_starts(days), countable=False)
