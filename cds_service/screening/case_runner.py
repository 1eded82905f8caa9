"""Runs a trial's test cases: each patient in shorthand becomes a Bundle and walks the whole path to its verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cds_service.errors import RuleError
from cds_service.evaluation.judge import judge
from cds_service.evaluation.outcome import TrialOutcome
from cds_service.gather.bundle import read_bundle
from cds_service.screening.shorthand import to_bundle
from cds_service.trials.cases import CASE_FILE, Case, CaseFile, load_cases
from cds_service.trials.complaints import Complaints
from cds_service.trials.library import TRIALS
from cds_service.trials.model import Library


@dataclass(frozen=True)
class CaseResult:
    """What became of one case.

    Args:
        case: the case.
        problems: a line for every expectation that did not hold; empty when all did.
        outcome: what the engine said; None when the shorthand could not be read.
    """

    case: Case
    problems: tuple[str, ...]
    outcome: TrialOutcome | None = None

    @property
    def passed(self) -> bool:
        """Whether every expectation held."""
        return not self.problems


def run_cases(library: Library, case_file: CaseFile) -> list[CaseResult]:
    """Run every case of a file."""
    return [run_case(library, case_file, case) for case in case_file.cases]


def run_case(library: Library, case_file: CaseFile, case: Case) -> CaseResult:
    """Run one case."""
    base = {key: value for key, value in case_file.patient.items() if key not in case.without}
    as_of = case.as_of or case_file.as_of
    try:
        bundle = to_bundle({**base, **case.given}, library, as_of)
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, StopIteration) as error:
        # What was read from a file is checked; raw resources, and patients built in memory, may still be anything.
        return CaseResult(case, (f"the patient's shorthand has another form than expected: {_told(error)}",))
    outcome = judge(read_bundle(bundle), library, as_of=as_of, anchor=case.anchor, trials=[case_file.trial]).trials[0]
    return CaseResult(case, tuple(_problems(case, outcome)), outcome)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _problems(case: Case, outcome: TrialOutcome) -> Iterator[str]:
    criteria = {one.criterion.id: one for one in outcome.criteria}
    for name in (*case.verdicts, *case.why, *case.leaning, *case.can_change):
        if name not in criteria:
            yield f"{name} is not a criterion of the gate {outcome.gate}"
            return
    for name, verdict in case.verdicts.items():
        found = criteria[name]
        if found.verdict != verdict:
            yield f"{name}: expected {verdict}, got {found.verdict.value}: {found.message}"
    for name, reason in case.why.items():
        reasons = [missing.reason.value for missing in criteria[name].reasons]
        if reasons[:1] != [reason]:
            yield f"{name}: expected the reason {reason}, got {', '.join(reasons) or 'none'}"
    for name, leaning in case.leaning.items():
        if criteria[name].leaning != leaning:
            yield f"{name}: expected the leaning {leaning}, got {criteria[name].leaning}"
    for name, can_change in case.can_change.items():
        if criteria[name].state.can_change is not can_change:
            yield f"{name}: expected can_change {can_change}, got {not can_change}"
    if case.status is not None and outcome.status != case.status:
        yield f"status: expected {case.status}, got {outcome.status.value}"
    if case.gate is not None and outcome.gate != case.gate:
        yield f"gate: expected {case.gate}, got {outcome.gate}"
    if case.to_confirm is not None and case.to_confirm != outcome.to_confirm:
        yield f"to_confirm: expected {list(case.to_confirm)}, got {list(outcome.to_confirm)}"
    decisive = tuple(one.fact for one in outcome.decisive)
    if case.decisive is not None and set(case.decisive) != set(decisive):
        yield f"decisive: expected {list(case.decisive)}, got {list(decisive)}"


def complain_of_failures(case_file: CaseFile, results: Iterable[CaseResult], complaints: Complaints) -> None:
    """Complain of every expectation that did not hold."""
    for result in results:
        for problem in result.problems:
            complaints.add(f"{case_file.path}:{result.case.line}", f"the case fails: {problem}")


def prove(folder: Path, library: Library) -> None:
    """Run every trial's own cases.

    Args:
        folder: of the rules.
        library: loaded from there, for no site: the cases are written without one.

    Raises:
        RuleError: a case fails, or a trial has no cases that can be read; every complaint.
    """
    complaints = Complaints()
    for trial in library.trials.values():
        try:
            case_file = load_cases(folder / TRIALS / trial.id / CASE_FILE, trial, library.facts)
        except RuleError as error:
            complaints.take(error)
            continue
        complain_of_failures(case_file, run_cases(library, case_file), complaints)
    complaints.raise_any()
