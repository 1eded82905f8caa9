"""One criterion in full, for its author: what it says, what it reads, how it may be unknown, what shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from cds_service.facts.definitions import FactDefinition
from cds_service.facts.fact import Reason
from cds_service.facts.labs import LAB_WINDOW_DAYS
from cds_service.facts.need import XULN, Need
from cds_service.facts.possible import WINDOWED, possible_reasons
from cds_service.trials.case_model import Case, CaseFile
from cds_service.trials.cases import VERDICTS
from cds_service.trials.model import Criterion, Kind, Trial
from cds_service.trials.plain import say

MOST_CASES: Final = 6
"""How many cases are named for each verdict; the rest are counted."""


def explain_criterion(
    criterion: Criterion, trial: Trial, facts: Mapping[str, FactDefinition], case_file: CaseFile | None
) -> Iterator[str]:
    """Yield the lines of a text.

    Args:
        criterion: one of the trial's.
        trial: for its lines and conventions.
        facts: every fact definition.
        case_file: the trial's cases; None when there are none.
    """
    trigger = ", trigger" if criterion.trigger else ""
    yield f"{trial.id} {criterion.id} ({criterion.kind}{trigger}; {', '.join(criterion.gates)})"
    yield f"  {criterion.text}"
    if criterion.kind is Kind.EXCLUSION:
        yield "  An exclusion: the logic is true when the patient has it, and true is a fail."
    yield from _part("Published", (f"line {line}: {trial.lines[line]}" for line in criterion.source))
    yield from _part("Logic", [say(criterion.logic.tree)])
    yield from _part("Needs", (line for name, need in criterion.needs.items() for line in _need(name, need, facts)))
    yield from _part("Conventions", (f"{name}: {trial.conventions[name]}" for name in criterion.conventions))
    yield from _part("May be unknown", _reasons(criterion, facts))
    if case_file is not None:
        yield from _part("Shown by", _cases(criterion, case_file))


def _part(title: str, lines: Iterator[str] | list[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield title
        yield from (f"  {line}" for line in found)


def _need(name: str, need: Need, facts: Mapping[str, FactDefinition]) -> Iterator[str]:
    definition = facts[need.fact]
    called = "" if name == need.fact else f" (fact {need.fact})"
    unit = ""
    if need.unit == XULN:
        unit = ", in multiples of the upper limit of normal that the result brings"
    elif need.unit:
        unit = f", in {need.unit}"
    yield f"{name}{called}: {definition.label['en']}{unit}"
    window = window_words(need, definition)
    if window:
        yield f"  {window}"


def window_words(need: Need, definition: FactDefinition) -> str:
    """Return how old a value may be, "" for a fact without a window."""
    if definition.kind not in WINDOWED:
        return ""
    end = "the planned first dose (else the day of judgement)" if need.anchor == "anchor" else "the day of judgement"
    days, whose = need.within_days, ""
    if days is None and definition.kind == "active_medication":
        return "on the day of judgement"
    if days is None:
        days, whose = int(definition.options.get("within_days", LAB_WINDOW_DAYS)), ", the fact's own rule"
    return f"from {days} days before {end} up to it, both included{whose}"


def _reasons(criterion: Criterion, facts: Mapping[str, FactDefinition]) -> Iterator[str]:
    """Yield each reason with the facts that can give it."""
    by_reason = {
        reason: [name for name, need in criterion.needs.items() if reason in possible_reasons(need, facts[need.fact])]
        for reason in Reason
    }
    for reason, names in by_reason.items():
        if names:
            yield f"{reason.value}: {', '.join(names)}"


def _cases(criterion: Criterion, case_file: CaseFile) -> Iterator[str]:
    for verdict in VERDICTS:
        shown = [case for case in case_file.cases if case.verdicts.get(criterion.id) == verdict]
        impossible = case_file.cannot.get(criterion.id, {}).get(verdict)
        yield f"{verdict}: " + (f"never, {impossible}" if impossible else str(len(shown)))
        yield from (
            f"  {case_file.path}:{case.line}: it {case.it}{_why(case, criterion)}" for case in shown[:MOST_CASES]
        )
        if len(shown) > MOST_CASES:
            yield f"  and {len(shown) - MOST_CASES} more"


def _why(case: Case, criterion: Criterion) -> str:
    reason = case.why.get(criterion.id)
    return f" ({reason})" if reason else ""
