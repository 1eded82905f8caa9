"""What the worklist knows of a patient who is judged, and a judge that counts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final, Unpack

from cds_service.evaluation.attested import Attestation
from cds_service.evaluation.outcome import PatientOutcome, TrialOutcome
from cds_service.facts.record import Record
from cds_service.screening.patient import Asked, Judge, Rules
from cds_service.store.worklist import EntryState
from cds_service.store.worklist_store import WorklistStore
from cds_service.trials.model import Library

SILENT: Final = frozenset({EntryState.ENROLLED, EntryState.DECLINED})
"""States in which no card of the trial is shown. Source: the eligibility contract, section 4."""


@dataclass(frozen=True)
class Recalled:
    """What the worklist knows of a patient.

    Args:
        attested: what people attested, in force on the day.
        states: of the trials whose list the patient is on.
        anchors: planned first doses that have not passed, by trial.
        another: whether the id is somebody else's on the worklist: then nothing is recalled, and nothing is kept.
    """

    attested: tuple[Attestation, ...] = ()
    states: Mapping[str, EntryState] = field(default_factory=dict)
    anchors: Mapping[str, date] = field(default_factory=dict)
    another: bool = False

    @property
    def silent(self) -> frozenset[str]:
        """Ids of the trials that say nothing about this patient."""
        return frozenset(trial for trial, state in self.states.items() if state in SILENT)

    def judging(self, rules: Rules) -> Rules:
        """Return rules whose judge counts what was attested, and for each trial the day that was planned for it."""
        return replace(rules, judge=_Recalling(rules.judge, self)) if self.attested or self.anchors else rules


def recalled(store: WorklistStore, source: str, reference: str, day: date) -> Recalled:
    """Look up what is known of a patient on a day, but for what people decided.

    Raises:
        UnavailableError: the store is down.
    """
    attested = store.attestations(source, reference, day)
    anchors = {name: on for name, on in store.anchors(source, reference).items() if on >= day}
    return Recalled(tuple(one for some in attested.values() for one in some), anchors=anchors)


@dataclass(frozen=True)
class _Recalling:
    """A judge that counts what the worklist knows; what the caller names himself goes before.

    Args:
        usual: the judge without it.
        known: what it knows.
    """

    usual: Judge
    known: Recalled

    def __call__(self, record: Record, library: Library, *, as_of: date, **asked: Unpack[Asked]) -> PatientOutcome:
        """Judge with it."""
        asked["attested"] = given = asked.get("attested") or self.known.attested
        found = self.usual(record, library, as_of=as_of, **asked)

        def again(one: TrialOutcome) -> TrialOutcome:
            planned = self.known.anchors.get(one.trial.id)
            if asked.get("anchor") is not None or planned is None:
                return one
            named = [one.trial.id]
            return self.usual(record, library, as_of=as_of, anchor=planned, trials=named, attested=given).trials[0]

        return replace(found, trials=tuple(again(one) for one in found.trials))
