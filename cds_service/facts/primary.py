"""The primary tumour on the problem list: the trigger of every card.

Source: the eligibility contract, sections 3 and 6 (npc-primary).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds_service.facts.conditions import ConditionEntry
from cds_service.facts.definitions import FactDefinition
from cds_service.facts.diagnosis import is_at_the_site
from cds_service.facts.fact import Fact, Reason
from cds_service.facts.names import names_nasopharyngeal_carcinoma
from cds_service.facts.need import Need
from cds_service.facts.phrase import say
from cds_service.facts.spread import cited_condition, named_in_text, notes_of
from cds_service.logic.values import EITHER, NO, YES

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart


def primary_cancer(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return whether the problem list holds a confirmed carcinoma of the site."""
    name, sets = definition.name, chart.value_sets
    sites = [sets[one] for one in definition.options["site_value_sets"]]
    found = [entry for entry in chart.conditions if any(entry.code.find(one) for one in sites)]
    refuted = [entry for entry in found if entry.refuted]
    confirmed = [entry for entry in found if entry.confirmed and not _refuted_later(entry, refuted)]
    standing = [
        entry for entry in refuted if not any(entry.written_before(other) for other in found if other.confirmed)
    ]
    if confirmed and standing:
        evidence = tuple(cited_condition(entry) for entry in (*confirmed, *standing))
        return Fact.unknown(name, EITHER, Reason.CONFLICT, evidence=evidence, says=say("confirmed and refuted"))
    if confirmed:
        return _confirmed(chart, name, confirmed)
    if standing:
        return Fact.known(name, NO, evidence=tuple(cited_condition(entry) for entry in standing), says=say("refuted"))
    unsure = [entry for entry in found if entry.unsure]
    if unsure:
        evidence = tuple(cited_condition(entry) for entry in unsure)
        return Fact.unknown(name, EITHER, Reason.NOT_FINAL, lean=YES, evidence=evidence)
    placed = [e for e in chart.conditions if not e.refuted and is_at_the_site(chart, e, definition.options)]
    if placed:
        evidence = tuple(cited_condition(entry) for entry in placed)
        return Fact.unknown(name, EITHER, Reason.NOT_SPECIFIC, evidence=evidence)
    named = [e for e in chart.conditions if _only_named(chart, e) and not e.refuted]
    if named:
        return named_in_text(name, named)
    return _absent(chart, name, definition)


def _confirmed(chart: Chart, name: str, entries: list[ConditionEntry]) -> Fact:
    active = [entry for entry in entries if entry.active]
    # After induction a cancer in remission is still the trial's disease.
    if not active and chart.moment.before_treatment:
        evidence = tuple(cited_condition(entry, entry.clinical) for entry in entries)
        return Fact.unknown(
            name,
            EITHER,
            Reason.CLINICIAN,
            lean=NO,
            evidence=evidence,
            says=say("recorded as {status}", status=entries[0].clinical),
        )
    resting = active or entries
    evidence = tuple(cited_condition(entry) for entry in resting)
    return Fact.for_good(name, YES, evidence=evidence, notes=notes_of(resting), says=resting[0].code.label)


def _refuted_later(entry: ConditionEntry, refuted: list[ConditionEntry]) -> bool:
    """Say whether the same entry was refuted later; another code of the site refuted is a conflict, no answer."""
    return any(entry.written_before(other) and entry.shares_code_with(other) for other in refuted)


def _only_named(chart: Chart, entry: ConditionEntry) -> bool:
    """Say whether an entry has no code of a known system and its text names the disease."""
    known = any(c.code and chart.value_sets.is_known_system(c.system) for c in entry.code.codings)
    return not known and any(names_nasopharyngeal_carcinoma(text) for text in entry.code.names())


def _absent(chart: Chart, name: str, definition: FactDefinition) -> Fact:
    """Return what a problem list without the disease says: nothing if unread or empty, else "not now"."""
    others = [chart.value_sets[one] for one in definition.options["not_carcinoma_value_sets"]]
    other = [e for e in chart.conditions if e.confirmed and any(e.code.find(one) for one in others)]
    if not chart.complete(["Condition"]):
        return Fact.unknown(name, EITHER, Reason.NOT_FETCHED)
    if other:
        return Fact.known(name, NO, evidence=tuple(cited_condition(entry) for entry in other), says=other[0].code.label)
    usable = [
        e
        for e in chart.conditions
        if any(c.code and chart.value_sets.is_known_system(c.system) for c in e.code.codings)
    ]
    if not usable:
        return Fact.unknown(name, EITHER, Reason.UNMAPPED_CODE if chart.conditions else Reason.NO_RECORD)
    return Fact.known(name, NO, notes=("assumed-absent",), says=say("not on the problem list"))
