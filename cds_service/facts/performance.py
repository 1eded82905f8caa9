"""Performance status: ECOG 0 to 5; Karnofsky is another scale and only leans.

A value may stand in an integer, a quantity, a coded answer, a clean string, or only in the interpretation.
Source: the eligibility contract, section 6 (ecog); clinical notes, section 3.3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from cds_service.facts.definitions import FactDefinition
from cds_service.facts.elements import Coded
from cds_service.facts.fact import Fact, Reason
from cds_service.facts.labs import cited, lab
from cds_service.facts.names import plain
from cds_service.facts.need import Need
from cds_service.facts.observations import Amount, ObservationEntry
from cds_service.facts.phrase import say
from cds_service.logic.values import ANY_NUMBER, Interval, Numbers

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart


def performance_status(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return the ECOG grade; Karnofsky alone gives ``clinician`` with a leaning."""
    options = definition.options
    ecog = lab(graded_chart(chart, options["value_set"], options["answer_value_set"]), definition, need)
    reason = ecog.missing[0].reason if ecog.missing else None
    if reason in _WORDS:
        return _written(chart, definition, ecog)
    # Karnofsky speaks only when there is no ECOG at all: it must not hide one that is old or not final.
    if ecog.evidence or reason not in (Reason.NO_RECORD, Reason.NOT_FETCHED):
        return ecog
    karnofsky = options["karnofsky"]
    other = lab(
        graded_chart(chart, karnofsky["value_set"], karnofsky["answer_value_set"]),
        replace(definition, options={**options, **karnofsky}),
        replace(need, unit=None),
    )
    support = Decimal(str(karnofsky["supports_from"]))
    if other.value.now == ANY_NUMBER:
        return _written_karnofsky(chart, ecog, other, support) or ecog
    # 70 and more maps to ECOG 0 or 1 in the German registries' table: support, never a pass.
    lean = _lean(other, support)
    return Fact.unknown(
        definition.name,
        ANY_NUMBER,
        Reason.CLINICIAN if reason is Reason.NO_RECORD else Reason.NOT_FETCHED,
        lean=lean,
        evidence=other.evidence,
        says=say("Karnofsky only"),
        until=other.until,
    )


def _lean(karnofsky: Fact, support: Decimal) -> Numbers | None:
    numbers = karnofsky.value.now
    if not isinstance(numbers, Numbers):
        return None
    at_least = numbers.compare(">=", Numbers.of(support))
    return {"true": Numbers.of(Decimal(1)), "false": Numbers.of(Decimal(2))}.get(at_least.value)


# Why an ECOG that counts has no number: perhaps its words tell.
_WORDS: Final = (Reason.UNMAPPED_CODE, Reason.UNIT_UNUSABLE)
_GRADE_WORDS: Final = re.compile(
    r"(?<!\d)([0-5])(?:\s*(?:-|~|至|to)\s*([0-5]))?\s*(?:级|分|grade|$)|(?:grade|ecog|ps)\s*([0-5])(?!\d)"
    r"|^([0-5])\s*[-–=:]\s*(?=[a-z一-鿿])"
)


def _written(chart: Chart, definition: FactDefinition, ecog: Fact) -> Fact:
    """Return what the words of the ECOG that counts lean to; the fact itself when they tell nothing."""
    counting = {evidence.resource for evidence in ecog.evidence}
    for entry in chart.observations:
        match = _GRADE_WORDS.search(plain(entry.answer.text)) if entry.reference in counting else None
        if match is not None:
            return Fact.unknown(
                definition.name,
                ANY_NUMBER,
                Reason.CLINICIAN,
                lean=Numbers.of(Decimal(match[2] or match[1] or match[3] or match[4])),
                evidence=(cited(entry),),
                says=say("as text only"),
            )
    return ecog


_SCORE_WORDS: Final = re.compile(r"(?<!\d)(100|[1-9]0|0)\s*(?:分|%|points?)")


def _written_karnofsky(chart: Chart, ecog: Fact, other: Fact, support: Decimal) -> Fact | None:
    """Return what the words of the Karnofsky score that counts lean to ("80分"); None when they tell nothing."""
    reason = other.missing[0].reason if other.missing else None
    counting = {evidence.resource for evidence in other.evidence} if reason in _WORDS else set()
    for entry in chart.observations:
        match = _SCORE_WORDS.fullmatch(plain(entry.answer.text)) if entry.reference in counting else None
        if match is not None:
            complete = ecog.missing[0].reason is Reason.NO_RECORD
            return Fact.unknown(
                ecog.name,
                ANY_NUMBER,
                Reason.CLINICIAN if complete else Reason.NOT_FETCHED,
                lean=Numbers.of(Decimal(1 if Decimal(match[1]) >= support else 2)),
                evidence=(cited(entry),),
                says=say("Karnofsky only"),
                until=other.until,
            )
    return None


def graded_scale(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return a grade of one scale, whatever other scales say: Karnofsky where a protocol asks for it by name."""
    options = definition.options
    return lab(graded_chart(chart, options["value_set"], options["answer_value_set"]), definition, need)


def graded_chart(chart: Chart, code_set: str, answer_set: str) -> Chart:
    """Return the chart with coded grades of one scale read as numbers."""
    codes, answers = chart.value_sets[code_set], chart.value_sets[answer_set]
    grades = {(c.system, c.code): Decimal(c.attributes["value"]) for c in answers.concepts}
    read = list(chart.observations)
    for at in chart.places([codes]):
        read[at] = _graded(read[at], grades)
    seen = replace(chart)
    seen.__dict__.update(observations=tuple(read), by_set=chart.by_set)
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
