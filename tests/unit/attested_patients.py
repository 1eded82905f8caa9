"""Patients of the tests of attestations and what-if: one who passes all that a record can settle, and changes of it."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from cds_service.evaluation.attested import Attestation
from cds_service.evaluation.judge import judge
from cds_service.evaluation.outcome import PatientOutcome, TrialOutcome, Verdict
from cds_service.facts.record import Record
from cds_service.gather.bundle import read_bundle
from cds_service.screening.shorthand import to_bundle
from cds_service.trials.library import load_library
from cds_service.trials.model import Library

TRIAL = "NCT07235319"
DAY = date(2026, 3, 1)
GOOD: dict[str, Any] = {
    "age": 52,
    "sex": "male",
    "problems": [{"id": "npc", "code": "C11.9", "onset": -24}, {"code": "C79.5", "onset": -20, "primary": "npc"}],
    "staging": [{"m": "cM1b", "edition": 9, "date": -19}],
    "histology": [{"code": "8073/3", "date": -22}],
    "ecog": {"value": 1},
    "hemoglobin": {"value": 121},
    "neutrophils": {"value": 3},
    "platelets": {"value": 210},
    "creatinine": {"value": 80, "high": 111},
    "bilirubin_total": {"value": 12, "high": 21},
    "ast": {"value": 24, "high": 40},
    "alt": {"value": 28, "high": 40},
    "inr": {"value": 1, "high": 2},
    "aptt": {"value": 31, "high": 40},
}


@cache
def library() -> Library:
    return load_library(Path(__file__).resolve().parents[2] / "rules")


def record_of(**changes: Any) -> Record:
    """Return a patient who passes all that a record can settle, but for the changes; None takes a part out."""
    patient = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    return read_bundle(to_bundle(patient, library(), DAY))


def said(criterion: str, verdict: Verdict = Verdict.PASS, **more: Any) -> Attestation:
    plain: dict[str, Any] = {"gate": "screening", "by": "Dr Li", "on": DAY, "until": date(2026, 3, 31), **more}
    return Attestation(TRIAL, criterion, verdict=verdict, **plain)


def judged(record: Record, *attested: Attestation, as_of: date = DAY) -> TrialOutcome:
    return whole(record, *attested, as_of=as_of).trials[0]


def whole(record: Record, *attested: Attestation, as_of: date = DAY) -> PatientOutcome:
    return judge(record, library(), as_of=as_of, trials=[TRIAL], attested=attested)
