"""What one hook call takes from the worklist and leaves in it. A store that is down costs a card its link alone."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import Final

from cds_service.errors import UnavailableError
from cds_service.evaluation.attested import Attestation
from cds_service.evaluation.outcome import PatientOutcome
from cds_service.facts.record import Record
from cds_service.screening.patient import Rules
from cds_service.screening.worklist.intake import take_outcome
from cds_service.store.worklist import EntryState
from cds_service.store.worklist_store import WorklistStore

log = logging.getLogger("cds_service.screening")

SILENT: Final = frozenset({EntryState.ENROLLED, EntryState.DECLINED})
"""States in which no card of the trial is shown. Source: the eligibility contract, section 4."""


@dataclass(frozen=True)
class Recalled:
    """What the worklist knows of a patient whose chart was opened.

    Args:
        attested: what people attested, in force on the day.
        states: of the trials whose list the patient is on.
    """

    attested: tuple[Attestation, ...] = ()
    states: Mapping[str, EntryState] | None = None

    @property
    def silent(self) -> frozenset[str]:
        """Ids of the trials that say nothing about this patient."""
        return frozenset(trial for trial, state in (self.states or {}).items() if state in SILENT)

    def judging(self, rules: Rules) -> Rules:
        """Return rules whose judge counts what was attested."""
        return replace(rules, judge=partial(rules.judge, attested=self.attested)) if self.attested else rules


def recall(store: WorklistStore, source: str, patient: str, day: date) -> Recalled:
    """Look a patient up; nothing is known when the store is down.

    Args:
        store: of the worklist.
        source: FHIR base that the call names, "" for none.
        patient: ``Patient/<id>``.
        day: of the judgement.
    """
    try:
        states = store.states(source, patient)
        found = store.attestations(source, patient, day) if states else {}
    except UnavailableError:
        log.warning("the worklist could not be read: nothing is attested or silenced")
        return Recalled()
    return Recalled(tuple(one for some in found.values() for one in some), states)


def keep(
    store: WorklistStore, record: Record, outcome: PatientOutcome, recalled: Recalled, *, source: str, now: datetime
) -> Mapping[str, str]:
    """Put what was judged on the lists; return the entries' ids by trial, none when the store is down."""
    known = recalled.states or {}
    try:
        return take_outcome(
            store, record, outcome, source=source, now=now, attested=recalled.attested, known=tuple(known)
        )
    except UnavailableError:
        log.warning("the worklist could not be written: cards are sent without their link to it")
        return {}
