"""A run told to programs, as JSON; ``cds_service.cli.conformance_told`` tells people."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cds_service.conformance.findings import Finding, broken
from cds_service.conformance.requirements import Level


def passed(findings: Sequence[Finding]) -> bool:
    """Say whether no requirement of level M is broken."""
    return not broken(findings, Level.MUST)


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
