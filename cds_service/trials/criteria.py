"""The criteria of a trial: one sentence of the protocol each, with its lines, its needs and its logic."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from cds_service.facts.definitions import FactDefinition
from cds_service.trials.complaints import quoted
from cds_service.trials.form import SLUG, Part
from cds_service.trials.model import Criterion, Kind
from cds_service.trials.needs import read_needs
from cds_service.trials.rule_logic import read_logic

REQUIRED: Final = ("id", "kind", "gates", "text", "short", "source", "needs", "logic")
OPTIONAL: Final = ("trigger", "sign", "conventions", "zh")
TRANSLATED: Final = ("text", "short")
# A test case says `expect: {hemoglobin: pass, status: candidate}`: these words are taken there.
TAKEN: Final = frozenset(("status", "gate", "decisive"))


def read_criteria(
    part: Part,
    facts: Mapping[str, FactDefinition],
    gates: Collection[str],
    lines: Collection[str],
    conventions: Collection[str],
) -> tuple[Criterion, ...]:
    """Read the list of criteria.

    Args:
        part: the list.
        facts: every fact definition.
        gates: ids of the trial's gates.
        lines: ids of the published lines.
        conventions: ids of the trial's conventions.

    Returns:
        Those that could be read; whatever is wrong is complained of.
    """
    found: list[Criterion] = []
    first_seen: dict[str, int] = {}
    for entry in part.items():
        fields = entry.fields(REQUIRED, OPTIONAL)
        identity = _id(fields["id"], first_seen)
        kind = fields["kind"].choice([kind.value for kind in Kind], "kind")
        needs = read_needs(fields["needs"], facts)
        logic = read_logic(fields["logic"], fields["needs"], needs, facts)
        if logic is not None and not logic.variables:
            fields["logic"].complain("the logic reads no fact, so it says the same of everyone")
        texts = fields["text"].text(), fields["short"].text(most=120)
        belongs = fields["gates"].different(gates, "gate")
        source = fields["source"].different(lines, "line of the published text")
        applied = fields["conventions"].different(conventions, "convention")
        trigger = fields["trigger"].flag()
        chinese = _translated(fields["zh"])
        if kind and logic is not None:
            found.append(
                Criterion(
                    id=identity,
                    kind=Kind(kind),
                    gates=belongs,
                    text=texts[0],
                    short=texts[1],
                    source=source,
                    needs=needs,
                    logic=logic,
                    trigger=trigger,
                    sign=fields["sign"].flag(),
                    conventions=applied,
                    line=entry.line,
                    zh=chinese,
                )
            )
    return tuple(found)


def _translated(part: Part) -> Mapping[str, str]:
    """Read the text and the short text in another language; none when the file has none."""
    fields = part.fields(TRANSLATED)
    texts = {"text": fields["text"].text(), "short": fields["short"].text(most=120)}
    return texts if part.present else {}


def _id(part: Part, first_seen: dict[str, int]) -> str:
    identity = part.name(SLUG, "no-prior-treatment")
    if identity in TAKEN:
        part.complain(f"{quoted(identity)} is a word of the test cases", "choose another id")
    elif identity in first_seen:
        part.complain(f"{quoted(identity)} is taken, by the criterion on line {first_seen[identity]}")
    elif identity:
        first_seen[identity] = part.line
    return identity
