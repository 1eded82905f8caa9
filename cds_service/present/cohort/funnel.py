"""The funnel of a trial at one gate: how many come to each step, and how many pass, are unknown and fail there.

The first step is the trigger; only those whose trigger passes go on (the others have their own list, or none). At the
criteria, in the rule file's order, all who do not fail go on: an unknown loses nobody. The last step is to be alive, so
that those who are left are just the candidates and those who need data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cds_service.evaluation.outcome import DECEASED, Status, TrialOutcome, Verdict
from cds_service.facts.phrase import joined, say, words_of_rules
from cds_service.present.cohort.ranking import trigger_of
from cds_service.present.safe_text import plain
from cds_service.trials.model import Trial

_TRIGGER = ""
_ALIVE = "(alive)"
_TRIGGER_STEP, _ALIVE_STEP = "trigger", "alive"
_VERDICTS = (Verdict.PASS, Verdict.UNKNOWN, Verdict.FAIL)


@dataclass(frozen=True)
class Step:
    """One step.

    Args:
        criterion: its id; "trigger" and "alive" for the first and the last.
        label: for people.
        passed: how many pass.
        unknown: of how many it is not known.
        failed: how many fail, and go no further.
    """

    criterion: str
    label: str
    passed: int
    unknown: int
    failed: int

    @property
    def entered(self) -> int:
        """How many come to it."""
        return self.passed + self.unknown + self.failed


@dataclass(frozen=True)
class Funnel:
    """All steps at a gate.

    Args:
        gate: its id.
        label: for people.
        steps: in order.
        statuses: how many have which status, of those whose trigger passes.
    """

    gate: str
    label: str
    steps: tuple[Step, ...]
    statuses: dict[Status, int]

    @property
    def patients(self) -> int:
        """How many stand at this gate."""
        return self.steps[0].entered


class FunnelCount:
    """Counts patients into a funnel, one after the other.

    Args:
        trial: as in the rule file.
        gate: id of the gate.
    """

    def __init__(self, trial: Trial, gate: str) -> None:
        self._trial, self._gate = trial, trial.gate(gate)
        self._seen: Counter[tuple[str, Verdict]] = Counter()
        self._statuses: Counter[Status] = Counter()

    def add_without(self) -> None:
        """Count a patient whose trigger fails."""
        self._seen[_TRIGGER, Verdict.FAIL] += 1

    def add(self, outcome: TrialOutcome) -> None:
        """Count a patient at this gate."""
        trigger = trigger_of(outcome)
        self._seen[_TRIGGER, trigger] += 1
        if trigger is not Verdict.PASS:
            return
        self._statuses[outcome.status] += 1
        for one in outcome.criteria:
            if not one.criterion.trigger:
                self._seen[one.criterion.id, one.verdict] += 1
                if one.verdict is Verdict.FAIL:
                    return
        self._seen[_ALIVE, _alive(outcome)] += 1

    def funnel(self) -> Funnel:
        """Return what was counted."""
        criteria = self._trial.at(self._gate.id)
        steps = (
            self._step(_TRIGGER, _TRIGGER_STEP),
            *(self._step(one.id, one.id) for one in criteria if not one.trigger),
            self._step(_ALIVE, _ALIVE_STEP),
        )
        label = words_of_rules(self._gate.label)
        return Funnel(self._gate.id, label, steps, {one: self._statuses[one] for one in Status})

    def _step(self, key: str, criterion: str) -> Step:
        counts = (self._seen[key, verdict] for verdict in _VERDICTS)
        return Step(criterion, _label(criterion, self._gate.id, self._trial), *counts)


def to_json(funnels: Iterable[Funnel]) -> dict[str, Any]:
    """Return a trial's funnels as plain objects, to be kept: numbers and ids, no words."""
    return {"gates": [_gate_json(one) for one in funnels]}


def from_json(told: Mapping[str, Any], trial: Trial) -> tuple[Funnel, ...]:
    """Return funnels that :func:`to_json` wrote.

    Args:
        told: the plain objects.
        trial: as its rules are now, for the words; what they no longer know keeps its id.
    """
    labels = {gate.id: words_of_rules(gate.label) for gate in trial.gates}
    return tuple(
        Funnel(
            gate["gate"],
            labels.get(gate["gate"]) or plain(gate["gate"]),
            tuple(
                Step(step["step"], _label(step["step"], gate["gate"], trial), *(step[one.value] for one in _VERDICTS))
                for step in gate["steps"]
            ),
            {Status(name): number for name, number in gate["statuses"].items()},
        )
        for gate in told["gates"]
    )


def _gate_json(funnel: Funnel) -> dict[str, Any]:
    steps = [
        {"step": one.criterion, "pass": one.passed, "unknown": one.unknown, "fail": one.failed} for one in funnel.steps
    ]
    return {"gate": funnel.gate, "steps": steps, "statuses": {one.value: n for one, n in funnel.statuses.items()}}


def _label(step: str, gate: str, trial: Trial) -> str:
    if step == _ALIVE_STEP:
        return say("Alive")
    if step == _TRIGGER_STEP:
        return joined(words_of_rules(one.short) for one in trial.at(gate) if one.trigger)
    return next((words_of_rules(one.short) for one in trial.criteria if one.id == step), plain(step))


def _alive(outcome: TrialOutcome) -> Verdict:
    if outcome.blocked:
        return Verdict.FAIL
    return Verdict.UNKNOWN if any(one.fact == DECEASED for one in outcome.decisive) else Verdict.PASS
