"""A supposed value as the record that would bring it: a result, a coded answer, the patient's own data."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

from cds_service.errors import RequestError
from cds_service.evaluation.outcome import DECEASED
from cds_service.facts import units
from cds_service.facts.chart import Chart
from cds_service.facts.codes import Concept, ValueSet, ValueSets
from cds_service.facts.dates import When, shift
from cds_service.facts.diagnosis import DIAGNOSIS_DAYS, disease_options
from cds_service.facts.fact import Evidence, Fact
from cds_service.facts.labs import usual_upper
from cds_service.facts.phrase import say
from cds_service.facts.record import Record, Source
from cds_service.logic.truth import Truth
from cds_service.logic.values import NO, YES, Choices, Numbers
from cds_service.trials.model import FactDefinition, Library

GRADES: Final[Mapping[str, tuple[int, ...]]] = {"ecog": tuple(range(6)), "karnofsky": tuple(range(0, 101, 10))}
"""The grades of scales, by analyte."""
MADE_UP: Final = "supposed:"
"""What the reference of a supposed record begins with: no record of a server is called so."""
_NUMBER: Final = r"-?\d{1,9}(?:\.\d{1,9})?"
_TYPED: Final = re.compile(rf"(?P<value>{_NUMBER})\s*(?:(?P<times>[x×])\s*(?:ULN)?|/\s*(?P<upper>{_NUMBER}))?", re.I)
_OLDEST: Final = 130


@dataclass(frozen=True)
class Supposition:
    """A record with what is supposed.

    Args:
        record: the patient's, with supposed records added.
        facts: supposed facts, where no record would say it.
    """

    record: Record
    facts: Mapping[str, Fact] = field(default_factory=dict)

    def with_resource(self, name: str, body: Mapping[str, Any]) -> Supposition:
        """Return this with a resource that stands for a fact."""
        kind = str(body["resourceType"])
        sources = (*self.record.resources.get(kind, ()), Source(f"{MADE_UP}{name}", body))
        return replace(self, record=replace(self.record, resources={**self.record.resources, kind: sources}))

    def with_patient(self, without: Iterable[str], **fields: object) -> Supposition:
        """Return this with other data of the patient."""
        kept = {key: value for key, value in self.record.patient.body.items() if key not in tuple(without)}
        patient = replace(self.record.patient, body={**kept, **fields})
        return replace(self, record=replace(self.record, patient=patient))

    def with_fact(self, name: str, fact: Fact) -> Supposition:
        """Return this with a fact that is not read from the record."""
        return replace(self, facts={**self.facts, name: fact})


def typed_in(definition: FactDefinition, evidence: Iterable[Evidence], value_sets: ValueSets) -> str:
    """Return the unit in which a person types a result: that of the record's last one, else the fact's own.

    A unit that no code of the test can have (moles under codes of a mass) is not one to type in.
    """
    analyte, codes = definition.options["analyte"], value_sets[definition.options["value_set"]]
    recorded = [one.unit for one in evidence if one.unit and units.convert(analyte, Decimal(1), one.unit) is not None]
    fitting = (unit for unit in recorded if _fitting(codes, units.unit_property(analyte, unit)))
    return next(fitting, definition.unit)


def ends_in_yes_or_no(definition: FactDefinition) -> bool:
    """Say whether a fact is true or false."""
    return definition.type == "boolean"


def suppose(so_far: Supposition, chart: Chart, library: Library, name: str, typed: str, unit: str) -> Supposition:
    """Add one supposed value.

    Args:
        so_far: what is supposed already.
        chart: the record as it stands, at the trial's gate.
        library: the rules.
        name: of the fact, or :data:`~cds_service.evaluation.outcome.DECEASED`.
        typed: as typed, not blank; one of the choices where there are some.
        unit: that a number is typed in.

    Raises:
        RequestError: the value cannot be read, or no patient has it.
    """
    if name == DECEASED:
        return so_far.with_patient(("deceasedBoolean", "deceasedDateTime"), deceasedBoolean=typed == "yes")
    definition = library.facts[name]
    if definition.kind == "sex":
        return so_far.with_patient(("gender",), gender=typed)
    if definition.kind == "age":
        born = _born(int(_plain(typed, name, at_most=_OLDEST)), chart.moment.as_of)
        return so_far.with_patient(("birthDate", "_birthDate"), birthDate=born.isoformat())
    if definition.type == "number" and "analyte" in definition.options:
        return so_far.with_resource(name, _result(chart, definition, typed, unit))
    if definition.type == "number":
        return so_far.with_fact(name, _supposed(name, Numbers.of(_plain(typed, name))))
    if definition.type == "boolean":
        body = _coded_record(chart, definition, yes=typed == "yes")
        if body is not None:
            return so_far.with_resource(name, body)
        return so_far.with_fact(name, _supposed(name, YES if typed == "yes" else NO))
    return so_far.with_fact(name, _supposed(name, Choices.of(typed)))


def _supposed(name: str, values: Numbers | Choices) -> Fact:
    return Fact.known(name, values, says=say("supposed"))


def _unreadable(name: str, why: str) -> RequestError:
    return RequestError(why, field=f"if-{name}")


def _plain(typed: str, name: str, *, at_most: int | None = None) -> Decimal:
    match = re.fullmatch(_NUMBER, unicodedata.normalize("NFKC", typed))
    value = Decimal(match[0]) if match else None
    if value is None or (at_most is not None and not (0 <= value <= at_most and value == int(value))):
        raise _unreadable(name, "write a number" if at_most is None else f"write a whole number up to {at_most}")
    return value


def _born(years: int, as_of: date) -> date:
    """Return a birth date of somebody who has just completed these years."""
    day = 28 if (as_of.month, as_of.day) == (2, 29) else as_of.day
    return date(max(as_of.year - years, 1), as_of.month, day)


# A result of the day is the newest of the day: the last minute in the last time zone.
def _at_the_end(day: date) -> str:
    return f"{day.isoformat()}T23:59:59-12:00"


def _result(chart: Chart, definition: FactDefinition, typed: str, unit: str) -> dict[str, Any]:
    """Return the final result that a person supposes, with the upper limit that this patient's results come with."""
    analyte, name = definition.options["analyte"], definition.name
    match = _TYPED.fullmatch(unicodedata.normalize("NFKC", typed))
    if match is None:
        raise _unreadable(name, "write a number, a multiple of the upper limit as 1.2x, or both as 20/21")
    value, canonical = Decimal(match["value"]), units.canonical_unit(analyte)
    upper = usual_upper(chart, definition)
    limit = {"value": upper, "unit": canonical} if upper is not None else None
    if match["upper"]:
        limit = {"value": Decimal(match["upper"]), "unit": unit}
    if match["times"]:
        if upper is None:
            raise _unreadable(name, "no upper limit of normal is known: write the result and its limit, as 20/21")
        value, unit = value * upper, canonical
    measured = units.convert(analyte, value, unit)
    if measured is None or not units.within_bounds(analyte, measured):
        raise _unreadable(name, "no patient has such a value: look at the unit")
    concept = _concept(chart.value_sets[definition.options["value_set"]], units.unit_property(analyte, unit))
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": _coded(concept),
        "effectiveDateTime": _at_the_end(chart.moment.as_of),
        "valueQuantity": {"value": value, "unit": unit},
        **({"referenceRange": [{"high": limit}]} if limit else {}),
    }


def _concept(value_set: ValueSet, wanted: str | None) -> Concept:
    """Return a code of the set for a result in a unit of this property (mass, moles)."""
    fitting = _fitting(value_set, wanted)
    return next((one for one in fitting if "unverified" not in one.attributes), fitting[0])


def _fitting(value_set: ValueSet, wanted: str | None) -> list[Concept]:
    """Return the codes that a result in a unit of this property may have; any for a unit of none."""
    codes = [one for one in value_set.concepts if not one.prefix]
    return [one for one in codes if wanted is None or one.attributes.get("property") in (None, wanted)]


def _coded(concept: Concept) -> dict[str, Any]:
    return {"coding": [{"system": concept.system, "code": concept.code, "display": concept.display}]}


def _first(chart: Chart, *names: str) -> Concept:
    concepts = [one for name in names for one in chart.value_sets[name].concepts if not one.prefix]
    sure = (one for one in concepts if not {"unverified", "confidence"} & set(one.attributes))
    return next(sure, concepts[0])


def _coded_record(chart: Chart, definition: FactDefinition, *, yes: bool) -> dict[str, Any] | None:
    """Return the record that would say yes or no; None where no single one would."""
    options, disease, as_of = definition.options, disease_options(chart), chart.moment.as_of
    if definition.kind in ("metastatic_stage", "de_novo_metastasis"):
        kind = next(
            one for one in chart.value_sets[disease["m_type_value_set"]].concepts if "path" not in one.display.lower()
        )
        values = chart.value_sets[disease["m_value_set"]].concepts
        value = next(
            one
            for one in values
            if one.attributes["value"] == ("M1" if yes else "M0") and " pM" not in one.display and not one.prefix
        )
        return _answer(kind, value, _day_at_diagnosis(chart))
    if definition.kind == "histology":
        listed = options["asked_value_sets"] if yes else options["other_value_sets"]
        asked = _first(chart, disease["histology_observation_value_set"])
        return _answer(asked, _first(chart, *listed), _at_the_end(as_of))
    if definition.kind == "response_after_cycles":
        listed = options["response_value_sets"] if yes else options["no_response_value_sets"]
        return _answer(_first(chart, options["value_set"]), _first(chart, *listed), _at_the_end(as_of))
    if definition.kind == "treatment_seen" and options["class"] in ("pd1", "chemotherapy"):
        drug = _first(chart, disease[f"{options['class']}_value_set"])
        return {
            "resourceType": "MedicationAdministration",
            "status": "completed",
            "medicationCodeableConcept": _coded(drug),
            "effectiveDateTime": as_of.isoformat(),
        }
    return None


def _answer(asked: Concept, value: Concept, day: str | None) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": _coded(asked),
        "valueCodeableConcept": _coded(value),
        **({"effectiveDateTime": day} if day else {}),
    }


def _day_at_diagnosis(chart: Chart) -> str | None:
    """Return the latest day that certainly is at diagnosis; None (undated counts so) when there is none."""
    frame, as_of = chart.disease, chart.moment.as_of
    days = [as_of]
    if frame.treatments.first is not None:
        days.append(frame.treatments.first.first)
    if frame.onset is not None:
        days += [shift(frame.onset.first, DIAGNOSIS_DAYS), frame.onset.first]
    fitting = [day for day in days if day <= as_of and frame.at_diagnosis(When.on(day)) is Truth.TRUE]
    return max(fitting).isoformat() if fitting else None
