"""A trial as a person reads it: the published words, what encodes them, and the logic as a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from jsonlogic.core import Operator

from cds_service.facts.definitions import FactDefinition
from cds_service.facts.need import Need
from cds_service.trials.model import Criterion, Trial

_SIGNS: Final = {"==": "=", "!=": "≠", "<": "<", "<=": "≤", ">": ">", ">=": "≥"}
_JOINED: Final = {"and": " and ", "or": " or "}


def describe_trial(trial: Trial, facts: Mapping[str, FactDefinition]) -> Iterator[str]:
    """Yield the lines of a text that says everything the rule file says.

    Args:
        trial: the trial.
        facts: every fact definition, for their names.
    """
    yield f"{trial.id}  {trial.title['en']}"
    yield f"  phase {trial.phase}, {trial.sponsor}"
    yield f"  {trial.url} as of {trial.as_of}; revision {trial.revision}, review: {trial.review}"
    yield f"  {trial.digest}"
    if trial.exclusions == "not-published":
        yield "  The exclusion criteria are not published and not encoded."
    yield ""
    yield "Gates"
    for gate in trial.gates:
        yield f"  {gate.id}: {gate.label}" + (f" ({gate.zh})" if gate.zh else "")
    yield f"  which one: {say(trial.gate_choice.tree)}"
    for criterion in trial.criteria:
        yield ""
        yield from describe_criterion(criterion, trial, facts)
    if trial.not_encoded:
        yield ""
        yield "Not encoded"
        for line, reason in trial.not_encoded.items():
            yield f"  line {line}: {trial.lines[line]}"
            yield from _in_chinese(trial.lines_zh.get(line))
            yield f"    because: {reason}"


def say(part: Any) -> str:
    """Return a logic as text, with the signs people write.

    >>> from cds_service.logic.expression import compile_logic
    >>> say(compile_logic({"!": {">=": [{"var": "age"}, 18]}}, {"age": "number"}).tree)
    'not (age ≥ 18)'
    """
    if not isinstance(part, Operator):
        return _say_literal(part)
    name, arguments = part.operator, list(getattr(part, "arguments", ()))
    if name == "var":
        return str(arguments[0])
    if name == "in":
        return f"{say(arguments[0])} is one of {', '.join(map(_say_literal, arguments[1]))}"
    if name == "if":
        pairs = zip(arguments[::2], arguments[1::2], strict=False)
        branches = [f"{say(then)} if {_bracketed(when)}" for when, then in pairs]
        return ", ".join([*branches, f"else {say(arguments[-1])}"])
    if name == "!":
        return f"not {_bracketed(arguments[0])}"
    if name == "agree":
        return f"those of ({'; '.join(map(say, arguments))}) that can be judged agree on it"
    if name in _JOINED:
        return _JOINED[name].join(map(_bracketed, arguments))
    return f" {_SIGNS[name]} ".join(map(say, arguments))


def _bracketed(part: Any) -> str:
    text = say(part)
    return f"({text})" if isinstance(part, Operator) and part.operator != "var" else text


def _say_literal(literal: Any) -> str:
    return str(literal).lower() if isinstance(literal, bool) else str(literal)


def describe_criterion(criterion: Criterion, trial: Trial, facts: Mapping[str, FactDefinition]) -> Iterator[str]:
    """Yield the lines of one criterion."""
    trigger = ", trigger" if criterion.trigger else ""
    yield f"{criterion.id} ({criterion.kind}{trigger}; {', '.join(criterion.gates)})"
    yield f"  {criterion.text}"
    yield f"  on a card: {criterion.short}"
    if criterion.zh:
        yield f"  in Chinese: {criterion.zh['text']}"
        yield f"  in Chinese, on a card: {criterion.zh['short']}"
    for line in criterion.source:
        yield f"  published, line {line}: {trial.lines[line]}"
        yield from _in_chinese(trial.lines_zh.get(line))
    yield f"  logic: {say(criterion.logic.tree)}"
    for variable, need in criterion.needs.items():
        yield f"  needs {variable}: {_describe_need(need, facts[need.fact])}"
    for convention in criterion.conventions:
        yield f"  convention {convention}: {trial.conventions[convention]}"
        yield from _in_chinese(trial.conventions_zh.get(convention))


def _in_chinese(text: str | None) -> Iterator[str]:
    if text:
        yield f"    in Chinese: {text}"


def _describe_need(need: Need, definition: FactDefinition) -> str:
    unit = f" in {need.unit}" if need.unit else ""
    end = "the planned first dose" if need.anchor == "anchor" else "the day of judgement"
    window = f", from {need.within_days} days before {end}" if need.within_days is not None else ""
    return f"{definition.label['en']}{unit}{window}"
