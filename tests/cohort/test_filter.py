"""What is told from the bytes of a line, and what reading it tells, are the same for every line that can be read."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example as with_example
from hypothesis import given
from hypothesis import strategies as st

from cds_service.errors import RequestError
from cds_service.facts.record import RESOURCE_TYPES
from cds_service.gather.bulk import sorting
from cds_service.gather.bulk.folder import SourceFile
from cds_service.gather.bulk.pieces import Line, Segment
from cds_service.gather.bulk.resource_line import parse_line, patient_told, type_told
from cds_service.gather.bulk.sorted_file import Kind, Stored
from cds_service.gather.subjects import patient_named
from cds_service.screening.cohort.judged import PatientInput
from cds_service.screening.cohort.part import judge_part

IDS = st.sampled_from(["1", "2", "p.3"])
KINDS = st.sampled_from([*RESOURCE_TYPES, "Patient", "Medication", "Encounter", "Bundle", "observation", ""])
REFERENCES = st.one_of(
    IDS.map(lambda one: f"Patient/{one}"),
    IDS.map(lambda one: f"https://a/fhir/Patient/{one}/_history/2"),
    st.sampled_from(["Group/1", "Patient/", "#p", "urn:uuid:1", " Patient/1 ", "Patient/1#x", "x Patient/1"]),
)
SUBJECTS = st.one_of(
    REFERENCES.map(lambda one: {"reference": one}),
    REFERENCES.map(lambda one: {"display": '"subject":{"reference":"Patient/2"}', "reference": one}),
    st.sampled_from([None, {}, [], "Patient/1", {"reference": None}, {"identifier": {"value": "Patient/2"}}]),
)
KEYS = ["subject", "patient", "contained", "note", "text", '"subject"', "resourceType", "performer", 'x"patient":{']


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """A resource as somebody may write it: any order of keys, blanks, escapes, things inside that look alike."""
    parts: list[tuple[str, Any]] = [("resourceType", draw(KINDS)), ("id", draw(IDS))]
    for key in draw(st.lists(st.sampled_from(KEYS[:5] + KEYS[7:]), max_size=4, unique=True)):
        inside = {"resourceType": "Specimen", "subject": draw(SUBJECTS)}
        value = {"contained": [inside], "note": "Patient/2 \u0001", "text": '"subject": "Patient/1"'}
        parts.append((key, draw(SUBJECTS) if key not in value else value[key]))
    if draw(st.booleans()):
        parts = draw(st.permutations(parts))
    compact, escaped = draw(st.booleans()), draw(st.booleans())
    text = json.dumps(dict(parts), separators=(",", ":") if compact else (", ", ": "), ensure_ascii=escaped)
    for old, new in draw(
        st.lists(st.sampled_from([("/", "\\/"), ("subject", "\\u0073ubject"), ("{", "{ ")]), max_size=1)
    ):
        text = text.replace(old, new, 1 if draw(st.booleans()) else -1)
    return text.encode()


class Kept:
    """Takes records into a list."""

    def __init__(self) -> None:
        self.records: list[Stored] = []
        self.told: dict[str, Any] = {}

    def put(self, kind: Kind, key: str, segment: int, line: int, data: bytes) -> None:
        self.records.append(Stored(kind, key, segment, line, data))

    def close(self, told: Any) -> None:
        self.told = dict(told)


def outcome(population: list[bytes]) -> tuple[list[PatientInput], Counter[str], list[Any], set[tuple[str, str]]]:
    """Return who would be judged with what, the counts, the quarantine and what is incomplete."""
    segment, told, kept = Segment(0, SourceFile("all.ndjson", 1, 1)), sorting.Sorted(), Kept()
    for number, data in enumerate(population, 1):
        sorting._sort_line(Line(number, data), segment, told, kept)
    judged: list[PatientInput] = []

    def judge(given: PatientInput, read: object = None) -> str:
        judged.append(given)
        return json.dumps({"patient": given.reference}, separators=(",", ":"))

    patients = [one for one in kept.records if one.kind is not Kind.DRUG]
    part = judge_part(patients, None, {}, judge)
    counts = told.counts + part.counts
    counts["used"] += len(kept.records) - len(patients)
    assert counts["resources"] == sum(
        counts[name] for name in ("used", "not_needed", "quarantined", "unassigned", "without_patient")
    )
    return judged, counts, told.quarantine + part.quarantine, told.incomplete


@given(population=st.lists(lines(), max_size=8))
@with_example(
    population=[
        b'{"resourceType":"Observation","subject":{"reference":"Patient/1"}}',
        b'{"resourceType":"Patient","id":"1"}',
    ]
)
def test_filtered_is_unfiltered(population: list[bytes]) -> None:
    filtered = outcome(population)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorting, "patient_told", lambda _line: "")
        patch.setattr(sorting, "type_told", lambda _line: "")
        assert outcome(population) == filtered


@given(line=lines())
def test_what_the_bytes_tell_is_so(line: bytes) -> None:
    kind, patient = type_told(line), patient_told(line)
    try:
        body = parse_line(line)
    except RequestError:
        return
    assert kind in ("", body["resourceType"])
    if patient:
        assert patient_named(body) in ("", patient)


def test_most_lines_are_told_from_their_bytes() -> None:
    """Else the filter would be exact and useless."""
    folder = Path(__file__).parents[2] / "fhir_examples" / "patients"
    told = [
        patient_told(json.dumps(entry["resource"]).encode()) != ""
        for file in sorted(folder.glob("*/bundle.json"))
        for entry in json.loads(file.read_bytes())["entry"]
        if entry["resource"]["resourceType"] != "Patient"
    ]
    assert sum(told) > 0.95 * len(told)
