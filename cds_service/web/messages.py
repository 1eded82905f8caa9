"""The hook request as it comes over the wire, checked field by field.

Source: CDS Hooks 2.0.1, Calling a CDS Service; the context of each hook: the CDS Hooks Library, version 1.0 of each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from cds_service.errors import RequestError
from cds_service.gather.chart import PATIENT_ID
from cds_service.gather.origin import Origin
from cds_service.settings import Hook

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ID: Final = r"[A-Za-z0-9.\-]{1,64}"
_TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750, section 2.1
_STAFF: Final = ("Practitioner", "PractitionerRole")


@dataclass(frozen=True)
class _Context:
    """What one hook's context holds besides ``patientId``.

    Args:
        users: resource types that ``userId`` may name.
        encounter: whether ``encounterId`` is required; elsewhere it is optional.
        bundle: the field that holds a Bundle, "" for none.
        selections: whether some of the Bundle's orders are pointed out.
    """

    users: tuple[str, ...] = _STAFF
    encounter: bool = False
    bundle: str = ""
    selections: bool = False


_CONTEXTS: Final[Mapping[Hook, _Context]] = {
    "patient-view": _Context(users=(*_STAFF, "Patient", "RelatedPerson")),
    "encounter-start": _Context(encounter=True),
    "appointment-book": _Context(users=(*_STAFF, "Patient", "RelatedPerson"), bundle="appointments"),
    "order-select": _Context(bundle="draftOrders", selections=True),
    "order-sign": _Context(bundle="draftOrders"),
}


@dataclass(frozen=True)
class Ordered:
    """The orders of an order hook.

    Args:
        bundle: ``context.draftOrders``.
        selections: references of the orders that the call is about; None for all.
    """

    bundle: Mapping[str, Any]
    selections: frozenset[str] | None = None

    def __repr__(self) -> str:
        """Show no order."""
        return "Ordered()"


@dataclass(frozen=True)
class HookCall:
    """A checked call.

    Args:
        instance: ``hookInstance``.
        patient_id: ``context.patientId``.
        prefetch: as sent; empty when there is none.
        fhir_server: the FHIR base, when one was given.
        token: the bearer token for it; it lives for this call only and is never shown.
        ordered: what is being ordered; None where the hook is about no order.
    """

    instance: UUID
    patient_id: str
    prefetch: Mapping[str, Any]
    fhir_server: Origin | None = None
    token: str | None = None
    ordered: Ordered | None = None

    def __repr__(self) -> str:
        """Show neither patient nor token."""
        return f"HookCall({self.instance})"


def read_call(body: Any, hook: Hook) -> HookCall:
    """Check a request body. Fields nobody defined, and ``extension``, are ignored.

    Args:
        body: parsed JSON of any shape.
        hook: the hook that this service answers.

    Raises:
        RequestError: naming the first field that is wrong.
    """
    if not isinstance(body, dict):
        raise RequestError("The body must be a JSON object.", field="body")
    if body.get("hook") != hook:
        raise RequestError(f"hook must be {hook}.", field="hook")
    instance = body.get("hookInstance")
    if not isinstance(instance, str) or not _UUID.fullmatch(instance):
        raise RequestError("hookInstance must be a UUID.", field="hookInstance")
    context = body.get("context")
    if not isinstance(context, dict):
        raise RequestError("context must be an object.", field="context")
    patient_id, ordered = _context(context, _CONTEXTS[hook])
    prefetch = body.get("prefetch")
    if prefetch is not None and not isinstance(prefetch, dict):
        raise RequestError("prefetch must be an object.", field="prefetch")
    server = _server(body.get("fhirServer"))
    token = _authorization(body.get("fhirAuthorization"), patient_id)
    if token is not None and server is None:
        raise RequestError("fhirServer is required with fhirAuthorization.", field="fhirServer")
    return HookCall(UUID(instance), patient_id, prefetch or {}, server, token, ordered)


def _context(context: Mapping[str, Any], rule: _Context) -> tuple[str, Ordered | None]:
    """Check a context; return the patient's id and the orders."""
    user = context.get("userId")
    if not isinstance(user, str) or not re.fullmatch(f"({'|'.join(rule.users)})/{_ID}", user):
        types = f"{', '.join(rule.users[:-1])} or {rule.users[-1]}"
        raise RequestError(
            f"context.userId must be a reference such as Practitioner/abc, to a {types}.", field="context.userId"
        )
    patient_id = context.get("patientId")
    if not isinstance(patient_id, str) or not PATIENT_ID.fullmatch(patient_id):
        raise RequestError("context.patientId must be 1 to 64 letters, digits, '-' or '.'.", field="context.patientId")
    encounter = context.get("encounterId")
    if (encounter is not None and not isinstance(encounter, str)) or (rule.encounter and not encounter):
        must = "is required, a string" if rule.encounter else "must be a string"
        raise RequestError(f"context.encounterId {must}.", field="context.encounterId")
    bundle = _bundle(context, rule.bundle) if rule.bundle else {}
    if rule.bundle != "draftOrders":
        return patient_id, None
    return patient_id, Ordered(bundle, _selections(context) if rule.selections else None)


def _bundle(context: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Check a Bundle in the context. Its ``type`` is not asked for: the public Sandbox sends none."""
    field = f"context.{name}"
    bundle = context.get(name)
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise RequestError(f"{field} is required, a Bundle.", field=field)
    entries = bundle.get("entry", [])
    if not isinstance(entries, list) or not all(map(_holds_a_resource, entries)):
        raise RequestError(f"{field}.entry must be a list, a resource in each entry.", field=f"{field}.entry")
    return bundle


def _holds_a_resource(entry: Any) -> bool:
    resource = entry.get("resource") if isinstance(entry, dict) else None
    return isinstance(resource, dict) and isinstance(resource.get("resourceType"), str)


def _selections(context: Mapping[str, Any]) -> frozenset[str]:
    selections = context.get("selections")
    if not isinstance(selections, list) or not all(isinstance(one, str) for one in selections):
        field = "context.selections"
        raise RequestError(f"{field} is required, a list of references such as MedicationRequest/abc.", field=field)
    return frozenset(selections)


def _server(value: Any) -> Origin | None:
    if value is None:
        return None
    try:
        if isinstance(value, str):
            return Origin.of(value)
    except ValueError:
        pass
    raise RequestError("fhirServer must be an absolute http or https URL.", field="fhirServer")


def _authorization(value: Any, patient_id: str) -> str | None:
    """Check ``fhirAuthorization`` and return its token; scopes, of SMART 1 or 2, bind the server, not us."""
    if value is None:
        return None
    field = "fhirAuthorization"
    if not isinstance(value, dict):
        raise RequestError(f"{field} must be an object.", field=field)
    token = value.get("access_token")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise RequestError(f"{field}.access_token must be a bearer token.", field=f"{field}.access_token")
    if value.get("token_type") != "Bearer":
        raise RequestError(f"{field}.token_type must be Bearer.", field=f"{field}.token_type")
    # A token for one patient must never read another's chart.
    if value.get("patient") not in (None, patient_id):
        raise RequestError(f"{field}.patient must be context.patientId.", field=f"{field}.patient")
    return token
