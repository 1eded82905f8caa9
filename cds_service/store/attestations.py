"""What people settled themselves: in force until its last day, or until somebody withdraws it."""

from __future__ import annotations

from collections import defaultdict
from datetime import date

from sqlalchemy import Connection, Update, insert, select, update

from cds_service.errors import RequestError
from cds_service.evaluation.attested import Attestation
from cds_service.evaluation.outcome import Verdict
from cds_service.store.audit import Trail
from cds_service.store.decisions import MOST_NAME, MOST_REASON, add_to, edit, tell
from cds_service.store.own_text import typed
from cds_service.store.people import key_of_person
from cds_service.store.worklist_schema import attestations, entries, people


def attest(connection: Connection, trail: Trail, entry_id: str, version: int, told: Attestation) -> None:
    """Keep an attestation; it takes the place of an earlier one of the same criterion and gate."""
    by = typed(told.by, field="by", most=MOST_NAME)
    reason = typed(told.reason, field="reason", most=MOST_REASON)
    was = edit(connection, trail, entry_id, version, {})
    if told.trial != was.trial:
        raise RequestError("The attestation is about another trial.", field="trial")
    connection.execute(_withdraw(trail, entry_id, told.criterion).where(attestations.c.gate == told.gate))
    about = {"criterion": told.criterion, "gate": told.gate, "verdict": told.verdict.value}
    days = {"on": told.on, "until": told.until}
    row = connection.execute(
        insert(attestations).values(**about, **days, entry=entry_id, by=by, reason=reason).returning(attestations.c.id)
    ).scalar_one()
    until = told.until.isoformat()
    tell(connection, trail, entry_id, "attested", {**about, "until": until, "reason": reason})
    add_to(trail, was, "attested", {**about, "until": until, "attestation": row})


def withdraw(connection: Connection, trail: Trail, entry_id: str, version: int, *, criterion: str) -> None:
    """Let what was attested for a criterion count no more.

    Raises:
        RequestError: nothing was.
    """
    was = edit(connection, trail, entry_id, version, {})
    if not connection.execute(_withdraw(trail, entry_id, criterion)).rowcount:
        raise RequestError("Nothing is attested for this criterion.", field="criterion", status=404)
    tell(connection, trail, entry_id, "withdrawn", {"criterion": criterion})
    add_to(trail, was, "withdrawn", {"criterion": criterion})


def _withdraw(trail: Trail, entry_id: str, criterion: str) -> Update:
    of_criterion = (attestations.c.entry == entry_id) & (attestations.c.criterion == criterion)
    return update(attestations).where(of_criterion, attestations.c.withdrawn.is_(None)).values(withdrawn=trail.at)


def in_force(connection: Connection, source: str, reference: str, on: date) -> dict[str, tuple[Attestation, ...]]:
    """Return, for each trial, what counts for a person on a day.

    The day it was said does not matter (evaluation/attested.py): a chart of last week may be settled today.
    """
    query = (
        select(attestations, entries.c.trial)
        .join_from(attestations, entries, attestations.c.entry == entries.c.id)
        .join(people, people.c.patient == entries.c.patient)
        .where(people.c.key == key_of_person(source, reference), attestations.c.withdrawn.is_(None))
        .where(attestations.c.until >= on)
        .order_by(attestations.c.id)
    )
    found = defaultdict(list)
    for row in connection.execute(query):
        days = {"on": row.on, "until": row.until}
        verdict = Verdict(row.verdict)
        found[row.trial].append(
            Attestation(row.trial, row.criterion, row.gate, verdict, by=row.by, reason=row.reason, **days)
        )
    return {trial: tuple(told) for trial, told in found.items()}
