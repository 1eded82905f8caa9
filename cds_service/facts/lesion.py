"""A measurable lesion at baseline: the largest size on record, read before the first treatment.

A complete responder loses nothing: sizes count by their date, whatever their age. Source: the eligibility
contract, section 6 (measurable-lesion); RECIST 1.1 (15 mm short axis for nodes, 10 mm long axis on CT).
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from cds_service.facts.definitions import FactDefinition
from cds_service.facts.fact import Fact, Reason
from cds_service.facts.labs import cited, measure
from cds_service.facts.need import Need
from cds_service.facts.observations import ObservationEntry
from cds_service.facts.phrase import say
from cds_service.logic.values import EITHER, YES

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart


def measurable_lesion(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return whether a lesion is certainly measurable; anything short of that is for a person."""
    name, options = definition.name, definition.options
    sizes = chart.value_sets[options["value_set"]]
    first = chart.disease.treatments.first
    found = [
        (size, entry)
        for entry in chart.observed(sizes)
        if entry.usable and chart.disease.is_about(entry, chart.conditions)
        if (size := _size(chart, definition, need, entry)) is not None
        if entry.when is not None
        and entry.when.last <= chart.moment.as_of
        and (first is None or entry.when.last <= first.first)
    ]
    if found:
        largest, entry = max(found, key=lambda pair: (pair[0], pair[1].reference))
        evidence = (cited(entry),)
        if largest >= Decimal(str(options["any_lesion_mm"])):
            return Fact.known(name, YES, evidence=evidence, says=say("largest lesion {size} mm", size=largest))
        lean = YES if largest >= Decimal(str(options["not_a_node_mm"])) else None
        return Fact.unknown(
            name,
            EITHER,
            Reason.CLINICIAN,
            lean=lean,
            evidence=evidence,
            says=say("largest lesion {size} mm", size=largest),
        )
    if not chart.complete(["Observation"]):
        return Fact.unknown(name, EITHER, Reason.NOT_FETCHED)
    return Fact.unknown(name, EITHER, Reason.CLINICIAN, says=say("no lesion size on record before treatment"))


def _size(chart: Chart, definition: FactDefinition, need: Need, entry: ObservationEntry) -> Decimal | None:
    """Return the smallest size a result can mean, in mm; None when it cannot be used."""
    numbers = measure(chart, definition, need, entry).numbers
    return min((i.low for i in numbers.intervals if i.low is not None), default=None)
