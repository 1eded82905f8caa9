"""The T, N or M category, or the stage group, at diagnosis: as a code that rules compare ("T4", "N3", "M0", "IVA").

A subcategory counts as its category (N3a is N3, M1b is M1). Where the trial is written in one staging edition, a
record of another or of no edition only leans. Source: the eligibility contract, section 6 (Stage).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cds_service.facts.codes import AJCC, UICC
from cds_service.facts.definitions import FactDefinition
from cds_service.facts.diagnosis import disease_options
from cds_service.facts.fact import Fact, Reason
from cds_service.facts.names import edition_in, plain
from cds_service.facts.need import Need
from cds_service.facts.observations import ObservationEntry
from cds_service.facts.phrase import say
from cds_service.facts.staged import EXTENT_CODE, Axis, StageRecord, winning
from cds_service.logic.truth import Truth
from cds_service.logic.values import ANY_CHOICE, Choices

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart

_IN_TEXT: Final = r"(?<![a-z])(?:[cpyr]{{0,2}}){0}\s*(is|[0-4x])"


def stage_category(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return one category at diagnosis, or why it is unknown.

    Options: ``axis`` ("T", "N", "M" or "group"); for T and N ``value_set`` (what was asked) and
    ``answer_value_set``; ``edition``, when only one staging edition counts.
    """
    name, axis = definition.name, _axis(definition)
    records = [replace(one, value=_main(one.value)) for one in _records(chart, definition, axis)]
    usable = [one for one in records if one.usable]
    if recurrent := [one for one in usable if one.recurrent]:
        return _unknown(name, Reason.CONFLICT, recurrent, says=say("staged as recurrent"))
    coded = [one for one in usable if _counts(one)]
    placed = [(one, chart.disease.at_diagnosis(one.when)) for one in coded]
    if then := winning([one for one, answer in placed if answer is Truth.TRUE]):
        return _judged(chart, definition, then)
    for reason, found in (
        (Reason.IMPRECISE_DATE, [one for one, answer in placed if answer is Truth.UNKNOWN]),
        (Reason.NOT_FINAL, [one for one in records if not one.usable and one.value]),
        (Reason.CLINICIAN, [one for one in usable if one.by_text]),
    ):
        if found:
            says = say("staging as text only") if reason is Reason.CLINICIAN else ""
            return _unknown(name, reason, found, _side(found), says)
    if not chart.complete(["Observation", "Condition"]):
        return _unknown(name, Reason.NOT_FETCHED)
    if unmapped := [one for one in usable if not one.value and one.shown]:
        return _unknown(name, Reason.UNMAPPED_CODE, unmapped)
    return _unknown(name, Reason.NO_RECORD)


def recorded_at_diagnosis(chart: Chart, definition: FactDefinition) -> list[StageRecord]:
    """Return the coded records of a category that were certainly made at diagnosis, restagings left out."""
    records = (replace(one, value=_main(one.value)) for one in _records(chart, definition, _axis(definition)))
    return [
        one for one in records if one.usable and _counts(one) and chart.disease.at_diagnosis(one.when) is Truth.TRUE
    ]


def _axis(definition: FactDefinition) -> Axis:
    return Axis(definition.options["axis"])


def _counts(one: StageRecord) -> bool:
    return bool(one.value) and not one.by_text and not one.restaging and not one.recurrent


def _unknown(
    name: str, reason: Reason, records: Sequence[StageRecord] = (), lean: Choices | None = None, says: str = ""
) -> Fact:
    evidence = tuple(one.evidence for one in records)
    return Fact.unknown(name, ANY_CHOICE, reason, lean=lean, evidence=evidence, says=says)


def _judged(chart: Chart, definition: FactDefinition, then: Sequence[StageRecord]) -> Fact:
    """Return the category of the records that count."""
    name, wanted = definition.name, definition.options.get("edition")
    side, value = _side(then), then[0].value
    if side is None:
        return _unknown(name, Reason.CONFLICT, then, says=say("categories of the same time differ"))
    if value.endswith("X"):
        return _unknown(name, Reason.NOT_SPECIFIC, then, says=say("{category}: could not be assessed", category=value))
    editions = {one.edition or one.edition_named for one in then} - {""}
    # T and N hardly move between editions; a group such as IVA turns from M0 into M1.
    lean = None if then[0].axis is Axis.GROUP else side
    if wanted and any(one.edition for one in then) and editions != {wanted}:
        says = say(
            "{category} by edition {edition}, the trial asks for {wanted}",
            category=value,
            edition=", ".join(sorted(editions)),
            wanted=wanted,
        )
        return _unknown(name, Reason.CLINICIAN, then, lean, says)
    if wanted and not any(one.edition for one in then):
        return _unknown(name, Reason.EDITION_UNKNOWN, then, lean)
    # Until the first treatment another examination can still change it.
    later = side if chart.disease.treated else ANY_CHOICE
    return Fact.known(name, side, later=later, evidence=tuple(one.evidence for one in then), says=value)


def _side(records: Sequence[StageRecord]) -> Choices | None:
    values = {one.value for one in records}
    return Choices.of(values.pop()) if len(values) == 1 else None


def _main(value: str) -> str:
    """Return the category that a subcategory belongs to; stage groups have letters of their own.

    >>> _main("N3a"), _main("M1b"), _main("Tis"), _main("IVA")
    ('N3', 'M1', 'Tis', 'IVA')
    """
    return value[:2] if value[:1] in "TNM" and value != "Tis" else value


def _records(chart: Chart, definition: FactDefinition, axis: Axis) -> Iterator[StageRecord]:
    if axis in (Axis.METASTASIS, Axis.GROUP):
        yield from (one for one in chart.disease.stages if one.axis is axis)
        return
    asked = chart.value_sets[definition.options["value_set"]]
    for entry in chart.observed(asked):
        if chart.disease.is_about(entry, chart.conditions):
            yield _read(chart, definition, axis, entry)


def _read(chart: Chart, definition: FactDefinition, axis: Axis, entry: ObservationEntry) -> StageRecord:
    """Read a T or N category: a code of the value set, of cancerstaging.org or UICC, else text."""
    sets, methods = chart.value_sets, disease_options(chart)["edition_value_sets"]
    editions = [
        concept.attributes["edition"]
        for one in methods
        if (concept := entry.method.find(sets[one])) is not None and "edition" in concept.attributes
    ]
    named = [edition for text in entry.method.names() if (edition := edition_in(text))]
    blank = StageRecord(
        axis,
        "",
        entry.reference,
        entry.answer.label,
        entry.when,
        entry.usable,
        edition=editions[0] if editions else "",
        edition_named=named[0] if named else "",
    )
    known = entry.answer.find(sets[definition.options["answer_value_set"]])
    if known is not None:
        return replace(blank, value=known.attributes["value"])
    for coding in entry.answer.codings:
        match = EXTENT_CODE.fullmatch(coding.code or "") if coding.system in (AJCC, UICC) else None
        if match is not None and match["value"].startswith(axis.value):
            prefix = match["prefix"]
            return replace(
                blank,
                value=match["value"],
                pathologic="p" in prefix,
                restaging="y" in prefix,
                recurrent="r" in prefix,
            )
    found = re.search(_IN_TEXT.format(axis.value.lower()), plain(entry.answer.label))
    return replace(blank, value=f"{axis.value}{_digit(found[1])}", by_text=True) if found else blank


def _digit(text: str) -> str:
    return text if text == "is" else text.upper()
