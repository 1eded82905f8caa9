"""FHIR dates as what they are: ranges of days, ordered by instant where one is given.

A result's day is the calendar day written in it, in its own offset; a date is the whole day; a year is every
day of it. Source: the eligibility contract, section 6 (Labs); FHIR R4, data types, date and dateTime.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

_PATTERN: Final = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:T(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.\d+)?)?(?P<zone>Z|[+-]\d\d:\d\d)?)?)?)?"
)


_LONGEST: Final = 40  # characters of a date that is remembered


@dataclass(frozen=True)
class When:
    """A moment or a range of days.

    Args:
        first: the earliest possible day.
        last: the latest possible day.
        instant: the exact time in UTC, when a time with an offset is given.
        wall: the time as written, without its offset, when a time is given.
    """

    first: date
    last: date
    instant: datetime | None = None
    wall: datetime | None = None

    @classmethod
    def on(cls, day: date) -> When:
        """Return the whole of one day."""
        return cls(day, day)

    @classmethod
    def parse(cls, text: object) -> When:
        """Read a FHIR date, dateTime or instant.

        Raises:
            ValueError: not a FHIR date, or no such day or time.

        >>> When.parse("2026-02").last
        datetime.date(2026, 2, 28)
        >>> When.parse("2026-02-26T23:30:00+08:00").first
        datetime.date(2026, 2, 26)
        """
        written = text.strip() if isinstance(text, str) else ""
        if len(written) > _LONGEST:
            return cls._parsed(written)
        # A record dates many results alike.
        return _remembered(written)

    @classmethod
    def _parsed(cls, text: str) -> When:
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise ValueError("not a FHIR date")
        year = int(match["year"])
        if match["month"] is None:
            return cls(date(year, 1, 1), date(year, 12, 31))
        month = int(match["month"])
        if match["day"] is None:
            first = date(year, month, 1)
            return cls(first, date(year, month, calendar.monthrange(year, month)[1]))
        day = date(year, month, int(match["day"]))
        if match["hour"] is None:
            return cls.on(day)
        # A leap second (:60) is a legal instant that datetime cannot hold.
        second = min(int(match["second"] or 0), 59)
        wall = datetime(year, month, day.day, int(match["hour"]), int(match["minute"]), second)
        zone = match["zone"]
        instant = None
        if zone is not None:
            written = datetime.fromisoformat(f"{wall.isoformat()}{'+00:00' if zone == 'Z' else zone}")
            try:
                instant = written.astimezone(UTC)
            except OverflowError:
                raise ValueError("outside the calendar") from None
        return cls(day, day, instant, wall)

    @property
    def text(self) -> str:
        """The day, or the part of it that is known, in ISO 8601."""
        if self.first == self.last:
            return self.first.isoformat()
        if self.last == date.max:
            return f"{self.first}/"
        same_month = (self.first.year, self.first.month) == (self.last.year, self.last.month)
        if same_month:
            return self.first.isoformat()[:7]
        # Not strftime: its %Y writes the year 1 as "1".
        return self.first.isoformat()[:4] if self.first.year == self.last.year else f"{self.first}/{self.last}"

    def before(self, other: When) -> bool:
        """Say whether this is certainly earlier; two that cannot be ordered are neither before nor after."""
        if self.instant is not None and other.instant is not None:
            return self.instant < other.instant
        if self.wall is not None and other.wall is not None and self.instant is other.instant:
            return self.wall < other.wall
        return self.last < other.first

    def certainly_within(self, first: date, last: date) -> bool:
        """Say whether every possible day lies in the range, both ends included."""
        return first <= self.first and self.last <= last

    def perhaps_within(self, first: date, last: date) -> bool:
        """Say whether some possible day lies in the range, both ends included."""
        return self.first <= last and first <= self.last


@lru_cache(maxsize=2048)
def _remembered(text: str) -> When:
    return When._parsed(text)


ANY_TIME: Final = When(date.min, date.max)


def shift(day: date, days: int) -> date:
    """Move a day, stopping at the ends of the calendar."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return date.max if days > 0 else date.min


def latest(times: list[When]) -> list[int]:
    """Return the positions of those that nothing else is certainly later than.

    More than one means that their order cannot be told (same instant, or a date-only value of that day).
    Each is compared with the latest of its own exactness, and with the latest day of the others: see
    :meth:`When.before`.
    """
    last_instant = max((one.instant for one in times if one.instant is not None), default=None)
    last_wall = max((one.wall for one in times if one.instant is None and one.wall is not None), default=None)
    instant_day = max((one.first for one in times if one.instant is not None), default=date.min)
    wall_day = max((one.first for one in times if one.instant is None and one.wall is not None), default=date.min)
    bare_day = max((one.first for one in times if one.wall is None), default=date.min)
    found = []
    for at, one in enumerate(times):
        if one.instant is not None:
            outdone = one.instant != last_instant or one.last < max(wall_day, bare_day)
        elif one.wall is not None:
            outdone = one.wall != last_wall or one.last < max(instant_day, bare_day)
        else:
            outdone = one.last < max(instant_day, wall_day, bare_day)
        if not outdone:
            found.append(at)
    return found or list(range(len(times)))


def earliest(times: list[When]) -> When | None:
    """Return the range of days in which the earliest of these lies; None when there are none."""
    if not times:
        return None
    return When(min(one.first for one in times), min(one.last for one in times))


def age_in_years(birth: date, day: date) -> int:
    """Return completed years; someone born on 29 February has the birthday on 1 March in other years.

    >>> age_in_years(date(1956, 2, 29), date(2027, 2, 28))
    70
    >>> age_in_years(date(1956, 2, 29), date(2027, 3, 1))
    71
    """
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))
