"""A run told: as text for people, as JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from cds_service.conformance.findings import Finding, Outcome, broken
from cds_service.conformance.requirements import Level


def passed(findings: Sequence[Finding]) -> bool:
    """Say whether no requirement of level M is broken."""
    return not broken(findings, Level.MUST)


def as_text(findings: Sequence[Finding]) -> str:
    """Write a line for each finding, what was seen below each failure, and the sums."""
    lines = []
    for one in findings:
        rows = ",".join(map(str, one.check.rows)) or "-"
        head = f"{one.outcome.value:4}  {one.check.id}  {one.check.level.value}  row {rows:9}  {one.check.title}"
        lines.append(f"{head}  [{one.service}]" if one.service else head)
        if one.outcome is Outcome.FAIL:
            lines += [f"        sent: {one.sent}", f"        came: {one.came or '-'}", f"        {one.fault}"]
    return "\n".join([*lines, "", sums(findings)])


def sums(findings: Sequence[Finding]) -> str:
    """Count, by level where something failed."""
    count = Counter(one.outcome for one in findings)
    failed = Counter(one.check.level.value for one in findings if one.outcome is Outcome.FAIL)
    levels = ", ".join(f"{number} {level}" for level, number in sorted(failed.items()))
    return (
        f"{count[Outcome.PASS]} passed, {count[Outcome.FAIL]} failed{f' ({levels})' if levels else ''}, "
        f"{count[Outcome.NOT_APPLICABLE]} not applicable"
    )


def as_json(findings: Sequence[Finding]) -> str:
    """Write every finding."""
    rows = [
        {
            "check": one.check.id,
            "rows": one.check.rows,
            "level": one.check.level.value,
            "title": one.check.title,
            "service": one.service,
            "outcome": one.outcome.value,
            "sent": one.sent,
            "came": one.came,
            "fault": one.fault,
        }
        for one in findings
    ]
    return json.dumps({"passed": passed(findings), "findings": rows}, indent=2, ensure_ascii=False)
