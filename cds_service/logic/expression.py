"""A rule's logic, from JSON to a checked operator tree: guard, parse, typecheck. Built once per rule file."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Final, Literal, cast

from jsonlogic.core import JSONLogicExpression, JSONLogicSyntaxError, Operator
from jsonlogic.json_schema.types import BooleanType, StringType
from jsonlogic.typechecking import typecheck

from cds_service.logic.compiled import Sentence, States, compile_sentences
from cds_service.logic.operators import (
    OPERATOR_NAMES,
    REGISTRY,
    Agree,
    Compare,
    Equal,
    In,
    RuleContext,
    Var,
    literal,
)
from cds_service.logic.truth import State
from cds_service.logic.values import Scalar, Value

# Far above any honest rule (the largest of the first trial has 20 nodes, 5 deep), far below harm.
MAX_DEPTH: Final = 32
MAX_NODES: Final = 2_000
MAX_TEXT: Final = 4_096
MAX_DIGITS: Final = 40

VariableType = Literal["number", "boolean", "string"]


class LogicError(Exception):
    """The logic cannot be used.

    Args:
        path: where in the logic, as keys and indexes from its root.
        message: what is wrong and what was expected.
        hint: a "did you mean", or empty.
    """

    def __init__(self, path: tuple[str | int, ...], message: str, hint: str = "") -> None:
        """Keep the place beside the message."""
        super().__init__(message)
        self.path, self.message, self.hint = path, message, hint


@dataclass(frozen=True)
class Expression:
    """A compiled rule.

    Args:
        tree: the operator tree; shared by all evaluations and never changed.
        variables: the facts it reads.
        limits: per variable, every literal it is compared with.
        atoms: per variable, the distinct comparisons it stands in; a boolean read as a sentence stands in none.
        separable: whether every comparison holds one variable and literals: then the atoms' answers are all that
            the rule can tell of a variable.
    """

    tree: Operator
    variables: frozenset[str]
    limits: Mapping[str, tuple[Scalar, ...]]
    atoms: Mapping[str, tuple[Operator, ...]]
    separable: bool

    def nodes(self) -> Iterator[Operator]:
        """Yield every operator of the tree, each before its arguments."""
        return _nodes(self.tree)

    def state(self, values: Mapping[str, Value]) -> State:
        """Evaluate as a sentence."""
        result = self.tree.evaluate(RuleContext(values))
        return result if isinstance(result, State) else result.state()

    @cached_property
    def exact(self) -> bool:
        """Whether an unknown stays one in every possible world: each variable stands once, in a plain sentence.

        A number in a list of several is left out: of two possible numbers that are both listed, ``in`` cannot tell.
        So is a number between two others, an AND of two sentences about it: of 80 or 200, neither is from 90 to 180.
        """
        nodes = list(_nodes(self.tree))
        plain = not any(
            isinstance(node, Agree)
            or (isinstance(node, In) and _lists_numbers(node))
            or (isinstance(node, Compare) and len(node.arguments) > 2)
            for node in nodes
        )
        return self.separable and plain and sum(isinstance(node, Var) for node in nodes) == len(self.variables)

    def fast_state(self, values: Mapping[str, Value]) -> State:
        """Evaluate as a sentence by the compiled function: what :meth:`state` says, some fifty times faster."""
        names, states = self._compiled
        return states([values[name] for name in names])[0]

    @cached_property
    def _compiled(self) -> tuple[tuple[str, ...], States]:
        names = tuple(sorted(self.variables))
        places = {name: at for at, name in enumerate(names)}
        return names, compile_sentences([Sentence(self.tree, places)], len(names))

    def __getstate__(self) -> dict[str, object]:
        """Travel between processes without the compiled function, which each compiles for itself."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_compiled", "whole_cells")}

    @cached_property
    def whole_cells(self) -> dict[tuple[str, int], list[Scalar]]:
        """What completions worked out of facts of which nothing is known: always the same."""
        return {}

    @cached_property
    def _agreements(self) -> tuple[Agree, ...]:
        return tuple(node for node in _nodes(self.tree) if isinstance(node, Agree))

    def settled(self, values: Mapping[str, Value]) -> frozenset[str]:
        """Return the variables that stand only under an ``agree`` which is decided without them being known.

        INR that is above its limit stands for the pair: a missing PT is then no missing piece.
        """
        inside: set[str] = set()
        for node in self._agreements:
            if node.compute(RuleContext(values)) is not State.UNKNOWN:
                inside |= {part.name for part in _nodes(node) if isinstance(part, Var)}
        if not inside:
            return frozenset()
        outside = {node.name for node in _nodes(self.tree, past_agree=False) if isinstance(node, Var)}
        return frozenset(inside - outside)

    def disagreements(self, values: Mapping[str, Value]) -> tuple[str, ...]:
        """Return the variables under an ``agree`` whose sentences are decided and differ."""
        found: list[str] = []
        for node in self._agreements:
            if node.disagree(RuleContext(values)):
                found += [part.name for part in _nodes(node) if isinstance(part, Var)]
        return tuple(dict.fromkeys(found))

    def value(self, values: Mapping[str, Value]) -> Value:
        """Evaluate as a value (a gate's id, say)."""
        result = self.tree.evaluate(RuleContext(values))
        if isinstance(result, State):
            raise TypeError("this logic is a sentence, not a value")
        return result  # type: ignore[no-any-return]


def compile_logic(
    logic: Any, types: Mapping[str, VariableType], *, returns: Literal["sentence", "code"] = "sentence"
) -> Expression:
    """Turn JSON-Logic into a checked expression.

    Args:
        logic: the JSON value as loaded from a rule file; numbers may be int, float or Decimal.
        types: the type of every fact the criterion says it needs.
        returns: what the whole must be.

    Raises:
        LogicError: unknown operator, more than one key, too deep, too large, a wrong type, a fact not needed.

    >>> compile_logic({">=": [{"var": "age"}, 18]}, {"age": "number"}).variables
    frozenset({'age'})
    """
    _guard(logic)
    try:
        tree = JSONLogicExpression.from_json(logic).as_operator_tree(REGISTRY)
    except JSONLogicSyntaxError as error:
        raise LogicError((), error.message) from None
    kind, diagnostics = typecheck(tree, {"type": "object", "properties": {n: {"type": t} for n, t in types.items()}})
    for diagnostic in diagnostics:
        names = (
            difflib.get_close_matches(diagnostic.message.split("'")[1], list(types), n=1)
            if "'" in diagnostic.message
            else []
        )
        raise LogicError((), diagnostic.message, f"did you mean {names[0]!r}?" if names else "")
    if not isinstance(kind, BooleanType if returns == "sentence" else StringType):
        raise LogicError((), f"the logic must be a {returns}")
    nodes = list(_nodes(tree))
    limits: dict[str, tuple[Scalar, ...]] = {}
    atoms: dict[str, tuple[Operator, ...]] = {}
    for node in nodes:
        for name, found in _limits(node):
            limits[name] = tuple(dict.fromkeys((*limits.get(name, ()), *found)))
            if node not in atoms.get(name, ()):
                atoms[name] = (*atoms.get(name, ()), node)
    variables = frozenset(node.name for node in nodes if isinstance(node, Var))
    return Expression(tree, variables, limits, atoms, all(_holds_one_variable(node) for node in nodes))


def _lists_numbers(node: In) -> bool:
    return not isinstance(literal(cast("list[Any]", node.arguments[1])[0]), (bool, str))


def _holds_one_variable(node: Operator) -> bool:
    if not isinstance(node, (Compare, Equal, In)):
        return True
    operators = [argument for argument in node.arguments if isinstance(argument, Operator)]
    return len(operators) == 1 and isinstance(operators[0], Var)


def _guard(logic: Any) -> None:
    """Refuse, without recursion, whatever python-jsonlogic would take silently or choke on."""
    nodes = 0
    stack: list[tuple[Any, tuple[str | int, ...]]] = [(logic, ())]
    if not isinstance(logic, dict):
        raise LogicError((), "logic must be an object with one operator")
    while stack:
        item, path = stack.pop()
        nodes += 1
        if nodes > MAX_NODES:
            raise LogicError((), f"logic has more than {MAX_NODES} nodes")
        if len(path) > 2 * MAX_DEPTH:
            raise LogicError(path, f"logic is more than {MAX_DEPTH} levels deep")
        if isinstance(item, dict):
            if len(item) != 1:
                raise LogicError(path, f"an operator object has exactly one key, this has {len(item)}")
            ((name, arguments),) = item.items()
            if name not in OPERATOR_NAMES:
                close = difflib.get_close_matches(str(name), OPERATOR_NAMES, n=1)
                raise LogicError(
                    (*path, name),
                    f"unknown operator {name!r}",
                    f"did you mean {close[0]!r}?" if close else "operators: " + " ".join(OPERATOR_NAMES),
                )
            stack.append((arguments, (*path, name)))
        elif isinstance(item, list):
            stack.extend((part, (*path, index)) for index, part in enumerate(item))
        elif isinstance(item, str):
            if len(item) > MAX_TEXT:
                raise LogicError(path, f"text is longer than {MAX_TEXT} characters")
        elif not isinstance(item, bool) and not _is_plain_number(item):
            raise LogicError(path, f"{type(item).__name__} cannot stand in logic: use a number, text, true or false")


def _is_plain_number(item: object) -> bool:
    """Say whether something is a finite number of a size that a clinical limit can have."""
    if isinstance(item, float):
        return math.isfinite(item)
    if isinstance(item, Decimal):
        return item.is_finite() and abs(item.adjusted()) < MAX_DIGITS
    return isinstance(item, int) and abs(item) < 10**MAX_DIGITS


def _nodes(tree: Operator, *, past_agree: bool = True) -> Iterator[Operator]:
    yield tree
    if isinstance(tree, Agree) and not past_agree:
        return
    for argument in getattr(tree, "arguments", ()):
        if isinstance(argument, Operator):
            yield from _nodes(argument, past_agree=past_agree)


def _limits(node: Operator) -> Iterator[tuple[str, tuple[Scalar, ...]]]:
    """Yield each variable that a node compares, with the literals it is compared with."""
    if isinstance(node, (Compare, Equal)):
        literals = tuple(literal(a) for a in node.arguments if not isinstance(a, Operator))
        for argument in node.arguments:
            if isinstance(argument, Var):
                yield argument.name, literals
    elif isinstance(node, In) and isinstance(node.arguments[0], Var):
        yield node.arguments[0].name, tuple(literal(item) for item in node.arguments[1])  # type: ignore[union-attr]
