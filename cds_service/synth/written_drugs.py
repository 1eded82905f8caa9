"""Treatment as hospitals write it: administrations, statements, orders, courses; and drugs that are no treatment."""

from __future__ import annotations

from typing import Final

from cds_service.synth import codes
from cds_service.synth.codes import Concept
from cds_service.synth.fragments import Line, Pen, ago, coded, condition, quoted
from cds_service.synth.person import Person, Treatment
from cds_service.synth.spoilt import Spoilt
from cds_service.synth.stream import Stream

_REFERRED: Final = tuple(codes.DRUGS)


def medications() -> list[Line]:
    """Return the Medication resources that some administrations point to."""
    return [
        (
            "Medication",
            f'{{"resourceType":"Medication","id":"drug-{name}","status":"active","code":{coded(codes.DRUGS[name][0])}}}',
        )
        for name in _REFERRED
    ]


def write_treatments(rng: Stream, pen: Pen, person: Person, spoilt: Spoilt, other_cancer: str) -> None:
    """Write everything given for a cancer."""
    style = _Style(rng)
    for one in person.treatments:
        if one.form == "procedure":
            if "other-treatment" not in spoilt:
                _procedure(rng, pen, one)
            continue
        how = spoilt.get("induction" if one.kind in ("chemotherapy", "pd1") else "other-treatment", "")
        if one.kind == "chemotherapy" and one.given == "perhaps":
            how = spoilt.get("other-treatment", spoilt.get("induction", ""))
        if how == "removed" or (how == "pd1-removed" and one.kind == "pd1"):
            continue
        reason = ""
        if one.for_other:
            stated = other_cancer and style.reference
            reason = (
                f',"reasonReference":[{{"reference":"Condition/{other_cancer}"}}]'
                if stated
                else f',"reasonCode":[{coded(codes.OTHER_CANCERS[0])}]'
            )
        _drug(pen, one, style, reason)


class _Style:
    """How one hospital writes drugs: chosen once for a patient."""

    __slots__ = ("contained", "name", "reference", "which")

    def __init__(self, rng: Stream) -> None:
        x = rng.random()
        self.reference = x < 0.2
        self.contained = 0.2 <= x < 0.3
        self.which = rng.randrange(3)
        self.name = rng.choice(codes.NAMED_PD1)

    def medication(self, one: Treatment) -> str:
        if one.given == "named":
            return f'"medicationCodeableConcept":{{"text":{quoted(self.name)}}}'
        choices = codes.DRUGS[one.what]
        concept = choices[self.which % len(choices)]
        if self.reference:
            return f'"medicationReference":{{"reference":"Medication/drug-{one.what}"}}'
        if self.contained:
            inner = f'{{"resourceType":"Medication","id":"m","code":{coded(concept)}}}'
            return f'"contained":[{inner}],"medicationReference":{{"reference":"#m"}}'
        return f'"medicationCodeableConcept":{coded(concept)}'


def _drug(pen: Pen, one: Treatment, style: _Style, reason: str) -> None:
    medication = style.medication(one)
    match one.form:
        case "administration":
            pen.write(
                "MedicationAdministration",
                f'"status":"completed",{medication},"effectiveDateTime":"{one.day}"{reason}',
            )
        case "statement":
            period = f'"effectivePeriod":{{"start":"{one.day}","end":"{one.until}"}}'
            pen.write("MedicationStatement", f'"status":"completed",{medication},{period}{reason}')
        case _:
            pen.write(
                "MedicationRequest",
                f'"status":"active","intent":"order",{medication},"authoredOn":"{one.day}"{reason}',
            )


def _procedure(rng: Stream, pen: Pen, one: Treatment) -> None:
    code = coded(rng.choice(codes.PROCEDURES[one.what]))
    site = f',"bodySite":[{coded(rng.choice(codes.PRIMARY_OR_NECK))}]' if one.kind == "other" else ""
    when = f'"performedDateTime":"{one.day}"'
    if one.until is not None:
        when = f'"performedPeriod":{{"start":"{one.day}","end":"{one.until}"}}'
    pen.write("Procedure", f'"status":"completed","code":{code},{when}{site}')


def write_anticoagulant(rng: Stream, pen: Pen, person: Person, spoilt: Spoilt) -> None:
    """Write an active anticoagulant as a statement, an order or a status code of the problem list."""
    if not person.anticoagulated:
        return
    x, concept, status = rng.random(), rng.choice(codes.ANTICOAGULANTS), rng.choice(codes.ANTICOAGULATED)
    since = ago(rng.randint(20, 400))
    if "anticoagulant" in spoilt:
        return
    if x < 0.55:
        body = f'"status":"active","medicationCodeableConcept":{coded(concept)},"effectivePeriod":{{"start":"{since}"}}'
        pen.write("MedicationStatement", body)
    elif x < 0.85:
        body = f'"status":"active","intent":"order","medicationCodeableConcept":{coded(concept)},"authoredOn":"{since}"'
        pen.write("MedicationRequest", body)
    elif spoilt.get("problem-list") != "removed":
        condition(pen, status, f',"recordedDate":"{since}"')


def write_no_treatment(rng: Stream, pen: Pen, person: Person) -> None:
    """Write what is no anti-tumour treatment, or was never given."""
    if rng.random() < 0.3:
        concept: Concept = rng.choice(codes.HARMLESS_DRUGS)
        day = ago(rng.randint(1, 90))
        body = f'"status":"active","medicationCodeableConcept":{coded(concept)},"effectiveDateTime":"{day}"'
        pen.write("MedicationStatement", body)
    if person.onset is None:
        return
    if rng.random() < 0.4:
        pen.write(
            "Procedure", f'"status":"completed","code":{coded(codes.BIOPSY)},"performedDateTime":"{person.onset}"'
        )
    if rng.random() < 0.05:
        code = coded(codes.PROCEDURES["radiotherapy"][0])
        body = f'"status":"not-done","code":{code},"performedDateTime":"{ago(5)}"'
        pen.write("Procedure", body)
    if rng.random() < 0.05:
        status = rng.choice(("cancelled", "draft", "entered-in-error"))
        drug = coded(codes.DRUGS["cisplatin"][0])
        body = f'"status":"{status}","intent":"order","medicationCodeableConcept":{drug},"authoredOn":"{ago(9)}"'
        pen.write("MedicationRequest", body)
