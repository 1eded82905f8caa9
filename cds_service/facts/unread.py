"""What a record held that no reader looks at: counted by element, so that nothing is dropped unsaid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from cds_service.facts.record import Record

# Elements that say nothing about the patient's eligibility on any resource.
_FRAME: Final = frozenset(
    {"resourceType", "id", "meta", "implicitRules", "language", "text", "identifier", "subject", "patient", "extension"}
)
# What the readers look at; a name ending in * stands for a choice of types (valueQuantity, valueString, ...).
READ: Final[Mapping[str, frozenset[str]]] = {
    "Patient": frozenset({"birthDate", "_birthDate", "gender", "deceased*"}),
    "Observation": frozenset(
        {"status", "code", "effective*", "issued", "value*", "dataAbsentReason", "component", "method", "focus"}
        | {"interpretation", "referenceRange", "hasMember", "contained"}
    ),
    "Condition": frozenset(
        {"verificationStatus", "clinicalStatus", "code", "onset*", "abatement*", "recordedDate", "bodySite", "stage"}
    ),
    "MedicationStatement": frozenset(
        {"status", "medication*", "effective*", "reasonCode", "reasonReference", "reason", "adherence", "contained"}
    ),
    "MedicationRequest": frozenset(
        {"status", "intent", "doNotPerform", "medication*", "authoredOn", "reasonCode", "reasonReference", "reason"}
        | {"contained"}
    ),
    "MedicationAdministration": frozenset(
        {"status", "medication*", "effective*", "occurence*", "occurrence*", "reasonCode", "reasonReference", "reason"}
        | {"contained"}
    ),
    "Procedure": frozenset(
        {"status", "code", "performed*", "occurrence*", "bodySite", "reasonCode", "reasonReference", "reason"}
        | {"contained"}
    ),
}


def unread_elements(record: Record) -> Counter[str]:
    """Count the top-level elements that no reader looks at, as ``Type.element``.

    Values never leave the record: only names and counts do.
    """
    found: Counter[str] = Counter()
    found.update(_unread("Patient", record.patient.body))
    for resource_type, sources in record.resources.items():
        for source in sources:
            found.update(_unread(resource_type, source.body))
    return found


def _unread(resource_type: str, body: Mapping[str, Any]) -> list[str]:
    return [f"{resource_type}.{name}" for name in body if name not in _FRAME and not is_read(resource_type, name)]


def is_read(resource_type: str, element: str) -> bool:
    """Say whether a reader looks at a top-level element; extensions aside."""
    known = READ.get(resource_type, frozenset())
    choices = tuple(name[:-1] for name in known if name.endswith("*"))
    return element in known or element.lstrip("_").startswith(choices or ("\0",))
