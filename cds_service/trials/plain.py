"""A trial as a person reads it: the published words, what encodes them, and the logic as a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any, Final

from jsonlogic.core import Operator

from cds_service.facts.definitions import FactDefinition
from cds_service.facts.need import Need
from cds_service.facts.phrase import Phrase, joined, say, words_of_rules
from cds_service.trials.model import Criterion, Kind, Trial

_SIGNS: Final = {"==": "=", "!=": "≠", "<": "<", "<=": "≤", ">": ">", ">=": "≥"}
TEMPLATES: Final = tuple(Kind)
"""Names that are said as words, for the translators' catalogue."""


def describe_trial(trial: Trial, facts: Mapping[str, FactDefinition], language: str = "en") -> Iterator[str]:
    """Yield the lines of a text that says everything the rule file says.

    Args:
        trial: the trial.
        facts: every fact definition, for their names.
        language: of the reader; the words of the rules in the other one stand below.
    """
    yield say("{trial}  {title}", trial=trial.id, title=words_of_rules(trial.title["en"]))
    yield say("  phase {phase}, {sponsor}", phase=trial.phase, sponsor=trial.sponsor)
    yield say(
        "  {url} as of {day}; revision {revision}, review: {review}",
        url=trial.url,
        day=str(trial.as_of),
        revision=trial.revision,
        review=trial.review,
    )
    yield f"  {trial.digest}"
    if trial.exclusions == "not-published":
        yield say("  The exclusion criteria are not published and not encoded.")
    yield ""
    yield say("Gates")
    for gate in trial.gates:
        label, other = words_of_rules(gate.label), gate.label if language == "zh" else gate.zh
        if gate.zh:
            yield say("  {gate}: {label} ({other})", gate=gate.id, label=label, other=other)
        else:
            yield say("  {gate}: {label}", gate=gate.id, label=label)
    if len(trial.gates) > 1:
        yield say("  which one: {logic}", logic=sentence(trial.gate_choice.tree))
    for criterion in trial.criteria:
        yield ""
        yield from describe_criterion(criterion, trial, facts, language)
    if trial.not_encoded:
        yield ""
        yield say("Not encoded")
        for line, reason in trial.not_encoded.items():
            yield say("  line {line}: {text}", line=line, text=words_of_rules(trial.lines[line]))
            yield from _other(trial.lines[line], trial.lines_zh.get(line), language)
            yield say("    because: {reason}", reason=reason)


def sentence(part: Any) -> str:
    """Return a logic as text, with the signs people write.

    >>> from cds_service.logic.expression import compile_logic
    >>> sentence(compile_logic({"!": {">=": [{"var": "age"}, 18]}}, {"age": "number"}).tree)
    'not (age ≥ 18)'
    """
    if not isinstance(part, Operator):
        return _literal(part)
    name, arguments = part.operator, list(getattr(part, "arguments", ()))
    if name == "var":
        return str(arguments[0])
    if name == "in":
        options = ", ".join(map(_literal, arguments[1]))
        return say("{what} is one of {options}", what=sentence(arguments[0]), options=options)
    if name == "if":
        pairs = zip(arguments[::2], arguments[1::2], strict=False)
        branches = [say("{then} if {when}", then=sentence(then), when=_bracketed(when)) for when, then in pairs]
        return joined([*branches, say("else {then}", then=sentence(arguments[-1]))], ", ")
    if name == "!":
        return say("not {what}", what=_bracketed(arguments[0]))
    if name == "agree":
        return say("those of ({parts}) that can be judged agree on it", parts=joined(map(sentence, arguments), "; "))
    if name == "and":
        return reduce(lambda one, other: say("{one} and {other}", one=one, other=other), map(_bracketed, arguments))
    if name == "or":
        return reduce(lambda one, other: say("{one} or {other}", one=one, other=other), map(_bracketed, arguments))
    return Phrase("", parts=tuple(map(sentence, arguments)), separator=f" {_SIGNS[name]} ")


def _bracketed(part: Any) -> str:
    text = sentence(part)
    return say("({what})", what=text) if isinstance(part, Operator) and part.operator != "var" else text


def _literal(literal: Any) -> str:
    return str(literal).lower() if isinstance(literal, bool) else str(literal)


def indented(line: str) -> str:
    """Return a line two columns further in; a phrase stays one."""
    return Phrase("", parts=("  ", line)) if isinstance(line, Phrase) else f"  {line}"


def described(criterion: Criterion) -> str:
    """Return what a criterion is: "inclusion, trigger; screening"."""
    kind, gates = say(criterion.kind.value), ", ".join(criterion.gates)
    if criterion.trigger:
        return say("{kind}, trigger; {gates}", kind=kind, gates=gates)
    return say("{kind}; {gates}", kind=kind, gates=gates)


def describe_criterion(
    criterion: Criterion, trial: Trial, facts: Mapping[str, FactDefinition], language: str = "en"
) -> Iterator[str]:
    """Yield the lines of one criterion."""
    yield say("{criterion} ({what})", criterion=criterion.id, what=described(criterion))
    yield indented(words_of_rules(criterion.text))
    yield say("  on a card: {text}", text=words_of_rules(criterion.short))
    if criterion.zh and language == "zh":
        yield say("  in English: {text}", text=criterion.text)
        yield say("  in English, on a card: {text}", text=criterion.short)
    elif criterion.zh:
        yield say("  in Chinese: {text}", text=criterion.zh["text"])
        yield say("  in Chinese, on a card: {text}", text=criterion.zh["short"])
    for line in criterion.source:
        yield say("  published, line {line}: {text}", line=line, text=words_of_rules(trial.lines[line]))
        yield from _other(trial.lines[line], trial.lines_zh.get(line), language)
    yield say("  logic: {logic}", logic=sentence(criterion.logic.tree))
    for variable, need in criterion.needs.items():
        yield say("  needs {name}: {what}", name=variable, what=_describe_need(need, facts[need.fact]))
    for convention in criterion.conventions:
        text = trial.conventions[convention]
        yield say("  convention {name}: {text}", name=convention, text=words_of_rules(text))
        yield from _other(text, trial.conventions_zh.get(convention), language)


def _other(english: str, chinese: str | None, language: str) -> Iterator[str]:
    """Say words of the rules in the language that is not the reader's, where the file has both."""
    if chinese and language == "zh":
        yield say("    in English: {text}", text=english)
    elif chinese:
        yield say("    in Chinese: {text}", text=chinese)


def _describe_need(need: Need, definition: FactDefinition) -> str:
    told: str = words_of_rules(definition.label["en"])
    if need.unit:
        told = say("{label} in {unit}", label=told, unit=need.unit)
    if need.within_days is None:
        return told
    if need.anchor == "anchor":
        return say("{what}, from {days} days before the planned first dose", what=told, days=need.within_days)
    return say("{what}, from {days} days before the day of judgement", what=told, days=need.within_days)
