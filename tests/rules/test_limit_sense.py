"""Limits beyond what is possible, and words that state another limit than the logic: told without false alarms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cds_service.facts.need import Need
from cds_service.logic.expression import compile_logic
from cds_service.trials.library import load_library
from cds_service.trials.limit_sense import doubtful_limits
from cds_service.trials.model import Criterion, Kind

FOLDER = Path(__file__).resolve().parents[2] / "rules"
LIBRARY = load_library(FOLDER)
FILE = Path("trial.yaml")


def told(text: str, fact: str, unit: str, sign: str, limit: Any) -> list[str]:
    logic = compile_logic({sign: [{"var": fact}, limit]}, {fact: "number"})
    needs = {fact: Need(fact=fact, unit=unit)}
    criterion = Criterion("one", Kind.INCLUSION, ("screening",), text, "short", ("1",), needs, logic, line=7)
    trial = type("Trial", (), {"criteria": (criterion,)})()
    return [str(one) for one in doubtful_limits(trial, LIBRARY.facts, FILE)]


@pytest.mark.parametrize("trial", LIBRARY.trials)
def test_the_shipped_trials_raise_no_alarm(trial: str) -> None:
    assert doubtful_limits(LIBRARY.trials[trial], LIBRARY.facts, FILE) == ()


@pytest.mark.parametrize(
    ("text", "fact", "unit", "sign", "limit"),
    [
        ("Hemoglobin at least 90 g/L.", "hemoglobin", "g/L", ">=", 90),
        ("Hemoglobin at least 9 g/dL.", "hemoglobin", "g/L", ">=", 90),
        ("Hemoglobin at least 90.0 g/L.", "hemoglobin", "g/L", ">=", 90),
        ("Platelets ≥ 100 × 10^9/L.", "platelets", "10*9/L", ">=", 100),
        ("Platelets ≥ 100 × 10⁹/L on day 3.", "platelets", "10*9/L", ">=", 100),
        ("ALT ≤ 2.5 × ULN.", "alt", "xULN", "<=", 2.5),
        ("Clearance of 60 mL/min/1.73 m2 or more.", "creatinine_clearance", "mL/min", ">=", 50),
    ],
)
def test_what_makes_sense(text: str, fact: str, unit: str, sign: str, limit: Any) -> None:
    assert told(text, fact, unit, sign, limit) == []


@pytest.mark.parametrize(
    ("text", "fact", "unit", "limit", "words"),
    [
        ("Hemoglobin at least 100 g/L.", "hemoglobin", "g/L", 90, "the words say 100 g/L"),
        ("Platelets ≥ 75 × 10⁹/L.", "platelets", "10*9/L", 100, "the words say 75 10*9/L"),
        ("ALT ≤ 3 × ULN.", "alt", "xULN", 2.5, "the words say 3 xULN"),
        ("High enough.", "hemoglobin", "mmol/L", 90, "the limit hemoglobin >= 90 mmol/L lies outside what is possible"),
        (
            "High enough.",
            "platelets",
            "/uL",
            0,
            "the limit platelets >= 0 /uL lies outside what is possible, 1 to",
        ),
    ],
)
def test_what_does_not(text: str, fact: str, unit: str, limit: Any, words: str) -> None:
    (complaint,) = told(text, fact, unit, ">=", limit)
    assert complaint.startswith("trial.yaml:7: one: ")
    assert words in complaint
