"""Response after four to six cycles: first the cycles, then the latest assessment after cycle 4 began.

Source: the eligibility contract, section 6 (response); clinical notes, section 3.8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from cds_service.facts.cycles import CYCLE_LENGTH_DAYS, Cycles, count_cycles
from cds_service.facts.dates import ANY_TIME, latest
from cds_service.facts.definitions import FactDefinition
from cds_service.facts.fact import Fact, Missing, Reason, yes_or_no
from cds_service.facts.labs import cited
from cds_service.facts.names import response_in
from cds_service.facts.need import Need
from cds_service.facts.observations import ObservationEntry
from cds_service.facts.phrase import joined, say
from cds_service.facts.shown import day
from cds_service.facts.treated import TreatmentClass
from cds_service.facts.treatment import TREATMENT_TYPES, other_half_named
from cds_service.logic.values import EITHER, NO, Choices

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart


def response_after_cycles(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return whether the tumour responded after the asked number of cycles."""
    name, options, treatments = definition.name, definition.options, chart.disease.treatments
    least, most = int(options["least_cycles"]), int(options["most_cycles"])
    chemotherapy = treatments.of(TreatmentClass.CHEMOTHERAPY)
    only_named = not chemotherapy and other_half_named(chart)
    if only_named:  # not countable, but its days give an estimate
        chemotherapy = tuple(one for one in treatments.named if one.kind is TreatmentClass.NAMED_CHEMOTHERAPY)
    cycles = count_cycles(chemotherapy, chart.moment.as_of)
    evidence = tuple(one.evidence for one in chemotherapy)
    begun = len(cycles.starts)
    if cycles.countable and not only_named:
        if chart.disease.onset is None and not least <= begun <= most:
            says = say("{begun} cycles begun, but the diagnosis is undated", begun=begun)
            return Fact.unknown(name, EITHER, Reason.IMPRECISE_DATE, lean=NO, evidence=evidence, says=says)
        if begun > most:
            return Fact.for_good(
                name, NO, evidence=evidence, says=say("{begun} cycles begun, more than {most}", begun=begun, most=most)
            )
        if begun < least:
            if not chart.complete(TREATMENT_TYPES):
                return Fact.unknown(name, EITHER, Reason.NOT_FETCHED, lean=NO, evidence=evidence)
            return _in_induction(name, cycles, least, evidence)
    assessed = _assessed(chart, definition, cycles, least)
    seen = evidence + assessed.evidence
    complete = chart.complete(TREATMENT_TYPES)
    if not cycles.countable or only_named:
        lean = NO if (begun and begun < least) or begun > most else assessed.lean
        says = say("cycles cannot be counted; about {begun} by the record's dates", begun=begun)
        reason = Reason.CLINICIAN if complete else Reason.NOT_FETCHED
        return Fact.unknown(name, EITHER, reason, lean=lean, evidence=seen, says=says)
    if not treatments.of(TreatmentClass.PD1):
        if other_half_named(chart):
            says = say("PD-1 inhibitor by name only")
            return Fact.unknown(name, EITHER, Reason.CLINICIAN, lean=assessed.lean, evidence=seen, says=says)
        reason, says = Reason.NO_RECORD if complete else Reason.NOT_FETCHED, say("no PD-1 inhibitor seen")
        return Fact.unknown(name, EITHER, reason, of=str(options["other_half"]), evidence=evidence, says=says)
    return replace(assessed, evidence=assessed.evidence + evidence)


def _in_induction(name: str, cycles: Cycles, least: int, evidence: tuple[object, ...]) -> Fact:
    """Return the fail of a patient still in induction, with the day to look again."""
    look_again = None
    begun = len(cycles.starts)
    says: str = say("in induction: {begun} of {least} cycles begun", begun=begun, least=least)
    if cycles.starts:
        look_again = cycles.starts[-1] + timedelta(days=CYCLE_LENGTH_DAYS * (least - begun))
        later = say("look again after cycle {least}, about {day}", least=least, day=day(look_again))
        says = joined([says, later], ", ")
    return Fact.known(name, NO, evidence=evidence, says=says, look_again=look_again)


def _assessed(chart: Chart, definition: FactDefinition, cycles: Cycles, least: int) -> Fact:
    """Judge the latest assessment dated after the day the asked cycle began."""
    name = definition.name
    began = cycles.began(least)
    asked = chart.value_sets[definition.options["value_set"]]
    found = [e for e in chart.observed(asked) if e.has_value and chart.disease.is_about(e, chart.conditions)]
    after = [e for e in found if began is not None and (e.when or ANY_TIME).last > began]
    usable = [entry for entry in after if entry.usable]
    if usable:
        newest = [usable[at] for at in latest([entry.when or ANY_TIME for entry in usable])]
        fact = _of(chart, definition, newest)
        if began is not None and all((entry.when or ANY_TIME).first <= began for entry in newest):
            return Fact.unknown(name, EITHER, Reason.IMPRECISE_DATE, lean=fact.value.now, evidence=fact.evidence)
        return fact
    if after:
        lean = _of(chart, definition, after).lean
        return Fact.unknown(name, EITHER, Reason.NOT_FINAL, lean=lean, evidence=tuple(cited(e) for e in after))
    reason = Reason.NO_RECORD if chart.complete(["Observation"]) else Reason.NOT_FETCHED
    return Fact.unknown(name, EITHER, reason, evidence=tuple(cited(entry) for entry in found))


def _of(chart: Chart, definition: FactDefinition, entries: Sequence[ObservationEntry]) -> Fact:
    """Judge assessments that count together."""
    name, options = definition.name, definition.options
    evidence = tuple(cited(entry) for entry in entries)
    sides = [_side(chart, definition, entry) for entry in entries]
    if None not in sides:
        values = Choices(frozenset(bool(side) for side in sides))
        fact = Fact.known(name, values, later=EITHER, evidence=evidence, says=entries[0].answer.label)
        return fact if len(set(sides)) == 1 else replace(fact, missing=(Missing(name, Reason.CONFLICT),))
    unclear = next(entry for entry, side in zip(entries, sides, strict=True) if side is None)
    if unclear.answer.find(chart.value_sets[options["trend_value_set"]]):
        return Fact.unknown(name, EITHER, Reason.NOT_SPECIFIC, evidence=evidence)
    named = response_in(unclear.answer.label)
    if named is None:
        return Fact.unknown(name, EITHER, Reason.UNMAPPED_CODE, evidence=evidence)
    lean = yes_or_no(named in ("CR", "PR"))
    return Fact.unknown(name, EITHER, Reason.CLINICIAN, lean=lean, evidence=evidence, says=say("as text only"))


def _side(chart: Chart, definition: FactDefinition, entry: ObservationEntry) -> bool | None:
    sets, options = chart.value_sets, definition.options
    yes = any(entry.answer.find(sets[name]) for name in options["response_value_sets"])
    no = any(entry.answer.find(sets[name]) for name in options["no_response_value_sets"])
    return None if yes == no else yes
