"""Cards that were sent, and what became of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from cds_service.store.database import insert_new
from cds_service.store.schema import cards, feedback, revocations

# A verified caller that repeats itself with ever new times must not fill the disk.
MOST_FOR_ONE_CARD: Final = 50
SAME_CARD: Final = (feedback.c.tenant == cards.c.tenant) & (feedback.c.card == cards.c.uuid)
_AHEAD: Final = timedelta(minutes=5)  # clocks of machines that nobody looks after differ by less
_TOLD: Final = (feedback.c.id, feedback.c.at, feedback.c.outcome, feedback.c.reason, feedback.c.received)


class Kind(StrEnum):
    """What a card is about."""

    CANDIDATE = "candidate"
    CONFLICT = "conflict"


class Answer(StrEnum):
    """What a clinician did with a card. Source: CDS Hooks 2.0.1, Feedback."""

    ACCEPTED = "accepted"
    OVERRIDDEN = "overridden"


@dataclass(frozen=True)
class SentCard:
    """A card that may get feedback.

    Args:
        uuid: its id.
        service: of the service that sent it.
        kind: what it is about.
        trial: the trial of its topic.
        patient: a key, see :func:`cds_service.store.keys.key_of`.
        sent: when.
        suggestions: ids of its suggestions.
        marks: of each criterion of the trial, hashes of what its verdict rested on.
        unsettled: ids of the criteria that did not pass.
    """

    uuid: str
    service: str
    kind: Kind
    trial: str
    patient: str
    sent: datetime
    suggestions: Sequence[str]
    marks: Mapping[str, Sequence[str]]
    unsettled: Sequence[str]


@dataclass(frozen=True)
class CardFeedback:
    """What became of a card.

    Args:
        card: its id.
        outcome: what was done.
        at: when, by the client's clock.
        received: when we were told.
        reason: of an override, a word of ours; "" for none given.
        comment: a clinician's own words. They may name the patient: never to be logged or counted.
        suggestions: ids of the suggestions that were taken.
    """

    card: str
    outcome: Answer
    at: datetime
    received: datetime
    reason: str = ""
    comment: str = ""
    suggestions: Sequence[str] = ()

    def __repr__(self) -> str:
        """Show no comment."""
        return f"CardFeedback({self.card}, {self.outcome.value})"


@dataclass(frozen=True)
class Override:
    """A card whose last feedback is an override that nobody took back.

    Args:
        card: what was overridden.
        reason: see :class:`CardFeedback`.
        received: when we were told.
    """

    card: SentCard
    reason: str
    received: datetime


def remember(connection: Connection, tenant: str, sent: Sequence[SentCard]) -> None:
    """Keep cards; one that is there already stays as it is."""
    for card in sent:
        insert_new(connection, cards, {"tenant": tenant, **asdict(card)})


def find(connection: Connection, tenant: str, uuids: Collection[str]) -> dict[str, SentCard]:
    """Return the cards of these ids that this tenant was sent."""
    rows = connection.execute(select(cards).where(cards.c.tenant == tenant, cards.c.uuid.in_(uuids)))
    return {row.uuid: _card(row) for row in rows}


def add(connection: Connection, tenant: str, told: Sequence[CardFeedback]) -> int:
    """Keep feedback on known cards; return how much of it was new. Of too much on one card the oldest goes.

    The same card, outcome and instant with another reason, comment or suggestions is a correction, which takes the
    place of what was told; what it leaves out stays. So does when we were told first: an override that was taken back
    stays so.
    """
    new = 0
    for one in told:
        if insert_new(connection, feedback, {"tenant": tenant, **asdict(one)}):
            new += 1
            _forget_oldest(connection, tenant, one.card)
        elif _correct(connection, tenant, one):
            new += 1
    return new


def _correct(connection: Connection, tenant: str, one: CardFeedback) -> bool:
    """Take what is told of the same act over; say whether it differed."""
    same = (feedback.c.tenant == tenant) & (feedback.c.card == one.card)
    same &= (feedback.c.outcome == one.outcome) & (feedback.c.at == one.at)
    row = connection.execute(select(feedback).where(same)).one()
    told = {"reason": one.reason, "comment": one.comment, "suggestions": list(one.suggestions)}
    other = {name: value for name, value in told.items() if value and value != row._mapping[name]}
    if other:
        connection.execute(update(feedback).where(feedback.c.id == row.id).values(**other))
    return bool(other)


def _forget_oldest(connection: Connection, tenant: str, card: str) -> None:
    of_card = (feedback.c.tenant == tenant) & (feedback.c.card == card)
    rows = sorted(connection.execute(select(*_TOLD).where(of_card)), key=told_at)
    surplus = [row.id for row in rows[:-MOST_FOR_ONE_CARD]]
    if surplus:
        connection.execute(delete(feedback).where(feedback.c.id.in_(surplus)))


def overrides(connection: Connection, patient: str | None = None) -> list[Override]:
    """Return the overrides that count, in the order in which we were told.

    The last feedback on a card is what counts: an override after which a suggestion was accepted is none.

    Args:
        connection: to read with.
        patient: whose; None for everyone's.
    """
    told = select(cards, *_TOLD).join_from(feedback, cards, SAME_CARD)
    taken_back = select(revocations.c.patient, revocations.c.trial, func.max(revocations.c.at).label("at")).group_by(
        revocations.c.patient, revocations.c.trial
    )
    if patient is not None:
        told = told.where(cards.c.patient == patient)
        taken_back = taken_back.where(revocations.c.patient == patient)
    last = {(row.tenant, row.uuid): row for row in sorted(connection.execute(told), key=told_at)}
    revoked = {(row.patient, row.trial): row.at for row in connection.execute(taken_back)}
    in_force = [
        row
        for row in last.values()
        if row.outcome == Answer.OVERRIDDEN and not _before(row.received, revoked.get((row.patient, row.trial)))
    ]
    in_force.sort(key=lambda row: (row.received, row.id))
    return [Override(_card(row), row.reason, row.received) for row in in_force]


def told_at(row: Row[*tuple[Any, ...]]) -> tuple[datetime, int]:
    """Return what puts rows of feedback in order: the client's clock, unless it runs ahead.

    From the year 9999, an override would be the last word for ever.
    """
    return row.at if row.at <= row.received + _AHEAD else row.received, row.id


def revoke(connection: Connection, patient: str, trial: str, at: datetime) -> None:
    """Let every override of a trial for a patient that was received so far count no more."""
    connection.execute(insert(revocations).values(patient=patient, trial=trial, at=at))


def _before(received: datetime, revoked: datetime | None) -> bool:
    return revoked is not None and received <= revoked


def _card(row: Row[tuple[object, ...]]) -> SentCard:
    return SentCard(
        uuid=row.uuid,
        service=row.service,
        kind=Kind(row.kind),
        trial=row.trial,
        patient=row.patient,
        sent=row.sent,
        suggestions=tuple(row.suggestions),
        marks=dict(row.marks),
        unsettled=tuple(row.unsettled),
    )
