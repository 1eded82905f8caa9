"""How a verdict came about: every fact, every sentence of the logic with its state, and what would change it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from jsonlogic.core import Operator

from cds_service.evaluation.outcome import CriterionOutcome, Verdict
from cds_service.facts.fact import Evidence, Fact
from cds_service.logic.operators import RuleContext, Var
from cds_service.logic.truth import State, Truth
from cds_service.logic.values import Choices, Interval, Numbers, Value, Values
from cds_service.trials.model import Kind
from cds_service.trials.plain import say

STATE_WORDS: Final[Mapping[State, str]] = {
    State.TRUE_FOR_GOOD: "true for good",
    State.TRUE: "true, can change",
    State.UNKNOWN: "unknown",
    State.FALSE: "false, can change",
    State.FALSE_FOR_GOOD: "false for good",
}


def trace(outcome: CriterionOutcome) -> Iterator[str]:
    """Yield the lines of a text.

    Words of the record stand in it as they are: whoever prints it makes them harmless.
    """
    yield f"{outcome.verdict.value}{_lasting(outcome)}: {outcome.message}"
    yield "Facts"
    for name, fact in outcome.facts.items():
        yield from (f"  {line}" for line in _fact(name, fact))
    yield "Logic"
    values = {name: fact.value for name, fact in outcome.facts.items()}
    yield from (f"  {line}" for line in walk(outcome.criterion.logic.tree, values))
    yield from (f"  {line}" for line in _verdict(outcome, values))
    if outcome.verdict is Verdict.UNKNOWN:
        yield f"Leaning: {outcome.leaning.value if outcome.leaning else 'none'}"
        yield f"Decisive: {', '.join(outcome.decisive)}"
        yield f"Reasons: {', '.join(f'{missing.fact} {missing.reason.value}' for missing in outcome.reasons)}"


def walk(part: Any, values: Mapping[str, Value]) -> Iterator[str]:
    """Yield a logic as a tree: each sentence with its state, those inside it indented below it.

    Args:
        part: an operator, or a literal.
        values: by variable.
    """
    if not isinstance(part, Operator):
        return
    yield f"{say(part)}: {_told(part, values)}"
    inner = [argument for argument in getattr(part, "arguments", ()) if isinstance(argument, Operator)]
    if not all(isinstance(argument, Var) for argument in inner) or part.operator in ("and", "or", "if", "agree"):
        for argument in inner:
            yield from (f"  {line}" for line in walk(argument, values))


def _told(part: Operator, values: Mapping[str, Value]) -> str:
    result = part.evaluate(RuleContext(values))
    if isinstance(result, State):
        return STATE_WORDS[result]
    assert isinstance(result, Value)  # noqa: S101 (an operator gives a state or a value)
    options = result.now.options if isinstance(result.now, Choices) else None
    if options is not None and all(isinstance(option, bool) for option in options):
        return STATE_WORDS[result.state()]
    return in_words(result.now)


def _lasting(outcome: CriterionOutcome) -> str:
    if outcome.verdict is Verdict.UNKNOWN:
        return ""
    return ", can change" if outcome.state.can_change else " for good"


def _verdict(outcome: CriterionOutcome, values: Mapping[str, Value]) -> Iterator[str]:
    """Say how the sentence's state became the verdict, where that is not plain."""
    told = outcome.criterion.logic.state(values)
    exclusion = outcome.criterion.kind is Kind.EXCLUSION
    required = told.negated if exclusion else told
    if required is not outcome.state:
        yield f"every completion of what is unknown gives the same: {outcome.verdict.value}"
    elif exclusion and told.now is not Truth.UNKNOWN:
        yield f"an exclusion: {told.now.value} is a {outcome.verdict.value}"


def _fact(name: str, fact: Fact) -> Iterator[str]:
    called = "" if name == fact.name else f" (fact {fact.name})"
    yield f"{name}{called}: now {in_words(fact.value.now)}; later {in_words(fact.value.later)}"
    if fact.says:
        yield f"  says: {fact.says}"
    yield from (f"  evidence: {_evidence(one)}" for one in fact.evidence)
    yield from (f"  missing: {missing.fact}, {missing.reason.value}" for missing in fact.missing)
    if fact.missing:
        yield f"  would give: {in_words(fact.lean)}"
    if fact.notes:
        yield f"  notes: {', '.join(fact.notes)}"
    if fact.until:
        yield f"  counts until: {fact.until}"


def _evidence(one: Evidence) -> str:
    value = " ".join(str(part) for part in (one.value, one.unit) if part is not None)
    return ", ".join(part for part in (one.resource, value, one.date, one.note) if part)


def in_words(values: Values) -> str:
    """Return a set of possible values as text.

    >>> in_words(Numbers((Interval(high=Decimal(5), high_open=True),)))
    'below 5'
    >>> in_words(Choices.of(True, False))
    'true or false'
    """
    if isinstance(values, Numbers):
        return " or ".join(_range(interval) for interval in values.intervals)
    if values.options is None:
        return "any code"
    return " or ".join(sorted((str(o).lower() if isinstance(o, bool) else o for o in values.options), reverse=True))


def _range(one: Interval) -> str:
    if one.low is not None and one.low == one.high:
        return _number(one.low)
    low = "" if one.low is None else f"{'above' if one.low_open else 'at least'} {_number(one.low)}"
    high = "" if one.high is None else f"{'below' if one.high_open else 'at most'} {_number(one.high)}"
    return " and ".join(part for part in (low, high) if part) or "any number"


def _number(value: Decimal) -> str:
    """Return a number with enough digits to see on which side of a limit it is."""
    text = f"{value:.6f}" if value != value.to_integral() else f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
