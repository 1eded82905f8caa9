"""What the readers of all resource types share: the entries they make, and what they could not read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from cds_service.facts.dates import When
from cds_service.facts.elements import object_of
from cds_service.facts.record import Source

EntryT = TypeVar("EntryT")


class UnreadableError(Exception):
    """A resource whose code or date cannot be read: its whole type becomes incomplete."""


@dataclass(frozen=True)
class Readings(Generic[EntryT]):
    """The entries of one resource type, and how many resources could not be read."""

    entries: tuple[EntryT, ...]
    unreadable: int = 0


def read_all(sources: Iterable[Source], reader: Callable[[Source], Iterable[EntryT]]) -> Readings[EntryT]:
    """Read every resource of a type; one that cannot be read is counted and costs the others nothing."""
    entries: list[EntryT] = []
    unreadable = 0
    for source in sources:
        try:
            for entry in reader(source):
                entries.append(entry)
        except UnreadableError:
            unreadable += 1
    return Readings(tuple(entries), unreadable)


def when_of(value: object) -> When | None:
    """Read a date element; None when absent.

    Raises:
        UnreadableError: it is there and is no date.
    """
    if value is None:
        return None
    try:
        return When.parse(value)
    except ValueError:
        raise UnreadableError from None


@dataclass(frozen=True)
class Span:
    """When something was done: from its start to its end, either of which may be imprecise or missing."""

    start: When | None
    end: When | None


@cache
def _written(name: str) -> tuple[str, ...]:
    return tuple(f"{name}{suffix}" for suffix in ("DateTime", "Date", "Instant"))


def span_of(body: Mapping[str, Any], *names: str) -> Span:
    """Read a choice element of a date or a period, ``name`` standing for nameDateTime, nameDate, namePeriod...

    Raises:
        UnreadableError: it is there and is no date.
    """
    for name in names:
        for written in _written(name):
            if written in body:
                moment = when_of(body[written])
                if moment is not None:
                    return Span(moment, moment)
        period = object_of(body.get(f"{name}Period"))
        if period:
            start, end = when_of(period.get("start")), when_of(period.get("end"))
            if start is not None or end is not None:
                return Span(start, end)
    return Span(None, None)
