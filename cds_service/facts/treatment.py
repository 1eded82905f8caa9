"""Which treatments were seen, and whether one of them bars the patient.

The table is the eligibility contract's, section 6: its rows are tried in the order fail for good, one half of the
trial's induction seen, both seen, none. No absent record ever makes this fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cds_service.facts.definitions import FactDefinition
from cds_service.facts.fact import Fact, Reason
from cds_service.facts.need import Need
from cds_service.facts.phrase import joined, say
from cds_service.facts.shown import day
from cds_service.facts.treated import Treatment, TreatmentClass
from cds_service.logic.values import EITHER, NO, YES, Choices

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart

TREATMENT_TYPES: Final = ("MedicationStatement", "MedicationRequest", "MedicationAdministration", "Procedure")
_CHEMOTHERAPY, _PD1, _OTHER = TreatmentClass.CHEMOTHERAPY, TreatmentClass.PD1, TreatmentClass.OTHER


def treatment_seen(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return whether the record shows a treatment of a class that counts: a sighting, so never unknown.

    For the class "other" it must be certain that it was for this disease: only then does it bar the patient.
    """
    kind = TreatmentClass(definition.options["class"])
    seen = [one for one in chart.disease.treatments.of(kind) if kind is not _OTHER or _bars(chart, one)]
    return Fact.known(definition.name, YES if seen else NO, evidence=tuple(one.evidence for one in seen))


def _bars(chart: Chart, treatment: Treatment) -> bool:
    return treatment.certain or chart.disease.onset is None


def prior_treatment(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return whether there was an earlier treatment that bars the patient."""
    name, treatments = definition.name, chart.disease.treatments
    barring = [one for one in treatments.of(_OTHER) if _bars(chart, one)]
    if barring:
        evidence = tuple(one.evidence for one in barring)
        if chart.disease.onset is None:
            undated = say("{treatments}, but the diagnosis is undated", treatments=_named(barring))
            return Fact.unknown(name, EITHER, Reason.IMPRECISE_DATE, lean=YES, evidence=evidence, says=undated)
        return Fact.for_good(name, YES, evidence=evidence, says=_named(barring))
    reason, lean, says = _row(chart)
    unsure = [one for one in treatments.of(_OTHER) if not one.certain]
    doubtful = [*treatments.doubtful, *_named_in_doubt(chart)]
    evidence = tuple(one.evidence for one in (*unsure, *doubtful, *treatments.counting))
    if unsure or doubtful:
        imprecise = bool(unsure) or any(one.reason is Reason.IMPRECISE_DATE for one in doubtful)
        reason, lean = Reason.IMPRECISE_DATE if imprecise else Reason.CLINICIAN, YES
        says = joined(_in_doubt(one) for one in (*unsure, *doubtful))
    if not chart.complete(TREATMENT_TYPES):
        unread = say("treatments could not all be read")
        reason, says = Reason.NOT_FETCHED, joined([unread, says]) if unsure or doubtful else unread
    return Fact.unknown(name, EITHER, reason, lean=lean, evidence=evidence, says=says)


def _row(chart: Chart) -> tuple[Reason, Choices, str]:
    """Return what the seen halves of the trial's induction give."""
    treatments = chart.disease.treatments
    seen = {one.kind for one in treatments.counting} & {_CHEMOTHERAPY, _PD1}
    if len(seen) == 2:
        return Reason.CLINICIAN, NO, say("nothing but the trial's induction found in this record")
    if len(seen) == 1:
        half, other = say("chemotherapy"), say("PD-1 inhibitor")
        if _PD1 in seen:
            half, other = other, half
        if other_half_named(chart):
            return Reason.CLINICIAN, NO, say("{half} coded, {other} by name only", half=half, other=other)
        return Reason.CLINICIAN, YES, say("{half} seen without {other}", half=half, other=other)
    return Reason.CLINICIAN, NO, say("none found in this record")


def other_half_named(chart: Chart) -> bool:
    """Say whether just one half of the induction is coded and the other is there by name only."""
    treatments = chart.disease.treatments
    seen = {one.kind for one in treatments.counting} & {_CHEMOTHERAPY, _PD1}
    named = {one.kind for one in treatments.named}
    return (seen == {_CHEMOTHERAPY} and TreatmentClass.NAMED_PD1 in named) or (
        seen == {_PD1} and TreatmentClass.NAMED_CHEMOTHERAPY in named
    )


def _named_in_doubt(chart: Chart) -> Sequence[Treatment]:
    """Return the treatments known by name that leave doubt: none beside both coded halves, or as the other half."""
    treatments = chart.disease.treatments
    seen = {one.kind for one in treatments.counting} & {_CHEMOTHERAPY, _PD1}
    if len(seen) == 2 or other_half_named(chart):
        return ()
    return treatments.named


def _in_doubt(one: Treatment) -> str:
    label = one.label or say("a treatment")
    return say("{treatment}: {doubt}", treatment=label, doubt=one.doubt or say("its date is imprecise"))


def _named(treatments: Sequence[Treatment]) -> str:
    return joined(
        say("{treatment} ({day})", treatment=one.label, day=day(one.when.text) if one.when else say("undated"))
        for one in treatments
    )
