"""One line of NDJSON: read strictly, or its type and patient told from the bytes alone where that is beyond doubt."""

from __future__ import annotations

import re
from typing import Any, Final

from cds_service.errors import RequestError
from cds_service.gather.json_text import read_json

MAX_RESOURCE_BYTES: Final = 32 * 2**20
"""The largest resource that is read; a whole Bundle of one patient counts as one."""

RESOURCE_ID: Final = re.compile(r"[A-Za-z0-9.\-]{1,64}")

_TYPE: Final = re.compile(rb'\s*\{\s*"resourceType"\s*:\s*"([A-Za-z]{1,64})"')
_PATIENT_ID: Final = re.compile(rb'\s*\{\s*"resourceType"\s*:\s*"Patient"\s*,\s*"id"\s*:\s*"([A-Za-z0-9.\-]{1,64})"')
_SUBJECT: Final = re.compile(
    rb'"(?:subject|patient)"\s*:\s*\{\s*"reference"\s*:\s*"(?:[^"\\\s]*/)?Patient/([A-Za-z0-9.\-]{1,64})'
    rb'(?:/_history/[A-Za-z0-9.\-]{1,64})?"'
)
_SUBJECT_KEY: Final = re.compile(rb'"(?:subject|patient)"\s*:')
_ANY_PATIENT: Final = re.compile(rb"Patient\\?/([A-Za-z0-9.\-]{1,64})")


def parse_line(line: bytes) -> dict[str, Any]:
    """Read one resource.

    Raises:
        RequestError: not strict JSON, larger than any resource, or no resource. The message repeats nothing of it.
    """
    body = read_json(line, max_bytes=MAX_RESOURCE_BYTES, what="line")
    if not isinstance(body, dict) or not isinstance(body.get("resourceType"), str):
        raise RequestError("The line is no FHIR resource.", field="line")
    return body


def type_told(line: bytes) -> str:
    """Return the resource type without reading the line; "" where only reading can tell.

    If the line is a resource, it is of this type: the type stands first in the object, and no key can stand twice.

    >>> type_told(b'{"resourceType":"Observation","id":"o1"}'), type_told(b'{"id":"o1","resourceType":"Observation"}')
    ('Observation', '')
    """
    found = _TYPE.match(line)
    return found[1].decode() if found else ""


def patient_told(line: bytes) -> str:
    r"""Return the id of the patient whose record this is, without reading the line; "" where there is any doubt.

    If the line is a record of any patient, it is this one's: one element can be the subject, and nothing is escaped.
    If it is broken, it is still this patient's: it has one type and one patient, so no two records ran into each other.

    >>> patient_told(b'{"resourceType":"Observation","subject":{"reference":"Patient/p1"}}')
    'p1'
    >>> patient_told(b'{"resourceType":"Observation","subject":{"reference":"Patient/1"},"a":"Patient/2"}')
    ''
    """
    # Names and references are ASCII: of the escapes only these can spell one.
    if b"\\u00" in line or b"\0" in line or line.count(b'"resourceType"') != 1 or not _TYPE.match(line):
        return ""
    found = _SUBJECT.findall(line)
    if len(found) != 1 or len(_SUBJECT_KEY.findall(line)) != 1 or set(_ANY_PATIENT.findall(line)) != set(found):
        return ""
    return str(found[0].decode())


def id_of_broken_patient(line: bytes) -> str:
    """Return the id of a Patient that cannot be read; "" where there is any doubt."""
    found = _PATIENT_ID.match(line)
    one_record = line.count(b'"resourceType"') == 1 and b"\0" not in line
    return found[1].decode() if found and one_record else ""
