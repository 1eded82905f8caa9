"""What a patient is seen in before any criterion is asked: the trial's disease, its gate, the gate's moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from cds_service.facts.chart import Chart, read_entries
from cds_service.facts.fact import Fact, Moment
from cds_service.facts.record import Record
from cds_service.logic.values import Choices
from cds_service.trials.model import Gate, Library, Trial


def chart_of(record: Record, library: Library, as_of: date) -> Chart:
    """Return a record on a day, before any gate is chosen, as the hospital's site file says to read it."""
    site = library.site
    entries = read_entries(site.localised(record) if site else record)
    return Chart(entries, library.facts, library.value_sets, Moment(as_of, as_of, ""), site)


@dataclass(frozen=True)
class Stand:
    """Where a patient stands in a trial.

    Args:
        gate: the protocol's moment.
        chart: the record, seen at the gate by a trial of this disease.
        gate_facts: what the gate was chosen by, by variable name.
    """

    gate: Gate
    chart: Chart
    gate_facts: Mapping[str, Fact]


def stand_of(trial: Trial, chart: Chart, library: Library, anchor: date | None) -> Stand:
    """Choose the gate of a trial for a chart, and see the chart there."""
    about = chart.about(disease_of(trial, library))
    gate_facts = {name: about.fact(need) for name, need in trial.gate_needs.items()}
    gate = trial.gate(chosen_gate(trial, gate_facts))
    return Stand(gate, about.at(moment_at(gate, chart.moment.as_of, anchor)), gate_facts)


def disease_of(trial: Trial, library: Library) -> str:
    """Return the primary_cancer fact that the trial reads: its disease is the frame of every other fact."""
    needs = [need.fact for criterion in trial.criteria for need in criterion.needs.values()]
    return next((name for name in needs if library.facts[name].kind == "primary_cancer"), "")


def chosen_gate(trial: Trial, gate_facts: Mapping[str, Fact]) -> str:
    """Return the id of the gate that the trial's own logic chooses."""
    values = {name: fact.value for name, fact in gate_facts.items()}
    chosen = trial.gate_choice.value(values).now
    if not isinstance(chosen, Choices) or chosen.options is None or len(chosen.options) != 1:
        # Rule check: the facts a gate is chosen by are sightings, which are never unknown.
        raise TypeError(f"{trial.id}: the gate could not be told")
    return str(next(iter(chosen.options)))


def moment_at(gate: Gate, as_of: date, anchor: date | None) -> Moment:
    """Return when a patient at a gate is judged.

    Args:
        gate: the protocol's moment.
        as_of: the day of the judgement.
        anchor: the planned first dose, which a gate may allow as the windows' end; None for the day.
    """
    end = anchor if anchor is not None and gate.anchored_by_caller else as_of
    return Moment(as_of, end, gate.id, gate.anchored_by_caller)
