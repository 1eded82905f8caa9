"""What a patient is seen in before any criterion is asked: the trial's disease, its gate, the gate's moment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from cds_service.facts.fact import Fact, Moment
from cds_service.logic.values import Choices
from cds_service.trials.model import Gate, Library, Trial


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
