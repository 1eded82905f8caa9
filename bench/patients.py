"""Records of any size: an example patient, and years of other results, problems and prescriptions beside it."""

from __future__ import annotations

import json
import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

AS_OF: Final = date(2026, 3, 1)
STORY: Final = Path(__file__).resolve().parents[1] / "fhir_examples" / "patients" / "candidate" / "bundle.json"

# LOINC codes that a hospital sends all day; the trials read the first six, here with older results.
_RESULTS: Final = (
    ("718-7", "Hemoglobin", "g/L", 121),
    ("777-3", "Platelets", "10*9/L", 210),
    ("1975-2", "Bilirubin total", "umol/L", 12),
    ("1920-8", "AST", "U/L", 25),
    ("1742-6", "ALT", "U/L", 24),
    ("2160-0", "Creatinine", "umol/L", 78),
    ("2951-2", "Sodium", "mmol/L", 140),
    ("2823-3", "Potassium", "mmol/L", 4),
    ("17861-6", "Calcium", "mmol/L", 2),
    ("2345-7", "Glucose", "mmol/L", 5),
    ("8867-4", "Heart rate", "/min", 72),
    ("8310-5", "Body temperature", "Cel", 37),
    ("9279-1", "Respiratory rate", "/min", 16),
)
_PROBLEMS: Final = (("I10", "Essential hypertension"), ("E78.5", "Hyperlipidaemia"), ("K21.9", "Reflux disease"))
_DRUGS: Final = (("C09AA05", "ramipril"), ("C10AA05", "atorvastatin"), ("A02BC01", "omeprazole"))


def bundle_of_size(resources: int, seed: int = 1) -> dict[str, Any]:
    """Return the example candidate's Bundle, filled up to so many resources of about 1 kB."""
    bundle = json.loads(STORY.read_text(encoding="utf-8"))
    subject = f"Patient/{bundle['entry'][0]['resource']['id']}"
    draw = random.Random(seed)
    while len(bundle["entry"]) < resources:
        number = len(bundle["entry"])
        kind = draw.random()
        made = _problem if kind < 0.05 else _prescription if kind < 0.12 else _result
        bundle["entry"].append({"resource": {"id": f"more-{number}", **made(draw, subject)}})
    bundle["entry"] = bundle["entry"][:resources]
    return bundle  # type: ignore[no-any-return]


def body_of_size(resources: int, seed: int = 1) -> bytes:
    """Return the same as the bytes of a request."""
    return json.dumps(bundle_of_size(resources, seed), ensure_ascii=False).encode()


def _day(draw: random.Random, first: int = 30, last: int = 3000) -> str:
    return f"{AS_OF - timedelta(days=draw.randint(first, last))}T08:{draw.randint(10, 59)}:00+08:00"


def _result(draw: random.Random, subject: str) -> dict[str, Any]:
    code, name, unit, middle = draw.choice(_RESULTS)
    value = round(middle * draw.uniform(0.9, 1.1), 1)
    measure = {"unit": unit, "system": "http://unitsofmeasure.org", "code": unit}
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "laboratory",
                        "display": "Laboratory",
                    }
                ]
            }
        ],
        "code": {"coding": [{"system": "http://loinc.org", "code": code, "display": name}], "text": name},
        "subject": {"reference": subject},
        "effectiveDateTime": (day := _day(draw)),
        "issued": day,
        "performer": [{"reference": "Organization/laboratory", "display": "Clinical laboratory"}],
        "valueQuantity": {"value": value, **measure},
        "referenceRange": [
            {
                "low": {"value": round(middle * 0.5, 1), **measure},
                "high": {"value": round(middle * 1.5, 1), **measure},
                "type": {
                    "coding": [
                        {"system": "http://terminology.hl7.org/CodeSystem/referencerange-meaning", "code": "normal"}
                    ]
                },
            }
        ],
    }


def _problem(draw: random.Random, subject: str) -> dict[str, Any]:
    code, name = draw.choice(_PROBLEMS)
    return {
        "resourceType": "Condition",
        "clinicalStatus": _status("condition-clinical", "active"),
        "verificationStatus": _status("condition-ver-status", "confirmed"),
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": code, "display": name}]},
        "subject": {"reference": subject},
        "recordedDate": _day(draw)[:10],
    }


def _status(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]}


def _prescription(draw: random.Random, subject: str) -> dict[str, Any]:
    code, name = draw.choice(_DRUGS)
    return {
        "resourceType": "MedicationRequest",
        "status": "completed",
        "intent": "order",
        "medicationCodeableConcept": {
            "coding": [{"system": "http://www.whocc.no/atc", "code": code, "display": name}],
            "text": name,
        },
        "subject": {"reference": subject},
        "authoredOn": _day(draw)[:10],
    }
