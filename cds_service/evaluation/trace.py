"""How a verdict came about: every fact, every sentence of the logic with its state, and what would change it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from jsonlogic.core import Operator

from cds_service.evaluation.outcome import CriterionOutcome, Verdict
from cds_service.facts.fact import Evidence, Fact
from cds_service.facts.phrase import Phrase, joined, say
from cds_service.logic.operators import RuleContext, Var
from cds_service.logic.truth import State, Truth
from cds_service.logic.values import Choices, Interval, Numbers, Value, Values
from cds_service.trials.model import Kind
from cds_service.trials.plain import indented, sentence

STATE_WORDS: Final[Mapping[State, str]] = {
    State.TRUE_FOR_GOOD: say("true for good"),
    State.TRUE: say("true, can change"),
    State.UNKNOWN: say("unknown"),
    State.FALSE: say("false, can change"),
    State.FALSE_FOR_GOOD: say("false for good"),
}
_TRUTH: Final[Mapping[Truth, str]] = {Truth.TRUE: say("true"), Truth.FALSE: say("false"), Truth.UNKNOWN: say("unknown")}
_VERDICT: Final[Mapping[Verdict, str]] = {
    Verdict.PASS: say("pass"),
    Verdict.FAIL: say("fail"),
    Verdict.UNKNOWN: say("unknown"),
}


def trace(outcome: CriterionOutcome) -> Iterator[str]:
    """Yield the lines of a text.

    Words of the record stand in it as they are: whoever prints it makes them harmless.
    """
    yield say("{verdict}: {message}", verdict=_lasting(outcome), message=outcome.message)
    yield say("Facts")
    for name, fact in outcome.facts.items():
        yield from map(indented, _fact(name, fact))
    yield say("Logic")
    values = {name: fact.value for name, fact in outcome.facts.items()}
    yield from map(indented, walk(outcome.criterion.logic.tree, values))
    yield from map(indented, _verdict(outcome, values))
    if outcome.verdict is Verdict.UNKNOWN:
        yield say("Leaning: {verdict}", verdict=_VERDICT[outcome.leaning] if outcome.leaning else say("none"))
        yield say("Decisive: {facts}", facts=", ".join(outcome.decisive))
        reasons = ", ".join(f"{missing.fact} {missing.reason.value}" for missing in outcome.reasons)
        yield say("Reasons: {reasons}", reasons=reasons)


def walk(part: Any, values: Mapping[str, Value]) -> Iterator[str]:
    """Yield a logic as a tree: each sentence with its state, those inside it indented below it.

    Args:
        part: an operator, or a literal.
        values: by variable.
    """
    if not isinstance(part, Operator):
        return
    yield say("{logic}: {state}", logic=sentence(part), state=_told(part, values))
    inner = [argument for argument in getattr(part, "arguments", ()) if isinstance(argument, Operator)]
    if not all(isinstance(argument, Var) for argument in inner) or part.operator in ("and", "or", "if", "agree"):
        for argument in inner:
            yield from map(indented, walk(argument, values))


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
    verdict = _VERDICT[outcome.verdict]
    if outcome.verdict is Verdict.UNKNOWN:
        return verdict
    if outcome.state.can_change:
        return say("{verdict}, can change", verdict=verdict)
    return say("{verdict} for good", verdict=verdict)


def _verdict(outcome: CriterionOutcome, values: Mapping[str, Value]) -> Iterator[str]:
    """Say how the sentence's state became the verdict, where that is not plain."""
    told = outcome.criterion.logic.state(values)
    exclusion = outcome.criterion.kind is Kind.EXCLUSION
    required = told.negated if exclusion else told
    if required is not outcome.state:
        yield say("every completion of what is unknown gives the same: {verdict}", verdict=_VERDICT[outcome.verdict])
    elif exclusion and told.now is not Truth.UNKNOWN:
        yield say("an exclusion: {truth} is a {verdict}", truth=_TRUTH[told.now], verdict=_VERDICT[outcome.verdict])


def _fact(name: str, fact: Fact) -> Iterator[str]:
    called = name if name == fact.name else say("{name} (fact {fact})", name=name, fact=fact.name)
    now, later = in_words(fact.value.now), in_words(fact.value.later)
    yield say("{name}: now {now}; later {later}", name=called, now=now, later=later)
    if fact.says:
        yield say("  says: {clause}", clause=fact.says)
    for one in fact.evidence:
        yield say("  evidence: {evidence}", evidence=_evidence(one))
    for missing in fact.missing:
        yield say("  missing: {fact}, {reason}", fact=missing.fact, reason=missing.reason.value)
    if fact.missing:
        yield say("  would give: {values}", values=in_words(fact.lean))
    if fact.notes:
        yield say("  notes: {notes}", notes=", ".join(fact.notes))
    if fact.until:
        yield say("  counts until: {day}", day=str(fact.until))


def _evidence(one: Evidence) -> str:
    value = " ".join(str(part) for part in (one.value, one.unit) if part is not None)
    parts = tuple(part for part in (one.resource, value, one.date, one.note) if part)
    return Phrase("", parts=parts, separator=", ")  # not `joined`: a value may be the same text as its day


def in_words(values: Values) -> str:
    """Return a set of possible values as text.

    >>> in_words(Numbers((Interval(high=Decimal(5), high_open=True),)))
    'below 5'
    >>> in_words(Choices.of(True, False))
    'true or false'
    """
    if isinstance(values, Numbers):
        return joined(map(_range, values.intervals), " or ")
    if values.options is None:
        return say("any code")
    return joined(map(_option, sorted(values.options, key=_sorting, reverse=True)), " or ")


def _sorting(option: object) -> str:
    return str(option).lower() if isinstance(option, bool) else str(option)


def _option(option: object) -> str:
    if isinstance(option, bool):
        return say("true") if option else say("false")
    return str(option)


def _range(one: Interval) -> str:
    if one.low is not None and one.low == one.high:
        return _number(one.low)
    low = high = ""
    if one.low is not None:
        number = _number(one.low)
        low = say("above {value}", value=number) if one.low_open else say("at least {value}", value=number)
    if one.high is not None:
        number = _number(one.high)
        high = say("below {value}", value=number) if one.high_open else say("at most {value}", value=number)
    if low and high:
        return say("{low} and {high}", low=low, high=high)
    return low or high or say("any number")


def _number(value: Decimal) -> str:
    """Return a number with enough digits to see on which side of a limit it is."""
    text = f"{value:.6f}" if value != value.to_integral() else f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
