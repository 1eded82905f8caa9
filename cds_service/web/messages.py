"""The hook request as it comes over the wire, checked field by field.

Source: CDS Hooks 2.0.1, Calling a CDS Service.
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

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_USER: Final = re.compile(r"(Practitioner|PractitionerRole|Patient|RelatedPerson)/[A-Za-z0-9.\-]{1,64}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750, section 2.1


@dataclass(frozen=True)
class HookCall:
    """A checked call of the ``patient-view`` hook.

    Args:
        instance: ``hookInstance``.
        patient_id: ``context.patientId``.
        prefetch: as sent; empty when there is none.
        fhir_server: the FHIR base, when one was given.
        token: the bearer token for it; it lives for this call only and is never shown.
    """

    instance: UUID
    patient_id: str
    prefetch: Mapping[str, Any]
    fhir_server: Origin | None = None
    token: str | None = None

    def __repr__(self) -> str:
        """Show neither patient nor token."""
        return f"HookCall({self.instance})"


def read_call(body: Any, hook: str) -> HookCall:
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
    patient_id = _context(body.get("context"))
    prefetch = body.get("prefetch")
    if prefetch is not None and not isinstance(prefetch, dict):
        raise RequestError("prefetch must be an object.", field="prefetch")
    server = _server(body.get("fhirServer"))
    token = _authorization(body.get("fhirAuthorization"), patient_id)
    if token is not None and server is None:
        raise RequestError("fhirServer is required with fhirAuthorization.", field="fhirServer")
    return HookCall(UUID(instance), patient_id, prefetch or {}, server, token)


def _context(context: Any) -> str:
    """Check the context of ``patient-view`` and return its patient id."""
    if not isinstance(context, dict):
        raise RequestError("context must be an object.", field="context")
    user = context.get("userId")
    if not isinstance(user, str) or not _USER.fullmatch(user):
        raise RequestError("context.userId must be a reference such as Practitioner/abc.", field="context.userId")
    patient_id = context.get("patientId")
    if not isinstance(patient_id, str) or not PATIENT_ID.fullmatch(patient_id):
        raise RequestError("context.patientId must be 1 to 64 letters, digits, '-' or '.'.", field="context.patientId")
    encounter = context.get("encounterId")
    if encounter is not None and not isinstance(encounter, str):
        raise RequestError("context.encounterId must be a string.", field="context.encounterId")
    return patient_id


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
    """Check ``fhirAuthorization`` and return its token."""
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
