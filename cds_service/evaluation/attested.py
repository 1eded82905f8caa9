"""What a person attested: it settles a criterion that no record can settle, for one gate and until its last day.

An attestation only ever replaces an unknown whose sole reason is ``clinician``. It counts as decided, can change, and
yields to any record that decides. Source: the eligibility contract, section 5 (end).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from cds_service.evaluation.outcome import LEANS_AGAINST, CriterionOutcome, Verdict
from cds_service.facts import shown
from cds_service.facts.phrase import joined, say, words_of_rules
from cds_service.logic.truth import State

NEVER: Final = date.max
"""The last day of what is only supposed: it does not lapse."""


@dataclass(frozen=True)
class Attestation:
    """What one person said of one criterion for one patient.

    Args:
        trial: registry number.
        criterion: its id.
        gate: id of the protocol's moment that it was said at; it holds at no other.
        verdict: pass or fail.
        by: the person's name as typed: hostile text until it is escaped. "" for what is only supposed.
        on: the day it was said.
        until: the last day it holds; :data:`NEVER` when it does not lapse.
        reason: as typed; may be empty.

    Raises:
        ValueError: the verdict is unknown, or nobody says it and yet it lapses: that is no attestation.
    """

    trial: str
    criterion: str
    gate: str
    verdict: Verdict
    by: str
    on: date
    until: date
    reason: str = ""

    def __post_init__(self) -> None:
        """Refuse what decides nothing."""
        if self.verdict is Verdict.UNKNOWN:
            raise ValueError("an attestation says pass or fail")
        if not self.by.strip() and (self.by or self.until != NEVER):
            raise ValueError("an attestation names who says it")


def digest_of(attestations: Iterable[Attestation]) -> str:
    """Return a digest of what was attested, whatever the order; "" for nothing."""
    lines = sorted(
        json.dumps([one.trial, one.criterion, one.gate, one.verdict, one.by, f"{one.on}", f"{one.until}", one.reason])
        for one in set(attestations)
    )
    text = "\n".join(lines).encode()
    return f"sha256:{hashlib.sha256(text).hexdigest()}" if lines else ""


def in_force(attested: Sequence[Attestation], trial: str, gate: str, as_of: date) -> Mapping[str, Attestation]:
    """Return what holds for a trial at a gate on a day, by criterion; of several the latest said, then the last given.

    The day it was said is not compared with ``as_of``: a person may settle what a chart of last week left open.
    """
    holding = (one for one in attested if (one.trial, one.gate) == (trial, gate) and as_of <= one.until)
    return {one.criterion: one for one in sorted(holding, key=lambda one: one.on)}


def settled(outcome: CriterionOutcome, attestation: Attestation | None) -> CriterionOutcome:
    """Return a criterion as a person settled it; the same when a record decides, or more than a person is missing."""
    if attestation is None or not outcome.for_a_person:
        return outcome
    # A person outweighs what the record leans to, but does not hide it.
    doubted = outcome.leaning is Verdict.FAIL and attestation.verdict is Verdict.PASS
    return replace(
        outcome,
        state=State.TRUE if attestation.verdict is Verdict.PASS else State.FALSE,
        leaning=None,
        reasons=(),
        decisive=(),
        alternatives=(),
        notes=(*outcome.notes, LEANS_AGAINST) if doubted else outcome.notes,
        message=_message(outcome, attestation),
        attested=attestation,
    )


def _message(outcome: CriterionOutcome, attestation: Attestation) -> str:
    """Return the sentence for people, with what the record says beside it; the words of the person as typed."""
    said = joined(fact.says for fact in outcome.facts.values() if fact.missing)
    about = say(" ({values})", values=said) if said else ""
    short = words_of_rules(outcome.criterion.short)
    met = attestation.verdict is Verdict.PASS
    if not attestation.by:
        if met:
            return say("{criterion}: met, as supposed{shown}.", criterion=short, shown=about)
        return say("{criterion}: not met, as supposed{shown}.", criterion=short, shown=about)
    told = {"by": attestation.by, "on": shown.day(attestation.on), "until": shown.day(attestation.until)}
    if met:
        sentence = say(
            "{criterion}: met, attested by {by} on {on} until {until}{shown}.", criterion=short, shown=about, **told
        )
    else:
        sentence = say(
            "{criterion}: not met, attested by {by} on {on} until {until}{shown}.", criterion=short, shown=about, **told
        )
    why = say("Stated reason: {reason}.", reason=attestation.reason) if attestation.reason else ""
    return joined([sentence, why], " ")
