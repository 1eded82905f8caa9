"""Collects the resources of a patient in shorthand, and the elements that many of them have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from cds_service.trials.model import Library
from cds_service.trials.patient_words import SYSTEMS

Resource = dict[str, Any]
PATIENT: Final = "shorthand"
FINAL: Final = "final"
_UCUM: Final = "http://unitsofmeasure.org"


@dataclass
class Writer:
    """Collects resources and numbers them."""

    library: Library
    as_of: date
    resources: list[Resource] = field(default_factory=list)

    def add(self, resource_type: str, body: Mapping[str, Any], **more: Any) -> None:
        """Add a resource about the patient, without empty elements."""
        number = len(self.resources) + 1
        resource = {"resourceType": resource_type, "id": f"{resource_type.lower()}-{number}", **body, **more}
        resource.setdefault("subject", {"reference": f"Patient/{PATIENT}"})
        self.resources.append({key: value for key, value in resource.items() if value is not None})

    def day(self, value: Any) -> str:
        """Return a date as written, or so many days before the day of judgement (``-14``)."""
        if isinstance(value, int) and not isinstance(value, bool):
            return (self.as_of + timedelta(days=value)).isoformat()
        return value.isoformat() if isinstance(value, date) else str(value)


def code_of(item: Mapping[str, Any], default: str) -> Resource:
    """Return a CodeableConcept: a text, or a code of `default` unless its system is said."""
    if "text" in item:
        return {"text": item["text"]}
    system = str(item.get("system", default))
    return {"coding": [{"system": SYSTEMS.get(system, system), "code": str(item["code"])}]}


def coded(system: str, code: str) -> Resource:
    """Return a CodeableConcept of one code."""
    return {"coding": [{"system": system, "code": code}]}


def quantity(value: Any, unit: Any, comparator: Any = None) -> Resource:
    """Return a Quantity in UCUM; without unit and code if there is no unit."""
    found = {
        "value": value,
        "unit": unit,
        "system": _UCUM if unit else None,
        "code": unit,
        "comparator": comparator,
    }
    return {key: part for key, part in found.items() if part is not None}


def effective(writer: Writer, item: Mapping[str, Any], default: Any = -3) -> Resource:
    """Return when an Observation was made: so many days before the judgement, unless its entry says."""
    if "period_end" in item:
        return {"effectivePeriod": {"end": writer.day(item["period_end"])}}
    if "issued" in item:
        return {"issued": f"{writer.day(item['issued'])}T08:00:00+08:00"}
    when = item.get("date", default)
    return {} if when == "none" else {"effectiveDateTime": writer.day(when)}
