"""How many cards were sent, and what became of them: numbers only."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from cds_service.store.feedback import SAME_CARD, Answer, told_at
from cds_service.store.schema import cards, feedback


@dataclass(frozen=True)
class Count:
    """Cards of one kind that one service sent for one trial, each counted once, by the last that was told of it.

    Args:
        service: id of the service.
        trial: of the cards' topic.
        kind: of card.
        sent: how many.
        accepted: of how many a suggestion was accepted.
        taken: how many suggestions were accepted.
        overridden: how many were overridden, by reason; "" for none given.
        commented: how many overrides came with a comment.
    """

    service: str
    trial: str
    kind: str
    sent: int
    accepted: int
    taken: int
    overridden: Mapping[str, int]
    commented: int

    @property
    def without_feedback(self) -> int:
        """Of how many nothing was told: whether anyone saw them is not known."""
        return self.sent - self.accepted - sum(self.overridden.values())


def count(connection: Connection) -> list[Count]:
    """Count everything, in the order of service, trial and kind."""
    group = cards.c.service, cards.c.trial, cards.c.kind
    sent = connection.execute(select(*group, func.count().label("number")).group_by(*group).order_by(*group))
    told = select(
        *group,
        cards.c.tenant,
        cards.c.uuid,
        feedback.c.id,
        feedback.c.at,
        feedback.c.received,
        feedback.c.outcome,
        feedback.c.reason,
        feedback.c.comment,
        feedback.c.suggestions,
    ).join_from(feedback, cards, SAME_CARD)
    last = {(row.tenant, row.uuid): row for row in sorted(connection.execute(told), key=told_at)}
    accepted: Counter[tuple[str, ...]] = Counter()
    taken: Counter[tuple[str, ...]] = Counter()
    commented: Counter[tuple[str, ...]] = Counter()
    overridden: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for row in last.values():
        key = row.service, row.trial, row.kind
        if row.outcome == Answer.ACCEPTED:
            accepted[key] += 1
            taken[key] += len(row.suggestions)
        else:
            overridden[key][row.reason] += 1
            commented[key] += bool(row.comment)
    return [
        Count(*key, row.number, accepted[key], taken[key], dict(sorted(overridden[key].items())), commented[key])
        for row in sent
        for key in [(row.service, row.trial, row.kind)]
    ]
