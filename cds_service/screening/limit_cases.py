"""Whether the cases of a trial stand on each numeric limit of its rules, and one step beyond it.

A limit that no case touches may be off by one, or turned round, and every case would still pass. The cases are run,
and what each criterion read of the patient is held against the limits in its logic.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cds_service.errors import Complaint
from cds_service.evaluation.outcome import CriterionOutcome
from cds_service.logic.truth import Truth
from cds_service.logic.values import Numbers
from cds_service.screening.case_runner import CaseResult
from cds_service.trials.cases import CaseFile
from cds_service.trials.limit_sense import limits_of
from cds_service.trials.model import Criterion, Trial


def missing_limits(trial: Trial, case_file: CaseFile, results: Iterable[CaseResult]) -> tuple[Complaint, ...]:
    """Return a complaint for each limit that no case stands on, or that none steps over; `results` are the cases'."""
    seen: dict[str, list[CriterionOutcome]] = {}
    for result in results:
        for outcome in result.outcome.criteria if result.outcome is not None else ():
            if outcome.criterion.id in result.case.verdicts:
                seen.setdefault(outcome.criterion.id, []).append(outcome)
    where = str(case_file.path)
    return tuple(
        Complaint(where, message, "add a case whose expect names the criterion")
        for criterion in trial.criteria
        for message in _missing(criterion, seen.get(criterion.id, []))
    )


def _missing(criterion: Criterion, outcomes: list[CriterionOutcome]) -> Iterator[str]:
    for name, relation, limit in limits_of(criterion):
        values = [outcome.facts[name].value.now for outcome in outcomes]
        numbers = [value for value in values if isinstance(value, Numbers)]
        at = Numbers.of(limit)
        beyond = Truth.of(relation in ("<", ">"))
        if not any(value.equals(at) is Truth.TRUE for value in numbers):
            yield f"no case of {criterion.id!r} stands exactly on its limit {name} {relation} {limit}"
        if not any(_points(value) and value.compare(relation, at) is beyond for value in numbers):
            yield f"no case of {criterion.id!r} stands beyond its limit {name} {relation} {limit}"


def _points(numbers: Numbers) -> bool:
    """Say whether every possible value is one number: a range from a comparator is no step."""
    return all(one.low is not None and one.low == one.high for one in numbers.intervals)
