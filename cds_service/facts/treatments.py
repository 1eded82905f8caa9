"""What was given or done: three medication resource types and Procedure, as one kind of entry.

*Given*, *perhaps given* and *not given* follow the eligibility contract, section 6; the statuses of R4, R4B and
R5 are told apart by what the resource holds, not by a setting.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from cds_service.facts.dates import When
from cds_service.facts.elements import (
    NOTHING,
    Coded,
    coded,
    extension,
    list_of,
    merged,
    object_of,
    reference_of,
    text_of,
)
from cds_service.facts.reading import Span, UnreadableError, span_of, when_of
from cds_service.facts.record import Source


class Given(StrEnum):
    """Whether it happened."""

    GIVEN = "given"
    PERHAPS = "perhaps"
    NOT_GIVEN = "not-given"


_GIVEN: Final[Mapping[str, frozenset[str]]] = {
    "MedicationAdministration": frozenset({"in-progress", "completed", "stopped", "on-hold"}),
    # R5 has "recorded" instead of the course of treatment, which moved to adherence.
    "MedicationStatement": frozenset({"active", "completed", "stopped", "on-hold", "recorded"}),
    "MedicationRequest": frozenset({"completed", "stopped"}),
    "Procedure": frozenset({"in-progress", "completed", "stopped"}),
}
# The course of treatment in R5, as R4's status has it. Source: hl7.org/fhir/R5, medication-statement-adherence.
_COURSE: Final = {"taking": "active", "on-hold": "on-hold", "stopped": "stopped"}
_PROPOSALS: Final = frozenset({"proposal", "plan"})


@dataclass(frozen=True)
class TreatmentEntry:
    """One drug given or procedure done.

    Args:
        reference: of the resource.
        type: its resource type.
        status: as recorded; of an R5 statement what its adherence says of the course of treatment.
        given: whether it happened.
        code: the drug or procedure.
        start: its first day, None when undated.
        end: its last day; None when undated or not ended.
        reasons: every coded or textual reason.
        reason_references: references to Conditions given as the reason.
        body_sites: where (procedures).
        intent: the mCODE procedure-intent extension.
    """

    reference: str
    type: str
    status: str
    given: Given
    code: Coded
    start: When | None
    end: When | None
    reasons: tuple[Coded, ...] = ()
    reason_references: tuple[str, ...] = ()
    body_sites: Coded = NOTHING
    intent: Coded = NOTHING


def medication_reader(resource_type: str, medications: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return a reader for one medication resource type.

    Args:
        resource_type: MedicationStatement, MedicationRequest or MedicationAdministration.
        medications: Medication resources by reference.
    """

    def read(source: Source) -> Iterator[TreatmentEntry]:
        body = source.body
        status = _status(body)
        if status in ("entered-in-error", "cancelled"):
            return
        code, found = drug_of(body, medications)
        if not code.readable:
            raise UnreadableError
        given = _given(resource_type, status, body)
        span = span_of(body, "effective", "occurence", "occurrence")
        if resource_type == "MedicationRequest":
            authored = when_of(body.get("authoredOn"))
            span = Span(authored, authored)
        reasons, references = _reasons(body)
        yield TreatmentEntry(
            source.reference, resource_type, status, given, code, span.start, span.end, reasons, references
        )
        if not found:
            # Known by its display alone: what the Medication would have said was not read.
            raise UnreadableError

    return read


def read_procedure(source: Source) -> Iterator[TreatmentEntry]:
    """Yield a procedure unless it was entered in error.

    Raises:
        UnreadableError: no code, or a date that is none.
    """
    body = source.body
    status = text_of(body.get("status"))
    if status == "entered-in-error":
        return
    code = coded(body.get("code"))
    if not code.readable:
        raise UnreadableError
    span = span_of(body, "performed", "occurrence")
    reasons, references = _reasons(body)
    intent = extension(body, "mcode-procedure-intent", "procedure-intent") or {}
    yield TreatmentEntry(
        source.reference,
        "Procedure",
        status,
        _given("Procedure", status, body),
        code,
        span.start,
        span.end,
        reasons,
        references,
        merged([coded(item) for item in list_of(body.get("bodySite"))]),
        coded(intent.get("valueCodeableConcept")),
    )


def _status(body: Mapping[str, Any]) -> str:
    status = text_of(body.get("status"))
    if status in ("entered-in-error", "cancelled"):
        return status
    found = [coding.code or "" for coding in coded(object_of(body.get("adherence")).get("code")).codings]
    # Whatever the status and the other codings: who did not take it was not given it (servers also write not-taken).
    if any(code.startswith("not-ta") for code in found):
        return "not-taken"
    if status == "recorded":
        for code in found:
            for word, course in _COURSE.items():
                if re.fullmatch(rf"{word}(-(not-)?as-directed)?", code):
                    return course
    return status


def _given(resource_type: str, status: str, body: Mapping[str, Any]) -> Given:
    if resource_type == "MedicationRequest" and (
        text_of(body.get("intent")) in _PROPOSALS or body.get("doNotPerform") is True
    ):
        return Given.NOT_GIVEN
    if status in _GIVEN[resource_type]:
        return Given.GIVEN
    # A status that is missing or not of the list cannot say that nothing happened.
    known = {"intended", "draft", "cancelled", "not-done", "not-taken", "preparation"}
    return Given.NOT_GIVEN if status in known else Given.PERHAPS


def drug_of(body: Mapping[str, Any], medications: Mapping[str, Mapping[str, Any]]) -> tuple[Coded, bool]:
    """Return the drug (inline, contained, by reference, R5 CodeableReference), and whether it was all there."""
    element = body.get("medicationCodeableConcept")
    if element is not None:
        return coded(element), True
    either = object_of(body.get("medication"))
    if "concept" in either:
        return coded(either.get("concept")), True
    reference = _drug_element(body)
    target = reference_of(reference)
    found = _pointed(target, body, medications)
    display = Coded(text=text_of(reference.get("display")))
    # A reference that points nowhere and only names the drug says all that there is.
    only_named = bool(display.text) and not target and "identifier" not in reference
    ingredients = _ingredients(found, body, medications)
    return merged([coded(found.get("code")), display, *ingredients]), bool(found) or only_named


def _pointed(target: str, body: Mapping[str, Any], medications: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return what a reference in a resource points to: inside that resource, or among the drugs; {} for nothing."""
    if not target.startswith("#"):
        return (medications.get(target) or {}) if target else {}
    inside = (object_of(item) for item in list_of(body.get("contained")))
    return next((item for item in inside if text_of(item.get("id")) == target[1:]), {})


def drug_reference(body: Mapping[str, Any]) -> str:
    """Return the reference of the Medication that a resource points to; "" for none."""
    return reference_of(_drug_element(body))


def _drug_element(body: Mapping[str, Any]) -> Mapping[str, Any]:
    either = object_of(body.get("medication"))
    return object_of(body.get("medicationReference")) or object_of(either.get("reference"))


def ingredient_references(medication: Mapping[str, Any]) -> list[str]:
    """Return what a Medication's ingredients point to, of R4 (itemReference) and R5 (item.reference)."""
    items = [object_of(item) for item in list_of(medication.get("ingredient"))]
    found = [reference_of(item.get("itemReference")) for item in items]
    found += [reference_of(object_of(item.get("item")).get("reference")) for item in items]
    return [reference for reference in found if reference]


def _ingredients(
    medication: Mapping[str, Any], body: Mapping[str, Any], medications: Mapping[str, Mapping[str, Any]]
) -> list[Coded]:
    items = [object_of(item) for item in list_of(medication.get("ingredient"))]
    inline = [coded(item.get("itemCodeableConcept")) for item in items]
    inline += [coded(object_of(item.get("item")).get("concept")) for item in items]
    for target in ingredient_references(medication):
        # A contained Medication has nothing inside it: what it points to stands beside it.
        found = _pointed(target, medication, medications) or _pointed(target, body, medications)
        code = object_of(found.get("code"))
        inline.append(coded(code.get("concept") if "concept" in code else code))
    return inline


def _reasons(body: Mapping[str, Any]) -> tuple[tuple[Coded, ...], tuple[str, ...]]:
    """Return reasons as codes and as references, of R4 (reasonCode, reasonReference) and R5 (reason)."""
    either = [object_of(item) for item in list_of(body.get("reason"))]
    concepts = [coded(item) for item in list_of(body.get("reasonCode"))] + [coded(i.get("concept")) for i in either]
    references = [reference_of(item) for item in list_of(body.get("reasonReference"))]
    references += [reference_of(item.get("reference")) for item in either]
    inside = {f"#{text_of(item.get('id'))}": item for item in map(object_of, list_of(body.get("contained")))}
    concepts += [coded(inside[r].get("code")) for r in references if r in inside]
    return tuple(c for c in concepts if c.readable), tuple(r for r in references if r and r not in inside)
