"""The disease of a patient in shorthand: problems, stage, histology, lesions and responses."""

from __future__ import annotations

from typing import Any, Final

from cds_service.facts.codes import AJCC, LOINC, SNOMED
from cds_service.screening.shorthand.writer import FINAL, Resource, Writer, code_of, coded, effective, quantity
from cds_service.trials.patient_words import AXES, EDITIONS, RESPONSES, TRENDS

_CLINICAL: Final = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION: Final = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def problems(writer: Writer, value: Any) -> None:
    """Write Conditions."""
    for item in value:
        body: Resource = {"code": code_of(item, "icd10")}
        if item.get("verification", "confirmed") != "none":
            body["verificationStatus"] = {
                "coding": [{"system": _VERIFICATION, "code": item.get("verification", "confirmed")}]
            }
        if item.get("clinical", "active") != "none":
            body["clinicalStatus"] = coded(_CLINICAL, item.get("clinical", "active"))
        if "onset" in item:
            body["onsetDateTime"] = writer.day(item["onset"])
        if "recorded" in item:
            body["recordedDate"] = writer.day(item["recorded"])
        if "abated" in item:
            body["abatementDateTime"] = writer.day(item["abated"])
        if "primary" in item:
            url = "http://hl7.org/fhir/StructureDefinition/condition-related"
            body["extension"] = [{"url": url, "valueReference": {"reference": f"Condition/{item['primary']}"}}]
        if "stage" in item:
            edition = EDITIONS.get(str(item.get("edition")))
            kind = {"type": coded(SNOMED, edition)} if edition else {}
            body["stage"] = [{"summary": coded(AJCC, item["stage"]), **kind}]
        writer.add("Condition", body, **({"id": item["id"]} if "id" in item else {}))


def staging(writer: Writer, value: Any) -> None:
    """Write a category or group each."""
    for item in value:
        axis = next(one for one in AXES if one in item)
        body: Resource = {
            "status": item.get("status", FINAL),
            "code": coded(SNOMED, AXES[axis]),
            **effective(writer, item, -20),
        }
        word = str(item[axis])
        if item.get("by") == "text":
            body["valueString"] = word
        else:
            body["valueCodeableConcept"] = coded(AJCC, word)
        if "edition" in item:
            body["method"] = coded(SNOMED, EDITIONS[str(item["edition"])])
        writer.add("Observation", body)


def histology(writer: Writer, value: Any) -> None:
    """Write morphologies."""
    for item in value:
        body: Resource = {
            "status": item.get("status", FINAL),
            "code": coded(LOINC, "59847-4"),
            **effective(writer, item, -22),
        }
        if "text" in item:
            body["valueString"] = item["text"]
        else:
            body["valueCodeableConcept"] = code_of(item, "icdo3")
        writer.add("Observation", body)


def lesions(writer: Writer, value: Any) -> None:
    """Write the size of lesions."""
    for item in value:
        code = coded(LOINC, "21889-1")
        when = effective(writer, item, -20)
        writer.add(
            "Observation",
            {"status": FINAL, "code": code, **when, "valueQuantity": quantity(item["mm"], "mm")},
        )


def responses(writer: Writer, value: Any) -> None:
    """Write how the disease answered."""
    for item in value:
        word = str(item["value"])
        body: Resource = {
            "status": item.get("status", FINAL),
            "code": coded(LOINC, "97509-4"),
            **effective(writer, item),
        }
        if word in RESPONSES:
            body["valueCodeableConcept"] = coded(LOINC, RESPONSES[word])
        elif word in TRENDS:
            body["valueCodeableConcept"] = coded(SNOMED, TRENDS[word])
        else:
            body["valueCodeableConcept"] = {"text": word}
        writer.add("Observation", body)
