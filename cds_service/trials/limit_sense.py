"""Limits that a reader would stumble over: impossible in their unit, or not those that the criterion's words state."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Final

from cds_service.errors import Complaint
from cds_service.facts.definitions import FactDefinition
from cds_service.facts.need import XULN
from cds_service.facts.units import ANALYTES, convert
from cds_service.logic.compiled import TURNED
from cds_service.logic.operators import Compare, Var, literal
from cds_service.trials.model import Criterion, Trial

Limit = tuple[str, str, Decimal]
"""A variable, how it is compared (variable on the left) and with what."""

_NUMBER: Final = r"(?<![\w.,/^*-])([0-9]+(?:\.[0-9]+)?)"
_TIMES_ULN: Final = r"[x×]\s*(?:ULN|the\s+upper\s+limit\s+of\s+normal)"


def limits_of(criterion: Criterion) -> tuple[Limit, ...]:
    """Return every comparison of a variable with a number in a criterion's logic, each once."""
    found = (
        limit
        for node in criterion.logic.nodes()
        if isinstance(node, Compare)
        for left, right in pairwise(node.arguments)
        for limit in _limit(left, node.operator, right)
    )
    return tuple(dict.fromkeys(found))


def doubtful_limits(trial: Trial, facts: Mapping[str, FactDefinition], file: Path) -> tuple[Complaint, ...]:
    """Return a complaint for each doubtful limit, at the line of its criterion in the trial's file."""
    return tuple(
        Complaint(f"{file}:{criterion.line}", message, hint)
        for criterion in trial.criteria
        for message, hint in (*_impossible(criterion, facts), *_unsaid(criterion))
    )


def _limit(left: object, relation: str, right: object) -> Iterator[Limit]:
    if isinstance(left, Var) and not isinstance(right, Var):
        yield left.name, relation, Decimal(literal(right))
    elif isinstance(right, Var) and not isinstance(left, Var):
        yield right.name, TURNED[relation], Decimal(literal(left))


def _impossible(criterion: Criterion, facts: Mapping[str, FactDefinition]) -> Iterator[tuple[str, str]]:
    """Yield limits beyond what the analyte can be: a slip of the unit."""
    for name, relation, limit in limits_of(criterion):
        need = criterion.needs[name]
        analyte = facts[need.fact].options.get("analyte")
        if need.unit in (None, XULN) or not isinstance(analyte, str) or analyte not in ANALYTES:
            continue
        known = ANALYTES[analyte]
        value = convert(analyte, limit, need.unit)
        if value is not None and not known.low <= value <= known.high:
            yield (
                f"{criterion.id}: the limit {name} {relation} {limit} {need.unit} lies outside what is possible, "
                f"{known.low} to {known.high} {known.canonical}",
                "is it the right unit?",
            )


def _unsaid(criterion: Criterion) -> Iterator[tuple[str, str]]:
    """Yield numbers that the words state in the unit of a need, and that the logic compares with nothing."""
    compared = {limit for _name, _relation, limit in limits_of(criterion)}
    for unit in dict.fromkeys(need.unit for need in criterion.needs.values() if need.unit):
        for text in dict.fromkeys((criterion.text, criterion.short, *criterion.zh.values())):
            for said in re.findall(_NUMBER + r"\s*" + _as_written(unit), text):
                if Decimal(said) not in compared:
                    yield (
                        f"{criterion.id}: the words say {said} {unit}, and the logic compares nothing with it",
                        "mend the one that is wrong",
                    )


def _as_written(unit: str) -> str:
    """Return what a unit looks like in a sentence; it ends there."""
    if count := re.fullmatch(r"10[*^](\d)(/.+)", unit):
        power = f"[*^]?(?:{count[1]}|{'⁰¹²³⁴⁵⁶⁷⁸⁹'[int(count[1])]})"
        return rf"[x×]\s*10{power}{re.escape(count[2])}(?![\w/])"
    return (_TIMES_ULN if unit == XULN else re.escape(unit)) + r"(?![\w/])"
