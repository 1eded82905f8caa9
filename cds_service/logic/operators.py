"""The operators a rule may use: typed, three-valued, and no others.

================  ==================================  =====================================================
operator          arguments                           unknown when
================  ==================================  =====================================================
``var``           the name of a needed fact           the fact is unknown
``and`` ``or``    1 or more sentences                 minimum / maximum of the five states
``!``             1 sentence                          the sentence is
``if``            condition, then, ..., else          the condition is, and the branches differ
``== !=``         two values of one type              some members are equal and some are not
``< <= > >=``     two numbers (``< <=``: or three)    the possible values lie on both sides
``in``            a value and a list of literals      some members are listed and some are not
``agree``         2 or more sentences                 none is decided, or two that are decided differ
================  ==================================  =====================================================

``agree`` is ours: the side of every sentence that can be decided, for tests that stand in for each other (INR
or PT). There is no coercion, no truthiness, no arithmetic and no default for a missing variable. python-jsonlogic
supplies the parser, the registry, the base class and the type checker; its own operators are two-valued and
unbounded, so none of them is registered here (docs/adr/0001).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, ClassVar, Self, cast

from jsonlogic.core import JSONLogicSyntaxError, Operator
from jsonlogic.evaluation import EvaluationContext
from jsonlogic.json_schema import from_json_schema
from jsonlogic.json_schema.types import (
    AnyType,
    BooleanType,
    IntegerType,
    JSONSchemaType,
    NumberType,
    StringType,
)
from jsonlogic.registry import OperatorRegistry
from jsonlogic.typechecking import TypecheckContext
from jsonlogic.typing import OperatorArgument

from cds_service.errors import CdsServiceError
from cds_service.logic.truth import State, Truth
from cds_service.logic.values import Choices, Numbers, Value

MAX_STEPS = 100_000


class BudgetExceededError(CdsServiceError):
    """A rule took more operator steps than any honest rule can."""


class RuleContext(EvaluationContext):
    """The facts a rule is evaluated on, and the steps it may still take."""

    def __init__(self, values: Mapping[str, Value], steps: int = MAX_STEPS) -> None:
        """Keep the facts by name; the library's own data stack stays empty."""
        super().__init__({})
        self.values = values
        self.steps = steps

    def step(self) -> None:
        """Count one operator.

        Raises:
            BudgetExceededError: when the budget is used up.
        """
        self.steps -= 1
        if self.steps < 0:
            raise BudgetExceededError(f"a rule took more than {MAX_STEPS} steps")


@dataclass
class _RuleOperator(Operator):
    """An operator over values and sentences."""

    arguments: list[OperatorArgument]
    least: ClassVar[int] = 1
    most: ClassVar[int | None] = None

    @classmethod
    def from_expression(cls, operator: str, arguments: list[OperatorArgument]) -> Self:
        """Build the operator after counting its arguments."""
        if len(arguments) < cls.least or (cls.most is not None and len(arguments) > cls.most):
            wanted = f"{cls.least}" if cls.most == cls.least else f"{cls.least} to {cls.most or 'any number'}"
            raise JSONLogicSyntaxError(f"{operator!r} takes {wanted} arguments, got {len(arguments)}")
        return cls(operator=operator, arguments=arguments)

    def evaluate(self, context: EvaluationContext) -> Any:
        """Count the step and compute."""
        rule_context = cast("RuleContext", context)
        rule_context.step()
        return self.compute(rule_context)

    @abstractmethod
    def compute(self, context: RuleContext) -> Value | State:
        """Compute from the arguments."""

    def values(self, context: RuleContext) -> list[Value]:
        """Return the arguments as values."""
        return [_value(argument, context) for argument in self.arguments]

    def states(self, context: RuleContext) -> list[State]:
        """Return the arguments as sentences."""
        return [_state(argument, context) for argument in self.arguments]

    def expect(self, context: TypecheckContext, position: int, *allowed: type[JSONSchemaType]) -> JSONSchemaType:
        """Complain unless an argument has one of the types; return its type."""
        found = _type_of(self.arguments[position], context)
        if not isinstance(found, allowed):
            wanted = " or ".join(sorted({_TYPE_NAMES[kind] for kind in allowed}))
            context.add_diagnostic(
                f"argument {position + 1} of {self.operator!r} must be {wanted}, not {_describe(found)}",
                "argument_type",
                self,
            )
        return found


_TYPE_NAMES: dict[type[JSONSchemaType], str] = {
    BooleanType: "a sentence (true or false)",
    NumberType: "a number",
    IntegerType: "a number",
    StringType: "a code",
}


def _describe(kind: JSONSchemaType) -> str:
    return _TYPE_NAMES.get(type(kind), "something without a type")


def _type_of(argument: OperatorArgument, context: TypecheckContext) -> JSONSchemaType:
    if isinstance(argument, Operator):
        return argument.typecheck(context)
    if isinstance(argument, bool):
        return BooleanType()
    if isinstance(argument, (int, float, Decimal)):
        return NumberType()
    return StringType() if isinstance(argument, str) else AnyType()


def _value(argument: OperatorArgument, context: RuleContext) -> Value:
    if isinstance(argument, Operator):
        result = argument.evaluate(context)
        return _as_value(result) if isinstance(result, State) else cast("Value", result)
    return Value.scalar(literal(argument))


def _state(argument: OperatorArgument, context: RuleContext) -> State:
    if isinstance(argument, Operator):
        result = argument.evaluate(context)
        return result if isinstance(result, State) else cast("Value", result).state()
    return Value.scalar(literal(argument)).state()


def literal(argument: Any) -> str | bool | Decimal:
    """Return a literal of the rule file as the logic's scalar; numbers become exact decimals."""
    if isinstance(argument, (bool, str)):
        return argument
    return argument if isinstance(argument, Decimal) else Decimal(str(argument))


def _as_value(state: State) -> Value:
    options = {Truth.TRUE: (True,), Truth.FALSE: (False,), Truth.UNKNOWN: (True, False)}
    return Value(Choices.of(*options[state.now]), Choices.of(*options[state.later]))


@dataclass
class Var(_RuleOperator):
    """A needed fact, by name."""

    @classmethod
    def from_expression(cls, operator: str, arguments: list[OperatorArgument]) -> Self:
        """Take one plain name: a computed name or a default would hide what a rule needs."""
        if len(arguments) != 1 or not isinstance(arguments[0], str):
            raise JSONLogicSyntaxError("'var' takes the name of one needed fact, without a default")
        return cls(operator=operator, arguments=arguments)

    @property
    def name(self) -> str:
        """The fact's name."""
        return cast("str", self.arguments[0])

    def typecheck(self, context: TypecheckContext) -> JSONSchemaType:
        """Return the declared type; complain when the fact is not among the needs."""
        schema = context.current_schema["properties"].get(self.name)
        if schema is None:
            context.add_diagnostic(f"{self.name!r} is used but not listed under needs", "unresolvable_variable", self)
            return AnyType()
        return from_json_schema(schema, context.settings.variable_casts)

    def compute(self, context: RuleContext) -> Value:
        """Return the fact's value."""
        return context.values[self.name]


@dataclass
class _Sentences(_RuleOperator):
    """An operator over sentences only."""

    def typecheck(self, context: TypecheckContext) -> JSONSchemaType:
        """Ask a sentence of every argument."""
        for position in range(len(self.arguments)):
            self.expect(context, position, BooleanType)
        return BooleanType()


@dataclass
class And(_Sentences):
    """The minimum."""

    def compute(self, context: RuleContext) -> State:
        """Return the AND of the arguments."""
        return State.all_of(self.states(context))


@dataclass
class Or(_Sentences):
    """The maximum."""

    def compute(self, context: RuleContext) -> State:
        """Return the OR of the arguments."""
        return State.any_of(self.states(context))


@dataclass
class Not(_Sentences):
    """The sign."""

    most: ClassVar[int | None] = 1

    def compute(self, context: RuleContext) -> State:
        """Return the NOT of the argument."""
        return self.states(context)[0].negated


@dataclass
class Agree(_Sentences):
    """The side of those that can be decided."""

    least: ClassVar[int] = 2

    def compute(self, context: RuleContext) -> State:
        """Return the common side, unknown when none is decided or two differ."""
        decided = self._decided(context)
        if not decided or self.disagree(context):
            return State.UNKNOWN
        # The one that lasts least: a second opinion cannot make a verdict firmer.
        return min(decided, key=abs)

    def disagree(self, context: RuleContext) -> bool:
        """Say whether two sentences are decided and on different sides."""
        return len({state > State.UNKNOWN for state in self._decided(context)}) > 1

    def _decided(self, context: RuleContext) -> list[State]:
        return [state for state in self.states(context) if state is not State.UNKNOWN]


@dataclass
class If(_RuleOperator):
    """The first branch whose condition is true."""

    least: ClassVar[int] = 3

    @classmethod
    def from_expression(cls, operator: str, arguments: list[OperatorArgument]) -> Self:
        """Ask for an odd number of arguments: without an else there would be a silent null."""
        if len(arguments) % 2 == 0:
            raise JSONLogicSyntaxError("'if' needs an else: condition, then, ..., else")
        return super().from_expression(operator, arguments)

    def typecheck(self, context: TypecheckContext) -> JSONSchemaType:
        """Ask sentences as conditions and one type of all branches."""
        last = len(self.arguments) - 1
        kinds = []
        for position in range(len(self.arguments)):
            if position % 2 == 0 and position != last:
                self.expect(context, position, BooleanType)
            else:
                kinds.append(_type_of(self.arguments[position], context))
        if len({_describe(kind) for kind in kinds}) > 1:
            context.add_diagnostic("the branches of 'if' must be of one type", "argument_type", self)
        return kinds[0]

    def compute(self, context: RuleContext) -> Value:
        """Choose on each horizon; an unknown condition leaves both branches possible."""
        branch = _value(self.arguments[-1], context)
        for position in range(len(self.arguments) - 3, -1, -2):
            condition = _state(self.arguments[position], context)
            then = _value(self.arguments[position + 1], context)
            now, later = (
                _choose(condition.now, then.now, branch.now),
                _choose(condition.later, then.later, branch.later),
            )
            branch = Value(now, later)
        return branch


def _choose(condition: Truth, then: Any, otherwise: Any) -> Any:
    if condition is Truth.UNKNOWN:
        return then.union(otherwise)
    return then if condition is Truth.TRUE else otherwise


@dataclass
class Compare(_RuleOperator):
    """A comparison of numbers."""

    least: ClassVar[int] = 2
    most: ClassVar[int | None] = 3

    @classmethod
    def from_expression(cls, operator: str, arguments: list[OperatorArgument]) -> Self:
        """Allow the between form for ``<`` and ``<=`` only, as JSON-Logic has it."""
        if len(arguments) == 3 and operator not in ("<", "<="):
            raise JSONLogicSyntaxError(f"{operator!r} takes 2 arguments; only '<' and '<=' can say 'between'")
        return super().from_expression(operator, arguments)

    def typecheck(self, context: TypecheckContext) -> JSONSchemaType:
        """Ask numbers of all arguments."""
        for position in range(len(self.arguments)):
            self.expect(context, position, NumberType, IntegerType)
        return BooleanType()

    def compute(self, context: RuleContext) -> State:
        """Compare neighbours and AND the answers."""
        values = self.values(context)
        return State.all_of(
            State.of(_numeric(left.now, right.now, self.operator), _numeric(left.later, right.later, self.operator))
            for left, right in pairwise(values)
        )


def _numeric(left: Any, right: Any, relation: str) -> Truth:
    if not isinstance(left, Numbers) or not isinstance(right, Numbers):
        raise TypeError("only numbers can be compared by size")
    return left.compare(relation, right)


@dataclass
class Equal(_RuleOperator):
    """Equality within one type."""

    least: ClassVar[int] = 2
    most: ClassVar[int | None] = 2

    def typecheck(self, context: TypecheckContext) -> JSONSchemaType:
        """Ask two values of one type."""
        left, right = (_type_of(argument, context) for argument in self.arguments)
        if isinstance(left, AnyType) or _describe(left) != _describe(right):
            context.add_diagnostic(
                f"{self.operator!r} compares {_describe(left)} with {_describe(right)}", "argument_type", self
            )
        return BooleanType()

    def compute(self, context: RuleContext) -> State:
        """Return whether both are the same value."""
        left, right = self.values(context)
        state = State.of(_same(left.now, right.now), _same(left.later, right.later))
        return state if self.operator == "==" else state.negated


def _same(left: Any, right: Any) -> Truth:
    if isinstance(left, Numbers) and isinstance(right, Numbers):
        return left.equals(right)
    if isinstance(left, Choices) and isinstance(right, Choices):
        if left.options is None or right.options is None:
            return Truth.UNKNOWN
        one = len(left.options) == len(right.options) == 1
        return left.is_in(right.options) if one or left.options.isdisjoint(right.options) else Truth.UNKNOWN
    raise TypeError("values of two types cannot be equal or unequal")


@dataclass
class In(_RuleOperator):
    """Membership in a list of literals."""

    least: ClassVar[int] = 2
    most: ClassVar[int | None] = 2

    @classmethod
    def from_expression(cls, operator: str, arguments: list[OperatorArgument]) -> Self:
        """Ask for a non-empty list of literals; substring search is not offered."""
        listed = arguments[1] if len(arguments) == 2 else None
        if not isinstance(listed, list) or not listed or any(isinstance(item, (Operator, list)) for item in listed):
            raise JSONLogicSyntaxError("'in' takes a value and a list of literals")
        return super().from_expression(operator, arguments)

    def typecheck(self, context: TypecheckContext) -> JSONSchemaType:
        """Ask literals of the value's own type."""
        found = _type_of(self.arguments[0], context)
        for item in cast("list[OperatorArgument]", self.arguments[1]):
            if _describe(_type_of(item, context)) != _describe(found):
                context.add_diagnostic(f"{item!r} in the list of 'in' is not {_describe(found)}", "argument_type", self)
        return BooleanType()

    def compute(self, context: RuleContext) -> State:
        """Return whether the value is one of the listed."""
        value = _value(self.arguments[0], context)
        listed = [literal(item) for item in cast("list[OperatorArgument]", self.arguments[1])]
        return State.of(_listed(value.now, listed), _listed(value.later, listed))


def _listed(values: Any, listed: list[Any]) -> Truth:
    if isinstance(values, Choices):
        return values.is_in(frozenset(listed))
    answers = [values.equals(Numbers.of(item)) for item in listed]
    if Truth.TRUE in answers:
        return Truth.TRUE
    return Truth.FALSE if all(answer is Truth.FALSE for answer in answers) else Truth.UNKNOWN


REGISTRY = OperatorRegistry()
for _name, _operator in {
    "var": Var,
    "and": And,
    "or": Or,
    "!": Not,
    "if": If,
    "==": Equal,
    "!=": Equal,
    "<": Compare,
    "<=": Compare,
    ">": Compare,
    ">=": Compare,
    "in": In,
    "agree": Agree,
}.items():
    REGISTRY.register(_name, _operator)
OPERATOR_NAMES = ("var", "and", "or", "!", "if", "==", "!=", "<", "<=", ">", ">=", "in", "agree")
