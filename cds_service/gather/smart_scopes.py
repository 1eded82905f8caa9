"""SMART scopes: which to ask for, in the spelling that the server knows, and what a granted one lets us read.

Least privilege: reading only, and only the types that rules need.
Source: SMART App Launch 2.2, "Scopes for requesting FHIR Resources"; version 1 spells `.read`, version 2 `.rs`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final

from cds_service.facts.record import RESOURCE_TYPES

KINDS: Final = ("Patient", *RESOURCE_TYPES, "Medication")
"""What a chart is made of, and so what is asked for."""

_SYSTEM: Final = re.compile(r"system/(?P<kind>\*|[A-Za-z]+)\.(?P<may>[a-z*]+)")
_V1: Final = {"read": "rs", "*": "cruds", "write": "cud"}


class ScopeStyle(StrEnum):
    """How a server spells scopes."""

    V1 = "v1"
    V2 = "v2"


def style_of(configuration: Mapping[str, Any]) -> ScopeStyle:
    """Choose the spelling by what a server announces; version 1 when it says nothing, as servers before 2.0 do.

    >>> style_of({"capabilities": ["permission-v1", "permission-v2"]}).value
    'v2'
    >>> style_of({}).value
    'v1'
    """
    capabilities = texts(configuration.get("capabilities"))
    if "permission-v2" in capabilities:
        return ScopeStyle.V2
    if "permission-v1" in capabilities:
        return ScopeStyle.V1
    found = [_SYSTEM.fullmatch(scope) for scope in texts(configuration.get("scopes_supported"))]
    return ScopeStyle.V2 if any(one and one["may"] not in _V1 for one in found) else ScopeStyle.V1


def scope_for(kind: str, style: ScopeStyle) -> str:
    """Return the scope to read and search one type.

    >>> scope_for("Patient", ScopeStyle.V2)
    'system/Patient.rs'
    """
    return f"system/{kind}.{'read' if style is ScopeStyle.V1 else 'rs'}"


def lets_read(granted: Iterable[str], kind: str) -> bool:
    """Say whether a type may be read and searched whole.

    A scope with a condition (``system/Observation.rs?category=laboratory``) lets us see a part only, and what is not
    seen would look absent: it does not count.

    >>> lets_read(["system/*.read"], "Condition"), lets_read(["system/Condition.r"], "Condition")
    (True, False)
    """
    may: set[str] = set()
    for scope in granted:
        found = _SYSTEM.fullmatch(scope)
        if found and found["kind"] in ("*", kind):
            may |= set(_V1.get(found["may"], found["may"]))
    return may >= {"r", "s"}


def beyond_reading(granted: Iterable[str]) -> bool:
    """Say whether more was granted than was asked for: every type, or writing."""
    found = [_SYSTEM.fullmatch(scope) for scope in granted]
    return any(
        one is None or one["kind"] not in KINDS or not set(_V1.get(one["may"], one["may"])) <= {"r", "s"}
        for one in found
    )


def texts(value: object) -> list[str]:
    """Return the texts of a list; none for anything else."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
