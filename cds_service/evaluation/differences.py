"""What changed between two judgements of one patient for one trial: the gate, the status, criteria's verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cds_service.evaluation.outcome import CriterionOutcome, Status, TrialOutcome, Verdict
from cds_service.facts.phrase import say

NOT_ASKED: Final = say("not asked")
TEMPLATES: Final = (*Status, *Verdict)
"""Names that are said as words, for the translators' catalogue."""


def verdict_changes(old: TrialOutcome, new: TrialOutcome) -> Iterator[str]:
    """Yield a line for the gate, the status and each criterion whose verdict, or its lasting, differs.

    A criterion that is asked on one side only counts as changed. Words of the record may stand in the message.
    """
    if old.gate != new.gate:
        yield say("gate: {was} -> {now}", was=old.gate, now=new.gate)
    if old.status != new.status:
        yield say("status: {was} -> {now}", was=say(old.status.value), now=say(new.status.value))
    before = {one.criterion.id: one for one in old.criteria}
    after = {one.criterion.id: one for one in new.criteria}
    for name in dict.fromkeys((*before, *after)):
        was, now = _told(before.get(name)), _told(after.get(name))
        if was != now:
            said = after.get(name) or before[name]
            yield say("{name}: {was} -> {now}: {message}", name=name, was=was, now=now, message=said.message)


def _told(outcome: CriterionOutcome | None) -> str:
    if outcome is None:
        return NOT_ASKED
    verdict = say(outcome.verdict.value)
    if outcome.verdict is Verdict.UNKNOWN or outcome.state.can_change:
        return verdict
    return say("{verdict} for good", verdict=verdict)
