"""A patient in shorthand, as rule authors write test cases, turned into the FHIR Bundle a hospital would send.

Cases so run the whole path from resources to verdict. Keys of a patient:

=================== ==============================================================================================
key                 value
=================== ==============================================================================================
``age``             completed years on the day; or ``birth: 1970-05`` for a birth date as written
``sex``             male, female, other, unknown; left out: not stated
``deceased``        true, or a date
a lab fact's name   ``{value, unit, date, ...}`` or a list of them; see :func:`_result`
``ecog karnofsky``  ``{value, date}`` (an integer), or as a lab
``problems``        list of ``{code | text, system, onset, recorded, abated, verification, clinical, id, primary, ...}``
a test fact's name  ``{value, date, status}`` or a list of them: positive, negative, or a text as written
``staging``         list of ``{t | n | m | group, edition, date, status, by}``: ``m: M1b``, ``group: IVA``, ``t: cT4``
``histology``       list of ``{code, date, status}`` (ICD-O-3 morphology)
``lesions``         list of ``{mm, date}``
``responses``       list of ``{value, date, status}``: CR, PR, SD, PD or a word
``treatments``      list of ``{drug | procedure | name, as, status, date | start, end, site, reason, ...}``
``cycles``          ``{drugs: [...], starts: [...]}``: an administration of each drug on each day
``unread``          resource types that could not be read (an OperationOutcome stands in the Bundle)
``fhir``            list of raw resources, added as they are
=================== ==============================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from cds_service.facts import units
from cds_service.facts.codes import ICD_10, ICD_O_3, LOINC, SNOMED
from cds_service.facts.definitions import FactDefinition
from cds_service.trials.model import Library

Resource = dict[str, Any]
PATIENT: Final = "shorthand"
_SYSTEMS: Final = {"icd10": ICD_10, "snomed": SNOMED, "icdo3": ICD_O_3, "loinc": LOINC}
_CLINICAL: Final = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION: Final = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_ATC: Final = "http://www.whocc.no/atc"
_UCUM: Final = "http://unitsofmeasure.org"
_AJCC: Final = "http://cancerstaging.org"
# Drugs and procedures that cases name; any other is written by its ATC code or as {system, code}.
_DRUGS: Final = {
    "cisplatin": "L01XA01",
    "gemcitabine": "L01BC05",
    "toripalimab": "L01FF13",
    "tislelizumab": "L01FF09",
    "durvalumab": "L01FF03",
    "cetuximab": "L01FE01",
    "methotrexate": "L01BA01",
    "warfarin": "B01AA03",
    "aspirin": "B01AC06",
    "dexamethasone": "H02AB02",
}
_PROCEDURES: Final = {"radiotherapy": "1217123003", "nasopharyngectomy": "713188009", "biopsy": "86273004"}
_SITES: Final = {"nasopharynx": "71836000", "neck": "45048000", "bone": "272673000"}
_RESPONSES: Final = {"CR": "LA28366-5", "PR": "LA28369-9", "SD": "LA28371-5", "PD": "LA28370-7"}
_EDITIONS: Final = {"6": "444256004", "7": "443830009", "8": "897275008", "9": "1269566009"}
_AXES: Final = {"t": "399504009", "n": "399534004", "m": "399387003", "group": "399537006"}
_TRENDS: Final = {"improved": "268910001"}


class ShorthandError(ValueError):
    """A case uses a key that shorthand does not have; the message names it."""


@dataclass
class _Writer:
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


def to_bundle(patient: Mapping[str, Any], library: Library, as_of: date) -> Resource:
    """Turn a patient in shorthand into a Bundle.

    Args:
        patient: see the module's table.
        library: names the lab facts and their codes.
        as_of: the day that ages and relative dates count from.

    Raises:
        ShorthandError: an unknown key or word.
    """
    writer = _Writer(library, as_of)
    entries: list[Resource] = [{"resource": _patient(patient, writer)}]
    for key, value in patient.items():
        if key in _PERSON or value is None:
            continue
        definition = library.facts.get(key)
        if key in _WRITERS:
            _WRITERS[key](writer, value)
        elif definition is not None and definition.kind == "lab":
            for result in value if isinstance(value, list) else [value]:
                _result(writer, definition, result)
        elif definition is not None and definition.kind == "qualitative_result":
            for result in value if isinstance(value, list) else [value]:
                _finding(writer, definition, result)
        else:
            raise ShorthandError(f"unknown key {key!r} in a patient")
    entries += [{"resource": resource} for resource in writer.resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


_PERSON: Final = ("age", "birth", "sex", "deceased")


def _patient(patient: Mapping[str, Any], writer: _Writer) -> Resource:
    resource: Resource = {"resourceType": "Patient", "id": PATIENT}
    if "birth" in patient:
        resource["birthDate"] = str(patient["birth"])
    elif "age" in patient:
        # The birthday was a month ago: the age holds on every day near the judgement.
        born = writer.as_of - timedelta(days=30)
        resource["birthDate"] = date(born.year - int(patient["age"]), born.month, min(born.day, 28)).isoformat()
    if "sex" in patient:
        resource["gender"] = patient["sex"]
    if "deceased" in patient:
        at = patient["deceased"]
        resource["deceasedBoolean" if isinstance(at, bool) else "deceasedDateTime"] = (
            at if isinstance(at, bool) else writer.day(at)
        )
    return resource


def _code(item: Mapping[str, Any], default: str) -> Resource:
    if "text" in item:
        return {"text": item["text"]}
    system = str(item.get("system", default))
    return {"coding": [{"system": _SYSTEMS.get(system, system), "code": str(item["code"])}]}


def _quantity(value: Any, unit: Any, comparator: Any = None) -> Resource:
    found = {
        "value": value,
        "unit": unit,
        "system": _UCUM if unit else None,
        "code": unit,
        "comparator": comparator,
    }
    return {key: part for key, part in found.items() if part is not None}


_STATUS: Final = "final"


def _result(writer: _Writer, definition: FactDefinition, item: Any) -> None:
    """Write one result.

    Keys: ``value``, ``unit`` (default: the fact's own; ``none`` for no unit), ``date`` (default 3 days before),
    ``period_end``, ``issued``, ``status``, ``comparator``, ``high`` (upper limit of normal) with ``high_unit``,
    ``ranges`` (raw), ``text`` (a string value), ``absent`` (no value), ``code`` (LOINC).
    """
    if not isinstance(item, Mapping):
        item = {"value": item}
    unit = item.get("unit", definition.unit)
    unit = None if unit == "none" else unit
    body: Resource = {
        "status": item.get("status", _STATUS),
        "code": {"coding": [{"system": LOINC, "code": str(item.get("code") or _loinc(writer, definition, unit))}]},
        **_effective(writer, item),
    }
    if "text" in item:
        body["valueString"] = item["text"]
    elif item.get("absent"):
        body["dataAbsentReason"] = {"coding": [{"code": "error"}]}
    elif "value" in item:
        body["valueQuantity"] = _quantity(item["value"], unit, item.get("comparator"))
    if "ranges" in item:
        body["referenceRange"] = item["ranges"]
    elif "high" in item:
        body["referenceRange"] = [{"high": _quantity(item["high"], item.get("high_unit", unit))}]
    writer.add("Observation", body)


def _finding(writer: _Writer, definition: FactDefinition, item: Any) -> None:
    """Write a test that is positive or negative; ``value`` is one of the two, or a text."""
    one = item if isinstance(item, Mapping) else {"value": item}
    body: Resource = {
        "status": one.get("status", _STATUS),
        "code": {"coding": [{"system": LOINC, "code": definition.ask.code}]},
        **_effective(writer, one),
    }
    word = str(one.get("value", ""))
    codes = definition.options.get(f"{word}_codes")
    if codes:
        body["valueCodeableConcept"] = {"coding": [{"system": SNOMED, "code": codes[0]}]}
    elif word:
        body["valueString"] = word
    writer.add("Observation", body)


def _effective(writer: _Writer, item: Mapping[str, Any]) -> Resource:
    if "period_end" in item:
        return {"effectivePeriod": {"end": writer.day(item["period_end"])}}
    if "issued" in item:
        return {"issued": f"{writer.day(item['issued'])}T08:00:00+08:00"}
    when = item.get("date", -3)
    return {} if when == "none" else {"effectiveDateTime": writer.day(when)}


def _loinc(writer: _Writer, definition: FactDefinition, unit: str | None) -> str:
    """Return a LOINC code whose property fits the unit: mass for mg/dL, moles for umol/L."""
    wanted = units.unit_property(definition.options["analyte"], unit) if unit else None
    concepts = writer.library.value_sets[definition.options["value_set"]].concepts
    fitting = (c.code for c in concepts if wanted is None or c.attributes.get("property") in (None, wanted))
    return next(fitting, definition.ask.code)


def _grade(code: str) -> Callable[[_Writer, Any], None]:
    def write(writer: _Writer, value: Any) -> None:
        for item in value if isinstance(value, list) else [value]:
            one = item if isinstance(item, Mapping) else {"value": item}
            body: Resource = {
                "status": one.get("status", _STATUS),
                "code": {"coding": [{"system": LOINC, "code": code}]},
                **_effective(writer, one),
            }
            if "text" in one:
                body["valueString"] = one["text"]
            elif one.get("absent"):
                body["dataAbsentReason"] = {"coding": [{"code": "error"}]}
            elif "answer" in one:
                body["valueCodeableConcept"] = _code(
                    {"code": one["answer"], "system": one.get("system", "loinc")}, "loinc"
                )
            else:
                body["valueInteger"] = one["value"]
            writer.add("Observation", body)

    return write


def _problems(writer: _Writer, value: Any) -> None:
    for item in value:
        body: Resource = {"code": _code(item, "icd10")}
        if item.get("verification", "confirmed") != "none":
            body["verificationStatus"] = {
                "coding": [{"system": _VERIFICATION, "code": item.get("verification", "confirmed")}]
            }
        if item.get("clinical", "active") != "none":
            body["clinicalStatus"] = {"coding": [{"system": _CLINICAL, "code": item.get("clinical", "active")}]}
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
            edition = _EDITIONS.get(str(item.get("edition")))
            kind = {"type": {"coding": [{"system": SNOMED, "code": edition}]}} if edition else {}
            body["stage"] = [{"summary": {"coding": [{"system": _AJCC, "code": item["stage"]}]}, **kind}]
        writer.add("Condition", body, **({"id": item["id"]} if "id" in item else {}))


def _staging(writer: _Writer, value: Any) -> None:
    for item in value:
        axis = next(one for one in _AXES if one in item)
        body: Resource = {
            "status": item.get("status", _STATUS),
            "code": {"coding": [{"system": SNOMED, "code": _AXES[axis]}]},
            **_effective(writer, {"date": item.get("date", -20)}),
        }
        word = str(item[axis])
        if item.get("by") == "text":
            body["valueString"] = word
        else:
            body["valueCodeableConcept"] = {"coding": [{"system": _AJCC, "code": word}]}
        if "edition" in item:
            body["method"] = {"coding": [{"system": SNOMED, "code": _EDITIONS[str(item["edition"])]}]}
        writer.add("Observation", body)


def _histology(writer: _Writer, value: Any) -> None:
    for item in value:
        body: Resource = {
            "status": item.get("status", _STATUS),
            "code": {"coding": [{"system": LOINC, "code": "59847-4"}]},
            **_effective(writer, {"date": item.get("date", -22)}),
        }
        if "text" in item:
            body["valueString"] = item["text"]
        else:
            body["valueCodeableConcept"] = _code(item, "icdo3")
        writer.add("Observation", body)


def _lesions(writer: _Writer, value: Any) -> None:
    for item in value:
        code = {"coding": [{"system": LOINC, "code": "21889-1"}]}
        when = _effective(writer, {"date": item.get("date", -20)})
        writer.add(
            "Observation",
            {"status": _STATUS, "code": code, **when, "valueQuantity": _quantity(item["mm"], "mm")},
        )


def _responses(writer: _Writer, value: Any) -> None:
    for item in value:
        word = str(item["value"])
        body: Resource = {
            "status": item.get("status", _STATUS),
            "code": {"coding": [{"system": LOINC, "code": "97509-4"}]},
            **_effective(writer, item),
        }
        if word in _RESPONSES:
            body["valueCodeableConcept"] = {"coding": [{"system": LOINC, "code": _RESPONSES[word]}]}
        elif word in _TRENDS:
            body["valueCodeableConcept"] = {"coding": [{"system": SNOMED, "code": _TRENDS[word]}]}
        else:
            body["valueCodeableConcept"] = {"text": word}
        writer.add("Observation", body)


def _treatments(writer: _Writer, value: Any) -> None:
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


def _drug(writer: _Writer, item: Mapping[str, Any]) -> None:
    kind, status = _DRUG_RESOURCES[item.get("as", "administration")]
    if "name" in item:
        drug: Resource = {"text": item["name"]}
    elif "code" in item:
        drug = _code(item, _ATC)
    else:
        drug = {"coding": [{"system": _ATC, "code": _DRUGS[item["drug"]], "display": item["drug"]}]}
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


def _procedure(writer: _Writer, item: Mapping[str, Any]) -> None:
    word = str(item["procedure"])
    code = {"coding": [{"system": item.get("system", SNOMED), "code": _PROCEDURES.get(word, word)}]}
    body: Resource = {"status": item.get("status", "completed"), "code": code, **_reason(item)}
    if "site" in item:
        site = str(item["site"])
        body["bodySite"] = [{"coding": [{"system": SNOMED, "code": _SITES.get(site, site)}]}]
    if "start" in item:
        body["performedPeriod"] = _period(writer, item)
    elif "date" in item:
        body["performedDateTime"] = writer.day(item["date"])
    writer.add("Procedure", body)


def _period(writer: _Writer, item: Mapping[str, Any]) -> Resource:
    found = {"start": writer.day(item["start"])}
    return {**found, "end": writer.day(item["end"])} if "end" in item else found


def _reason(item: Mapping[str, Any]) -> Resource:
    if "reason" not in item:
        return {}
    reason = item["reason"]
    return {"reasonCode": [_code(reason if isinstance(reason, Mapping) else {"code": reason}, "icd10")]}


def _cycles(writer: _Writer, value: Any) -> None:
    for start in value["starts"]:
        for drug in value["drugs"]:
            _drug(writer, {"drug": drug, "date": start})


def _unread(writer: _Writer, value: Any) -> None:
    del value  # A Bundle cannot say which type failed: an error outcome makes the whole Bundle incomplete.
    issue = {"severity": "error", "code": "timeout"}
    writer.resources.append({"resourceType": "OperationOutcome", "issue": [issue]})


def _raw(writer: _Writer, value: Any) -> None:
    for resource in value:
        writer.add(str(resource["resourceType"]), resource)


_WRITERS: Final[Mapping[str, Callable[[_Writer, Any], None]]] = {
    "ecog": _grade("89247-1"),
    "karnofsky": _grade("89243-0"),
    "problems": _problems,
    "staging": _staging,
    "histology": _histology,
    "lesions": _lesions,
    "responses": _responses,
    "treatments": _treatments,
    "cycles": _cycles,
    "unread": _unread,
    "fhir": _raw,
}
