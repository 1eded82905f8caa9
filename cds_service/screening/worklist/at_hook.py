"""What one hook call takes from the worklist and leaves in it. A store that is down costs a card its link alone."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final

from cds_service.errors import UnavailableError
from cds_service.evaluation.attested import Attestation
from cds_service.evaluation.outcome import PatientOutcome, TrialOutcome
from cds_service.facts.record import Record
from cds_service.screening.memory import PATIENCE
from cds_service.screening.patient import Judge, Rules
from cds_service.screening.worklist.intake import contradicts, person_of, take_outcome
from cds_service.store.worklist import EntryState
from cds_service.store.worklist_store import WorklistStore
from cds_service.trials.model import Library

log = logging.getLogger("cds_service.screening")

SILENT: Final = frozenset({EntryState.ENROLLED, EntryState.DECLINED})
"""States in which no card of the trial is shown. Source: the eligibility contract, section 4."""


@dataclass(frozen=True)
class Recalled:
    """What the worklist knows of a patient whose chart was opened.

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


@dataclass(frozen=True)
class _Recalling:
    """A judge that counts what the worklist knows.

    Args:
        usual: the judge without it.
        recalled: what it knows.
    """

    usual: Judge
    recalled: Recalled

    def __call__(
        self,
        record: Record,
        library: Library,
        *,
        as_of: date,
        anchor: date | None = None,
        trials: Sequence[str] | None = None,
        attested: Sequence[Attestation] = (),
    ) -> PatientOutcome:
        """Judge with it; what the caller names himself goes before."""
        given = attested or self.recalled.attested

        def again(one: TrialOutcome) -> TrialOutcome:
            planned = self.recalled.anchors.get(one.trial.id)
            if anchor is not None or planned is None:
                return one
            named = [one.trial.id]
            return self.usual(record, library, as_of=as_of, anchor=planned, trials=named, attested=given).trials[0]

        found = self.usual(record, library, as_of=as_of, anchor=anchor, trials=trials, attested=given)
        return replace(found, trials=tuple(again(one) for one in found.trials))


def recall(store: WorklistStore, source: str, record: Record, day: date) -> Recalled | None:
    """Look a patient up; None when the store is down: then nothing is known, and nothing may be kept.

    Args:
        store: of the worklist.
        source: FHIR base that the call names, "" for none.
        record: the chart as it was read.
        day: of the judgement.
    """
    person = person_of(record, source)
    try:
        states = store.states(source, person.reference)
        if not states:
            return Recalled()
        known = store.person(source, person.reference)
        if known is not None and contradicts(known, person):
            log.warning("one patient id, of no named server, is two people's: the worklist is left alone (1 call)")
            return Recalled(another=True)
        found = store.attestations(source, person.reference, day)
        anchors = {name: on for name, on in store.anchors(source, person.reference).items() if on >= day}
    except UnavailableError:
        log.warning("the worklist could not be read: nothing is attested or silenced, and nothing is kept")
        return None
    return Recalled(tuple(one for some in found.values() for one in some), states, anchors)


def keep(
    store: WorklistStore, record: Record, outcome: PatientOutcome, recalled: Recalled, *, source: str, now: datetime
) -> Mapping[str, str]:
    """Put what was judged on the lists; return the entries' ids by trial, none when the store is down."""
    if recalled.another:
        return {}
    try:
        return take_outcome(
            store,
            record,
            outcome,
            source=source,
            now=now,
            anchors=recalled.anchors,
            attested=recalled.attested,
            known=tuple(recalled.states),
            patience=PATIENCE,
            today=outcome.as_of,  # by the hospital's clock: a hook judges for no other day
        )
    except UnavailableError:
        log.warning("the worklist could not be written: cards are sent without their link to it")
        return {}
