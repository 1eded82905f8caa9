"""Performance status: ECOG 0 to 5; Karnofsky is another scale and only leans.

A value may stand in an integer, a quantity, a coded answer, a clean string, or only in the interpretation.
Source: the eligibility contract, section 6 (ecog); clinical notes, section 3.3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from cds_service.facts.definitions import FactDefinition
from cds_service.facts.elements import Coded
from cds_service.facts.fact import Fact, Reason
from cds_service.facts.labs import cited, lab
from cds_service.facts.names import plain
from cds_service.facts.need import Need
from cds_service.facts.observations import Amount, ObservationEntry
from cds_service.logic.values import ANY_NUMBER, Interval, Numbers

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart


def performance_status(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return the ECOG grade; Karnofsky alone gives ``clinician`` with a leaning."""
    options = definition.options
    ecog = lab(_read_scale(chart, options["value_set"], options["answer_value_set"]), definition, need)
    if ecog.value.now != ANY_NUMBER:
        return ecog
    written = _written(chart, definition, ecog)
    if written is not None:
        return written
    karnofsky = options["karnofsky"]
    other = lab(
        _read_scale(chart, karnofsky["value_set"], karnofsky["answer_value_set"]),
        replace(definition, options={**options, **karnofsky}),
        replace(need, unit=None),
    )
    if other.value.now == ANY_NUMBER:
        return ecog
    support = Decimal(str(karnofsky["supports_from"]))
    # 70 and more maps to ECOG 0 or 1 in the German registries' table: support, never a pass.
    lean = _lean(other, support)
    return Fact.unknown(
        definition.name,
        ANY_NUMBER,
        Reason.CLINICIAN,
        lean=lean,
        evidence=other.evidence,
        says="Karnofsky only",
        until=other.until,
    )


def _lean(karnofsky: Fact, support: Decimal) -> Numbers | None:
    numbers = karnofsky.value.now
    if not isinstance(numbers, Numbers):
        return None
    at_least = numbers.compare(">=", Numbers.of(support))
    return {"true": Numbers.of(Decimal(1)), "false": Numbers.of(Decimal(2))}.get(at_least.value)


def _written(chart: Chart, definition: FactDefinition, ecog: Fact) -> Fact | None:
    """Return what a grade written in words leans to, when that is why ECOG has no value."""
    if ecog.missing[0].reason not in (Reason.NO_VALUE, Reason.UNIT_UNUSABLE):
        return None
    for entry in chart.observations:
        if entry.usable and entry.code.find(chart.value_sets[definition.options["value_set"]]) and entry.answer.text:
            match = re.search(
                r"(?<!\d)([0-5])(?:\s*(?:-|~|至|to)\s*([0-5]))?\s*(?:级|分|grade|$)|(?:grade|ecog|ps)\s*([0-5])",
                plain(entry.answer.text),
            )
            if match is not None:
                grade = Decimal(match[2] or match[1] or match[3])
                return Fact.unknown(
                    definition.name,
                    ANY_NUMBER,
                    Reason.CLINICIAN,
                    lean=Numbers.of(grade),
                    evidence=(cited(entry),),
                    says="as text only",
                )
    return None


def _read_scale(chart: Chart, code_set: str, answer_set: str) -> Chart:
    """Return the chart with coded grades of one scale read as numbers."""
    codes, answers = chart.value_sets[code_set], chart.value_sets[answer_set]
    grades = {(c.system, c.code): Decimal(c.attributes["value"]) for c in answers.concepts}
    read = tuple(_graded(entry, grades) if entry.code.find(codes) else entry for entry in chart.observations)
    seen = replace(chart)
    seen.__dict__["observations"] = read
    return seen


def _graded(entry: ObservationEntry, grades: Mapping[tuple[str, str], Decimal]) -> ObservationEntry:
    if entry.amount is not None:
        return entry
    for source in (entry.answer, entry.interpretation):
        grade = _grade(source, grades)
        if grade is not None and (source is entry.answer or not entry.has_value):
            amount = Amount(Interval.point(grade), None, str(grade))
            return replace(entry, amount=amount, has_value=True)
    return entry


def _grade(answer: Coded, grades: Mapping[tuple[str, str], Decimal]) -> Decimal | None:
    found = {grades[key] for c in answer.codings if c.system and c.code and (key := (c.system, c.code)) in grades}
    return found.pop() if len(found) == 1 else None
