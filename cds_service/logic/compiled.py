"""Rules as one generated Python function: the same five states as the operator tree, without walking it.

The tree (``operators.py``) is the reference, and a property test holds the two equal. What the tree does on objects
is written out here as flat statements over plain numbers, for what rules are made of: comparisons of one fact with
literals, facts read as sentences, and, or, !, if, agree. Anything rarer is handed to the tree's own operator.

The text that is compiled holds no word of a rule: facts are ``v0, v1, ...`` by position, and literals and operators
enter by reference as ``k0, k1, ...`` (docs/adr/0024).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from jsonlogic.core import Operator

from cds_service.logic.operators import Agree, And, Compare, Equal, If, In, Not, Or, RuleContext, Var, literal
from cds_service.logic.truth import State
from cds_service.logic.values import ANY_NUMBER, Numbers, Value, Values

States = Callable[[Sequence[Value]], tuple[State, ...]]
# By the state as a number: -2 and -1 count from the end.
BY_NUMBER: Final = (State.UNKNOWN, State.TRUE, State.TRUE_FOR_GOOD, State.FALSE_FOR_GOOD, State.FALSE)
TURNED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""The sign when the sides are exchanged."""


@dataclass(frozen=True)
class Sentence:
    """A rule over facts by position.

    Args:
        tree: what is asked; a literal is true or false.
        places: where each of its variables stands in the row of values.
    """

    tree: Operator | bool
    places: Mapping[str, int]


def compile_sentences(sentences: Sequence[Sentence], width: int) -> States:
    """Compile rules into one function.

    Args:
        sentences: the rules; those that share a fact name the same place.
        width: how many values a row has.

    Returns:
        A function from a row of values to the state of every rule, in their order.

    >>> from cds_service.logic.expression import compile_logic
    >>> rule = compile_logic({">=": [{"var": "hb"}, 90]}, {"hb": "number"})
    >>> compile_sentences([Sentence(rule.tree, {"hb": 0})], 1)([Value(Numbers.of(Decimal(95)), ANY_NUMBER)])
    (<State.TRUE: 1>,)
    """
    writer = _Writer()
    results = [writer.sentence(one.tree, one.places) for one in sentences]
    names = f"{''.join(f'v{at}, ' for at in range(width))} = row" if width else "pass"
    head = [names, *writer.heads.values()]
    body = "\n ".join([*head, *writer.lines, f"return ({''.join(f'by[{name}], ' for name in results)})"])
    space: dict[str, Any] = {f"k{at}": value for at, value in enumerate(writer.constants)}
    space |= {"by": BY_NUMBER, "compare": compare, "ask": _ask, "choose": _choose, "agree": _agree}
    # The text is ours to the letter: positions, signs and numbers, and nothing of a rule file.
    exec(compile(f"def states(row):\n {body}", "<rules>", "exec"), space)  # noqa: S102
    return space["states"]  # type: ignore[no-any-return]


class _Writer:
    """Writes one statement per operator; each returns the name that holds its state."""

    def __init__(self) -> None:
        self.constants: list[object] = []
        self.heads: dict[str, str] = {}
        self.lines: list[str] = []
        self._known: dict[str, str] = {}

    def sentence(self, part: Any, places: Mapping[str, int]) -> str:
        """Write a sentence; the same one over the same facts is written once."""
        if isinstance(part, bool):
            return "2" if part else "(-2)"
        if isinstance(part, Var):
            at = places[part.name]
            self.heads[f"b{at}"] = f"b{at} = v{at}.sentence"
            return f"b{at}"
        if isinstance(part, Not):
            return self._keep(f"-{self.sentence(part.arguments[0], places)}")
        if isinstance(part, (And, Or)):
            return self._of_all(
                [self.sentence(one, places) for one in part.arguments], ">" if isinstance(part, Or) else "<"
            )
        if isinstance(part, Agree):
            return self._keep(f"agree(({''.join(self.sentence(one, places) + ', ' for one in part.arguments)}))")
        if isinstance(part, If):
            found = self.sentence(part.arguments[-1], places)
            for at in range(len(part.arguments) - 3, -1, -2):
                condition, then = (self.sentence(one, places) for one in part.arguments[at : at + 2])
                found = self._keep(f"choose({condition}, {then}, {found})")
            return found
        return self._leaf(part, places)

    def _of_all(self, names: list[str], sign: str) -> str:
        """Write the minimum (``<``) or the maximum (``>``)."""
        found = names[0]
        for name in names[1:]:
            found = self._keep(f"{found} if {found} {sign} {name} else {name}")
        return found

    def _leaf(self, part: Operator, places: Mapping[str, int]) -> str:
        if isinstance(part, Compare):
            pairs = list(pairwise(part.arguments))
            found = [self._compared(left, part.operator, right, places) for left, right in pairs]
            if None not in found:
                return self._of_all([name for name in found if name], "<")
        if isinstance(part, (Equal, In)) and isinstance(part.arguments[0], Var):
            listed = part.arguments[1] if isinstance(part, In) else [part.arguments[1]]
            if isinstance(listed, list) and not any(isinstance(item, Operator) for item in listed):
                at = places[part.arguments[0].name]
                self.heads[f"p{at}"] = f"p{at} = v{at}.only"
                within = self._constant(tuple(literal(item) for item in listed))
                yes, no = (-1, 1) if part.operator == "!=" else (1, -1)
                rare = self._asked(part, places)
                return self._keep(f"({yes} if p{at} in {within} else {no}) if p{at} is not None else {rare}")
        return self._keep(self._asked(part, places))

    def _compared(self, left: Any, sign: str, right: Any, places: Mapping[str, int]) -> str | None:
        """Write one comparison of a fact with a literal; None for anything else."""
        if isinstance(right, Var) and not isinstance(left, Operator):
            left, sign, right = right, TURNED[sign], left
        if not isinstance(left, Var) or isinstance(right, Operator):
            return None
        at, limit = places[left.name], self._constant(literal(right))
        self.heads[f"p{at}"] = f"p{at} = v{at}.only"
        rare = f"compare(v{at}, {sign!r}, {limit})"
        return self._keep(f"(1 if p{at} {sign} {limit} else -1) if p{at} is not None else {rare}")

    def _asked(self, part: Operator, places: Mapping[str, int]) -> str:
        """Write a call of the tree's own operator."""
        names = self._constant(tuple(places))
        return f"ask({self._constant(part)}, {names}, ({''.join(f'v{at}, ' for at in places.values())}))"

    def _constant(self, value: object) -> str:
        for at, known in enumerate(self.constants):
            if type(known) is type(value) and known == value and str(known) == str(value):
                return f"k{at}"
        self.constants.append(value)
        return f"k{len(self.constants) - 1}"

    def _keep(self, text: str) -> str:
        if text not in self._known:
            self._known[text] = f"s{len(self._known)}"
            self.lines.append(f"{self._known[text]} = {text}")
        return self._known[text]


def compare(value: Value, sign: str, limit: Decimal) -> int:
    """Compare a set of possible numbers with a limit, on both horizons; return the state as a number."""
    now = side_of(value.now, sign, limit)
    if now == 0:
        return 0
    return now * 2 if value.later is value.now or side_of(value.later, sign, limit) == now else now


def side_of(values: Values, sign: str, limit: Decimal) -> int:
    """Return 1 if a comparison holds for every possible number, -1 if for none, else 0.

    Args:
        values: the possible numbers.
        sign: one of ``< <= > >=``.
        limit: the right-hand side.
    """
    if values is ANY_NUMBER:
        return 0
    if not isinstance(values, Numbers):
        raise TypeError("only numbers can be compared by size")
    upward = sign[0] == ">"
    # Whether a member that is the limit itself is on the upper side.
    at_limit_is_up = sign in (">=", "<")
    up = down = True
    for one in values.intervals:
        low, high = one.low, one.high
        up = up and low is not None and (low > limit or (low == limit and (at_limit_is_up or one.low_open)))
        down = down and high is not None and (high < limit or (high == limit and (not at_limit_is_up or one.high_open)))
    if up is down:
        return 0
    return 1 if up is upward else -1


def _ask(part: Operator, names: Sequence[str], values: Sequence[Value]) -> int:
    """Ask the operator itself."""
    result = part.evaluate(RuleContext(dict(zip(names, values, strict=True))))
    return int(result if isinstance(result, State) else result.state())


def _choose(condition: int, then: int, otherwise: int) -> int:
    """Return the branch of an ``if``: what both branches share where the condition can be, or become, either."""
    if condition == 2:
        return then
    if condition == -2:
        return otherwise
    if then == otherwise:
        return then
    if condition == 0:
        return 0 if then * otherwise <= 0 else (1 if then > 0 else -1)
    return max(-1, min(1, then if condition > 0 else otherwise))


def _agree(states: Sequence[int]) -> int:
    """Return the common side of those that are decided, at its least lasting."""
    decided = [state for state in states if state]
    if not decided or min(decided) * max(decided) < 0:
        return 0
    return min(decided, key=abs)
