"""What changed between two judgements of one patient for one trial: the gate, the status, criteria's verdicts."""

from __future__ import annotations

from collections.abc import Iterator

from cds_service.evaluation.outcome import CriterionOutcome, TrialOutcome, Verdict

NOT_ASKED = "not asked"


def verdict_changes(old: TrialOutcome, new: TrialOutcome) -> Iterator[str]:
    """Yield a line for the gate, the status and each criterion whose verdict, or its lasting, differs.

    A criterion that is asked on one side only counts as changed. Words of the record may stand in the message.
    """
    if old.gate != new.gate:
        yield f"gate: {old.gate} -> {new.gate}"
    if old.status != new.status:
        yield f"status: {old.status.value} -> {new.status.value}"
    before = {one.criterion.id: one for one in old.criteria}
    after = {one.criterion.id: one for one in new.criteria}
    for name in dict.fromkeys((*before, *after)):
        was, now = _told(before.get(name)), _told(after.get(name))
        if was != now:
            said = after.get(name) or before[name]
            yield f"{name}: {was} -> {now}: {said.message}"


def _told(outcome: CriterionOutcome | None) -> str:
    if outcome is None:
        return NOT_ASKED
    lasting = "" if outcome.verdict is Verdict.UNKNOWN or outcome.state.can_change else " for good"
    return f"{outcome.verdict.value}{lasting}"
