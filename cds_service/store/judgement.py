"""A judgement of a patient for a trial: as it comes, as it is kept, and judged again for what a person settles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal


@dataclass(frozen=True)
class Chart:
    """The record that a screening rests on.

    Args:
        fingerprint: ``sha256:...`` of its content.
        body: as ``gather.snapshot`` packs it.
    """

    fingerprint: str
    body: bytes

    def __repr__(self) -> str:
        """Show nothing of the patient."""
        return "Chart()"


@dataclass(frozen=True)
class Judged:
    """What a judgement came to.

    Args:
        trial: its id.
        rules_digest: of the rules that judged.
        as_of: the day of the judgement.
        anchor: the day that the protocol's windows count from, where one was named.
        attested: digest of the attestations that it was judged with, "" for none.
        gate: that was chosen.
        status: of the patient for the trial.
        decided: how many of the gate's criteria were decided.
        total: how many the gate has.
        missing: names of the decisive facts, in order.
        lapses: last day of a candidate's status; the day to look again of a not-now.
    """

    trial: str
    rules_digest: str
    as_of: date
    anchor: date | None
    attested: str
    gate: str
    status: str
    decided: int
    total: int
    missing: tuple[str, ...]
    lapses: date | None

    def __repr__(self) -> str:
        """Show nothing of the patient."""
        return f"{type(self).__name__}({self.trial!r})"


@dataclass(frozen=True, repr=False)
class NewScreening(Judged):
    """A judgement that is to be kept.

    Args:
        result: the contract's JSON of this trial, and what could not be read, and the site.
    """

    result: Mapping[str, Any]


@dataclass(frozen=True, repr=False)
class Screening(Judged):
    """A judgement that is kept; its result, which is long, is asked for by itself.

    One that said the same on later days is one: ``as_of`` and the result are those of the last of them.

    Args:
        id: its number.
        taken: when it was first taken.
        at: when the chart was read; of one that stood again or was confirmed, the last time.
        since: the first day that it was judged for.
        days: for how many days it was.
        fingerprint: of the chart that it rests on.
        brief: what lists show of its result.
    """

    id: int
    taken: datetime
    at: datetime
    since: date
    days: int
    fingerprint: str
    brief: Mapping[str, Any]


@dataclass(frozen=True)
class Taken:
    """What became of an entry when a screening was taken.

    Args:
        entry: its id.
        became: new; changed: differs from what people saw last, be it since now or before; unchanged.
        was: the status that stood before; "" of a new entry.
        status: that stands now.
    """

    entry: str
    became: Literal["new", "changed", "unchanged"]
    was: str
    status: str


@dataclass(frozen=True)
class Again:
    """The chart of the screening that stands, judged once more because of what a person attests or withdraws.

    Args:
        basis: id of that screening.
        chart: its chart.
        screening: what came of it.
    """

    basis: int
    chart: Chart
    screening: NewScreening
