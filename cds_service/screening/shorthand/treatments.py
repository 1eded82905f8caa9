"""Treatments of a patient in shorthand: drugs, procedures and cycles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cds_service.facts.codes import ATC, SNOMED
from cds_service.screening.shorthand.writer import Resource, Writer, code_of, coded
from cds_service.trials.patient_words import DRUGS, PROCEDURES, SITES


def treatments(writer: Writer, value: Any) -> None:
    """Write drugs and procedures."""
    for item in value:
        if "procedure" in item:
            _procedure(writer, item)
        else:
            _drug(writer, item)


_DRUG_RESOURCES: Final = {
    "administration": ("MedicationAdministration", "completed"),
    "statement": ("MedicationStatement", "completed"),
    "request": ("MedicationRequest", "completed"),
}


def _drug(writer: Writer, item: Mapping[str, Any]) -> None:
    kind, status = _DRUG_RESOURCES[item.get("as", "administration")]
    if "name" in item:
        drug: Resource = {"text": item["name"]}
    elif "code" in item:
        drug = code_of(item, ATC)
    else:
        drug = {"coding": [{"system": ATC, "code": DRUGS[item["drug"]], "display": item["drug"]}]}
    body: Resource = {
        "status": item.get("status", status),
        "medicationCodeableConcept": drug,
        **_reason(item),
    }
    if kind == "MedicationRequest":
        body["intent"] = item.get("intent", "order")
        body["authoredOn"] = writer.day(item["date"]) if "date" in item else None
    elif "start" in item:
        body["effectivePeriod"] = _period(writer, item)
    elif "date" in item:
        body["effectiveDateTime"] = writer.day(item["date"])
    writer.add(kind, body)


def _procedure(writer: Writer, item: Mapping[str, Any]) -> None:
    word = str(item["procedure"])
    code = code_of({**item, "code": PROCEDURES.get(word, word)}, SNOMED)
    body: Resource = {"status": item.get("status", "completed"), "code": code, **_reason(item)}
    if "site" in item:
        site = str(item["site"])
        body["bodySite"] = [coded(SNOMED, SITES.get(site, site))]
    if "start" in item:
        body["performedPeriod"] = _period(writer, item)
    elif "date" in item:
        body["performedDateTime"] = writer.day(item["date"])
    writer.add("Procedure", body)


def _period(writer: Writer, item: Mapping[str, Any]) -> Resource:
    found = {"start": writer.day(item["start"])}
    return {**found, "end": writer.day(item["end"])} if "end" in item else found


def _reason(item: Mapping[str, Any]) -> Resource:
    if "reason" not in item:
        return {}
    reason = item["reason"]
    return {"reasonCode": [code_of(reason if isinstance(reason, Mapping) else {"code": reason}, "icd10")]}


def cycles(writer: Writer, value: Any) -> None:
    """Write an administration of each drug on each day."""
    for start in value["starts"]:
        for drug in value["drugs"]:
            _drug(writer, {"drug": drug, "date": start})
