"""What a FHIR server says of itself: its release, and which types it offers. Servers say more than they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Release(StrEnum):
    """A published FHIR release, by the name people use."""

    DSTU2 = "DSTU2"
    STU3 = "STU3"
    R4 = "R4"
    R4B = "R4B"
    R5 = "R5"
    OTHER = "another release"

    @property
    def read(self) -> bool:
        """Whether the readers know its resources."""
        return self in (Release.R4, Release.R4B, Release.R5)


# Source: hl7.org/fhir, "Publication (Version) History".
_RELEASES = {"1.0": Release.DSTU2, "3.0": Release.STU3, "4.0": Release.R4, "4.3": Release.R4B, "5.0": Release.R5}


@dataclass(frozen=True)
class Capability:
    """A CapabilityStatement, as far as it matters to a reader.

    Args:
        release: of FHIR.
        searched: types that are announced for searching; None when the statement lists none.
    """

    release: Release
    searched: frozenset[str] | None


def read_capability(body: Mapping[str, Any]) -> Capability | None:
    """Read the answer to ``/metadata``; None when it is no CapabilityStatement.

    >>> read_capability({"resourceType": "CapabilityStatement", "fhirVersion": "3.0.2"}).release.value
    'STU3'
    """
    if body.get("resourceType") not in ("CapabilityStatement", "Conformance"):
        return None
    version = body.get("fhirVersion")
    number = ".".join(version.split(".")[:2]) if isinstance(version, str) else ""
    searched = {
        resource["type"]
        for rest in _objects(body.get("rest"))
        for resource in _objects(rest.get("resource"))
        if isinstance(resource.get("type"), str) and _searches(resource)
    }
    return Capability(_RELEASES.get(number, Release.OTHER), frozenset(searched) or None)


def _searches(resource: Mapping[str, Any]) -> bool:
    """Say whether a search is announced; a statement that lists no interactions does not deny it."""
    codes = {one.get("code") for one in _objects(resource.get("interaction"))}
    return not codes or "search-type" in codes


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
