"""What one hook call takes from the worklist and leaves in it. A store that is down costs a card its link alone."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime

from cds_service.errors import UnavailableError
from cds_service.evaluation.outcome import PatientOutcome
from cds_service.facts.record import Record
from cds_service.screening.memory import PATIENCE
from cds_service.screening.worklist.intake import TWO_PEOPLE, contradicts, person_of, take_outcome
from cds_service.screening.worklist.recalled import Recalled, recalled
from cds_service.store.worklist_store import WorklistStore

log = logging.getLogger("cds_service.screening")


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
            log.warning(TWO_PEOPLE, 1)
            return Recalled(another=True)
        return replace(recalled(store, source, person.reference, day), states=states)
    except UnavailableError:
        log.warning("the worklist could not be read: nothing is attested or silenced, and nothing is kept")
        return None


def keep(
    store: WorklistStore, record: Record, outcome: PatientOutcome, known: Recalled, *, source: str, now: datetime
) -> Mapping[str, str]:
    """Put what was judged on the lists; return the entries' ids by trial, none when the store is down."""
    if known.another:
        return {}
    try:
        return take_outcome(
            store,
            record,
            outcome,
            source=source,
            now=now,
            anchors=known.anchors,
            attested=known.attested,
            known=tuple(known.states),
            patience=PATIENCE,
            today=outcome.as_of,  # by the hospital's clock: a hook judges for no other day
        )
    except UnavailableError:
        log.warning("the worklist could not be written: cards are sent without their link to it")
        return {}
