"""The words of a patient in shorthand: mistakes are told where they stand, and README, checks and FHIR agree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cds_service.screening.shorthand import to_bundle
from cds_service.trials import patient_words
from cds_service.trials.complaints import Complaints
from cds_service.trials.form import Part
from cds_service.trials.library import load_library
from cds_service.trials.patient_words import ENTRIES, FINDING, RESULT, Entry, check_patient, entry_of
from cds_service.trials.yaml_text import parse_document

FOLDER = Path(__file__).resolve().parents[2] / "rules"
LIBRARY = load_library(FOLDER)
DAY = date(2026, 3, 1)
OF_FACTS = {"lab": RESULT, "qualitative_result": FINDING}


def complaints_of(text: str) -> list[str]:
    complaints = Complaints()
    part = Part.whole(parse_document(text.encode(), "tests.yaml"), complaints)
    check_patient(part.entries(), LIBRARY.facts)
    return [str(one) for one in complaints.found]


MISTAKES = [
    ("haemoglobin: 90", "haemoglobin: a patient has no entry 'haemoglobin' (did you mean 'hemoglobin'?)"),
    ("problems: [{cod: C11.9}]", "problems[1].cod: unknown key 'cod' (did you mean 'code'?)"),
    ("problems: [{onset: -3}]", "problems[1]: expected exactly one of code, text; found none"),
    ("problems: [{code: C11.9, text: NPC}]", "problems[1]: expected exactly one of code, text; found code, text"),
    ("problems: {code: C11.9}", "problems: expected a list, found a mapping"),
    ("problems: [C11.9]", "problems[1]: expected a mapping, found the text 'C11.9'"),
    ("problems: [{code: C11.9, clinical: resovled}]", "unknown clinical status 'resovled' (did you mean 'resolved'?)"),
    ("problems: [{code: C11.9, system: icd}]", "unknown code system 'icd'; others are written as a URI"),
    ("problems: [{code: C11.9, edition: 8}]", "problems[1].edition: 'edition' says nothing without 'stage'"),
    ("problems: [{code: C11.9, onset: 3 weeks ago}]", "expected a day such as 2026-03-01, or a month, or a year"),
    ("problems: [{code: C11.9, onset: 2026-02-30}]", "expected a day such as 2026-03-01, or a month, or a year"),
    ("hemoglobin: {vlaue: 90}", "hemoglobin.vlaue: unknown key 'vlaue' (did you mean 'value'?)"),
    ("hemoglobin: 9 g", "hemoglobin: expected a number, found the text '9 g' (a result in words stands under text"),
    ("hemoglobin: [{value: 90}, {value: true}]", "hemoglobin[2].value: expected a number, found true"),
    ("hemoglobin: {unit: g/L}", "hemoglobin: expected exactly one of value, text, absent; found none"),
    ("hemoglobin: {value: 90, date: 2000000}", "expected days from the day of judgement, such as -14"),
    ("hemoglobin: ", "hemoglobin: expected a number, found nothing"),
    ("pregnancy_test: true", "pregnancy_test: expected text, found true"),
    ("ecog: 1.5", "ecog: expected a whole number from 0 to 100"),
    ("liver_metastasis: true", "'liver_metastasis' is no entry of a patient: the chart does not state this fact"),
    ("staging: [{mm: M1}]", "staging[1].mm: unknown key 'mm' (did you mean 'm'?)"),
    ("staging: [{m: M1, edition: 10}]", "unknown edition '10'"),
    ("treatments: [{drug: cisplatine}]", "unknown drug 'cisplatine' (did you mean 'cisplatin'?)"),
    ("treatments: [{procedure: radiotherpy}]", "unknown procedure 'radiotherpy', and codes have digits"),
    ("treatments: [{drug: cisplatin, end: -3}]", "'end' says nothing without 'start'"),
    ("treatments: [{drug: cisplatin, reason: {cod: C11.9}}]", "reason.cod: unknown key 'cod'"),
    ("cycles: {drugs: [cisplatin]}", "cycles: the key 'starts' is missing"),
    ("sex: man", "sex: unknown sex 'man'"),
    ("age: old", "age: expected a whole number from 0 to 150"),
    ("deceased: soon", "deceased: expected a day such as"),
    ("unread: [Observation]", "unread: expected true, for a part of the chart that could not be read"),
    ("fhir: [{id: x}]", "fhir[1]: expected a FHIR resource with its resourceType"),
]


@pytest.mark.parametrize(("text", "told"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_a_mistake_is_told_once_where_it_stands(text: str, told: str) -> None:
    (complaint,) = complaints_of(f"birth: 1970\n{text}")
    assert complaint.startswith("tests.yaml:2: ")
    assert told in complaint


# An example of every word: what shorthand takes, it writes into the chart.
LEAST: dict[str, dict[str, Any]] = {
    "hemoglobin": {"value": 90},
    "pregnancy_test": {"value": "positive"},
    "problems": {"code": "C11.9"},
    "staging": {"m": "M1"},
    "histology": {"code": "8072/3"},
    "lesions": {"mm": 9},
    "responses": {"value": "CR"},
    "treatments": {"drug": "cisplatin"},
    "ecog": {"value": 1},
}
BESIDE: dict[tuple[str, str], dict[str, Any]] = {
    ("hemoglobin", "high_unit"): {"value": 90, "high": 120},
    ("problems", "edition"): {"code": "C11.9", "stage": "4"},
    ("treatments", "end"): {"drug": "cisplatin", "start": -9},
    ("treatments", "site"): {"procedure": "radiotherapy"},
    ("treatments", "intent"): {"drug": "cisplatin", "as": "request"},
    ("treatments", "system"): {"code": "L01XA01"},
    ("ecog", "system"): {"answer": "LA9623-5"},
}
A_DAY = "2026-02-01"
EXAMPLES: dict[str, Any] = dict.fromkeys(("date", "period_end", "issued", "onset", "recorded", "abated"), A_DAY) | {
    **{"start": A_DAY, "end": A_DAY, "absent": True, "value": 80, "mm": 12, "high": 99, "ranges": [{"text": "x"}]},
    **{"unit": "g/dL", "high_unit": "g/dL", "comparator": "<", "status": "preliminary", "code": "C12", "text": "so"},
    **{"system": "snomed", "clinical": "resolved", "verification": "refuted", "id": "one", "primary": "two"},
    **{"stage": "4A", "edition": 7, "t": "T1", "n": "N1", "m": "M0", "group": "2", "by": "text", "answer": "LA1-2"},
    **{"drug": "gemcitabine", "name": "顺铂", "procedure": "biopsy", "site": "neck", "as": "statement"},
    **{"intent": "plan", "reason": "C11.9"},
}
WORDS = [
    (name, word)
    for name in ("hemoglobin", "pregnancy_test", *(name for name in ENTRIES if ENTRIES[name].words))
    for word in (entry_of(name, LIBRARY.facts) or Entry()).words
    if name not in ("karnofsky", "cycles")
]


@pytest.mark.parametrize(("name", "word"), WORDS)
def test_every_word_changes_the_chart(name: str, word: str) -> None:
    entry = entry_of(name, LIBRARY.facts)
    assert entry is not None
    item = {} if word in entry.one_of else BESIDE.get((name, word), LEAST[name])
    said = {**item, word: EXAMPLES[word]}

    def chart(one: Mapping[str, Any]) -> dict[str, Any]:
        return to_bundle({name: [one]} if one else {}, LIBRARY, DAY)

    assert chart(said) != chart(item)


# README.


def section() -> str:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    return text.split("### The patient in shorthand")[1].split("\n## ")[0]


def rows(head: str) -> list[list[str]]:
    table = section().split(head)[1].split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_readme_has_every_entry_and_word() -> None:
    told = {name: cells[1] for cells in rows("| entry | words of an item | says |") for name in named(cells[0])}
    known = {**ENTRIES, **OF_FACTS}
    assert set(told) == set(known)
    for name, entry in known.items():
        exactly_one, _, more = told[name].partition(";")
        assert named(exactly_one) == list(entry.one_of or entry.words), name
        assert named(more) == [word for word in entry.words if word not in entry.one_of and entry.one_of], name


def test_the_readme_has_what_may_stand_at_a_word() -> None:
    told = {name: named(cells[1]) for cells in rows("| word | what may stand there |") for name in named(cells[0])}
    assert told == {
        "system": list(patient_words.SYSTEMS),
        "drug": list(patient_words.DRUGS),
        "drugs": list(patient_words.DRUGS),
        "procedure": list(patient_words.PROCEDURES),
        "site": list(patient_words.SITES),
        "as": list(patient_words.WRITTEN_AS),
        "edition": list(patient_words.EDITIONS),
        "clinical": list(patient_words.CLINICAL),
        "verification": list(patient_words.VERIFICATION),
        "sex": list(patient_words.SEXES),
    }
