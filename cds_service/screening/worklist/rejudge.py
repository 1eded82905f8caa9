"""A criterion attested or withdrawn: the stored chart is judged again with what is in force, and the status follows."""

from __future__ import annotations

from datetime import datetime

from cds_service.errors import EditedMeanwhileError
from cds_service.evaluation.attested import Attestation
from cds_service.gather.snapshot import unpack
from cds_service.screening.patient import Rules
from cds_service.screening.worklist.changes import differs
from cds_service.screening.worklist.intake import screening_of
from cds_service.store.worklist import Chart, Entry
from cds_service.store.worklist_store import WorklistStore


def attest(
    store: WorklistStore, rules: Rules, entry: Entry, version: int, attestation: Attestation, *, now: datetime
) -> Entry:
    """Keep what a person attested, and judge again.

    Args:
        store: of the worklist.
        rules: what to judge by.
        entry: as it stands.
        version: that the person saw.
        attestation: of a criterion of the entry's trial.
        now: the present instant.

    Returns:
        The entry, with the status that follows.

    Raises:
        EditedMeanwhileError: somebody else edited the entry since; nothing was kept.
        UnavailableError: the store is down.
    """
    edited = store.attest(entry.id, version, attestation, now=now)
    return _judged_again(store, rules, entry, edited, who=attestation.by, now=now)


def withdraw(
    store: WorklistStore, rules: Rules, entry: Entry, version: int, criterion: str, *, who: str, now: datetime
) -> Entry:
    """Take back what was attested of a criterion, and judge again.

    Args:
        store: of the worklist.
        rules: what to judge by.
        entry: as it stands.
        version: that the person saw.
        criterion: its id.
        who: takes it back.
        now: the present instant.

    Returns:
        The entry, with the status that follows.

    Raises:
        EditedMeanwhileError: somebody else edited the entry since; nothing was taken back.
        UnavailableError: the store is down.
    """
    edited = store.withdraw(entry.id, version, criterion, who=who, now=now)
    return _judged_again(store, rules, entry, edited, who=who, now=now)


def _judged_again(
    store: WorklistStore, rules: Rules, before: Entry, edited: Entry, *, who: str, now: datetime
) -> Entry:
    """Judge the entry's chart as of its own day, and keep the outcome as seen where a person saw all before it."""
    last, person = edited.latest, edited.person
    body = store.chart(edited.patient, last.fingerprint)
    if body is None:
        return edited
    record = unpack(body)
    attested = store.attestations(person.source, person.reference, last.as_of).get(edited.trial, ())
    outcome = rules.judge(
        record, rules.library, as_of=last.as_of, anchor=last.anchor, trials=[edited.trial], attested=attested
    )
    screening = screening_of(
        outcome.to_json()["results"][0],
        patient=outcome.patient,
        as_of=last.as_of,
        anchor=last.anchor,
        attested=attested,
        fingerprint=last.fingerprint,
        unread=outcome.unread,
        site=outcome.site,
    )
    store.take(person, Chart(last.fingerprint, body), [screening], differs=differs, now=now, who=who)
    after = store.entry(edited.id) or edited
    # What came besides, newer data that nobody looked at or other rules, stays to be seen.
    if before.changed or not after.changed or after.latest.rules_digest != last.rules_digest:
        return after
    try:
        return store.acknowledge(after.id, after.version, screening=after.latest.id, who=who, now=now)
    except EditedMeanwhileError:
        return store.entry(after.id) or after
