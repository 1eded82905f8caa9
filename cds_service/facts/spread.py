"""Metastasis entries of the problem list, sorted by what they can say about this disease."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cds_service.facts.codes import ValueSet
from cds_service.facts.conditions import ConditionEntry
from cds_service.facts.elements import same_reference
from cds_service.facts.fact import Evidence
from cds_service.logic.truth import Truth

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart


@dataclass(frozen=True)
class Spread:
    """Metastasis entries that match a value set.

    Args:
        ours: confirmed, and linked to this disease or to nothing while no other cancer is active.
        unlinked: confirmed, linked to nothing, beside another active cancer: a person must say whose they are.
        unsure: provisional, differential or unconfirmed.
        refuted: stated to be absent, without a later confirmed entry of the same set.
        contradicted: refuted and confirmed at times that cannot be ordered.
    """

    ours: tuple[ConditionEntry, ...] = ()
    unlinked: tuple[ConditionEntry, ...] = ()
    unsure: tuple[ConditionEntry, ...] = ()
    refuted: tuple[ConditionEntry, ...] = ()
    contradicted: bool = False


def spread(chart: Chart, value_set: ValueSet) -> Spread:
    """Sort the chart's entries of a value set; one linked to another primary is not used."""
    found = [
        entry for entry in chart.conditions if entry.code.find(value_set) and not _of_another_primary(chart, entry)
    ]
    confirmed = [entry for entry in found if entry.confirmed]
    refuted = [entry for entry in found if entry.refuted]
    live = [entry for entry in confirmed if not _overruled(entry, refuted)]
    beside = chart.disease.other_active_cancer
    ours = [entry for entry in live if entry.related_primary or not beside]
    standing = [entry for entry in refuted if not any(_certainly_before(entry, c) for c in confirmed)]
    return Spread(
        ours=tuple(ours),
        unlinked=tuple(entry for entry in live if not entry.related_primary and beside),
        unsure=tuple(entry for entry in found if entry.unsure),
        refuted=tuple(standing),
        contradicted=bool(live) and bool(standing),
    )


def _overruled(entry: ConditionEntry, refuted: Sequence[ConditionEntry]) -> bool:
    """Say whether a later entry refutes this very code."""
    same = [one for one in refuted if _shared(one, entry)]
    return any(_certainly_before(entry, one) for one in same)


def _shared(left: ConditionEntry, right: ConditionEntry) -> bool:
    codes = {(c.system, c.code) for c in left.code.codings}
    return any((c.system, c.code) in codes for c in right.code.codings)


def _certainly_before(left: ConditionEntry, right: ConditionEntry) -> bool:
    a, b = left.recorded or left.onset, right.recorded or right.onset
    return a is not None and b is not None and a.before(b)


def _of_another_primary(chart: Chart, entry: ConditionEntry) -> bool:
    if not entry.related_primary:
        return False
    ours = any(same_reference(entry.related_primary, c.reference) for c in chart.disease.conditions)
    # A link to a Condition that was not read cannot be told apart from a link to this disease's.
    known = any(same_reference(entry.related_primary, c.reference) for c in chart.entries.conditions)
    return known and not ours


def at_diagnosis(chart: Chart, entries: Sequence[ConditionEntry], answer: Truth) -> list[ConditionEntry]:
    """Return the entries for which "found at diagnosis" has this answer."""
    return [entry for entry in entries if chart.disease.at_diagnosis(entry.when) is answer]


def cited_condition(entry: ConditionEntry, note: str = "") -> Evidence:
    """Return a problem-list entry as evidence."""
    return Evidence(entry.reference, entry.code.label or None, None, entry.when.text if entry.when else None, note)


def notes_of(entries: Sequence[ConditionEntry]) -> tuple[str, ...]:
    """Return the notes of entries that a fact rests on."""
    return tuple(dict.fromkeys(note for entry in entries for note in entry.notes))
