"""An entry, opened: everything that its page and report show, judged from the chart that the screening rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cds_service.errors import RequestError
from cds_service.evaluation.attested import Attestation
from cds_service.evaluation.outcome import PatientOutcome, TrialOutcome
from cds_service.evaluation.seen import Seen, what_is_seen
from cds_service.evaluation.what_if import Supposable, judge_if, supposable
from cds_service.facts.phrase import say
from cds_service.facts.record import Record
from cds_service.gather.snapshot import unpack
from cds_service.present.cohort.read_back import patient_outcome
from cds_service.screening.patient import Rules
from cds_service.screening.worklist.changes import Change, changes
from cds_service.store.worklist import Entry
from cds_service.store.worklist_store import WorklistStore


@dataclass(frozen=True)
class OpenedEntry:
    """Everything about one patient on one trial's list.

    Args:
        entry: as it is stored.
        record: the chart of the latest screening.
        outcome: of the trial.
        patient: the same, with what was not read.
        seen: what the record shows around the verdicts.
        changes: what differs from what people saw last.
        supposable: what may be supposed; nothing where the rules have changed.
        attested: what is in force of this trial.
        same_rules: whether the rules are those of the screening. Where they are not, its stored result stands.
    """

    entry: Entry
    record: Record
    outcome: TrialOutcome
    patient: PatientOutcome
    seen: Seen
    changes: tuple[Change, ...]
    supposable: tuple[Supposable, ...]
    attested: tuple[Attestation, ...]
    same_rules: bool

    def __repr__(self) -> str:
        """Show nothing of the patient."""
        return f"OpenedEntry({self.entry!r})"


def open_entry(store: WorklistStore, rules: Rules, entry: Entry, *, language: str = "en") -> OpenedEntry:
    """Open an entry.

    Args:
        store: of the worklist.
        rules: of today.
        entry: as it is stored.
        language: of a stored result's messages, where the rules have changed.

    Raises:
        RequestError: its trial is not among the rules any more, or its chart is not there (404).
        UnavailableError: the store is down.
    """
    last, person = entry.latest, entry.person
    body = store.chart(entry.patient, last.fingerprint)
    if body is None or entry.trial not in rules.library.trials:
        gone = (
            say("The entry's trial is not among the rules any more.")
            if body is not None
            else say("The entry's chart is not kept any more.")
        )
        raise RequestError(gone, field="entry", status=404)
    record = unpack(body)
    attested = store.attestations(person.source, person.reference, last.as_of).get(entry.trial, ())
    same = rules.library.trials[entry.trial].digest == last.rules_digest
    news = entry.seen != last.id
    before, now = (store.result(entry.id, one) if news or not same else None for one in (entry.seen, last.id))
    patient = (
        _judged(rules, record, entry, attested)
        if same or now is None
        else _stored(rules, record, entry, now, attested, language)
    )
    outcome = patient.trials[0]
    return OpenedEntry(
        entry,
        record,
        outcome,
        patient,
        what_is_seen(record, rules.library, entry.trial, as_of=last.as_of, anchor=last.anchor),
        tuple(changes(before, now)) if news and before is not None and now is not None else (),
        supposable(outcome, rules.library) if same else (),
        tuple(attested),
        same,
    )


def suppose(opened: OpenedEntry, rules: Rules, supposed: Mapping[str, str]) -> TrialOutcome:
    """Judge an opened entry with values that a person supposes; nothing is kept.

    Args:
        opened: the entry.
        rules: of today.
        supposed: value, as typed, by name; see :func:`~cds_service.evaluation.what_if.judge_if`.

    Raises:
        RequestError: a value cannot be read.
    """
    last = opened.entry.latest
    return judge_if(
        opened.record,
        rules.library,
        opened.entry.trial,
        as_of=last.as_of,
        anchor=last.anchor,
        attested=opened.attested,
        supposed=supposed,
    )


def _judged(rules: Rules, record: Record, entry: Entry, attested: tuple[Attestation, ...]) -> PatientOutcome:
    last = entry.latest
    return rules.judge(
        record, rules.library, as_of=last.as_of, anchor=last.anchor, trials=[entry.trial], attested=attested
    )


def _stored(
    rules: Rules,
    record: Record,
    entry: Entry,
    result: Mapping[str, Any],
    attested: tuple[Attestation, ...],
    language: str,
) -> PatientOutcome:
    """Return the result as it was stored; judged anew only where today's rules lack a criterion of it."""
    line = {
        "patient": entry.person.reference,
        "as_of": entry.latest.as_of.isoformat(),
        "site": result.get("site"),
        "results": [result],
        "unread": result.get("unread") or {},
    }
    try:
        return patient_outcome(line, rules.library, language, {entry.trial: rules.library.trials[entry.trial]})
    except RequestError:
        return _judged(rules, record, entry, attested)
