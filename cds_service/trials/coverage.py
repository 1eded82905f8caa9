"""What the cases of a trial do not show yet: a verdict of a criterion, or the edge of a limit."""

from __future__ import annotations

from decimal import Decimal

from cds_service.errors import Complaint
from cds_service.trials.cases import VERDICTS, CaseFile
from cds_service.trials.model import Criterion, Trial


def missing_coverage(trial: Trial, case_file: CaseFile) -> tuple[Complaint, ...]:
    """List what no case shows.

    Each criterion is to be seen passing, failing and unknown, unless the file says under ``cannot`` why it
    never is; and one with a numeric limit is to be seen exactly on it (``on_limit: true``).
    """
    return tuple(complaint for criterion in trial.criteria for complaint in _of(criterion, case_file))


def has_numeric_limit(criterion: Criterion) -> bool:
    """Say whether the logic compares a number with a literal."""
    return any(isinstance(limit, Decimal) for limits in criterion.logic.limits.values() for limit in limits)


def _of(criterion: Criterion, case_file: CaseFile) -> list[Complaint]:
    where, name = str(case_file.path), criterion.id
    shown = {case.verdicts[name]: case for case in case_file.cases if name in case.verdicts}
    impossible = case_file.cannot.get(name, {})
    complaints = []
    for verdict in VERDICTS:
        if verdict in shown and verdict in impossible:
            line = shown[verdict].line
            message = f"{name!r} is expected to {_verb(verdict)} here, and cannot says it never does"
            complaints.append(Complaint(f"{where}:{line}", message))
        elif verdict not in shown and verdict not in impossible:
            hint = f"add one, or the reason: cannot: {{{name}: {{{verdict}: ...}}}}"
            complaints.append(Complaint(where, f"no case expects {name!r} to {_verb(verdict)}", hint))
    if has_numeric_limit(criterion) and not any(case.on_limit for case in case_file.cases if name in case.verdicts):
        hint = "mark the case whose value is the limit with on_limit: true"
        complaints.append(Complaint(where, f"no case stands exactly on a limit of {name!r}", hint))
    return complaints


def _verb(verdict: str) -> str:
    return "be unknown" if verdict == "unknown" else verdict
