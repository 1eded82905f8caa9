"""Treatments over time, around a verdict: what was given, what counts, the cycles, the onset and the gate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from cds_service.evaluation.frame import Stand
from cds_service.facts import treated
from cds_service.facts.chart import Chart
from cds_service.facts.cycles import count_cycles
from cds_service.facts.dates import When
from cds_service.facts.diagnosis import disease_options
from cds_service.facts.phrase import say, words_of_rules
from cds_service.facts.treated import ONGOING, TreatmentClass
from cds_service.facts.treatments import Given
from cds_service.trials.model import Trial

_CHEMOTHERAPY: Final = say("chemotherapy")
_PD1: Final = say("PD-1 inhibitor")
_OTHER: Final = say("another anti-tumour drug")
_RADIOTHERAPY: Final = say("radiotherapy")
_SURGERY: Final = say("surgery")
_PROCEDURE: Final = say("another anti-tumour procedure")
_UNCLEAR: Final = say("not told exactly")
_HISTORY: Final = say("a history of treatment")
_KINDS: Final = {
    TreatmentClass.CHEMOTHERAPY: _CHEMOTHERAPY,
    TreatmentClass.NAMED_CHEMOTHERAPY: _CHEMOTHERAPY,
    TreatmentClass.PD1: _PD1,
    TreatmentClass.NAMED_PD1: _PD1,
    TreatmentClass.OTHER: _OTHER,
    TreatmentClass.NAMED_OTHER: _OTHER,
}
_GIVEN: Final[dict[Given, Literal["given", "perhaps", "not"]]] = {
    Given.GIVEN: "given",
    Given.PERHAPS: "perhaps",
    Given.NOT_GIVEN: "not",
}


@dataclass(frozen=True)
class Treatment:
    """One anti-tumour treatment of the record.

    Args:
        start: its first day; None when it is not known to the day.
        end: its last day; None while it goes on, or when it is not known.
        start_text: the start as recorded, perhaps a part of a day; "" for none.
        name: as recorded: hostile text.
        kind: chemotherapy, PD-1 inhibitor, radiotherapy, ...; a phrase.
        given: whether it happened.
        counts: whether it counts for the gate and for "no prior treatment".
        resource: its reference.
        dose: whether it is one administration.
        doubt: why it does not count; a phrase, "" when it does.
    """

    start: date | None
    end: date | None
    start_text: str
    name: str
    kind: str
    given: Literal["given", "perhaps", "not"]
    counts: bool
    resource: str
    dose: bool
    doubt: str = ""


@dataclass(frozen=True)
class Timeline:
    """What was given, and the moments of the protocol.

    Args:
        treatments: oldest first; undated ones at the start.
        cycles: the first day of each cycle of chemotherapy begun.
        onset: of the trial's disease; None when nothing dates it to the day.
        gate: id of the gate the patient stands at.
        gates: id and label of each gate, in protocol order; labels are phrases.
        countable: whether the cycles were counted by administrations; else they are an estimate.
    """

    treatments: tuple[Treatment, ...]
    cycles: tuple[date, ...]
    onset: date | None
    gate: str
    gates: tuple[tuple[str, str], ...]
    countable: bool = True


def treatment_line(trial: Trial, stand: Stand) -> Timeline:
    """Return a patient's treatments for the disease of a trial.

    Args:
        trial: whose gates stand beside them.
        stand: where the patient stands in it.
    """
    chart, frame = stand.chart, stand.chart.disease
    given = frame.treatments
    counting = set(map(id, given.counting))
    planned = treated.not_given(chart, frame.conditions, disease_options(chart))
    found = [
        _shown(chart, one, counts=id(one) in counting)
        for one in (*given.counting, *given.named, *given.doubtful, *planned)
    ]
    cycles = count_cycles(given.of(TreatmentClass.CHEMOTHERAPY), chart.moment.as_of)
    return Timeline(
        treatments=tuple(sorted(found, key=lambda one: (one.start_text, one.resource))),
        cycles=cycles.starts,
        onset=_to_the_day(frame.onset),
        gate=stand.gate.id,
        gates=tuple((gate.id, words_of_rules(gate.label)) for gate in trial.gates),
        countable=cycles.countable,
    )


def _shown(chart: Chart, one: treated.Treatment, *, counts: bool) -> Treatment:
    entry = one.entry
    ongoing = entry is not None and entry.status in ONGOING and entry.end == entry.start
    # A dose has one moment, whatever its status says of the course.
    dose = entry is not None and entry.type == "MedicationAdministration"
    return Treatment(
        start=_to_the_day(one.when),
        end=None if entry is None or (ongoing and not dose) else _to_the_day(entry.end),
        start_text=one.when.text if one.when is not None else "",
        name=one.label,
        kind=_kind(chart, one),
        # A history without its treatment is a hint of one.
        given="perhaps" if entry is None else _GIVEN[entry.given],
        counts=counts,
        resource=one.reference,
        dose=dose,
        doubt=one.doubt,
    )


def _to_the_day(when: When | None) -> date | None:
    return when.first if when is not None and when.first == when.last else None


def _kind(chart: Chart, one: treated.Treatment) -> str:
    if one.entry is None:
        return _HISTORY
    if one.entry.type == "Procedure":
        options, sets = disease_options(chart), chart.value_sets
        if one.entry.code.find(sets[options["radiotherapy_value_set"]]):
            return _RADIOTHERAPY
        if one.entry.code.find(sets[options["surgery_value_set"]]):
            return _SURGERY
        return _PROCEDURE
    return _KINDS.get(one.kind, _UNCLEAR)
