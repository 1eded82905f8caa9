"""What an evaluation says: the result contract as types, and as the JSON that other programs read.

Field names and values are stable (the eligibility contract, section 5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from cds_service.facts.fact import Evidence, Fact, Missing, Reason
from cds_service.logic.truth import State
from cds_service.trials.model import Ask, Criterion, Trial

if TYPE_CHECKING:
    from cds_service.evaluation.attested import Attestation

DECEASED: Final = "deceased"
"""What excludes apart from any criterion; as a decisive fact: whether the patient has died."""
LEANS_AGAINST: Final = "leans-against"
"""Note of a criterion that a person attested as met, though the evidence at hand would give a fail."""


class Verdict(StrEnum):
    """Of a criterion for a patient."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    UNKNOWN = "unknown"


class Status(StrEnum):
    """Of a patient for a trial. Never "eligible": people decide."""

    CANDIDATE = "candidate"
    NEEDS_DATA = "needs-data"
    NOT_NOW = "not-now"
    EXCLUDED = "excluded"


def asks_a_person(reasons: Iterable[Missing]) -> bool:
    """Say whether ``clinician`` is the only reason, and there is one."""
    return {missing.reason for missing in reasons} == {Reason.CLINICIAN}


@dataclass(frozen=True)
class CriterionOutcome:
    """One criterion for one patient.

    Args:
        criterion: as in the rule file.
        state: of the requirement (an exclusion already negated), on both horizons.
        leaning: for an unknown, what the evidence at hand would give.
        reasons: for an unknown, each missing piece with its reason, the most telling first.
        decisive: names of the missing facts whose knowing could change the verdict.
        facts: what was read, by variable name.
        evidence: the records behind it, the deciding ones first.
        notes: annotations (``assumed-absent``, :data:`LEANS_AGAINST`, ...).
        message: one sentence for people.
        message_zh: the same in Simplified Chinese; "" when nobody said it.
        alternatives: missing facts any one of which, known alone, could make it pass.
        tests: names for people of the laboratory tests that it reads, by fact.
        attested: by whom it was settled, when no record could; None when a record decides, or nobody did.
    """

    criterion: Criterion
    state: State
    leaning: Verdict | None
    reasons: tuple[Missing, ...]
    decisive: tuple[str, ...]
    facts: Mapping[str, Fact]
    evidence: tuple[Evidence, ...]
    notes: tuple[str, ...]
    message: str
    message_zh: str = ""
    alternatives: tuple[str, ...] = ()
    tests: Mapping[str, str] = field(default_factory=dict)
    attested: Attestation | None = None

    @property
    def verdict(self) -> Verdict:
        """Pass, fail or unknown."""
        if self.state is State.UNKNOWN:
            return Verdict.UNKNOWN
        return Verdict.PASS if self.state > State.UNKNOWN else Verdict.FAIL

    @property
    def for_a_person(self) -> bool:
        """Whether only a person can settle it: unknown, and ``clinician`` is the only reason."""
        return self.state is State.UNKNOWN and asks_a_person(self.reasons)

    @property
    def against(self) -> bool:
        """Whether the record leans to a fail: of an unknown, or of what a person attested as met all the same."""
        return self.leaning is Verdict.FAIL or LEANS_AGAINST in self.notes

    @property
    def until(self) -> date | None:
        """The last day on which this verdict's data still count; None when time does not matter."""
        days = [fact.until for fact in self.facts.values() if fact.until is not None]
        # What is only supposed lasts to the end of the calendar: it does not lapse.
        if self.attested is not None and self.attested.until != date.max:
            days.append(self.attested.until)
        return min(days, default=None)


@dataclass(frozen=True)
class Decisive:
    """A missing fact that would change the status if known.

    Args:
        fact: its name.
        label: its name for people.
        reason: why it is missing.
        leaning: what the evidence at hand would give for its criteria.
        criteria: ids of the criteria it decides; none for :data:`DECEASED`.
        ask: what to order or ask.
        evidence: what is on record of it (a stale value, say).
        alternatives: other decisive facts, each of which could make every one of its criteria pass in its stead.
        new_until: the last day on which a result made on the day of judgement would count; None when none would, or
            when time does not matter.
    """

    fact: str
    label: str
    reason: Reason
    leaning: Verdict | None
    criteria: tuple[str, ...]
    ask: Ask
    evidence: tuple[Evidence, ...] = ()
    alternatives: tuple[str, ...] = ()
    new_until: date | None = None

    @property
    def last(self) -> Evidence | None:
        """The value on record that does not count, or not enough; None for none."""
        return next((one for one in self.evidence if one.value is not None), None)


@dataclass(frozen=True)
class TrialOutcome:
    """One trial for one patient.

    Args:
        trial: as in the rule file.
        gate: id of the protocol's moment the patient stands at.
        status: see :class:`Status`.
        blocked: what excludes the patient apart from any criterion ("deceased").
        to_confirm: ids of criteria that only a person can settle; those leaning fail first.
        criteria: exactly those of the gate, in the rule file's order.
        decisive: empty unless the status is ``needs-data``; the cheapest to settle first.
        until: the last day on which all data behind a candidate still count.
        look_again: for ``not-now``, the earliest day on which it may turn, when that can be told.
        gate_facts: what the gate was chosen by, by variable name.
    """

    trial: Trial
    gate: str
    status: Status
    blocked: tuple[str, ...]
    to_confirm: tuple[str, ...]
    criteria: tuple[CriterionOutcome, ...]
    decisive: tuple[Decisive, ...]
    until: date | None = None
    look_again: date | None = None
    gate_facts: Mapping[str, Fact] = field(default_factory=dict)

    @property
    def decided(self) -> int:
        """How many of the gate's criteria are not unknown."""
        return sum(outcome.state is not State.UNKNOWN for outcome in self.criteria)

    def of(self, criterion_id: str) -> CriterionOutcome:
        """Return one criterion's outcome."""
        return next(outcome for outcome in self.criteria if outcome.criterion.id == criterion_id)


@dataclass(frozen=True)
class PatientOutcome:
    """All trials for one patient.

    Args:
        patient: ``Patient/<id>``, or the entry's ``fullUrl``.
        as_of: the day of the judgement.
        trials: one outcome for each trial asked for, in the library's order.
        set_aside: how many entries of the record were not used, by cause.
        unread: resource types that were not read completely, with why.
        site: name and version of the site file that was used, "" without one.
    """

    patient: str
    as_of: date
    trials: tuple[TrialOutcome, ...]
    set_aside: Mapping[str, int]
    unread: Mapping[str, str]
    site: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the contract's JSON: plain objects, numbers as ``Decimal`` or ``int``."""
        return {
            "patient": self.patient,
            "as_of": self.as_of.isoformat(),
            "site": self.site or None,
            "results": [_trial_json(outcome) for outcome in self.trials],
            "set_aside": dict(self.set_aside),
            "unread": dict(self.unread),
        }


def _trial_json(outcome: TrialOutcome) -> dict[str, Any]:
    return {
        "trial": outcome.trial.id,
        "rules_digest": outcome.trial.digest,
        "gate": outcome.gate,
        "status": outcome.status.value,
        "blocked": list(outcome.blocked),
        "exclusions": outcome.trial.exclusions,
        "coverage": {"decided": outcome.decided, "total": len(outcome.criteria)},
        "to_confirm": list(outcome.to_confirm),
        "criteria": [_criterion_json(criterion) for criterion in outcome.criteria],
        "decisive": [_decisive_json(decisive) for decisive in outcome.decisive],
        "valid_until": outcome.until.isoformat() if outcome.until else None,
        "look_again": outcome.look_again.isoformat() if outcome.look_again else None,
    }


def _criterion_json(outcome: CriterionOutcome) -> dict[str, Any]:
    return {
        "id": outcome.criterion.id,
        "kind": outcome.criterion.kind.value,
        "verdict": outcome.verdict.value,
        "can_change": outcome.state.can_change,
        "leaning": outcome.leaning.value if outcome.leaning else None,
        "reasons": [{"fact": missing.fact, "reason": missing.reason.value} for missing in outcome.reasons],
        "evidence": [_evidence_json(evidence) for evidence in outcome.evidence],
        "notes": list(outcome.notes),
        "message": outcome.message,
        "message_zh": outcome.message_zh or outcome.message,
        "valid_until": outcome.until.isoformat() if outcome.until else None,
        **({"attested": _attested_json(outcome.attested)} if outcome.attested else {}),
    }


def _attested_json(attested: Attestation) -> dict[str, Any]:
    told = {"by": attested.by, "on": attested.on.isoformat(), "until": attested.until.isoformat()}
    return {**told, **({"reason": attested.reason} if attested.reason else {})}


def _evidence_json(evidence: Evidence) -> dict[str, Any]:
    shown = {
        "value": evidence.value,
        "unit": evidence.unit,
        "date": evidence.date,
        "note": evidence.note or None,
    }
    return {
        "resource": evidence.resource,
        **{key: value for key, value in shown.items() if value is not None},
    }


def _decisive_json(decisive: Decisive) -> dict[str, Any]:
    ask = decisive.ask
    return {
        "fact": decisive.fact,
        "reason": decisive.reason.value,
        "leaning": decisive.leaning.value if decisive.leaning else None,
        "criteria": list(decisive.criteria),
        "alternatives": list(decisive.alternatives),
        "last": _evidence_json(decisive.last) if decisive.last else None,
        "new_until": decisive.new_until.isoformat() if decisive.new_until else None,
        "ask": {"kind": ask.kind, **({"system": ask.system, "code": ask.code} if ask.code else {})},
    }
