"""A patient's chart: every entry read once, and each fact built on demand for a moment of the protocol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Final

from cds_service.facts import (
    anticoagulation,
    category,
    diagnosis,
    histology,
    judgement,
    labs,
    lesion,
    medication,
    metastasis,
    performance,
    person,
    primary,
    problem,
    qualitative,
    renal,
    response,
    staging,
    treatment,
    washout,
)
from cds_service.facts.codes import ValueSet, ValueSets
from cds_service.facts.conditions import ConditionEntry, read_condition
from cds_service.facts.dates import When
from cds_service.facts.definitions import FactDefinition
from cds_service.facts.fact import Fact, Moment
from cds_service.facts.need import Need
from cds_service.facts.observations import ObservationEntry, read_observation
from cds_service.facts.reading import read_all
from cds_service.facts.record import RESOURCE_TYPES, Read, Record
from cds_service.facts.site import Site
from cds_service.facts.treatments import TreatmentEntry, medication_reader, read_procedure


@dataclass(frozen=True)
class Entries:
    """Everything a record says, read once for all trials and gates.

    Args:
        observations: results, components unfolded.
        conditions: the problem list.
        treatments: drugs and procedures.
        reads: completeness per type; a type with a resource that could not be read is incomplete.
        record: where it came from.
    """

    observations: tuple[ObservationEntry, ...]
    conditions: tuple[ConditionEntry, ...]
    treatments: tuple[TreatmentEntry, ...]
    reads: Mapping[str, Read]
    record: Record


def read_entries(record: Record) -> Entries:
    """Read every resource of a record; what cannot be read costs its own type its completeness, and no more."""
    observations = read_all(record.resources.get("Observation", ()), read_observation)
    conditions = read_all(record.resources.get("Condition", ()), read_condition)
    drugs = {
        kind: read_all(record.resources.get(kind, ()), medication_reader(kind, record.medications))
        for kind in ("MedicationStatement", "MedicationRequest", "MedicationAdministration")
    }
    procedures = read_all(record.resources.get("Procedure", ()), read_procedure)
    unreadable = Counter(
        {
            "Observation": observations.unreadable,
            "Condition": conditions.unreadable,
            "Procedure": procedures.unreadable,
            **{kind: found.unreadable for kind, found in drugs.items()},
        }
    )
    reads = {}
    for kind in RESOURCE_TYPES:
        read = record.read(kind)
        if read.complete and unreadable[kind]:
            read = Read.incomplete(f"{unreadable[kind]} of its entries could not be read")
        reads[kind] = read
    treatments = tuple(entry for found in (*drugs.values(), procedures) for entry in found.entries)
    return Entries(observations.entries, conditions.entries, treatments, reads, record)


@dataclass(frozen=True)
class _Shared:
    """What the views of one record have worked out, by where each stands.

    Args:
        facts: by disease, day, windows' end, and whether it is before treatment; then by need.
        diseases: by disease and day.
    """

    facts: dict[tuple[str, date, date, bool], dict[Need, Fact]]
    diseases: dict[tuple[str, date], diagnosis.Diagnosis]


@dataclass(frozen=True)
class Chart:
    """A record seen at one moment; entries dated later are not in it.

    Args:
        entries: the whole record.
        definitions: ``rules/facts.yaml``.
        value_sets: ``rules/valuesets``.
        moment: the day, the windows' end and the gate.
        site: what the hospital's own units and limits mean; its codes and names are in the value sets.
        disease_fact: the primary_cancer fact of the trial's disease; "" for the first of the definitions.
        supposed: facts that stand for what the record says of them: a person asks "what if".
    """

    entries: Entries
    definitions: Mapping[str, FactDefinition]
    value_sets: ValueSets
    moment: Moment
    site: Site | None = None
    disease_fact: str = ""
    supposed: Mapping[str, Fact] = field(default_factory=dict)

    def at(self, moment: Moment) -> Chart:
        """Return the same record at another moment; what does not depend on gate or anchor is kept."""
        return self._moved(replace(self, moment=moment))

    def about(self, disease_fact: str) -> Chart:
        """Return the same record as seen by a trial of another disease."""
        return self if disease_fact == self.disease_fact else self._moved(replace(self, disease_fact=disease_fact))

    def _moved(self, moved: Chart) -> Chart:
        """Hand over what was worked out already: many trials look at one record from the same few places."""
        kept: tuple[str, ...] = ("_shared",)
        if moved.moment.as_of == self.moment.as_of:
            kept = ("_shared", "observations", "by_set", "conditions", "treatments", "person")
        moved.__dict__.update({name: getattr(self, name) for name in kept})
        return moved

    def fact(self, need: Need) -> Fact:
        """Build a fact, or return the one already built."""
        if need not in self._built:
            definition = self.definitions[need.fact]
            supposed = self.supposed.get(need.fact)
            self._built[need] = supposed or FACT_READERS[definition.kind](self, definition, need)
        return self._built[need]

    @cached_property
    def _built(self) -> dict[Need, Fact]:
        moment = self.moment
        # No fact asks for the gate's name, so that gates which see the record alike share their facts.
        place = (self.disease_fact, moment.as_of, moment.anchor, moment.before_treatment)
        return self._shared.facts.setdefault(place, {})

    @cached_property
    def _shared(self) -> _Shared:
        return _Shared({}, {})

    @cached_property
    def observations(self) -> tuple[ObservationEntry, ...]:
        """Results that are not certainly dated after the day."""
        return tuple(entry for entry in self.entries.observations if self.happened(entry.when))

    @cached_property
    def conditions(self) -> tuple[ConditionEntry, ...]:
        """Entries of the problem list that are not certainly dated after the day."""
        return tuple(e for e in self.entries.conditions if self.happened(e.when) and self.happened(e.recorded))

    @cached_property
    def treatments(self) -> tuple[TreatmentEntry, ...]:
        """Drugs and procedures that did not certainly start after the day."""
        return tuple(entry for entry in self.entries.treatments if self.happened(entry.start or entry.end))

    @cached_property
    def disease(self) -> diagnosis.Diagnosis:
        """Onset, treatments and staging of the disease that the trial is about."""
        place = (self.disease_fact, self.moment.as_of)
        if place not in self._shared.diseases:
            self._shared.diseases[place] = diagnosis.diagnose(self)
        return self._shared.diseases[place]

    @cached_property
    def person(self) -> person.Person:
        """Birth date, sex and death."""
        return person.read_person(self.entries.record.patient, self.moment.as_of)

    def observed(self, value_set: ValueSet) -> list[ObservationEntry]:
        """Return the results whose code is in a value set, in the record's order."""
        return [self.observations[at] for at in self.places([value_set])]

    def places(self, value_sets: Iterable[ValueSet]) -> list[int]:
        """Return where the results stand whose code is in one of these sets, in the record's order.

        Args:
            value_sets: all of them the chart's own.
        """
        return sorted({at for one in value_sets for at in self.by_set.get(one.name, ())})

    @cached_property
    def by_set(self) -> Mapping[str, Sequence[int]]:
        """Where the results stand that each value set asks for: every code is looked up once."""
        found: dict[str, list[int]] = {}
        for at, entry in enumerate(self.observations):
            held = [self.value_sets.holding(coding.system, coding.code) for coding in entry.code.codings]
            for name in held[0] if len(held) == 1 else frozenset().union(*held):
                found.setdefault(name, []).append(at)
        return found

    def happened(self, when: When | None) -> bool:
        """Say whether something is not certainly dated after the day."""
        return when is None or when.first <= self.moment.as_of

    def complete(self, types: Iterable[str]) -> bool:
        """Say whether a missing record of these types means that there is none."""
        return all(self.entries.reads[kind].complete for kind in types)


FactReader = Callable[[Chart, FactDefinition, Need], Fact]
FACT_READERS: Final[Mapping[str, FactReader]] = {
    "age": person.age,
    "sex": person.sex,
    "primary_cancer": primary.primary_cancer,
    "histology": histology.histology,
    "de_novo_metastasis": metastasis.de_novo_metastasis,
    "organ_metastasis": metastasis.organ_metastasis,
    "metastatic_stage": staging.metastatic_stage,
    "performance_status": performance.performance_status,
    "treatment_seen": treatment.treatment_seen,
    "prior_treatment": treatment.prior_treatment,
    "response_after_cycles": response.response_after_cycles,
    "judgement": judgement.judgement,
    "measurable_lesion": lesion.measurable_lesion,
    "lab": labs.lab,
    "renal_filtration": renal.renal_filtration,
    "active_anticoagulant": anticoagulation.active_anticoagulant,
    "graded_scale": performance.graded_scale,
    "clearance_alone": renal.clearance_alone,
    "condition": problem.condition,
    "other_malignancy": problem.other_malignancy,
    "active_medication": medication.active_medication,
    "treatment_given": washout.treatment_given,
    "days_since_treatment": washout.days_since_treatment,
    "stage_category": category.stage_category,
    "tn_category": category.stage_category,
    "qualitative_result": qualitative.qualitative_result,
}
FACT_KINDS: Final = frozenset(FACT_READERS)
