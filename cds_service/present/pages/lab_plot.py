"""One laboratory test over time: a plot with its limit, the upper limit that applied and the protocol's window.

What was used is filled, what cannot be used is hollow, and a value given only as a limit ("<5") is a bar as long as
what it may be. The same stands in a table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from markupsafe import Markup

from cds_service.evaluation.seen import LabPoint, LabSeries, Limit
from cds_service.facts import shown
from cds_service.facts.dates import shift
from cds_service.facts.phrase import say
from cds_service.present.pages.scales import Days, Numbers, plausible, range_of, span_of
from cds_service.present.pages.svg import Drawing
from cds_service.present.pages.values import unit_of
from cds_service.present.safe_text import plain
from cds_service.present.speaker import Speaker

WIDTH: Final = 380
HEIGHT: Final = 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 372, 26, 164
_DAYS_SHOWN: Final = 180  # older results would press the window into a line; the table has them
_FEWEST_DAYS: Final = 21
_DAY_LABEL: Final = 50.0


@dataclass(frozen=True)
class PointRow:
    """A result in the table: its day, as recorded, in the plot's unit, its upper limit, what it is, its resource."""

    day: str
    recorded: str
    value: str
    upper: str
    used: bool
    about: str
    resource: str


@dataclass(frozen=True)
class LabPlot:
    """One test.

    Args:
        label: its name.
        unit: of plot and table, "" for none.
        limit: what is asked: "at least 90 g/L", "" when nothing is known of it.
        verdict: "pass", "fail" or "unknown", of the first criterion that reads it.
        svg: the plot; "" when no result can be placed.
        rows: newest first.
        older: a sentence about results that only the table has; "" for none.
        window: the protocol's window in words.
    """

    label: str
    unit: str
    limit: str
    verdict: str
    svg: Markup
    rows: Sequence[PointRow]
    older: str
    window: str


def lab_plot(series: LabSeries, verdict: str, name: str, speaker: Speaker) -> LabPlot:
    """Draw one test.

    Args:
        series: its results, oldest first.
        verdict: of the criterion that reads it.
        name: unique on the page.
        speaker: of the page.
    """
    label, unit = plain(speaker.t(series.label), 200), plain(unit_of(series.unit, speaker))
    begins, ends = series.window
    window = speaker.t(
        say("window {first} to {last}", first=shown.day(begins, year=False), last=shown.day(ends, year=False))
    )
    dated = [one for one in series.points if one.day is not None and _extent(one)]
    oldest, newest = shift(ends, -_DAYS_SHOWN), shift(ends, _DAYS_SHOWN)
    near = [one for one in dated if one.day is not None and plausible(one.day, newest) and one.day >= oldest]
    before = sum(one.day is not None and one.day < oldest for one in dated)
    after = len(dated) - len(near) - before
    only = [say("{number} older results are in the table only.", number=before)] if before else []
    only += [say("{number} results of later days are in the table only.", number=after)] if after else []
    older = speaker.joined(only, " ")
    limit = " · ".join(_limits(series, speaker))
    drawn = _draw(series, near, name, f"{label} ({unit})" if unit else label, limit, speaker) if near else Markup("")
    rows = [_row(one, speaker) for one in reversed(series.points)]
    return LabPlot(label, unit, limit, verdict, drawn, rows, older, window)


def _limits(series: LabSeries, speaker: Speaker) -> Iterator[str]:
    """Say what is asked; where it hangs on something that is not known, every limit and what it hangs on."""
    limits = _every_limit(series)
    for one in limits:
        if one.least is not None:
            yield speaker.t(say("at least {value}", value=shown.plain_number(one.least)))
        if one.most is not None and one.factor is not None and series.upper is not None:
            numbers = {"most": one.most, "factor": one.factor, "upper": series.upper}
            told = {name: shown.plain_number(value) for name, value in numbers.items()}
            yield speaker.t(say("at most {most} ({factor} × {upper})", **told))
        elif one.most is not None:
            yield speaker.t(say("at most {value}", value=shown.plain_number(one.most)))
        elif one.factor is not None:
            factor = shown.plain_number(one.factor)
            yield speaker.t(say("at most {factor} × the upper limit, which is not known", factor=factor))
    facts = list(dict.fromkeys(fact for one in limits for fact in one.depends_on))
    if facts:
        yield speaker.t(say("which one is not known yet: {facts}", facts=plain(speaker.joined(facts, ", "))))


def _every_limit(series: LabSeries) -> Sequence[Limit]:
    return series.limits or (Limit(series.least, series.most, series.factor),)


def _row(point: LabPoint, speaker: Speaker) -> PointRow:
    told = [speaker.t(say("used for the verdict"))] if point.used else []
    if point.status not in ("", "final"):
        told.append(plain(point.status, 40))
    if point.why_not:
        told.append(plain(speaker.t(point.why_not)))
    return PointRow(
        day=speaker.day(point.day) if point.day else plain(point.day_text, 40) or "?",
        recorded=plain(point.recorded, 80),
        value=_said_value(point),
        upper=shown.plain_number(point.upper) if point.upper is not None else "",
        used=point.used,
        about=speaker.joined(told),
        resource=plain(point.resource, 120),
    )


def _said_value(point: LabPoint) -> str:
    if point.value is not None:
        return shown.plain_number(point.value)
    if point.low is None and point.high is None:
        return ""
    low = "…" if point.low is None else shown.plain_number(point.low)
    high = "…" if point.high is None else shown.plain_number(point.high)
    return f"{low} – {high}"


def _extent(point: LabPoint) -> list[Decimal]:
    """Return the numbers that a point stands at: one, or the ends of what it may be."""
    if point.value is not None:
        return [point.value]
    return [one for one in (point.low, point.high) if one is not None]


def _draw(series: LabSeries, points: Sequence[LabPoint], name: str, title: str, limit: str, speaker: Speaker) -> Markup:
    days, numbers = _scales(series, points)
    picture = Drawing(name, WIDTH, HEIGHT, title, _described(points, limit, speaker))
    _window(picture, series, days)
    _axes(picture, series, days, numbers, speaker)
    _limit_lines(picture, series, numbers)
    _line(picture, points, days, numbers)
    for one in points:
        _point(picture, one, days, numbers, speaker)
    return picture.markup()


def _scales(series: LabSeries, points: Sequence[LabPoint]) -> tuple[Days, Numbers]:
    first, last = span_of([*(one.day for one in points if one.day), *series.window], _FEWEST_DAYS)
    ends = [end for one in _every_limit(series) for end in (one.least, one.most)]
    limits = [one for one in (*ends, series.upper) if one is not None]
    least, most = range_of([*(number for one in points for number in _extent(one)), *limits])
    return Days(first, last, _LEFT, _RIGHT), Numbers(least, most, _BOTTOM, _TOP)


def _described(points: Sequence[LabPoint], limit: str, speaker: Speaker) -> str:
    said = [
        speaker.t(
            say(
                "{number} results from {first} to {last}",
                number=len(points),
                first=shown.day(points[0].day),
                last=shown.day(points[-1].day),
            )
        )
    ]
    said += [
        speaker.t(say("the one that counts: {value} on {day}", value=plain(one.recorded, 80), day=shown.day(one.day)))
        for one in points
        if one.used
    ]
    return speaker.joined([*said, limit])


def _window(picture: Drawing, series: LabSeries, days: Days) -> None:
    begins, ends = (days(one) for one in series.window)
    picture.add("rect", "window", x=begins - 2, y=_TOP, width=ends - begins + 4, height=_BOTTOM - _TOP)


def _axes(picture: Drawing, series: LabSeries, days: Days, numbers: Numbers, speaker: Speaker) -> None:
    picture.add("line", "axis", x1=_LEFT, x2=_RIGHT, y1=_BOTTOM, y2=_BOTTOM)
    for value in numbers.ticks():
        at = numbers(value)
        picture.add("line", "tick", x1=_LEFT - 4, x2=_LEFT, y1=at, y2=at)
        picture.add("text", "", shown.plain_number(value), x=_LEFT - 7, y=at + 4, text_anchor="end")
    wide = (days.last - days.first).days > 300
    inner = [*series.window, *(one.day for one in series.points if one.day)]
    for one in days.chosen(inner, _DAY_LABEL if not wide else _DAY_LABEL * 1.6):
        at = days(one)
        anchor = "end" if at > _RIGHT - _DAY_LABEL / 2 else "middle"
        picture.add("line", "tick", x1=at, x2=at, y1=_BOTTOM, y2=_BOTTOM + 4)
        label = speaker.day(one, year=wide)
        picture.add(
            "text", "", label, x=min(at, _RIGHT + 4) if anchor == "end" else at, y=_BOTTOM + 18, text_anchor=anchor
        )


def _limit_lines(picture: Drawing, series: LabSeries, numbers: Numbers) -> None:
    limits = _every_limit(series)
    lines = [("limit", "≥ ", one.least) for one in limits] + [("limit", "≤ ", one.most) for one in limits]
    drawn: dict[Decimal, float] = {}
    for kind, sign, value in (*lines, ("upper", "ULN ", series.upper)):
        if value is None or value in drawn:
            continue
        at = numbers(value)
        picture.add("line", kind, x1=_LEFT, x2=_RIGHT, y1=at, y2=at)
        above = at - 4 if all(abs(at - other) > 13 for other in drawn.values()) else at + 12
        picture.add("text", f"{kind}-label", f"{sign}{shown.plain_number(value)}", x=_LEFT + 4, y=above)
        drawn[value] = at


def _line(picture: Drawing, points: Sequence[LabPoint], days: Days, numbers: Numbers) -> None:
    placed = [
        f"{days(one.day):.1f},{numbers(one.value):.1f}"
        for one in points
        if one.day and one.value is not None and not one.why_not
    ]
    if len(placed) > 1:
        picture.add("polyline", "course", points=" ".join(placed))


def _point(picture: Drawing, one: LabPoint, days: Days, numbers: Numbers, speaker: Speaker) -> None:
    if one.day is None:
        return
    at, kind = days(one.day), "used" if one.used else "unusable" if one.why_not else "other"
    if one.value is not None:
        where = numbers(one.value)
        picture.add("circle", f"point {kind}", cx=at, cy=where, r=5.5 if one.used else 4)
        top = where
    else:
        top = numbers(one.high) if one.high is not None else _TOP
        end = numbers(one.low) if one.low is not None else _BOTTOM
        picture.add("rect", f"interval {kind}", x=at - 3, y=top, width=6, height=max(end - top, 2))
    if one.used:
        anchor = "end" if at > _RIGHT - 30 else "start" if at < _LEFT + 30 else "middle"
        text = _said_value(one) if one.value is not None else plain(one.recorded, 12)
        picture.add("text", "value", text, x=at, y=top - 9 if top > _TOP + 8 else top + 20, text_anchor=anchor)
