"""Metastasis entries of the problem list, sorted by what they can say about this disease."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cds_service.facts.cancers import names_another_origin
from cds_service.facts.codes import ValueSet
from cds_service.facts.conditions import ConditionEntry
from cds_service.facts.elements import same_reference
from cds_service.facts.fact import Evidence, Fact, Reason
from cds_service.facts.names import doubted
from cds_service.facts.phrase import say
from cds_service.logic.truth import Truth
from cds_service.logic.values import EITHER, YES

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart


@dataclass(frozen=True)
class Spread:
    """Metastasis entries that match a value set.

    Args:
        ours: confirmed, and linked to this disease or to nothing while no other cancer is active.
        unlinked: confirmed, linked to nothing, beside another active cancer or one that their own words give as
            their origin: a person must say whose they are.
        unsure: provisional, differential or unconfirmed.
        refuted: stated to be absent, without a later confirmed entry of the same set.
        disputed: confirmed and refuted alike, at times that cannot be ordered.
    """

    ours: tuple[ConditionEntry, ...] = ()
    unlinked: tuple[ConditionEntry, ...] = ()
    unsure: tuple[ConditionEntry, ...] = ()
    refuted: tuple[ConditionEntry, ...] = ()
    disputed: tuple[ConditionEntry, ...] = ()


def spread(chart: Chart, value_set: ValueSet, *, one_site: bool = False) -> Spread:
    """Sort the chart's entries of a value set; one linked to another primary is not used.

    Args:
        chart: the record at a moment.
        value_set: the metastasis codes asked for.
        one_site: whether they all name one organ, so that any entry contradicts any other; else the same code does.
    """
    found = [e for e in chart.conditions if e.code.find(value_set) and not _of_another_primary(chart, e)]
    confirmed = [entry for entry in found if entry.confirmed]
    refuted = [entry for entry in found if entry.refuted]
    against = {id(e): [one for one in refuted if one_site or one.shares_code_with(e)] for e in confirmed}
    live = [e for e in confirmed if not any(e.written_before(one) for one in against[id(e)])]
    disputed = [e for e in live if any(not one.written_before(e) for one in against[id(e)])]
    certain = [e for e in live if e not in disputed]
    beside = chart.disease.other_active_cancer
    ours = [e for e in certain if _linked(chart, e) or not (beside or names_another_origin(e.code))]
    return Spread(
        ours=tuple(ours),
        unlinked=tuple(entry for entry in certain if entry not in ours),
        unsure=tuple(entry for entry in found if entry.unsure),
        refuted=tuple(entry for entry in refuted if not any(entry.written_before(c) for c in confirmed)),
        disputed=tuple(disputed),
    )


def why_unlinked(chart: Chart) -> str:
    """Return why a person must say whose the unlinked entries are."""
    if chart.disease.other_active_cancer:
        return say("a metastasis beside another active cancer")
    return say("a metastasis whose own words name another cancer as its origin")


def _linked(chart: Chart, entry: ConditionEntry) -> bool:
    """Say whether an entry names this disease as its primary."""
    return any(same_reference(entry.related_primary, reference) for reference in chart.disease.concerned)


def _of_another_primary(chart: Chart, entry: ConditionEntry) -> bool:
    """Say whether an entry names another Condition of the record as its primary; one not read cannot be told."""
    known = any(same_reference(entry.related_primary, c.reference) for c in chart.entries.conditions)
    return known and not _linked(chart, entry)


def at_diagnosis(chart: Chart, entries: Sequence[ConditionEntry], answer: Truth) -> list[ConditionEntry]:
    """Return the entries for which "found at diagnosis" has this answer."""
    return [entry for entry in entries if chart.disease.at_diagnosis(entry.when) is answer]


def cited_condition(entry: ConditionEntry, note: str = "") -> Evidence:
    """Return a problem-list entry as evidence."""
    return Evidence(entry.reference, entry.code.label or None, None, entry.when.text if entry.when else None, note)


def named_in_text(name: str, entries: Sequence[ConditionEntry]) -> Fact:
    """Return the unknown of entries that only words name; words of doubt lean to nothing.

    Args:
        name: the fact.
        entries: at least one.
    """
    return Fact.unknown(
        name,
        EITHER,
        Reason.CLINICIAN,
        lean=None if all(doubted(entry.code.label) for entry in entries) else YES,
        evidence=tuple(cited_condition(entry) for entry in entries),
        says=say("named in text only"),
    )


def notes_of(entries: Sequence[ConditionEntry]) -> tuple[str, ...]:
    """Return the notes of entries that a fact rests on."""
    return tuple(dict.fromkeys(note for entry in entries for note in entry.notes))
