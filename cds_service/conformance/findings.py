"""What was found: per check and service, what was sent, what came, and whether that is right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from cds_service.conformance.catalogue import CATALOGUE, Check
from cds_service.conformance.requirements import Level


class Outcome(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105 (no password)
    FAIL = "fail"
    NOT_APPLICABLE = "n/a"


@dataclass(frozen=True)
class Finding:
    """The end of one check for one service.

    Args:
        check: which.
        service: its id; "" for what is not of one service.
        outcome: how it ended.
        sent: what was sent: of the first thing that failed, else of the last.
        came: what came back.
        fault: what is wrong, or why the check does not apply.
    """

    check: Check
    service: str
    outcome: Outcome
    sent: str = ""
    came: str = ""
    fault: str = ""


class Findings:
    """Collects findings; the first fault of a check and service stays."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._found: dict[tuple[str, str], Finding] = {}

    def note(self, check: str, fault: str = "", *, service: str = "", sent: str = "", came: str = "") -> None:
        """Note that a check was made.

        Args:
            check: its id.
            fault: what is wrong; "" when nothing is.
            service: the service's id.
            sent: what was sent.
            came: what came back.
        """
        held = self._found.get((check, service))
        if held is None or held.outcome is not Outcome.FAIL:
            outcome = Outcome.FAIL if fault else Outcome.PASS
            self._found[check, service] = Finding(CATALOGUE[check], service, outcome, sent, came, fault)

    def failed(self, check: str, service: str = "") -> bool:
        """Say whether a check has failed so far."""
        held = self._found.get((check, service))
        return held is not None and held.outcome is Outcome.FAIL

    def all(self) -> tuple[Finding, ...]:
        """Return the findings in the catalogue's order; a check that found nothing to look at does not apply."""
        found: list[Finding] = []
        for check in CATALOGUE.values():
            own = [finding for (name, _service), finding in self._found.items() if name == check.id]
            found.extend(own or [Finding(check, "", Outcome.NOT_APPLICABLE, fault="nothing to look at")])
        return tuple(found)


def broken(findings: Iterable[Finding], level: Level = Level.MUST) -> list[Finding]:
    """Return the failures of one level."""
    return [one for one in findings if one.outcome is Outcome.FAIL and one.check.level is level]
