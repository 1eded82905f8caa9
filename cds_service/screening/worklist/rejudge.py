"""A criterion attested or withdrawn: the stored chart is judged again with what is then in force; the status follows.

It is judged before anything is written, and all is written at once: what fails leaves everything as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from cds_service.errors import EditedMeanwhileError
from cds_service.evaluation.attested import Attestation
from cds_service.gather.snapshot import unpack
from cds_service.screening.patient import Rules
from cds_service.screening.worklist.changes import differs
from cds_service.screening.worklist.intake import screening_of
from cds_service.store.worklist import Again, Chart, Entry
from cds_service.store.worklist_store import WorklistStore

_TRIES: Final = 3
"""A chart that comes while another is judged again: twice in a moment is rare already."""


def attest(
    store: WorklistStore,
    rules: Rules,
    entry: Entry,
    version: int,
    attestation: Attestation,
    *,
    now: datetime,
    shown: int | None = None,
) -> Entry:
    """Keep what a person attested, with the status that follows.

    Args:
        store: of the worklist.
        rules: what to judge by.
        entry: as it stands.
        version: that the person saw.
        attestation: of a criterion of the entry's trial.
        now: the present instant.
        shown: id of the screening that the person saw.

    Returns:
        The entry, with the status that follows.

    Raises:
        EditedMeanwhileError: somebody else edited the entry since, or the patient stands at another gate; nothing was
            kept.
        UnavailableError: the store is down; nothing was kept.
    """

    def with_it(told: Sequence[Attestation]) -> list[Attestation]:
        return [*_without(told, attestation.criterion, attestation.gate), attestation]

    def keep(entry: Entry, again: Again | None) -> Entry:
        return store.attest(entry.id, version, attestation, now=now, shown=shown, again=again, differs=differs)

    return _at_once(store, rules, entry, with_it, keep)


def withdraw(
    store: WorklistStore,
    rules: Rules,
    entry: Entry,
    version: int,
    criterion: str,
    *,
    who: str,
    now: datetime,
    shown: int | None = None,
) -> Entry:
    """Take back what was attested of a criterion at the entry's gate, with the status that follows.

    Args:
        store: of the worklist.
        rules: what to judge by.
        entry: as it stands.
        version: that the person saw.
        criterion: its id.
        who: takes it back.
        now: the present instant.
        shown: id of the screening that the person saw.

    Returns:
        The entry, with the status that follows.

    Raises:
        EditedMeanwhileError: see :func:`attest`; nothing was taken back.
        UnavailableError: the store is down; nothing was taken back.
    """
    gate = entry.latest.gate

    def without_it(told: Sequence[Attestation]) -> list[Attestation]:
        return _without(told, criterion, gate)

    def keep(entry: Entry, again: Again | None) -> Entry:
        return store.withdraw(
            entry.id, version, criterion, gate=gate, who=who, now=now, shown=shown, again=again, differs=differs
        )

    return _at_once(store, rules, entry, without_it, keep)


def _without(told: Sequence[Attestation], criterion: str, gate: str) -> list[Attestation]:
    return [one for one in told if (one.criterion, one.gate) != (criterion, gate)]


def _at_once(
    store: WorklistStore,
    rules: Rules,
    entry: Entry,
    then: Callable[[Sequence[Attestation]], list[Attestation]],
    keep: Callable[[Entry, Again | None], Entry],
) -> Entry:
    """Judge the chart that stands and keep it with the edit; once more where another chart came in between."""
    for _ in range(_TRIES):
        again = _judged_again(store, rules, entry, then)
        try:
            return keep(entry, again)
        except EditedMeanwhileError:
            now = store.entry(entry.id)
            # Nobody edited it and it is where it was: only its chart is newer.
            same = now is not None and (now.version, now.latest.gate) == (entry.version, entry.latest.gate)
            newer = now is not None and (now.latest.id, now.latest.as_of) != (entry.latest.id, entry.latest.as_of)
            if now is None or not same or not newer:
                raise
            entry = now
    raise EditedMeanwhileError


def _judged_again(
    store: WorklistStore, rules: Rules, entry: Entry, then: Callable[[Sequence[Attestation]], list[Attestation]]
) -> Again | None:
    """Judge the entry's chart as of its own day with what will be in force; None where its chart is not kept."""
    last, person = entry.latest, entry.person
    body = store.chart(entry.patient, last.fingerprint)
    if body is None:
        return None
    attested = then(store.attestations(person.source, person.reference, last.as_of).get(entry.trial, ()))
    outcome = rules.judge(
        unpack(body), rules.library, as_of=last.as_of, anchor=last.anchor, trials=[entry.trial], attested=attested
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
    return Again(last.id, Chart(last.fingerprint, body), screening)
