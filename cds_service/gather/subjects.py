"""Whose record is it: only this patient's are used, and a reference is never guessed to be one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cds_service.facts.elements import object_of, text_of
from cds_service.facts.phrase import say

ANOTHER: Final = say("another patient's")
NOBODY: Final = say("without a subject")

_PATIENT: Final = re.compile(r"(?:^|(?P<base>.*)/)Patient/(?P<id>[A-Za-z0-9.\-]{1,64})$")


@dataclass(frozen=True)
class PatientNames:
    """Everything this patient may be called by.

    Args:
        id: ``Patient.id``, "" when there is none.
        full_url: the entry's ``fullUrl``, "" when there is none.
    """

    id: str
    full_url: str = ""

    @property
    def reference(self) -> str:
        """What evidence and results call the patient: ``Patient/<id>``, else the ``fullUrl``."""
        return f"Patient/{self.id}" if self.id else self.full_url

    def match(self, reference: str) -> bool:
        """Say whether a reference (relative, absolute, ``urn:uuid``, with a version or not) is this patient.

        >>> PatientNames("p1", "https://a/fhir/Patient/p1").match("https://b/fhir/Patient/p1")
        False
        >>> PatientNames("p1").match("https://b/fhir/Patient/p1/_history/3")
        True
        """
        bare = reference.split("/_history/")[0]
        if self.full_url and bare.lower() == self.full_url.lower():
            return True
        found = _PATIENT.match(bare)
        if found is None or not self.id or found["id"] != self.id:
            return False
        ours = _PATIENT.match(self.full_url)
        # A full URL with a base says which server's p1 this is; p1 on another server is somebody else.
        return found["base"] is None or ours is None or ours["base"] is None or ours["base"] == found["base"]


def whose(resource: Mapping[str, Any], names: PatientNames, base: str = "") -> str:
    """Return "" for this patient's resource, else the cause for which it is set aside.

    Args:
        resource: any resource.
        names: what the patient is called.
        base: the server that the entry's full URL names, "" for none: a relative reference is relative to it.
    """
    stated = [text for text in (_reference(resource.get(key)) for key in ("subject", "patient")) if text]
    if not stated:
        return NOBODY
    absolute = [f"{base}/{text}" if base and text.startswith("Patient/") else text for text in stated]
    if base and not names.full_url and any(_elsewhere(text, base) for text in absolute):
        return ANOTHER
    return "" if all(names.match(text) for text in absolute) else ANOTHER


def patient_named(resource: Mapping[str, Any]) -> str:
    """Return the id of the one patient that a resource is said to be of, on whatever server; "" for none, or two."""
    stated = [text for text in (_reference(resource.get(key)) for key in ("subject", "patient")) if text]
    found = [_PATIENT.match(text.split("/_history/")[0]) for text in stated]
    named = {one["id"] if one else "" for one in found}
    return named.pop() if len(named) == 1 else ""


def _elsewhere(reference: str, base: str) -> bool:
    """Say whether a reference names a Patient of another server: some find them by their id alone (sekmet does)."""
    found = _PATIENT.match(reference.split("/_history/")[0])
    return found is not None and found["base"] is not None and found["base"].lower() != base.lower()


def _reference(value: object) -> str:
    return text_of(object_of(value).get("reference"))
