"""Which limits a criterion sets for one number, as its other facts stand: read from the rule by trying it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from math import prod
from typing import Final

from cds_service.evaluation.criterion import as_required
from cds_service.facts.fact import Fact
from cds_service.logic.truth import State
from cds_service.logic.values import ANY_NUMBER, Numbers, Scalar, Value, Values
from cds_service.trials.model import Criterion

MOST_WORLDS: Final = 4096


@dataclass(frozen=True)
class Region:
    """The numbers with which a criterion can pass.

    Args:
        least: the lower end; None for none.
        most: the upper end; None for none.
        depends_on: variables, not known, that decide between this region and another; empty for the only one.
    """

    least: Decimal | None = None
    most: Decimal | None = None
    depends_on: tuple[str, ...] = ()


def regions(criterion: Criterion, name: str, facts: Mapping[str, Fact]) -> tuple[Region, ...]:
    """Return where a number must lie, the narrowest first; empty when it is never what decides.

    The other facts are taken as they stand. Where they settle the criterion whatever the number is, other numbers are
    taken at any value, so that the limit shows nonetheless: AST has its limit when ALT is far too high.

    Args:
        criterion: what is asked.
        name: the number's variable in its logic.
        facts: by variable.
    """
    limits = sorted({limit for limit in criterion.logic.limits.get(name, ()) if _is_number(limit)})
    if not limits:
        return ()
    others = sorted(criterion.logic.variables - {name})
    for at_any_value in (False, True):
        cells = [_cells(criterion, one, facts[one].value.now, at_any_value=at_any_value) for one in others]
        found = list(dict.fromkeys(_regions(criterion, name, limits, others, cells)))
        if found:
            open_ones = [one for one, cell in zip(others, cells, strict=True) if len(cell) > 1 and _is_choice(cell)]
            depends_on = tuple(open_ones) if len(found) > 1 else ()
            return tuple(
                Region(one.least, one.most, depends_on) for one in sorted(found, key=lambda one: _width(one, limits))
            )
    return ()


def _is_number(limit: Scalar) -> bool:
    return isinstance(limit, Decimal)


def _is_choice(cell: Sequence[Scalar]) -> bool:
    return not any(isinstance(one, Decimal) for one in cell)


def _cells(criterion: Criterion, name: str, values: Values, *, at_any_value: bool) -> list[Scalar]:
    """Return members of a fact's possible values for each answer that the rule's limits can give."""
    limits = criterion.logic.limits.get(name, ())
    if isinstance(values, Numbers):
        numbers = [limit for limit in limits if isinstance(limit, Decimal)]
        return list((ANY_NUMBER if at_any_value else values).cells(numbers))
    if values.options is not None:
        return sorted(values.options, key=str)
    return [*(limit for limit in limits if isinstance(limit, str)), ""]


def _regions(
    criterion: Criterion, name: str, limits: Sequence[Scalar], others: Sequence[str], cells: Sequence[Sequence[Scalar]]
) -> Iterator[Region]:
    """Yield the region of each world of the others; none for a world that is settled without the number."""
    if prod(map(len, cells)) > MOST_WORLDS:
        return
    numbers = [limit for limit in limits if isinstance(limit, Decimal)]
    tried = sorted(ANY_NUMBER.cells(numbers))
    for world in product(*cells):
        row = {one: Value.scalar(value) for one, value in zip(others, world, strict=True)}
        passes = [
            as_required(criterion, criterion.logic.state({**row, name: Value.scalar(value)})) > State.UNKNOWN
            for value in tried
        ]
        if any(passes) and not all(passes):
            first, last = passes.index(True), len(passes) - 1 - passes[::-1].index(True)
            below = [limit for limit in numbers if limit <= tried[first]]
            above = [limit for limit in numbers if limit >= tried[last]]
            yield Region(max(below, default=None), min(above, default=None))


def _width(region: Region, limits: Sequence[Scalar]) -> int:
    """Return how many limits lie in a region: the narrowest holds the fewest."""
    return sum(
        (region.least is None or limit >= region.least) and (region.most is None or limit <= region.most)
        for limit in limits
        if isinstance(limit, Decimal)
    )
