"""A conformance run told to people, in the terminal's language: a line for each finding, and the sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from cds_service.cli.tongue import heard, terminal
from cds_service.cli.wide import columns, padded
from cds_service.conformance.findings import Finding, Outcome
from cds_service.facts.phrase import Phrase, say

_OUTCOMES: Final[Mapping[Outcome, Phrase]] = {
    Outcome.PASS: say("pass"),
    Outcome.FAIL: say("fail"),
    Outcome.NOT_APPLICABLE: say("n/a"),
}
_ROWS: Final = 9
_BELOW: Final = " " * 8


def as_text(findings: Sequence[Finding]) -> str:
    """Write a line for each finding, what was seen below each failure, and the sums."""
    spoken = terminal()
    outcomes = {outcome: spoken.said(word) for outcome, word in _OUTCOMES.items()}
    width = max(map(columns, outcomes.values()))
    rows_width = columns(spoken.t("row {rows}", rows="")) + _ROWS
    lines = []
    for one in findings:
        rows = spoken.t("row {rows}", rows=",".join(map(str, one.check.rows)) or "-")
        head = (padded(outcomes[one.outcome], width), one.check.id, one.check.level.value, padded(rows, rows_width))
        service = (f"[{one.service}]",) if one.service else ()
        lines.append("  ".join((*head, heard(one.check.title), *service)))
        if one.outcome is Outcome.FAIL:
            lines += [
                _BELOW + spoken.t("sent: {what}", what=heard(one.sent)),
                _BELOW + spoken.t("came: {what}", what=heard(one.came) or "-"),
                _BELOW + heard(one.fault),
            ]
    return "\n".join([*lines, "", _sums(findings)])


def _sums(findings: Sequence[Finding]) -> str:
    """Count, by level where something failed."""
    count = Counter(one.outcome for one in findings)
    failed = Counter(one.check.level.value for one in findings if one.outcome is Outcome.FAIL)
    passes, fails, aside = (count[outcome] for outcome in (Outcome.PASS, Outcome.FAIL, Outcome.NOT_APPLICABLE))
    t = terminal().t
    if not fails:
        return t("{passes} passed, {fails} failed, {aside} not applicable", passes=passes, fails=fails, aside=aside)
    levels = ", ".join(f"{number} {level}" for level, number in sorted(failed.items()))
    return t(
        "{passes} passed, {fails} failed ({levels}), {aside} not applicable",
        passes=passes,
        fails=fails,
        levels=levels,
        aside=aside,
    )
