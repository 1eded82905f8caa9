"""Trials in any number, drawn: realistic in what they share, so that no evaluator wins by the shape of its input.

Each has the gates and the trigger of a real one, and 25 criteria over a few dozen facts. Some 5 limits of a trial are
its own; one criterion in five is an OR group, a NOT, a range, a conditional limit, or reads another window.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from cds_service.facts.need import XULN, Need
from cds_service.logic.expression import compile_logic
from cds_service.trials.model import Criterion, Kind, Library, Trial

# The fact, the rule's unit, where its limits lie, and whether more is better.
_LABS: Final = (
    ("hemoglobin", "g/L", 80, 130, True),
    ("neutrophils", "10*9/L", 1, 3, True),
    ("platelets", "10*9/L", 50, 150, True),
    ("bilirubin_total", XULN, 1, 3, False),
    ("ast", XULN, 1, 5, False),
    ("alt", XULN, 1, 5, False),
    ("inr", XULN, 1, 2, False),
    ("pt", XULN, 1, 2, False),
    ("aptt", XULN, 1, 2, False),
    ("creatinine", XULN, 1, 3, False),
)
_PLAIN: Final = ("histology", "metastasis", "stage", "measurable_lesion", "liver_metastasis", "anticoagulant")
_WINDOWS: Final = (7, 14, 14, 14, 21, 28)


def many_trials(library: Library, count: int, *, seed: int = 1, criteria: int = 25) -> Library:
    """Return the library with drawn trials instead of its own.

    Args:
        library: the rules; the first trial lends its gates and its trigger.
        count: how many trials.
        seed: of the drawing.
        criteria: of each trial, the trigger included.
    """
    base = library.trials["NCT07235319"]
    common = [_criterion(library, random.Random(f"{seed} common {at}"), f"c{at}") for at in range(4 * criteria)]
    trials = {}
    for number in range(count):
        name = f"NCT9{number:07}"
        trials[name] = _trial(library, base, common, random.Random(f"{seed} {number}"), name, criteria)
    return replace(library, trials=trials)


def _trial(library: Library, base: Trial, common: list[Criterion], draw: random.Random, name: str, size: int) -> Trial:
    trigger = next(one for one in base.criteria if one.trigger)
    shared = draw.sample(common, size - 6)
    own = [_criterion(library, draw, f"own{at}") for at in range(5)]
    drawn = [replace(one, id=f"{one.id}-{at}") for at, one in enumerate((*shared, *own))]
    both = tuple(gate.id for gate in base.gates)
    placed = [replace(one, gates=both if draw.random() < 0.8 else (draw.choice(both),)) for one in drawn]
    return replace(base, id=name, criteria=(trigger, *placed), digest=f"sha256:{name}")


def _criterion(library: Library, draw: random.Random, name: str) -> Criterion:
    logic, needs = _logic(draw)
    kind = Kind.EXCLUSION if draw.random() < 0.2 else Kind.INCLUSION
    if kind is Kind.EXCLUSION:
        logic = {"!": [logic]}
    types: Any = {variable: library.facts[need.fact].type for variable, need in needs.items()}
    return Criterion(name, kind, (), name, name, ("1",), needs, compile_logic(logic, types))


def _logic(draw: random.Random) -> tuple[dict[str, Any], Mapping[str, Need]]:
    if draw.random() < 0.8:
        if draw.random() < 0.25:
            fact = draw.choice(_PLAIN)
            return {"var": fact}, {fact: Need(fact)}
        if draw.random() < 0.15:
            return {"<=": [draw.randint(16, 20), {"var": "age"}, draw.randint(60, 85)]}, {"age": Need("age")}
        return _limit(draw, draw.choice(_LABS))
    one, other = draw.sample(_LABS, 2)
    (left, needs), (right, more) = _limit(draw, one), _limit(draw, other)
    fact = draw.choice(_PLAIN)
    also = {fact: Need(fact)}
    either: list[tuple[dict[str, Any], Mapping[str, Need]]] = [
        ({"or": [left, right]}, {**needs, **more}),
        ({"or": [left, {"and": [{"var": fact}, right]}]}, {**needs, **more, **also}),
        ({"if": [{"var": fact}, left, right]}, {**needs, **more, **also}),
        ({"agree": [left, right]}, {**needs, **more}),
        ({"and": [left, {"!": [{"var": fact}]}]}, {**needs, **also}),
    ]
    return draw.choice(either)


def _limit(draw: random.Random, lab: tuple[str, str, int, int, bool]) -> tuple[dict[str, Any], Mapping[str, Need]]:
    fact, unit, low, high, more = lab
    limit = Decimal(low) + Decimal(draw.randint(0, 40)) * (high - low) / 40
    sign = draw.choice((">=", ">=", ">") if more else ("<=", "<=", "<"))
    return {sign: [{"var": fact}, limit]}, {fact: Need(fact, unit, draw.choice(_WINDOWS))}
