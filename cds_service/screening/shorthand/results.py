"""Results of a patient in shorthand: laboratory, tests that are positive or negative, and grades."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cds_service.facts import units
from cds_service.facts.codes import LOINC, SNOMED
from cds_service.facts.definitions import FactDefinition
from cds_service.screening.shorthand.writer import FINAL, Resource, Writer, code_of, coded, effective, quantity


def result(writer: Writer, definition: FactDefinition, item: Any) -> None:
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
        "status": item.get("status", FINAL),
        "code": coded(LOINC, str(item.get("code") or _loinc(writer, definition, unit))),
        **effective(writer, item),
    }
    if "text" in item:
        body["valueString"] = item["text"]
    elif item.get("absent"):
        body["dataAbsentReason"] = {"coding": [{"code": "error"}]}
    elif "value" in item:
        body["valueQuantity"] = quantity(item["value"], unit, item.get("comparator"))
    if "ranges" in item:
        body["referenceRange"] = item["ranges"]
    elif "high" in item:
        body["referenceRange"] = [{"high": quantity(item["high"], item.get("high_unit", unit))}]
    writer.add("Observation", body)


def finding(writer: Writer, definition: FactDefinition, item: Any) -> None:
    """Write a test that is positive or negative; ``value`` is one of the two, or a text."""
    one = item if isinstance(item, Mapping) else {"value": item}
    body: Resource = {
        "status": one.get("status", FINAL),
        "code": coded(LOINC, definition.ask.code),
        **effective(writer, one),
    }
    word = str(one.get("value", ""))
    codes = definition.options.get(f"{word}_codes")
    if codes:
        body["valueCodeableConcept"] = coded(SNOMED, codes[0])
    elif word:
        body["valueString"] = word
    writer.add("Observation", body)


def _loinc(writer: Writer, definition: FactDefinition, unit: str | None) -> str:
    """Return a LOINC code whose property fits the unit: mass for mg/dL, moles for umol/L."""
    wanted = units.unit_property(definition.options["analyte"], unit) if unit else None
    concepts = writer.library.value_sets[definition.options["value_set"]].concepts
    fitting = (c.code for c in concepts if wanted is None or c.attributes.get("property") in (None, wanted))
    return next(fitting, definition.ask.code)


def grade(code: str) -> Callable[[Writer, Any], None]:
    """Return what writes a grade under this LOINC code."""

    def write(writer: Writer, value: Any) -> None:
        for item in value if isinstance(value, list) else [value]:
            one = item if isinstance(item, Mapping) else {"value": item}
            body: Resource = {
                "status": one.get("status", FINAL),
                "code": coded(LOINC, code),
                **effective(writer, one),
            }
            if "text" in one:
                body["valueString"] = one["text"]
            elif one.get("absent"):
                body["dataAbsentReason"] = {"coding": [{"code": "error"}]}
            elif "answer" in one:
                body["valueCodeableConcept"] = code_of(
                    {"code": one["answer"], "system": one.get("system", "loinc")}, "loinc"
                )
            else:
                body["valueInteger"] = one["value"]
            writer.add("Observation", body)

    return write
