"""A patient in shorthand, as rule authors write test cases, turned into the FHIR Bundle a hospital would send.

Cases so run the whole path from resources to verdict. ``rules/README.md`` tells the words,
:mod:`cds_service.trials.patient_words` checks them where a case file is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any, Final

from cds_service.screening.shorthand.disease import histology, lesions, problems, responses, staging
from cds_service.screening.shorthand.results import finding, grade, result
from cds_service.screening.shorthand.treatments import cycles, treatments
from cds_service.screening.shorthand.writer import PATIENT, Resource, Writer
from cds_service.trials.model import Library

__all__ = ["PATIENT", "Resource", "ShorthandError", "to_bundle"]


class ShorthandError(ValueError):
    """A case uses a key that shorthand does not have; the message names it."""


def to_bundle(patient: Mapping[str, Any], library: Library, as_of: date) -> Resource:
    """Turn a patient in shorthand into a Bundle.

    Args:
        patient: as ``rules/README.md`` tells.
        library: names the lab facts and their codes.
        as_of: the day that ages and relative dates count from.

    Raises:
        ShorthandError: an unknown key or word.
    """
    writer = Writer(library, as_of)
    entries: list[Resource] = [{"resource": _patient(patient, writer)}]
    for key, value in patient.items():
        if key in _PERSON or value is None:
            continue
        definition = library.facts.get(key)
        if key in _WRITERS:
            _WRITERS[key](writer, value)
        elif definition is not None and definition.kind == "lab":
            for item in value if isinstance(value, list) else [value]:
                result(writer, definition, item)
        elif definition is not None and definition.kind == "qualitative_result":
            for item in value if isinstance(value, list) else [value]:
                finding(writer, definition, item)
        else:
            raise ShorthandError(f"unknown key {key!r} in a patient")
    entries += [{"resource": resource} for resource in writer.resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


_PERSON: Final = ("age", "birth", "sex", "deceased")


def _patient(patient: Mapping[str, Any], writer: Writer) -> Resource:
    resource: Resource = {"resourceType": "Patient", "id": PATIENT}
    if "birth" in patient:
        resource["birthDate"] = str(patient["birth"])
    elif "age" in patient:
        # The birthday was a month ago: the age holds on every day near the judgement.
        born = writer.as_of - timedelta(days=30)
        resource["birthDate"] = date(born.year - int(patient["age"]), born.month, min(born.day, 28)).isoformat()
    if "sex" in patient:
        resource["gender"] = patient["sex"]
    if "deceased" in patient:
        at = patient["deceased"]
        resource["deceasedBoolean" if isinstance(at, bool) else "deceasedDateTime"] = (
            at if isinstance(at, bool) else writer.day(at)
        )
    return resource


def _unread(writer: Writer, value: Any) -> None:
    del value  # A Bundle cannot say which type failed: an error outcome makes the whole Bundle incomplete.
    issue = {"severity": "error", "code": "timeout"}
    writer.resources.append({"resourceType": "OperationOutcome", "issue": [issue]})


def _raw(writer: Writer, value: Any) -> None:
    for resource in value:
        writer.add(str(resource["resourceType"]), resource)


_WRITERS: Final[Mapping[str, Callable[[Writer, Any], None]]] = {
    "ecog": grade("89247-1"),
    "karnofsky": grade("89243-0"),
    "problems": problems,
    "staging": staging,
    "histology": histology,
    "lesions": lesions,
    "responses": responses,
    "treatments": treatments,
    "cycles": cycles,
    "unread": _unread,
    "fhir": _raw,
}
