"""What people settled themselves: in force until its last day, or until somebody withdraws it."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, Update, insert, select, update

from cds_service.errors import EditedMeanwhileError, RequestError
from cds_service.evaluation.attested import Attestation
from cds_service.evaluation.outcome import Verdict
from cds_service.facts.phrase import say
from cds_service.store.audit import Trail
from cds_service.store.decisions import Page, add_to, edit, hold, tell
from cds_service.store.own_text import typed
from cds_service.store.people import key_of_person
from cds_service.store.screenings import take_again
from cds_service.store.worklist import MOST_NAME, MOST_REASON, Again
from cds_service.store.worklist_schema import attestations, entries, people, screenings


def attest(
    connection: Connection, trail: Trail, entry_id: str, on: Page, told: Attestation, again: Again | None
) -> None:
    """Keep an attestation, and what follows; it takes the place of an earlier one of the same criterion and gate.

    Raises:
        EditedMeanwhileError: the patient stands at another gate than the page showed, or has another chart than was
            judged again.
        RequestError: it is about another trial, or too long.
    """
    by = typed(told.by, field="by", most=MOST_NAME)
    reason = typed(told.reason, field="reason", most=MOST_REASON)
    was = _edit(connection, trail, entry_id, on)
    if told.trial != was.trial:
        raise RequestError(say("The attestation is about another trial."), field="trial")
    connection.execute(_withdraw(trail, entry_id, told.criterion, told.gate))
    about = {"criterion": told.criterion, "gate": told.gate, "verdict": told.verdict.value}
    days = {"on": told.on, "until": told.until}
    row = connection.execute(
        insert(attestations).values(**about, **days, entry=entry_id, by=by, reason=reason).returning(attestations.c.id)
    ).scalar_one()
    until = told.until.isoformat()
    tell(connection, trail, entry_id, "attested", {**about, "until": until, "reason": reason})
    add_to(trail, was, "attested", {**about, "until": until, "attestation": row})
    _follow(connection, trail, entry_id, on, again)


def withdraw(
    connection: Connection,
    trail: Trail,
    entry_id: str,
    on: Page,
    *,
    criterion: str,
    gate: str,
    again: Again | None,
) -> None:
    """Let what was attested for a criterion at a gate count no more, and keep what follows.

    Raises:
        EditedMeanwhileError: see :func:`attest`.
        RequestError: nothing was.
    """
    was = _edit(connection, trail, entry_id, on)
    if not connection.execute(_withdraw(trail, entry_id, criterion, gate)).rowcount:
        raise RequestError(say("Nothing is attested for this criterion."), field="criterion", status=404)
    tell(connection, trail, entry_id, "withdrawn", {"criterion": criterion, "gate": gate})
    add_to(trail, was, "withdrawn", {"criterion": criterion, "gate": gate})
    _follow(connection, trail, entry_id, on, again)


def _edit(connection: Connection, trail: Trail, entry_id: str, on: Page) -> Row[tuple[Any, ...]]:
    was = edit(connection, trail, entry_id, on, {})
    if on.shown is not None:
        # What a person settles holds for one gate: the one that they had before them.
        gates = select(screenings.c.gate).where(screenings.c.id.in_([on.shown, was.latest])).distinct()
        if len(connection.execute(gates).all()) > 1:
            raise EditedMeanwhileError
    return was


def _follow(connection: Connection, trail: Trail, entry_id: str, on: Page, again: Again | None) -> None:
    if again is not None:
        take_again(connection, trail, hold(connection, entry_id), again, on.differs)


def _withdraw(trail: Trail, entry_id: str, criterion: str, gate: str) -> Update:
    told = (attestations.c.criterion == criterion) & (attestations.c.gate == gate)
    of_criterion = (attestations.c.entry == entry_id) & told
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
