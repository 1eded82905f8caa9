"""JSON text of the elements that records are made of: all of it is our own, so it is put together, not encoded."""

from __future__ import annotations

import json
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from cds_service.synth.codes import LOINC, Concept
from cds_service.synth.person import AS_OF
from cds_service.synth.stream import Stream

Line = tuple[str, str]
"""Resource type and JSON text."""

UCUM: Final = "http://unitsofmeasure.org"
LABORATORY: Final = (
    ',"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category",'
    '"code":"laboratory"}]}]'
)
_CLINICAL: Final = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION: Final = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_ABSENT_REASON: Final = "http://terminology.hl7.org/CodeSystem/data-absent-reason"


class Pen:
    """Writes one patient's resources, numbered."""

    __slots__ = ("_count", "id", "lines", "subject")

    def __init__(self, patient: str) -> None:
        """Start with an empty sheet."""
        self.id = patient
        self.subject = f'"subject":{{"reference":"Patient/{patient}"}}'
        self.lines: list[Line] = []
        self._count = 0

    def write(self, kind: str, body: str, *, subject: str = "") -> str:
        """Write a resource; return its id."""
        self._count += 1
        name = f"{self.id}-{self._count}"
        text = f'{{"resourceType":"{kind}","id":"{name}",{subject or self.subject},{body}}}'
        self.lines.append((kind, text))
        return name


@lru_cache(maxsize=4096)
def quoted(text: str) -> str:
    """Return a text as JSON."""
    return json.dumps(text, ensure_ascii=False)


@lru_cache(maxsize=4096)
def coded(concept: Concept) -> str:
    """Return a CodeableConcept."""
    system, code, text = concept
    return f'{{"coding":[{{"system":{quoted(system)},"code":{quoted(code)}}}],"text":{quoted(text)}}}'


@lru_cache(maxsize=4096)
def loinc(code: str, text: str, local: str = "", system: str = LOINC) -> str:
    """Return the code of a result; a hospital's own code may stand beside it."""
    beside = f',{{"system":"http://example.org/fhir/CodeSystem/lis","code":{quoted(local)}}}' if local else ""
    return f'{{"coding":[{{"system":"{system}","code":"{code}"}}{beside}],"text":{quoted(text)}}}'


@lru_cache(maxsize=1024)
def quantity_tail(code: str, spelling: str, *, coded_unit: bool) -> str:
    """Return what follows the number of a Quantity."""
    unit = f',"unit":{quoted(spelling)}' if spelling else ""
    return unit + (f',"system":"{UCUM}","code":{quoted(code)}}}' if coded_unit else "}")


def concept_value(concept: Concept) -> str:
    """Return a coded value."""
    return f'"valueCodeableConcept":{coded(concept)}'


NO_VALUE: Final = f'"dataAbsentReason":{{"coding":[{{"system":"{_ABSENT_REASON}","code":"unknown"}}]}}'


def observation(
    pen: Pen, code: str, when: str, value: str, *, status: str = "final", extra: str = "", subject: str = ""
) -> str:
    """Write an Observation.

    Args:
        pen: the patient's.
        code: a CodeableConcept.
        when: an effective element.
        value: a value element or `NO_VALUE`.
        status: of the result.
        extra: further elements, each after a comma.
        subject: a subject element, where it is not the patient.
    """
    return pen.write("Observation", f'"status":"{status}","code":{code},{when},{value}{extra}', subject=subject)


def condition(
    pen: Pen,
    concept: Concept,
    dates: str,
    *,
    clinical: str = "active",
    verification: str = "confirmed",
    extra: str = "",
) -> str:
    """Write a Condition; `dates` and `extra` are further elements, each after a comma."""
    state = "" if verification == "entered-in-error" else _coding("clinicalStatus", _CLINICAL, clinical)
    checked = _coding("verificationStatus", _VERIFICATION, verification) if verification else ""
    return pen.write("Condition", f'"code":{coded(concept)}{state}{checked}{dates}{extra}')


@lru_cache(maxsize=64)
def _coding(name: str, system: str, code: str) -> str:
    return f',"{name}":{{"coding":[{{"system":"{system}","code":"{code}"}}]}}'


_CLOCKS: Final = ("T08:20:00+08:00", "T07:05:00+08:00", "T10:41:30+08:00", "T08:00:00Z", "T09:15:00.000+01:00")


def effective(rng: Stream, day: date, *, exact: bool = False) -> str:
    """Return when a result was taken: a time with an offset, a day, a period or an instant."""
    x = rng.random()
    text, clock = day.isoformat(), _CLOCKS[int(x * 5000) % 5]
    if x < 0.80 or exact:
        return f'"effectiveDateTime":"{text}{clock}"'
    if x < 0.92:
        return f'"effectiveDateTime":"{text}"'
    if x < 0.96:
        return f'"effectivePeriod":{{"start":"{text}T06:00:00+08:00","end":"{text}T06:10:00+08:00"}}'
    return f'"effectiveInstant":"{text}{clock}"'


def on_day(day: date) -> str:
    """Return a plain day of an assessment."""
    return f'"effectiveDateTime":"{day.isoformat()}"'


def ago(days: int) -> date:
    """Return the day so many days before the day of judgement."""
    return AS_OF - timedelta(days=days)
