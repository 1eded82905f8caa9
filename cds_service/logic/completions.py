"""What a rule says in every possible world, and which unknown facts decide it.

Kleene's tables are exact when each leaf occurs once. For a rule that comes out unknown over at most
:data:`MOST_UNKNOWN` unknown atoms (comparisons, or facts read as sentences), every completion is tried: each unknown
fact takes one value for every way its atoms can be answered. If all completions agree, that is the answer; a fact is
decisive when, in some completion of the rest, changing it changes the answer. Source: the contract, section 2.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Final

from cds_service.logic.expression import Expression
from cds_service.logic.operators import Agree, RuleContext
from cds_service.logic.truth import State, Truth
from cds_service.logic.values import ANY_CHOICE, ANY_NUMBER, EITHER, Numbers, Scalar, Value, Values

MOST_UNKNOWN: Final = 12
_WHOLE: Final = (ANY_NUMBER, ANY_CHOICE, EITHER)


@dataclass(frozen=True)
class Decision:
    """A rule's state and, while it is unknown, the facts that would change it.

    Args:
        state: on both horizons.
        decisive: sorted by name; empty unless the state is unknown.
        names: the facts that were completed.
        worlds: the answer of every completion, in the order of ``names``; empty when it is decided, or none was tried.
    """

    state: State
    decisive: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    worlds: Mapping[tuple[Scalar, ...], Truth] = field(default_factory=dict, compare=False, repr=False)


def decide(expression: Expression, values: Mapping[str, Value]) -> Decision:
    """Evaluate a rule exactly.

    Args:
        expression: the compiled rule.
        values: a value for each of its variables.

    Returns:
        The five-valued state; ``decisive`` is empty unless the state is unknown, and sorted by name.
    """
    state = expression.fast_state(values)
    if state is not State.UNKNOWN:
        return Decision(state)
    settled = expression.settled(values)
    names = tuple(sorted(expression.variables - settled))
    now = _worlds(expression, names, {n: v.now for n, v in values.items()})
    if now is None:
        return Decision(state, tuple(name for name in names if len(_cells(expression, name, values[name].now)) > 1))
    if len(set(now.values())) == 1 and (answer := next(iter(now.values()))) is not Truth.UNKNOWN:
        later = _worlds(expression, names, {n: v.later for n, v in values.items()})
        lasts = later is not None and set(later.values()) == {answer}
        return Decision(State.of(answer, answer if lasts else Truth.UNKNOWN))
    return Decision(state, tuple(name for at, name in enumerate(names) if _flips(now, at)), names, now)


def settles(
    expression: Expression, values: Mapping[str, Value], decision: Decision, known: Collection[str], answer: Truth
) -> bool:
    """Say whether knowing some facts alone could give an answer, while the others stay as they are.

    Args:
        expression: the compiled rule.
        values: a value for each of its variables.
        decision: what :func:`decide` said of them.
        known: those that would be known, at values of their own choice.
        answer: the one asked about.
    """
    if decision.worlds and not any(isinstance(node, Agree) for node in expression.nodes()):
        at = [place for place, name in enumerate(decision.names) if name in known]
        always: dict[tuple[Scalar, ...], bool] = {}
        for world, found in decision.worlds.items():
            chosen = tuple(world[place] for place in at)
            always[chosen] = always.get(chosen, True) and found is answer
        return any(always.values())
    # An `agree` tells what is missing from what is known: the others must stay missing.
    names = sorted(known)
    cells = [_cells(expression, name, values[name].now) for name in names]
    if prod(map(len, cells)) > 2**MOST_UNKNOWN:
        return False  # too many to try: nothing is claimed
    return any(
        decide(expression, {**values, **dict(zip(names, map(Value.scalar, world), strict=True))}).state.now is answer
        for world in product(*cells)
    )


def _worlds(
    expression: Expression, names: tuple[str, ...], possible: Mapping[str, Values]
) -> dict[tuple[Scalar, ...], Truth] | None:
    """Return the answer in every world, or None when that is not for trying.

    Args:
        expression: the rule.
        names: the facts to complete; every other keeps its possible values.
        possible: by fact.
    """
    if not expression.separable:
        return None
    cells = [_cells(expression, name, possible[name]) for name in names]
    atoms = [max(1, len(expression.atoms.get(name, ()))) for name in names]
    if sum(number for number, cell in zip(atoms, cells, strict=True) if len(cell) > 1) > MOST_UNKNOWN:
        return None
    row = {name: Value.fixed(values) for name, values in possible.items()}
    scalars = [[Value.scalar(cell) for cell in found] for found in cells]
    answers = {}
    # In step: a dictionary of both would take the number 1 for true.
    for world, values in zip(product(*cells), product(*scalars), strict=True):
        row.update(zip(names, values, strict=True))
        answers[world] = expression.fast_state(row).now
    return answers


def _cells(expression: Expression, name: str, values: Values) -> list[Scalar]:
    """Return one possible value of a fact for every way its atoms can be answered."""
    if not any(values is whole for whole in _WHOLE):
        return _distinct(expression, name, values)
    key = (name, id(values))
    if key not in expression.whole_cells:
        expression.whole_cells[key] = _distinct(expression, name, values)
    return expression.whole_cells[key]


def _distinct(expression: Expression, name: str, values: Values) -> list[Scalar]:
    members = _members(expression, name, values)
    if not expression.separable:
        return members
    found: dict[tuple[Truth, ...], Scalar] = {}
    for value in members:
        context = RuleContext({name: Value.scalar(value)})
        answers = [atom.evaluate(context).now for atom in expression.atoms.get(name, ())]
        sentence = (Truth.of(value),) if isinstance(value, bool) else ()
        found.setdefault((*answers, *sentence), value)
    return list(found.values())


def _members(expression: Expression, name: str, values: Values) -> list[Scalar]:
    """Return enough members to meet every answer that the rule's limits can give."""
    limits = expression.limits.get(name, ())
    if isinstance(values, Numbers):
        return list(values.cells([limit for limit in limits if not isinstance(limit, (bool, str))]))
    if values.options is not None:
        return sorted(values.options, key=str)
    # Any code: each one the rule names, and one that it does not.
    return [*[limit for limit in limits if isinstance(limit, str)], ""]


def _flips(worlds: Mapping[tuple[Scalar, ...], Truth], at: int) -> bool:
    """Say whether the fact at this position changes the answer in some completion of the rest."""
    seen: dict[tuple[Scalar, ...], Truth] = {}
    for world, answer in worlds.items():
        rest = world[:at] + world[at + 1 :]
        if seen.setdefault(rest, answer) is not answer:
            return True
    return False
