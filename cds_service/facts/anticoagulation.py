"""Therapeutic anticoagulation with values in range: the exemption from the coagulation limits.

A record rarely says prophylactic or therapeutic, or the range aimed at: an active anticoagulant gives
``clinician``, never a pass. Antiplatelets do not exempt. Source: the contract, section 3 and 6 (inr-pt).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cds_service.facts.dates import shift
from cds_service.facts.definitions import FactDefinition
from cds_service.facts.fact import Evidence, Fact, Reason
from cds_service.facts.labs import LAB_WINDOW_DAYS
from cds_service.facts.names import named_in
from cds_service.facts.need import Need
from cds_service.facts.phrase import say
from cds_service.facts.spread import cited_condition
from cds_service.facts.treatments import Given, TreatmentEntry
from cds_service.logic.values import EITHER, NO

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart

MEDICATION_TYPES: Final = ("MedicationStatement", "MedicationRequest", "MedicationAdministration")
_ACTIVE: Final = frozenset({"active", "on-hold", "in-progress", "recorded", "unknown", ""})


def active_anticoagulant(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return False when none is active, and otherwise unknown: a person must say whether it exempts."""
    options, sets = definition.options, chart.value_sets
    drugs = sets[options["value_set"]]
    names = [sets[name] for name in options["name_value_sets"]]
    active = [e for e in chart.treatments if e.type != "Procedure" and _is_active(chart, e)]
    found = [e for e in active if e.code.find(drugs) or any(named_in(e.code.names(), one) for one in names)]
    status = sets[options["condition_value_set"]]
    coded = [entry for entry in chart.conditions if entry.active and entry.code.find(status)]
    listed, unsure = [e for e in coded if e.confirmed], [e for e in coded if e.unsure]
    evidence = tuple(
        Evidence(e.reference, e.code.label, None, e.start.text if e.start else None, e.status) for e in found
    ) + tuple(cited_condition(entry) for entry in listed)
    if evidence:
        says = say("{drug} is active: is it therapeutic, and is the value in its range?", drug=evidence[0].value)
        return Fact.unknown(definition.name, EITHER, Reason.CLINICIAN, evidence=evidence, says=says)
    if unsure:
        cited = tuple(cited_condition(entry) for entry in unsure)
        return Fact.unknown(definition.name, EITHER, Reason.NOT_FINAL, evidence=cited)
    if not chart.complete(MEDICATION_TYPES):
        return Fact.unknown(definition.name, EITHER, Reason.NOT_FETCHED)
    return Fact.known(definition.name, NO, notes=("assumed-absent",))


def _is_active(chart: Chart, entry: TreatmentEntry) -> bool:
    """Say whether a drug is being taken on the day: by its status, which a person maintains, not by its period."""
    if entry.given is Given.NOT_GIVEN:
        return False
    if entry.status in _ACTIVE:
        return True
    # Single doses are completed one by one: one in the labs' own window may still act on them.
    recent = shift(chart.moment.as_of, -LAB_WINDOW_DAYS)
    return entry.type == "MedicationAdministration" and entry.start is not None and entry.start.last >= recent
