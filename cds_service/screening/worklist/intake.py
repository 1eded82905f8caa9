"""From a judgement to the worklist: which trials it is kept for, and what is kept of it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final

from cds_service.evaluation.attested import Attestation, digest_of, in_force
from cds_service.evaluation.outcome import PatientOutcome, Status, TrialOutcome, Verdict
from cds_service.facts.record import Record
from cds_service.gather.person_names import names_of, number_of
from cds_service.gather.snapshot import pack
from cds_service.present.cohort.ranking import trigger_of
from cds_service.present.speaking import not_checked
from cds_service.screening.worklist.changes import differs, stands
from cds_service.store.worklist import Chart, NewScreening, Person
from cds_service.store.worklist_store import WorklistStore

log = logging.getLogger("cds_service.screening")

TWO_PEOPLE: Final = "one patient id, of no named server, is two people's: the worklist is left alone (%d)"
"""For the log, with how many."""


def take_outcome(
    store: WorklistStore,
    record: Record,
    outcome: PatientOutcome,
    *,
    source: str,
    now: datetime,
    anchor: date | None = None,
    anchors: Mapping[str, date] = MappingProxyType({}),
    attested: Sequence[Attestation] = (),
    known: Collection[str] = (),
    who: str = "",
    patience: float | None = None,
    today: date | None = None,
) -> dict[str, str]:
    """Keep a judgement for each trial whose list the patient belongs on.

    Args:
        store: of the worklist.
        record: that was judged.
        outcome: of all trials.
        source: FHIR base that the patient is known at, "" where nobody named one.
        now: the present instant.
        anchor: that it was judged with.
        anchors: of the trials that were judged with another one.
        attested: that it was judged with.
        known: trials whose list the patient is on already: there a judgement is kept even when the trigger fails now.
        who: had it judged; "" for the service itself.
        patience: seconds to wait for another writer, where it is not the usual.
        today: the day that it is where the patient is; by default that of UTC.

    Returns:
        The entry's id, by trial; none when the patient belongs on no list, or the id is somebody else's there.

    Raises:
        UnavailableError: the store is down; nothing was kept.
    """
    chosen = [one for one in outcome.trials if belongs(one, known)]
    if not chosen:
        return {}
    chart = pack(record)
    told = {one["trial"]: one for one in outcome.to_json()["results"]}
    screenings = [
        screening_of(
            told[one.trial.id],
            patient=outcome.patient,
            as_of=outcome.as_of,
            anchor=anchors.get(one.trial.id, anchor),
            attested=attested,
            fingerprint=chart.fingerprint,
            unread=outcome.unread,
            site=outcome.site,
        )
        for one in chosen
    ]
    found = store.take(
        person_of(record, source),
        Chart(chart.fingerprint, chart.body),
        screenings,
        differs=differs,
        stands=stands,
        contradicts=contradicts,
        now=now,
        who=who,
        patience=patience,
        today=today,
    )
    if not found:
        log.warning(TWO_PEOPLE, 1)
    return found


def belongs(outcome: TrialOutcome, known: Collection[str] = ()) -> bool:
    """Say whether a judgement is kept: of a trial that is signed off, whose trigger passes or whose list names them.

    Where the trigger could not be read it is not kept: a server that is down is no news of the patient.
    """
    if not outcome.trial.speaks:
        return False
    return trigger_of(outcome) is Verdict.PASS or (outcome.trial.id in known and not not_checked(outcome))


def person_of(record: Record, source: str) -> Person:
    """Return who a record is about."""
    body = record.patient.body
    birth, gender = body.get("birthDate"), body.get("gender")
    return Person(
        source,
        record.patient.reference,
        names_of(body),
        birth if isinstance(birth, str) else "",
        gender if isinstance(gender, str) else "",
        number_of(body),
    )


def contradicts(known: Person, new: Person) -> bool:
    """Say whether birth date or gender show that one id stands for two people.

    Only where nobody names the server: there one id of two hospitals is one person to us. What a named server says of
    its own patient is a correction.
    """
    if new.source:
        return False
    births = [one.birth_date.strip() for one in (known, new)]
    genders = [one.gender.strip().casefold() for one in (known, new)]
    # Part of a date, 1970-05, does not contradict the whole of it.
    apart = not (births[0].startswith(births[1]) or births[1].startswith(births[0]))
    return apart or (genders[0] != genders[1] and not {"", "unknown"} & set(genders))


def screening_of(
    result: Mapping[str, Any],
    *,
    patient: str,
    as_of: date,
    anchor: date | None,
    attested: Iterable[Attestation],
    fingerprint: str,
    unread: Mapping[str, str],
    site: str,
) -> NewScreening:
    """Return what is kept of one trial's judgement.

    Args:
        result: the contract's JSON of the trial.
        patient: the reference that the contract calls the patient by.
        as_of: the day of the judgement.
        anchor: that it was judged with.
        attested: attestations that it was judged with, of any trial.
        fingerprint: of the chart.
        unread: resource types that were not read completely, with why.
        site: the site file's label, "" without one.
    """
    trial, gate = str(result["trial"]), str(result["gate"])
    holding = in_force(list(attested), trial, gate, as_of)
    return NewScreening(
        trial=trial,
        rules_digest=str(result["rules_digest"]),
        as_of=as_of,
        anchor=anchor,
        attested=digest_of(holding.values()),
        gate=gate,
        status=str(result["status"]),
        decided=int(result["coverage"]["decided"]),
        total=int(result["coverage"]["total"]),
        missing=tuple(str(one["fact"]) for one in result["decisive"]),
        lapses=_lapses(result),
        result={**result, "patient": patient, "data": fingerprint, "unread": dict(unread), "site": site or None},
    )


_LAPSES: Final = {Status.CANDIDATE.value: "valid_until", Status.NOT_NOW.value: "look_again"}


def _lapses(result: Mapping[str, Any]) -> date | None:
    day = result.get(_LAPSES.get(str(result["status"]), ""))
    return date.fromisoformat(day) if day else None
