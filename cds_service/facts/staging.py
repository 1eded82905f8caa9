"""Stage IV by distant metastasis: the M category decides, a stage group only with its edition.

"IVA" fails in the 8th edition and passes in the 9th; "IVB" passes in both and fails in the 7th. What each group
of each edition means is data in ``rules/facts.yaml``. Source: the eligibility contract, section 6 (Stage).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from cds_service.facts.conditions import ConditionEntry
from cds_service.facts.dates import ANY_TIME, latest
from cds_service.facts.definitions import FactDefinition
from cds_service.facts.diagnosis import disease_options
from cds_service.facts.extent import with_extent
from cds_service.facts.fact import Evidence, Fact, Reason
from cds_service.facts.need import Need
from cds_service.facts.phrase import say
from cds_service.facts.spread import Spread, at_diagnosis, cited_condition, spread, why_unlinked
from cds_service.facts.staged import Axis, StageRecord, winning
from cds_service.logic.truth import Truth
from cds_service.logic.values import EITHER, NO, YES, Choices

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart


class Meaning(StrEnum):
    """What a stage group says about distant metastasis."""

    M1 = "M1"
    M0 = "M0"
    INVALID = "invalid"
    UNSPECIFIC = "not-specific"
    EDITION_UNKNOWN = "edition-unknown"


TOLD: Final = ("M0", "M1")
"""M categories that tell: MX does not."""


@dataclass(frozen=True)
class Baseline:
    """Staging at diagnosis.

    Args:
        m: the M records that win; empty when there is none.
        category: "M1", "M0", "conflict", "imprecise", or "" for none.
        groups: every coded group at diagnosis.
        imprecise: records of which it cannot be told whether they were at diagnosis.
        later: M1, or groups that mean M1, first recorded after diagnosis.
        recurrent: records with an ``r`` prefix, of T and N too.
        named: records that only text gives.
        pending: preliminary ones.
        unmapped: records whose value is not known.
        empty: M categories without a value.
    """

    m: tuple[StageRecord, ...]
    category: str
    groups: tuple[StageRecord, ...]
    imprecise: tuple[StageRecord, ...]
    later: tuple[StageRecord, ...]
    recurrent: tuple[StageRecord, ...]
    named: tuple[StageRecord, ...]
    pending: tuple[StageRecord, ...]
    unmapped: tuple[StageRecord, ...]
    empty: tuple[StageRecord, ...]


def baseline(chart: Chart) -> Baseline:
    """Sort the disease's staging records by when and how surely they speak."""
    frame, table = chart.disease, _table(chart)
    usable = [one for one in frame.stages if one.usable]
    coded = [one for one in usable if one.value and not one.by_text and not one.recurrent]
    placed = [(one, Truth.FALSE if one.restaging else frame.at_diagnosis(one.when)) for one in coded]
    then = [one for one, answer in placed if answer is Truth.TRUE]
    m = [one for one in then if one.axis is Axis.METASTASIS and one.value[:2] in TOLD]
    winners = winning(m)
    sides = {one.metastatic for one in winners}
    open_m = [
        one for one, at in placed if at is Truth.UNKNOWN and one.axis is Axis.METASTASIS and one.value[:2] in TOLD
    ]
    category = "" if not winners else "conflict" if len(sides) > 1 else "M1" if sides == {True} else "M0"
    if winners and len(sides | {one.metastatic for one in open_m}) > 1 and category != "conflict":
        # A record that may have been at diagnosis, and would turn it: no side can be told.
        category = "imprecise"
    metastatic = [
        one for one, answer in placed if answer is Truth.FALSE and (one.metastatic or meaning(one, table) is Meaning.M1)
    ]
    return Baseline(
        m=tuple(winners),
        category=category,
        groups=tuple(one for one in then if one.axis is Axis.GROUP),
        imprecise=tuple(one for one, answer in placed if answer is Truth.UNKNOWN),
        later=tuple(metastatic),
        recurrent=tuple(one for one in (*usable, *frame.extent) if one.usable and one.recurrent),
        named=tuple(one for one in usable if one.by_text),
        pending=tuple(one for one in frame.stages if not one.usable and one.value),
        unmapped=tuple(one for one in usable if not one.value and one.shown),
        empty=tuple(one for one in usable if not one.value and not one.shown and one.axis is Axis.METASTASIS),
    )


Table = Mapping[str, Mapping[str, str]]


def _table(chart: Chart) -> Table:
    table: Table = disease_options(chart)["stage_meaning"]
    return table


def meaning(record: StageRecord, table: Table) -> Meaning | None:
    """Return what a group says by its own edition; None for an M category."""
    if record.axis is not Axis.GROUP:
        return None
    if not record.value.startswith("IV"):
        return Meaning.M0
    if record.edition not in table:
        return Meaning.EDITION_UNKNOWN
    return Meaning(table[record.edition][record.value])


def metastatic_stage(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return whether the disease was stage IV by distant metastasis at diagnosis.

    Options: ``t_category`` and ``n_category``, the facts that T and N are read by; what they say against the group is
    noted.
    """
    base = baseline(chart)
    return with_extent(chart, definition, _stage(chart, definition.name, base), latest_groups(base))


def _stage(chart: Chart, name: str, base: Baseline) -> Fact:
    table = _table(chart)
    found = spread(chart, chart.value_sets[disease_options(chart)["distant_value_set"]])
    beside = at_diagnosis(chart, found.ours, Truth.TRUE)
    evidence = tuple(one.evidence for one in (*base.m, *base.groups))
    with_spread = evidence + tuple(cited_condition(one) for one in beside)
    if base.recurrent:
        return _conflict(name, base.recurrent, say("staged as recurrent"), lean=NO)
    meanings = {meaning(one, table) for one in base.groups}
    unsure = {meaning(one, table) for one in base.imprecise}
    if base.category == "conflict":
        return _conflict(name, base.m, say("M categories of the same time differ"))
    if base.category == "imprecise":
        return undatable(name, base, ())
    if base.category == "M1":
        if Meaning.M0 in meanings:
            return _conflict(name, (*base.m, *base.groups), say("M1, but the stage group means M0 by its edition"))
        if Meaning.M0 in unsure:
            return undatable(name, base, ())
        return Fact.for_good(name, YES, evidence=evidence, says=base.m[0].value)
    if base.category == "M0":
        if Meaning.M1 in meanings:
            return _conflict(name, (*base.m, *base.groups), say("M0, but the stage group means M1 by its edition"))
        unclear = at_diagnosis(chart, found.ours, Truth.UNKNOWN)
        if unclear or Meaning.M1 in unsure:
            return undatable(name, base, unclear)
        if beside:
            return Fact.unknown(
                name, EITHER, Reason.CONFLICT, evidence=with_spread, says=say("M0 beside a distant metastasis")
            )
        return without_metastasis(chart, name, evidence, base.m[0].value)
    return _by_group(chart, name, base, table, beside, found)


def undatable(name: str, base: Baseline, entries: Sequence[ConditionEntry]) -> Fact:
    """Return the unknown of records that may or may not have been at diagnosis."""
    staged = tuple(one.evidence for one in (*(base.m or latest_groups(base)), *base.imprecise))
    evidence = staged + tuple(cited_condition(one) for one in entries)
    says = say("it cannot be told whether this was at diagnosis")
    return Fact.unknown(name, EITHER, Reason.IMPRECISE_DATE, evidence=evidence, says=says)


def without_metastasis(chart: Chart, name: str, evidence: tuple[Evidence, ...], says: str) -> Fact:
    """Return the fail of an M0: it can change until the first treatment, and not after it."""
    later = NO if chart.disease.treated else EITHER
    return Fact.known(name, NO, later=later, evidence=evidence, says=says)


def _conflict(name: str, records: Sequence[StageRecord], says: str, lean: Choices | None = None) -> Fact:
    return Fact.unknown(
        name, EITHER, Reason.CONFLICT, lean=lean, evidence=tuple(one.evidence for one in records), says=says
    )


def _by_group(chart: Chart, name: str, base: Baseline, table: Table, beside: Sequence[object], found: Spread) -> Fact:
    """Judge without an M category: the table's cell for the latest group."""
    groups = latest_groups(base)
    evidence = tuple(one.evidence for one in groups) + tuple(cited_condition(one) for one in found.ours)
    meanings = {meaning(one, table) for one in groups}
    confirmed = Fact.unknown(
        name,
        EITHER,
        Reason.CLINICIAN,
        lean=YES,
        evidence=evidence,
        says=say("distant metastasis recorded, stage to confirm"),
    )
    if len(meanings) > 1:
        return Fact.unknown(
            name, EITHER, Reason.CONFLICT, evidence=evidence, says=say("stage groups of the same time differ")
        )
    if not groups:
        return _without_group(chart, name, base, beside, found, confirmed)
    if _may_turn(base, meanings, table):
        return undatable(name, base, ())
    shown = _named(groups[0])
    match meanings.pop():
        case Meaning.M1:
            return Fact.for_good(name, YES, evidence=evidence, says=shown)
        case Meaning.M0 if beside:
            says = say("{stage} means M0, beside a distant metastasis", stage=shown)
            return Fact.unknown(name, EITHER, Reason.CONFLICT, evidence=evidence, says=says)
        case Meaning.M0 if unclear := at_diagnosis(chart, found.ours, Truth.UNKNOWN):
            return undatable(name, base, unclear)
        case Meaning.M0:
            return without_metastasis(chart, name, evidence, shown)
        case Meaning.INVALID:
            return Fact.unknown(
                name, EITHER, Reason.CONFLICT, evidence=evidence, says=say("{stage}: no such group", stage=shown)
            )
        case Meaning.UNSPECIFIC:
            return (
                confirmed if beside else Fact.unknown(name, EITHER, Reason.NOT_SPECIFIC, evidence=evidence, says=shown)
            )
        case _:
            if beside:
                return confirmed
            if lean := _by_named_edition(groups, table):
                return Fact.unknown(
                    name,
                    EITHER,
                    Reason.CLINICIAN,
                    lean=lean,
                    evidence=evidence,
                    says=say("{stage} as a code", stage=shown),
                )
            return Fact.unknown(name, EITHER, Reason.EDITION_UNKNOWN, evidence=evidence, says=shown)


def _may_turn(base: Baseline, meanings: Set[Meaning | None], table: Table) -> bool:
    """Say whether a record that may have been at diagnosis would turn what the groups decide."""
    if not meanings <= {Meaning.M1, Meaning.M0}:
        return False
    perhaps = tuple(one for one in base.imprecise if one.axis is Axis.GROUP)
    sides = {
        Meaning.M1 if one.metastatic else Meaning.M0
        for one in base.imprecise
        if one.axis is Axis.METASTASIS and one.value[:2] in TOLD
    }
    newest = latest_groups(replace(base, groups=(*base.groups, *perhaps)))
    return {meaning(one, table) for one in newest} | sides != meanings


def _named(group: StageRecord) -> str:
    if group.edition:
        return say("stage {group}, edition {edition}", group=group.value, edition=group.edition)
    return say("stage {group}, edition not recorded", group=group.value)


def latest_groups(base: Baseline) -> list[StageRecord]:
    """Return the groups at diagnosis that count: the latest; one with its edition speaks for its copies without."""
    pool = list(base.groups)
    newest = [pool[at] for at in latest([one.when or ANY_TIME for one in pool])] if pool else []
    dated = [one for one in pool if one.edition and any(one.value == new.value and not new.edition for new in newest)]
    named = {one.value for one in dated}
    return [one for one in newest if one.edition or one.value not in named] + [
        one for one in dated if one not in newest
    ]


def _by_named_edition(groups: Sequence[StageRecord], table: Table) -> Choices | None:
    """Return the side a group would have by an edition that only text names."""
    sides = {table.get(one.edition_named, {}).get(one.value) for one in groups}
    return {frozenset({"M1"}): YES, frozenset({"M0"}): NO}.get(frozenset(str(side) for side in sides))


def _without_group(
    chart: Chart, name: str, base: Baseline, beside: Sequence[object], found: Spread, confirmed: Fact
) -> Fact:
    if base.imprecise:
        return Fact.unknown(
            name,
            EITHER,
            Reason.IMPRECISE_DATE,
            evidence=tuple(one.evidence for one in base.imprecise),
            says=say("it cannot be told whether this was at diagnosis"),
        )
    if beside and not chart.complete(["Observation", "Condition"]):
        return replace(confirmed, missing=tuple(replace(one, reason=Reason.NOT_FETCHED) for one in confirmed.missing))
    if beside:
        return confirmed
    if found.unlinked:
        evidence = tuple(cited_condition(one) for one in found.unlinked)
        return Fact.unknown(
            name,
            EITHER,
            Reason.CLINICIAN,
            lean=YES,
            evidence=evidence,
            says=why_unlinked(chart),
        )
    return unread_or_absent(chart, name, base)


def unread_or_absent(chart: Chart, name: str, base: Baseline) -> Fact:
    """Return why nothing decides: preliminary, by text, unmapped, not read, or not recorded."""
    if base.pending:
        lean = _pending_side(base.pending, _table(chart))
        evidence = tuple(one.evidence for one in base.pending)
        return Fact.unknown(name, EITHER, Reason.NOT_FINAL, lean=lean, evidence=evidence)
    if base.named:
        evidence = tuple(one.evidence for one in base.named)
        return Fact.unknown(
            name,
            EITHER,
            Reason.CLINICIAN,
            lean=_named_side(base.named, _table(chart)),
            evidence=evidence,
            says=say("staging as text only"),
        )
    if base.unmapped or base.empty:
        evidence = tuple(one.evidence for one in base.unmapped or base.empty)
        return Fact.unknown(name, EITHER, Reason.UNMAPPED_CODE if base.unmapped else Reason.NO_VALUE, evidence=evidence)
    complete = chart.complete(["Observation", "Condition"])
    return Fact.unknown(name, EITHER, Reason.NO_RECORD if complete else Reason.NOT_FETCHED)


def _pending_side(records: Sequence[StageRecord], table: Table) -> Choices | None:
    """Return the side that preliminary records would give: an M category, else a group by its own edition."""
    categories = [one for one in records if one.axis is Axis.METASTASIS and one.value[:2] in TOLD]
    by_m: set[Meaning | None] = {Meaning.M1 if one.metastatic else Meaning.M0 for one in categories}
    sides = by_m or {meaning(one, table) for one in records}
    return YES if sides == {Meaning.M1} else NO if sides == {Meaning.M0} else None


def _named_side(records: Sequence[StageRecord], table: Table) -> Choices | None:
    """Return the side that text leans to: an M category, else a group with a named edition, else III or lower."""
    by_m = {one.metastatic for one in records if one.axis is Axis.METASTASIS}
    by_text = {side for one in records if (side := _text_side(one, table)) is not None}
    sides = by_m or by_text
    return Choices.of(sides.pop()) if len(sides) == 1 else None


def _text_side(one: StageRecord, table: Table) -> bool | None:
    if one.axis is not Axis.GROUP:
        return None
    if not one.value.startswith("IV"):
        return False
    found = table.get(one.edition or one.edition_named, {}).get(one.value)
    return {"M1": True, "M0": False}.get(str(found))
