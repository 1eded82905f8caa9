"""A patient's record as it was read, and how completely: what every door hands to the core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from cds_service.facts.phrase import say

# What is read of a patient besides the Patient. Medication holds the drugs that other resources point to.
RESOURCE_TYPES: Final = (
    "Condition",
    "Observation",
    "MedicationStatement",
    "MedicationRequest",
    "MedicationAdministration",
    "Procedure",
)


class Completeness(StrEnum):
    """How much of one resource type was seen."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


@dataclass(frozen=True)
class Read:
    """The outcome of reading one resource type; it travels with the data, and facts see it.

    Args:
        completeness: whether absence may be concluded (only from a complete read).
        why: for people, when not complete: "time-out", "HTTP 403", "not all pages were read". No patient data.
    """

    completeness: Completeness = Completeness.COMPLETE
    why: str = ""

    @property
    def complete(self) -> bool:
        """Whether a missing record means that there is none."""
        return self.completeness is Completeness.COMPLETE

    @classmethod
    def incomplete(cls, why: str) -> Read:
        """Return a read that saw some, perhaps not all."""
        return cls(Completeness.INCOMPLETE, why)

    @classmethod
    def failed(cls, why: str) -> Read:
        """Return a read that saw nothing."""
        return cls(Completeness.FAILED, why)


@dataclass(frozen=True)
class Source:
    """One FHIR resource and the name its evidence is cited by.

    Args:
        reference: ``Type/id``, or the entry's ``fullUrl`` when there is no id.
        body: the resource's JSON, numbers as ``Decimal`` or ``int``; never changed.
    """

    reference: str
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Record:
    """Everything read about one patient.

    Args:
        patient: the Patient resource.
        resources: per type, this patient's resources only, without duplicates.
        reads: per type of :data:`RESOURCE_TYPES`, how completely it was read.
        medications: Medication resources by every reference they may be cited by.
        set_aside: how many entries were not used, by cause ("another patient's", "without a subject", ...).
    """

    patient: Source
    resources: Mapping[str, tuple[Source, ...]]
    reads: Mapping[str, Read]
    medications: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    set_aside: Mapping[str, int] = field(default_factory=dict)

    def read(self, resource_type: str) -> Read:
        """Return how completely a type was read; a type nobody asked for was not read."""
        return self.reads.get(resource_type) or Read.failed(say("not asked for"))
