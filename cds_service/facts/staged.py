"""Staging records: M categories and stage groups, with edition and prefix, from Observations and Conditions.

SNOMED CT and LOINC values do not carry the edition; only the method (or an NCIt type code) does. Codes of
cancerstaging.org and UICC are strings ("4A", "cM1b") and are read. Source: clinical notes, sections 3.4 and 5.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from cds_service.facts.codes import AJCC, UICC, ValueSet
from cds_service.facts.conditions import ConditionEntry
from cds_service.facts.dates import ANY_TIME, When, latest
from cds_service.facts.elements import Coded
from cds_service.facts.fact import Evidence
from cds_service.facts.names import edition_in, metastasis_side, stage_group_in
from cds_service.facts.observations import ObservationEntry
from cds_service.facts.phrase import say

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart


class Axis(StrEnum):
    """What a staging record classifies."""

    PRIMARY = "T"
    NODES = "N"
    METASTASIS = "M"
    GROUP = "group"


@dataclass(frozen=True)
class StageRecord:
    """One staging statement.

    Args:
        axis: M category or stage group.
        value: "M1b", "M0", "IVA"; "" when the record names none that is known.
        reference: of the resource.
        shown: as recorded.
        when: its day; None when undated.
        usable: whether its status says that it stands.
        edition: of the staging system, "" when not recorded as a code.
        edition_named: the edition as text only, "" when none.
        pathologic: pM rather than cM.
        restaging: a ``y`` prefix.
        recurrent: an ``r`` prefix.
        by_text: read from text, so never enough for a verdict.
    """

    axis: Axis
    value: str
    reference: str
    shown: str
    when: When | None
    usable: bool = True
    edition: str = ""
    edition_named: str = ""
    pathologic: bool = False
    restaging: bool = False
    recurrent: bool = False
    by_text: bool = False

    @property
    def metastatic(self) -> bool:
        """Whether an M category says M1 (with any subcategory)."""
        return self.value.startswith("M1")

    @property
    def evidence(self) -> Evidence:
        """The record as evidence."""
        edition = say("edition {edition}", edition=self.edition) if self.edition else ""
        return Evidence(self.reference, self.shown or self.value, None, self.when.text if self.when else None, edition)


def winning(records: Sequence[StageRecord]) -> list[StageRecord]:
    """Return the records of one axis that count: the latest, but a pathologic M1 over a clinical M0."""
    proven = [one for one in records if one.pathologic and one.metastatic]
    pool = proven or list(records)
    return [pool[at] for at in latest([one.when or ANY_TIME for one in pool])] if pool else []


def staging_asked(chart: Chart, options: Mapping[str, Any]) -> list[ValueSet]:
    """Return what M categories and stage groups are asked by: no other result is a staging record."""
    return [chart.value_sets[name] for name in (options["m_type_value_set"], *options["stage_type_value_sets"])]


def stage_records(
    chart: Chart,
    observations: Sequence[ObservationEntry],
    conditions: Sequence[ConditionEntry],
    options: Mapping[str, Any],
) -> Iterator[StageRecord]:
    """Yield every staging record of the disease, whatever its date."""
    sets = chart.value_sets
    m_types, *groups = staging_asked(chart, options)
    m_values, group_values = sets[options["m_value_set"]], sets[options["stage_value_set"]]
    methods = [sets[name] for name in options["edition_value_sets"]]
    for entry in observations:
        kind = entry.code.find(m_types)
        if kind is not None:
            record = _m_record(entry, m_values)
            yield replace(
                record, pathologic=record.pathologic or "path" in kind.display.lower() or "pM" in kind.display
            )
        elif any(entry.code.find(one) for one in groups):
            for record in _groups(entry.answer, group_values, [entry.method, entry.code], methods):
                yield replace(record, reference=entry.reference, when=entry.when, usable=entry.usable)
    for condition in conditions:
        for stage in condition.stages:
            for record in _groups(stage.summary, group_values, [stage.method], methods):
                if record.value:
                    yield replace(record, reference=condition.reference, when=condition.when)


_CODE: Final = re.compile(
    r"(?P<prefix>[acpyrm()]*?)(?P<value>m[01x][a-d]?|[0-4][abc]?[0-9]?|iv[abc]?|iii[abc]?|ii[abc]?|i[abc]?)(?:\(.*\))?",
    re.I,
)
EXTENT_CODE: Final = re.compile(r"(?P<prefix>[acpyrm()]*)(?P<value>[TN](?:is|[0-4X]))(?:[a-d][0-9]?)?(?:\(.*\))?")
"""A T or N category as a code of cancerstaging.org or UICC: "cT3", "rN1b"."""
_GROUP_NUMBERS: Final = ("0", "I", "II", "III", "IV")


def extent_records(
    observations: Sequence[ObservationEntry], asked: Mapping[Axis, Sequence[ValueSet]]
) -> Iterator[StageRecord]:
    """Yield T and N records for their day and prefix: they date the disease, and ``r`` says that it is recurrent."""
    for entry in observations:
        for axis, sets in asked.items():
            if entry.has_value and any(entry.code.find(one) for one in sets):
                codes = [coding.code or "" for coding in entry.answer.codings if coding.system in (AJCC, UICC)]
                prefix = "".join(match["prefix"] for code in codes if (match := EXTENT_CODE.fullmatch(code)))
                blank = StageRecord(axis, "", entry.reference, entry.answer.label, entry.when, entry.usable)
                yield _prefixed(blank, prefix)


@dataclass(frozen=True)
class _StageCode:
    value: str = ""
    prefix: str = ""


def _parse(code: str) -> _StageCode:
    """Read a code of cancerstaging.org or UICC: "4A" is IVA, "ypM1" a restaging."""
    match = _CODE.fullmatch(code.strip())
    if match is None:
        return _StageCode()
    value, prefix = match["value"].upper(), match["prefix"].lower()
    if value.startswith("M"):
        return _StageCode("M" + value[1:].lower(), prefix)
    if value[0].isdigit():
        letter = value[1:2] if value[1:2].isalpha() else ""
        return _StageCode(_GROUP_NUMBERS[int(value[0])] + letter, prefix)
    return _StageCode(value, prefix)


def _staging_code(answer: Coded) -> _StageCode:
    for coding in answer.codings:
        if coding.system in (AJCC, UICC) and coding.code:
            found = _parse(coding.code)
            if found.value:
                return found
    return _StageCode()


def _m_record(entry: ObservationEntry, values: ValueSet) -> StageRecord:
    concept, code = entry.answer.find(values), _staging_code(entry.answer)
    blank = StageRecord(Axis.METASTASIS, "", entry.reference, entry.answer.label, entry.when, entry.usable)
    if concept is not None:
        return replace(blank, value=concept.attributes["value"], pathologic=" pM" in concept.display)
    if code.value.startswith("M"):
        return _prefixed(replace(blank, value=code.value), code.prefix)
    side = metastasis_side(entry.answer.label)
    return blank if side is None else replace(blank, value="M1" if side else "M0", by_text=True)


def _prefixed(record: StageRecord, prefix: str) -> StageRecord:
    return replace(record, pathologic="p" in prefix, restaging="y" in prefix, recurrent="r" in prefix)


def _groups(
    answer: Coded, values: ValueSet, methods: Sequence[Coded], editions: Sequence[ValueSet]
) -> Iterator[StageRecord]:
    """Yield the stage group, and the M category that stands in its words ("T3N2M1b IVB期")."""
    concept, code = answer.find(values), _staging_code(answer)
    found = [c for m in methods for one in editions if (c := m.find(one)) is not None and c.attributes.get("edition")]
    named = [e for m in (*methods, answer) for name in m.names() if (e := edition_in(name))]
    edition = found[0].attributes["edition"] if found else ""
    blank = StageRecord(
        Axis.GROUP, "", "", answer.label, None, edition=edition, edition_named=named[0] if named else ""
    )
    if concept is not None:
        yield replace(blank, value=concept.attributes["stage"])
    elif code.value and not code.value.startswith("M"):
        yield _prefixed(replace(blank, value=code.value), code.prefix)
    else:
        text, spread = stage_group_in(answer.label), metastasis_side(answer.label)
        if spread is not None:
            yield replace(blank, axis=Axis.METASTASIS, value="M1" if spread else "M0", by_text=True)
        if text is not None or spread is None:
            yield replace(blank, value=text or "", by_text=text is not None)
