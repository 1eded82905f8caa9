"""The published hooks: versions, context fields, prefetch tokens; and a context for each.

Source: HL7/cds-hooks-library, the page of each hook.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

USER_TOKENS: Final = ("userPractitionerId", "userPractitionerRoleId", "userPatientId", "userRelatedPersonId")
_PEOPLE: Final = ("Practitioner", "PractitionerRole")


@dataclass(frozen=True)
class Hook:
    """One hook.

    Args:
        versions: published ones.
        required: context fields that a call must have.
        tokens: context fields that may stand in prefetch templates.
        users: types of ``userId``.
    """

    versions: tuple[str, ...]
    required: tuple[str, ...]
    tokens: tuple[str, ...]
    users: tuple[str, ...] = _PEOPLE


_USUAL: Final = ("userId", "patientId", "encounterId")

HOOKS: Final[Mapping[str, Hook]] = {
    "patient-view": Hook(("1.0",), ("userId", "patientId"), _USUAL, (*_PEOPLE, "Patient", "RelatedPerson")),
    "encounter-start": Hook(("1.0",), _USUAL, _USUAL),
    "encounter-discharge": Hook(("1.0",), _USUAL, _USUAL),
    "order-select": Hook(("1.0",), ("userId", "patientId", "selections", "draftOrders"), _USUAL),
    "order-sign": Hook(("1.0",), ("userId", "patientId", "draftOrders"), _USUAL),
    "appointment-book": Hook(
        ("1.0",), ("userId", "patientId", "appointments"), _USUAL, (*_PEOPLE, "Patient", "RelatedPerson")
    ),
    "order-dispatch": Hook(
        ("1.0", "1.1"),
        ("patientId", "dispatchedOrders", "performer"),
        ("patientId", "dispatchedOrders", "performer"),
        (),
    ),
    "problem-list-item-create": Hook(("0.1.0",), ("userId", "patientId", "conditions"), _USUAL),
    "allergyintolerance-create": Hook(("0.1.0",), ("userId", "patientId", "allergyIntolerance"), _USUAL),
    "medication-refill": Hook(("0.1.0",), ("patientId", "medications"), _USUAL),
}

_DRAFT: Final = "ServiceRequest/conformance-draft"


def context(hook: str, patient_id: str, orders: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Write the context of a call, with the required fields and no other.

    Args:
        hook: one of :data:`HOOKS`.
        patient_id: the patient's.
        orders: the draft orders, a Bundle; None for one laboratory test.
    """
    reference = f"Patient/{patient_id}"
    draft = {
        "resourceType": "ServiceRequest",
        "id": _DRAFT.partition("/")[2],
        "status": "draft",
        "intent": "order",
        "subject": {"reference": reference},
        # LOINC 57698-3: lipid panel, an order that matters to few rules.
        "code": {"coding": [{"system": "http://loinc.org", "code": "57698-3"}], "text": "Lipid panel"},
    }
    drafts = (
        dict(orders) if orders else {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": draft}]}
    )
    chosen = [
        f"{one['resource']['resourceType']}/{one['resource']['id']}"
        for one in drafts.get("entry", ())
        if isinstance(one, dict) and isinstance(one.get("resource"), dict) and "id" in one["resource"]
    ]
    appointment = {
        "resourceType": "Appointment",
        "id": "conformance-appointment",
        "status": "proposed",
        "participant": [{"actor": {"reference": reference}, "status": "needs-action"}],
    }
    condition = {
        "resourceType": "Condition",
        "id": "conformance-condition",
        "subject": {"reference": reference},
        "code": {"text": "A problem"},
    }
    values: dict[str, Any] = {
        "userId": "Practitioner/conformance",
        "patientId": patient_id,
        "encounterId": "conformance-encounter",
        "selections": chosen,
        "draftOrders": drafts,
        "appointments": _bundle(appointment),
        "dispatchedOrders": [_DRAFT],
        "performer": "Organization/conformance",
        "conditions": _bundle(condition),
        "allergyIntolerance": {
            "resourceType": "AllergyIntolerance",
            "id": "conformance-allergy",
            "patient": {"reference": reference},
            "code": {"text": "A substance"},
        },
        "medications": _bundle(),
    }
    return {name: values[name] for name in HOOKS[hook].required}


def _bundle(*resources: Mapping[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": dict(one)} for one in resources]}
