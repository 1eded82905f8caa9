"""A run read once: for each trial the ranked list, those of whom the trigger is not known, and the funnels.

Held in memory is a place in the results for each listed patient, never the patient's results: those are read again,
one patient at a time, when they are written out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.errors import RequestError
from cds_service.evaluation.outcome import PatientOutcome, TrialOutcome, Verdict
from cds_service.present.cohort.funnel import Funnel, FunnelCount
from cds_service.present.cohort.ranking import Rank, rank_of, trigger_of
from cds_service.present.cohort.read_back import patient_outcome, trials_of
from cds_service.present.cohort.run_folder import WRONG_SHAPE, RunFolder
from cds_service.trials.model import Library, Trial

Place = tuple[Rank, int]
"""A patient's rank, and where the line begins."""


@dataclass(frozen=True)
class Row:
    """One patient of a list.

    Args:
        number: the place in the list, from 1; None in the list of those whose trigger is not known.
        patient: what was read of the patient, with this trial alone.
        outcome: of the trial.
    """

    number: int | None
    patient: PatientOutcome
    outcome: TrialOutcome


@dataclass(frozen=True)
class TrialList:
    """What a run says of one trial.

    Args:
        trial: as in the rule file.
        ranked: patients whose trigger passes, in order.
        unsure: patients of whom the trigger is not known, by reference.
        funnels: one for each gate at which anybody stands.
    """

    trial: Trial
    ranked: Sequence[Place]
    unsure: Sequence[Place]
    funnels: tuple[Funnel, ...]


@dataclass(frozen=True)
class Cohort:
    """A run, read.

    Args:
        run: the folder.
        library: the rules that it was judged by.
        language: of the messages.
        lists: by trial, in the order of the run.
        unjudged: how many patients could not be judged at all.
    """

    run: RunFolder
    library: Library
    language: str
    lists: tuple[TrialList, ...]
    unjudged: int = 0

    def ranked(self, one: TrialList, most: int | None = None) -> Iterator[Row]:
        """Yield the ranked patients of a trial, at most so many."""
        return self._rows(one, one.ranked[:most], numbered=True)

    def unsure(self, one: TrialList, most: int | None = None) -> Iterator[Row]:
        """Yield the patients of whom a trial's trigger is not known, at most so many."""
        return self._rows(one, one.unsure[:most], numbered=False)

    def _rows(self, one: TrialList, places: Sequence[Place], *, numbered: bool) -> Iterator[Row]:
        trials = {one.trial.id: one.trial}
        with self.run.open() as lines:
            for number, (_rank, offset) in enumerate(places, 1):
                patient = patient_outcome(lines.at(offset), self.library, self.language, trials)
                yield Row(number if numbered else None, patient, patient.trials[0])


def read_cohort(run: RunFolder, library: Library, language: str = "en") -> Cohort:
    """Read a run.

    Args:
        run: the folder.
        library: the rules that it was judged by.
        language: of the messages, "en" or "zh".

    Raises:
        RequestError: the folder is damaged, or was judged by other rules.
    """
    trials = trials_of(run.manifest, library)
    counts = {name: _Count(trial) for name, trial in trials.items()}
    unjudged = 0
    for offset, line in run.lines():
        outcome = patient_outcome(line, library, language, trials)
        for one in outcome.trials:
            counts[one.trial.id].add(one, outcome.patient, offset)
        others = others_of(line)
        unjudged += not outcome.trials and not others
        for other in others:
            if other["trial"] in counts:
                counts[other["trial"]].add_without(other["gate"])
    return Cohort(run, library, language, tuple(count.listed() for count in counts.values()), unjudged)


def others_of(line: dict[str, Any]) -> list[dict[str, str]]:
    """Return the trials whose trigger the patient of a line fails, with the gate.

    Raises:
        RequestError: the line is of another shape.
    """
    try:
        return [{"trial": str(one["trial"]), "gate": str(one["gate"])} for one in line["others"]]
    except WRONG_SHAPE:
        raise RequestError("a line of its results.jsonl does not fit the rules", field="RUN_DIR") from None


class _Count:
    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._ranked: list[Place] = []
        self._unsure: list[Place] = []
        self._funnels = {gate.id: FunnelCount(trial, gate.id) for gate in trial.gates}

    def add(self, outcome: TrialOutcome, patient: str, offset: int) -> None:
        self._funnels[outcome.gate].add(outcome)
        trigger = trigger_of(outcome)
        if trigger is not Verdict.FAIL:
            places = self._ranked if trigger is Verdict.PASS else self._unsure
            places.append((rank_of(outcome, patient), offset))

    def add_without(self, gate: str) -> None:
        if gate not in self._funnels:
            raise RequestError("a line of its results.jsonl does not fit the rules", field="RUN_DIR")
        self._funnels[gate].add_without()

    def listed(self) -> TrialList:
        funnels = (count.funnel() for count in self._funnels.values())
        by_patient = sorted(self._unsure, key=lambda place: (place[0].patient, place[1]))
        return TrialList(self._trial, sorted(self._ranked), by_patient, tuple(one for one in funnels if one.patients))
