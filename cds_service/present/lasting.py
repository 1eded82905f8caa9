"""Until when a candidate counts: its results, and apart from them what people attested."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from cds_service.evaluation.outcome import CriterionOutcome, TrialOutcome, Verdict
from cds_service.facts.phrase import say


@dataclass(frozen=True)
class Lasting:
    """Last days on which a status still counts.

    Args:
        results: of the results behind it; None when time does not matter.
        attested: of what people attested; None when nobody did.
    """

    results: date | None
    attested: date | None

    @property
    def by_attestation(self) -> date | None:
        """The day on which an attestation ends before every result; None when a result ends first, or none does."""
        if self.attested is None or (self.results is not None and self.results <= self.attested):
            return None
        return self.attested


def lasting(outcome: TrialOutcome) -> Lasting:
    """Return until when a status counts, told apart by what ends.

    Args:
        outcome: of the trial.
    """
    met = [one for one in outcome.criteria if one.verdict is Verdict.PASS]
    said = [one.attested.until for one in met if one.attested is not None and one.attested.until != date.max]
    attested = min(said, default=None)
    results = [fact.until for one in met for fact in one.facts.values() if fact.until is not None]
    # A stored outcome has no facts; the day of the whole is of its results unless an attestation ends on it.
    if not results and outcome.until is not None and outcome.until != attested:
        results = [outcome.until]
    return Lasting(min(results, default=None), attested)


def attested_met(criteria: Iterable[CriterionOutcome]) -> tuple[int, int]:
    """Count the criteria that are met by a person's word: attested, and only supposed."""
    met = [one.attested for one in criteria if one.attested is not None and one.verdict is Verdict.PASS]
    attested = sum(bool(one.by) for one in met)
    return attested, len(met) - attested


def attested_words(criteria: Iterable[CriterionOutcome]) -> list[str]:
    """Say how many criteria are met by a person's word; nothing for none."""
    attested, supposed = attested_met(criteria)
    return [
        *([say("{number} attested", number=attested)] if attested else []),
        *([say("{number} supposed", number=supposed)] if supposed else []),
    ]
