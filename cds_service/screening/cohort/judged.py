"""One patient of a population, judged: the pure function that every engine runs.

It is the reading of ``evaluate`` (:func:`~cds_service.gather.assemble.assemble`) and the judgement of the hook, so that
the verdicts are the same by construction. What comes out depends on the patient's own records and the task alone, not
on their order, the engine or the other patients.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, Final, Protocol

from cds_service.errors import RequestError
from cds_service.evaluation.index import Standing, TrialIndex
from cds_service.evaluation.judge import judge_where_it_may_apply
from cds_service.evaluation.outcome import PatientOutcome
from cds_service.facts.record import Read, Record
from cds_service.gather.assemble import Harvest, assemble
from cds_service.gather.bulk.resource_line import RESOURCE_ID, parse_line
from cds_service.gather.bundle import harvest_of, one_patient
from cds_service.present.json_text import to_json
from cds_service.rules_folder import rules_folder
from cds_service.screening.cohort.charts import chart_line, kept_chart, wanted
from cds_service.trials.library import load_library
from cds_service.trials.model import Library

PATIENT: Final = "Patient"
UNREADABLE_LINE: Final = "a line of it could not be read"


@dataclass(frozen=True)
class Task:
    """What is asked of every patient; it can be pickled.

    Args:
        site: the hospital whose site file maps its codes; None for none.
        as_of: the day of the judgement.
        anchor: planned first dose, where laboratory windows end; None for ``as_of``.
        trials: registry numbers; None for every trial that is signed off.
        charts: whether the charts of those of whom a trial's trigger passes are kept.
    """

    site: str | None
    as_of: date
    anchor: date | None = None
    trials: tuple[str, ...] | None = None
    charts: bool = False


@dataclass(frozen=True)
class PatientInput:
    """Everything that a source holds of one patient.

    Args:
        id: ``Patient.id``, or the Bundle entry's ``fullUrl`` when it has none.
        lines: the patient's own resources as JSON, the Patient among them; a Bundle stands for its entries.
        drugs: Medication resources that the others point to.
        unread: by resource type, why it is not complete. "Patient": why the patient cannot be judged at all.
    """

    id: str
    lines: tuple[bytes, ...]
    drugs: tuple[bytes, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        """What results call the patient: ``Patient/<id>``, or the ``fullUrl``, which no id can be taken for."""
        return given if RESOURCE_ID.fullmatch(given := self.id) is None else f"{PATIENT}/{given}"

    @property
    def digest(self) -> str:
        """What the verdicts rest on: ``sha256:`` of the sorted lines, drugs and unread types."""
        found = hashlib.sha256()
        unread = (f"{kind}: {why}".encode() for kind, why in self.unread.items())
        for part in (self.lines, self.drugs, unread):
            for line in sorted(part):
                found.update(len(line).to_bytes(8, "big") + line)
            found.update(b"\xff" * 8)  # no line is that long: what follows is the next part
        return f"sha256:{found.hexdigest()}"


class JudgeOne(Protocol):
    """Judges one patient."""

    def __call__(
        self,
        given: PatientInput,
        read: Mapping[bytes, dict[str, Any]] | None = None,
        keep: Callable[[str], None] | None = None,
    ) -> str:
        """Return one line of ``results.jsonl``, without a line end.

        Args:
            given: the patient.
            read: lines that were read already, by their bytes; None for none.
            keep: takes the line of ``charts.jsonl`` of a patient whose chart is kept; None when none are.
        """


def judge_of(task: Task) -> JudgeOne:
    """Return the function that judges one patient and gives one line of ``results.jsonl``, without a line end.

    Rules are loaded once for each process and task.

    Raises:
        RuleError: the rule files are wrong.
        RequestError: the anchor is before the day, or there is no such trial.
    """
    return _judge_of(task)


@lru_cache(maxsize=2)
def rules_for(site: str | None) -> Library:
    """Return the rules, loaded once in each process.

    Raises:
        RuleError: the rule files are wrong.
    """
    return load_library(rules_folder(), site=site)


@lru_cache(maxsize=2)
def _judge_of(task: Task) -> JudgeOne:
    library = rules_for(task.site)
    index = TrialIndex(library, trials_of(task, library))
    site = library.site.label if library.site else None

    def judged(
        given: PatientInput,
        read: Mapping[bytes, dict[str, Any]] | None = None,
        keep: Callable[[str], None] | None = None,
    ) -> str:
        head = {"as_of": task.as_of.isoformat(), "site": site, "data": given.digest}
        try:
            if PATIENT in given.unread:
                raise RequestError(given.unread[PATIENT], field=PATIENT)
            record = record_of(given, read)
        except RequestError as error:
            return to_json(
                {"patient": given.reference, **head, "results": [], "others": [], "unread": {PATIENT: str(error)}}
            )
        outcome, others = judge_where_it_may_apply(record, library, index, as_of=task.as_of, anchor=task.anchor)
        if keep is not None and wanted(outcome):
            keep(chart_line(kept_chart(record)))
        return to_json({"patient": outcome.patient, **head, **_told(outcome, others)})

    return judged


def trials_of(task: Task, library: Library) -> tuple[str, ...]:
    """Return the registry numbers that are judged: those named, else the signed-off ones, in the library's order.

    Raises:
        RequestError: the anchor is before the day, or there is no such trial.
    """
    if task.anchor is not None and task.anchor < task.as_of:
        raise RequestError("The anchor must not be before the day of the judgement.", field="--anchor")
    if task.trials is None:
        return tuple(name for name, trial in library.trials.items() if trial.speaks)
    if any(name not in library.trials for name in task.trials):
        raise RequestError(f"There is no such trial; known: {', '.join(library.trials)}.", field="--trial", status=404)
    return tuple(name for name in library.trials if name in task.trials)


def record_of(given: PatientInput, read: Mapping[bytes, dict[str, Any]] | None = None) -> Record:
    """Assemble a patient's record.

    Args:
        given: the patient.
        read: lines that were read already.

    Raises:
        RequestError: the Patient is not there, or is there twice and nothing tells which one holds.
    """
    single: list[tuple[str, Any]] = []
    harvests: list[Harvest] = []
    known = read or {}
    for line in sorted(given.lines):
        try:
            body = known[line] if line in known else parse_line(line)
        except RequestError:
            # Sources set such lines aside, and say of which type they are. One that comes here may be of any.
            harvests.append(Harvest((), Read.incomplete(UNREADABLE_LINE)))
            continue
        if body["resourceType"] == "Bundle":
            harvests.append(harvest_of(body))
        else:
            single.append(("", body))
    single += [("", parse_line(line)) for line in sorted(given.drugs)]
    harvests.append(Harvest(tuple(single)))
    harvests += [Harvest((), Read.incomplete(why), kind) for kind, why in sorted(given.unread.items())]
    patient, names = one_patient([entry for harvest in harvests for entry in harvest.entries])
    return assemble(patient, names, harvests)


def _told(outcome: PatientOutcome, others: Sequence[Standing]) -> dict[str, Any]:
    """Return the contract's results of the trials whose disease the patient may have; the others in short."""
    contract = outcome.to_json()
    short = [
        {"trial": one.trial, "gate": one.gate, "status": one.status.value, "trigger": one.trigger.value}
        for one in others
    ]
    return {"results": contract["results"], "others": short, "unread": contract["unread"]}
