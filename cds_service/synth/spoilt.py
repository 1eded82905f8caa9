"""What is left out or spoilt of a patient's record, and which criteria that touches.

A fact is left out whole, with every record of it: half of it, such as the newest result alone or some of the doses,
would leave older records that say something else, and the contract judges what stands in the record. For the same
reason a problem list is left out whole: the contract takes a list that does not name the cancer as "assumed absent".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cds_service.synth.analytes import ANALYTES
from cds_service.synth.person import Person
from cds_service.synth.stream import Stream

Spoilt = Mapping[str, str]
"""How each touched fact is spoilt: ``removed``, ``stale``, ``no-unit`` ..."""

LAB_KINDS: Final = (
    "removed",
    "removed",
    "stale",
    "stale",
    "no-unit",
    "no-range",
    "preliminary",
    "no-value",
    "local-code",
    "month-only",
    "comparator",
)
_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "birth": ("removed", "year-only"),
    "sex": ("removed",),
    "problem-list": ("removed", "provisional"),
    "histology": ("removed", "preliminary"),
    "m": ("removed", "no-value"),
    "group": ("removed", "no-edition"),
    "liver": ("removed",),
    "performance": ("removed", "stale", "no-value", "preliminary"),
    "lesions": ("removed",),
    "induction": ("removed", "pd1-removed"),
    "other-treatment": ("removed",),
    "responses": ("removed", "preliminary"),
    "anticoagulant": ("removed",),
}
_DISEASE: Final = ("problem-list", "induction", "other-treatment")
_ULN: Final = frozenset({"creatinine", "bilirubin", "ast", "alt", "inr", "pt", "aptt"})

NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "npc-primary": _DISEASE,  # the treatments choose the gate, and a remission counts at one gate only
    "age": ("birth",),
    "histology": ("histology", "problem-list"),  # some problem lists name the histology
    "metastasis": ("m", "group", "liver", *_DISEASE),  # the liver may be the only site
    "ecog": ("performance",),
    "stage": ("m", "group", "liver", *_DISEASE),
    "no-prior-treatment": _DISEASE,
    "life-expectancy": (),
    "measurable-lesion": ("lesions", *_DISEASE),
    "response": ("responses", *_DISEASE),
    "hemoglobin": ("hemoglobin",),
    "neutrophils": ("neutrophils",),
    "platelets": ("platelets",),
    "renal": ("creatinine", "weight", "egfr", "clearance", "birth", "sex"),
    "bilirubin": ("bilirubin",),
    "transaminases": ("ast", "alt", "liver", "m", "problem-list"),
    "inr-pt": ("inr", "pt", "anticoagulant", "problem-list"),
    "aptt": ("aptt", "anticoagulant", "problem-list"),
}
"""The facts that each criterion rests on; sex is added where a range is written for one sex."""


def draw_spoilt(seed: int, number: int, person: Person, missing: float) -> Spoilt:
    """Draw what of a patient's record is left out or spoilt, each fact with the same probability."""
    if not missing:
        return {}
    rng = Stream(f"{seed}/{number}/spoilt")
    spoilt = {}
    for fact in (*_KINDS, *ANALYTES):
        # Two numbers for each, so that a fact's fate does not depend on another's.
        hit, which = rng.random() < missing, rng.random()
        if hit and _has(person, fact):
            kinds = _lab_kinds(fact) if fact in ANALYTES else _KINDS[fact]
            spoilt[fact] = kinds[int(which * len(kinds))]
    if spoilt.get("problem-list") == "provisional" and person.primary != "npc":
        spoilt["problem-list"] = "removed"
    return spoilt


def _lab_kinds(name: str) -> tuple[str, ...]:
    kinds: tuple[str, ...] = LAB_KINDS
    if name not in _ULN:
        kinds = tuple(kind for kind in kinds if kind != "no-range")
    if name == "inr":  # a ratio needs no unit
        kinds = tuple(kind for kind in kinds if kind != "no-unit")
    return kinds


def _has(person: Person, fact: str) -> bool:
    """Say whether there is anything to leave out."""
    drugs = any(one.form != "procedure" and one.kind in ("chemotherapy", "pd1") for one in person.treatments)
    match fact:
        case "histology":
            return person.histology is not None
        case "m":
            return person.m is not None
        case "group":
            return person.group is not None
        case "liver":
            return person.liver is not None
        case "lesions":
            return bool(person.lesions)
        case "induction":
            return drugs
        case "other-treatment":
            return any(one.kind in ("other", "unclear") for one in person.treatments)
        case "responses":
            return bool(person.responses)
        case "anticoagulant":
            return person.anticoagulated
    return fact not in ANALYTES or fact in person.labs


def intact(spoilt: Spoilt, criterion: str, sexed: frozenset[str]) -> bool:
    """Say whether everything that a criterion rests on was left in.

    Args:
        spoilt: of the patient.
        criterion: its id.
        sexed: the analytes whose ranges are written for one sex.
    """
    needs = NEEDS[criterion]
    if "sex" in spoilt and any(one in sexed for one in needs):
        return False
    return not any(one in spoilt for one in needs)
