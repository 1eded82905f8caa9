"""One criterion in full, for its author: what it says, what it reads, how it may be unknown, what shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from cds_service.facts.definitions import FactDefinition
from cds_service.facts.fact import Reason
from cds_service.facts.labs import LAB_WINDOW_DAYS
from cds_service.facts.need import XULN, Need
from cds_service.facts.phrase import say, words_of_rules
from cds_service.facts.possible import WINDOWED, possible_reasons
from cds_service.trials.case_model import Case, CaseFile
from cds_service.trials.cases import VERDICTS
from cds_service.trials.model import Criterion, Kind, Trial
from cds_service.trials.plain import described, indented, sentence

MOST_CASES: Final = 6
"""How many cases are named for each verdict; the rest are counted."""
TEMPLATES: Final = VERDICTS
"""Names that are said as words, for the translators' catalogue."""


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
    yield say("{trial} {criterion} ({what})", trial=trial.id, criterion=criterion.id, what=described(criterion))
    yield indented(words_of_rules(criterion.text))
    if criterion.kind is Kind.EXCLUSION:
        yield say("  An exclusion: the logic is true when the patient has it, and true is a fail.")
    yield from _part(say("Published"), (_published(line, trial) for line in criterion.source))
    yield from _part(say("Logic"), [sentence(criterion.logic.tree)])
    yield from _part(
        say("Needs"), (line for name, need in criterion.needs.items() for line in _need(name, need, facts))
    )
    yield from _part(say("Conventions"), (_convention(name, trial) for name in criterion.conventions))
    yield from _part(say("May be unknown"), _reasons(criterion, facts))
    if case_file is not None:
        yield from _part(say("Shown by"), _cases(criterion, case_file))


def _part(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield title
        yield from map(indented, found)


def _published(line: str, trial: Trial) -> str:
    return say("line {line}: {text}", line=line, text=words_of_rules(trial.lines[line]))


def _convention(name: str, trial: Trial) -> str:
    return say("{one}: {other}", one=name, other=words_of_rules(trial.conventions[name]))


def _need(name: str, need: Need, facts: Mapping[str, FactDefinition]) -> Iterator[str]:
    definition = facts[need.fact]
    label = words_of_rules(definition.label["en"])
    called = name if name == need.fact else say("{name} (fact {fact})", name=name, fact=need.fact)
    if need.unit == XULN:
        yield say(
            "{name}: {label}, in multiples of the upper limit of normal that the result brings",
            name=called,
            label=label,
        )
    elif need.unit:
        yield say("{name}: {label}, in {unit}", name=called, label=label, unit=need.unit)
    else:
        yield say("{one}: {other}", one=called, other=label)
    window = window_words(need, definition)
    if window:
        yield indented(window)


def window_words(need: Need, definition: FactDefinition) -> str:
    """Return how old a value may be, "" for a fact without a window."""
    if definition.kind not in WINDOWED:
        return ""
    days = need.within_days
    if days is None and definition.kind == "active_medication":
        return say("on the day of judgement")
    own = int(definition.options.get("within_days", LAB_WINDOW_DAYS)) if days is None else days
    if need.anchor == "anchor":
        window = say(
            "from {days} days before the planned first dose (else the day of judgement) up to it, both included",
            days=own,
        )
    else:
        window = say("from {days} days before the day of judgement up to it, both included", days=own)
    return say("{window}, the fact's own rule", window=window) if days is None else window


def _reasons(criterion: Criterion, facts: Mapping[str, FactDefinition]) -> Iterator[str]:
    """Yield each reason with the facts that can give it."""
    by_reason = {
        reason: [name for name, need in criterion.needs.items() if reason in possible_reasons(need, facts[need.fact])]
        for reason in Reason
    }
    for reason, names in by_reason.items():
        if names:
            yield say("{one}: {other}", one=reason.value, other=", ".join(names))


def _cases(criterion: Criterion, case_file: CaseFile) -> Iterator[str]:
    for verdict in VERDICTS:
        shown = [case for case in case_file.cases if case.verdicts.get(criterion.id) == verdict]
        impossible = case_file.cannot.get(criterion.id, {}).get(verdict)
        if impossible:
            yield say("{verdict}: never, {why}", verdict=say(verdict), why=impossible)
        else:
            yield say("{one}: {other}", one=say(verdict), other=str(len(shown)))
        yield from (indented(_case(case, criterion, case_file)) for case in shown[:MOST_CASES])
        if len(shown) > MOST_CASES:
            yield indented(say("and {number} more", number=len(shown) - MOST_CASES))


def _case(case: Case, criterion: Criterion, case_file: CaseFile) -> str:
    reason = case.why.get(criterion.id)
    told = say("{file}:{line}: it {it}", file=str(case_file.path), line=case.line, it=case.it)
    return say("{value} ({note})", value=told, note=reason) if reason else told
