"""The patient that the suite opens: a Bundle, the answers to templates and searches, and a hostile copy."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import parse_qsl

from cds_service.errors import RequestError

# Markup that no page may ever run, put where charts have text.
HOSTILE: Final = '<img src=x onerror="alert(1)">'
_TOKEN: Final = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


@dataclass(frozen=True)
class Chart:
    """One patient's resources.

    Args:
        patient: the Patient.
        resources: all resources, the Patient too.
    """

    patient: Mapping[str, Any]
    resources: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, bundle: Any) -> Self:
        """Read a Bundle.

        Raises:
            RequestError: it is no Bundle with one Patient that has an id.
        """
        entries = bundle.get("entry") if isinstance(bundle, dict) else None
        found = [entry.get("resource") for entry in entries or () if isinstance(entry, dict)]
        resources = tuple(one for one in found if isinstance(one, dict) and isinstance(one.get("resourceType"), str))
        patients = [one for one in resources if one["resourceType"] == "Patient"]
        if len(patients) != 1 or not isinstance(patients[0].get("id"), str):
            raise RequestError("--patient must be a FHIR Bundle with one Patient that has an id.", field="--patient")
        return cls(patients[0], resources)

    @property
    def id(self) -> str:
        """The Patient's id."""
        return str(self.patient["id"])

    def prefetch(self, templates: Mapping[str, str], context: Mapping[str, Any]) -> dict[str, Any]:
        """Fill templates; one whose tokens cannot be filled is left out, as real clients do."""
        filled = ((key, _fill(template, context)) for key, template in templates.items())
        return {key: self.answer(query) for key, query in filled if query is not None}

    def answer(self, query: str) -> Any:
        """Answer a relative read or search; None when a read finds nothing."""
        path, _, parameters = query.partition("?")
        kind, _, one = path.partition("/")
        if one:
            return next((copy.deepcopy(r) for r in self._of(kind) if r.get("id") == one), None)
        codes = {code for name, value in parse_qsl(parameters) if name == "code" for code in value.split(",")}
        return searchset([r for r in self._of(kind) if not codes or codes & set(_codes(r))])

    def bare(self, templates: Mapping[str, str], context: Mapping[str, Any]) -> dict[str, Any]:
        """Fill templates as if the chart held the Patient alone."""
        return type(self)(self.patient, (self.patient,)).prefetch(templates, context)

    def hostile(self) -> Self:
        """Return a copy with markup in the patient's name and in every text and display."""

        def spoil(value: Any) -> Any:
            if isinstance(value, dict):
                return {
                    name: f"{HOSTILE}{part}" if name in ("text", "display") and isinstance(part, str) else spoil(part)
                    for name, part in value.items()
                }
            return [spoil(part) for part in value] if isinstance(value, list) else value

        name = [{"text": HOSTILE, "family": HOSTILE, "given": [HOSTILE]}]
        spoilt = [
            {**spoil(one), **({"name": name} if one["resourceType"] == "Patient" else {})} for one in self.resources
        ]
        return type(self)(next(one for one in spoilt if one["resourceType"] == "Patient"), tuple(spoilt))

    def _of(self, kind: str) -> Iterator[Mapping[str, Any]]:
        return (one for one in self.resources if one["resourceType"] == kind)


def searchset(resources: list[Mapping[str, Any]], next_url: str = "") -> dict[str, Any]:
    """Write the answer to a search."""
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "total": len(resources)}
    if next_url:
        bundle["link"] = [{"relation": "next", "url": next_url}]
        bundle["total"] += 1
    if resources:
        bundle["entry"] = [{"resource": copy.deepcopy(one), "search": {"mode": "match"}} for one in resources]
    return bundle


def _fill(template: str, context: Mapping[str, Any]) -> str | None:
    user = str(context.get("userId", ""))
    kind, _, user_id = user.partition("/")
    values = {f"context.{name}": value for name, value in context.items() if isinstance(value, str)}
    if user_id:
        values[f"user{kind}Id"] = user_id
    if any(name not in values for name in _TOKEN.findall(template)):
        return None
    return _TOKEN.sub(lambda found: str(values[found[1]]), template)


def _codes(resource: Mapping[str, Any]) -> Iterator[str]:
    for name, value in resource.items():
        if (name == "code" or name.endswith("CodeableConcept")) and isinstance(value, dict):
            codings = value.get("coding")
            for coding in codings if isinstance(codings, list) else ():
                if not isinstance(coding, dict):
                    continue
                yield f"{coding.get('system', '')}|{coding.get('code', '')}"
                yield str(coding.get("code", ""))


# A made-up adult with anaemia: something for rules of any kind to read.
BUILT_IN: Final = Chart.of(
    {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {
                "resource": {
                    "resourceType": "Patient",
                    "id": "conformance-patient",
                    "name": [{"family": "Example", "given": ["Conformance"]}],
                    "gender": "female",
                    "birthDate": "1970-04-01",
                }
            },
            {
                "resource": {
                    "resourceType": "Condition",
                    "id": "conformance-anaemia",
                    "clinicalStatus": {
                        "coding": [
                            {"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}
                        ]
                    },
                    "subject": {"reference": "Patient/conformance-patient"},
                    "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "D64.9"}]},
                }
            },
            {
                "resource": {
                    "resourceType": "Observation",
                    "id": "conformance-hemoglobin",
                    "status": "final",
                    "subject": {"reference": "Patient/conformance-patient"},
                    "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
                    "effectiveDateTime": "2026-02-20T08:00:00Z",
                    "valueQuantity": {
                        "value": 10.5,
                        "unit": "g/dL",
                        "system": "http://unitsofmeasure.org",
                        "code": "g/dL",
                    },
                }
            },
        ],
    }
)
