"""Treatment over time: what was given when, the cycles, and the protocol's two moments. The same stands in a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from unicodedata import east_asian_width

from markupsafe import Markup

from cds_service.evaluation.seen import Timeline, Treatment
from cds_service.facts import shown
from cds_service.facts.dates import shift
from cds_service.facts.phrase import say
from cds_service.present.pages.scales import Days, plausible, span_of
from cds_service.present.pages.svg import Drawing
from cds_service.present.safe_text import plain
from cds_service.present.speaker import Speaker

_WIDTH: Final = 900
_LEFT, _RIGHT = 190, 888
_LANE: Final = 26
_HEAD: Final = 62
_FOOT: Final = 34
_LANES: Final = 12
_FEWEST_DAYS: Final = 60
_AHEAD: Final = 366  # days; what is planned for later is in the table only
_DAY_LABEL: Final = 62.0
_GIVEN: Final = {
    "given": say("given"),
    "perhaps": say("ordered or stated; whether it was given is not known"),
    "not": say("not given"),
}


@dataclass(frozen=True)
class TreatmentRow:
    """A treatment in the table."""

    days: str
    name: str
    kind: str
    given: str
    counts: str
    resource: str


@dataclass(frozen=True)
class Lane:
    """One line of the drawing: treatments of one name, and what it was of each."""

    label: str
    treatments: Sequence[Treatment]


@dataclass(frozen=True)
class TimelinePlot:
    """The treatment.

    Args:
        svg: the drawing; "" when nothing is dated.
        rows: earliest first.
        cycles: the day each cycle began.
        gate: the moment at which the patient stands.
        gates: all moments with whether the patient stands there.
        onset: the day the disease began, "" when it is not known.
        counted: how many cycles have begun, and whether that is an estimate; "" for none.
        more: a sentence about lanes that only the table has; "" for none.
    """

    svg: Markup
    rows: Sequence[TreatmentRow]
    cycles: Sequence[str]
    gate: str
    gates: Sequence[tuple[str, bool]]
    onset: str
    counted: str
    more: str


def timeline_plot(timeline: Timeline, as_of: date, name: str, speaker: Speaker) -> TimelinePlot:
    """Draw the treatment.

    Args:
        timeline: what the record shows.
        as_of: the day of the judgement, where the drawing ends.
        name: unique on the page.
        speaker: of the page.
    """
    gates = [(speaker.rules(label), identity == timeline.gate) for identity, label in timeline.gates]
    gate = next((label for label, here in gates if here), "")
    last = shift(as_of, _AHEAD)
    lanes = list(_lanes(timeline, last))
    nowhere = sum(one.start is not None and not plausible(one.start, last) for one in timeline.treatments)
    left_out = max(len(lanes) - _LANES, 0) + nowhere
    more = speaker.t(say("{number} further treatments are in the table only.", number=left_out))
    return TimelinePlot(
        svg=_draw(timeline, lanes[:_LANES], gates, as_of, name, speaker),
        rows=[_row(one, speaker) for one in timeline.treatments],
        cycles=[speaker.day(one) for one in timeline.cycles],
        gate=gate,
        gates=gates,
        onset=speaker.day(timeline.onset) if timeline.onset else "",
        counted=_counted(timeline, speaker) if timeline.cycles else "",
        more=more if left_out > 0 else "",
    )


def _row(one: Treatment, speaker: Speaker) -> TreatmentRow:
    if one.start and one.end and one.end != one.start:
        days = speaker.t(say("{first} to {last}", first=shown.day(one.start), last=shown.day(one.end)))
    else:
        days = speaker.day(one.start) if one.start else plain(one.start_text, 40) or "?"
    return TreatmentRow(
        days=days,
        name=plain(speaker.said(one.name), 120),
        kind=plain(speaker.t(one.kind), 80),
        given=speaker.t(_GIVEN[one.given]),
        counts=_counts(one, speaker),
        resource=plain(one.resource, 120),
    )


def _counts(one: Treatment, speaker: Speaker) -> str:
    if one.counts:
        return speaker.t("yes")
    doubt = plain(speaker.said(one.doubt))
    return speaker.t("no: {why}", why=doubt) if doubt else speaker.t("no")


def _counted(timeline: Timeline, speaker: Speaker) -> str:
    number = len(timeline.cycles)
    if timeline.countable:
        return speaker.t("{number} cycles begun", number=number)
    return speaker.t("about {number} cycles begun, an estimate", number=number)


def _lanes(timeline: Timeline, last: date) -> Iterator[Lane]:
    """Put treatments of one name on one line, in the order in which they began; those of no plausible day on none."""
    named: dict[str, list[Treatment]] = {}
    for one in timeline.treatments:
        if plausible(one.start, last):
            named.setdefault(one.name, []).append(one)
    for name, treatments in named.items():
        yield Lane(name, treatments)


def _draw(
    timeline: Timeline,
    lanes: Sequence[Lane],
    gates: Sequence[tuple[str, bool]],
    as_of: date,
    name: str,
    speaker: Speaker,
) -> Markup:
    told = [day for lane in lanes for one in lane.treatments for day in (one.start, one.end)]
    told += [timeline.onset, *timeline.cycles]
    known = [day for day in told if day is not None and plausible(day, shift(as_of, _AHEAD))]
    if not known:
        return Markup("")
    days = Days(*span_of([*known, as_of], _FEWEST_DAYS), _LEFT, _RIGHT)
    bottom = _HEAD + _LANE * len(lanes)
    picture = Drawing(
        name, _WIDTH, bottom + _FOOT, speaker.t(say("Treatment over time")), _described(timeline, lanes, speaker)
    )
    _moments(picture, timeline, gates, days, as_of)
    for number, day in enumerate(timeline.cycles, 1):
        if not days.holds(day):
            continue
        at = days(day)
        picture.add("line", "cycle", x1=at, x2=at, y1=44, y2=bottom)
        picture.add("text", "cycle-label", str(number), x=at, y=40, text_anchor="middle")
    if timeline.cycles:
        picture.add("text", "lane", speaker.t(say("cycle")), x=_LEFT - 10, y=40, text_anchor="end")
    for place, lane in enumerate(lanes):
        _lane(picture, lane, _HEAD + _LANE * place + _LANE / 2, days, speaker)
    _foot(picture, timeline, known, days, as_of, bottom, speaker)
    return picture.markup()


def _described(timeline: Timeline, lanes: Sequence[Lane], speaker: Speaker) -> str:
    said = [speaker.t(say("disease known since {day}", day=shown.day(timeline.onset)))] if timeline.onset else []
    for lane in lanes:
        starts = [one.start for one in lane.treatments if one.start]
        label, first, last = plain(speaker.said(lane.label), 60), shown.day(min(starts)), shown.day(max(starts))
        if first == last:
            said.append(speaker.t(say("{treatment} from {day}", treatment=label, day=first)))
        else:
            said.append(
                speaker.t(say("{treatment} from {first}, last {last}", treatment=label, first=first, last=last))
            )
    said.append(_counted(timeline, speaker))
    return speaker.joined(said)


def _moments(picture: Drawing, timeline: Timeline, gates: Sequence[tuple[str, bool]], days: Days, as_of: date) -> None:
    """Draw above at which of the protocol's moments the patient stood: the first one until treatment that counts began.

    Who has had treatment that is none of the trial's stands at the first moment still.
    """
    begun = min(
        (one.start for one in timeline.treatments if one.start and one.counts and days.holds(one.start)), default=None
    )
    first_still = bool(gates) and gates[0][1]
    turned = days(as_of) if first_still or begun is None else days(begun)
    left = float(_LEFT)
    for (label, here), right in zip(gates[:2], (turned, days(as_of)), strict=False):
        if right - left >= 1:
            picture.add("rect", "moment here" if here else "moment", x=left, y=4, width=right - left, height=20)
            if _width(label) < right - left - 8:
                picture.add("text", "moment-label", label, x=left + 5, y=18)
        left = right


def _width(text: str) -> float:
    """Return about how wide a text is drawn: Chinese characters are as wide as they are high."""
    return sum(12.0 if east_asian_width(char) in "WF" else 7.0 for char in text)


def _cut(text: str, room: float) -> str:
    """Return as much of a text as fits."""
    if _width(text) <= room:
        return text
    kept = text
    while kept and _width(kept) > room - 12:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def _lane(picture: Drawing, lane: Lane, at: float, days: Days, speaker: Speaker) -> None:
    picture.add(
        "text",
        "lane",
        _cut(plain(speaker.said(lane.label), 120), _LEFT - 12),
        x=_LEFT - 10,
        y=at + 4,
        text_anchor="end",
    )
    picture.add("line", "guide", x1=_LEFT, x2=_RIGHT, y1=at, y2=at)
    for one in lane.treatments:
        if one.start is None:
            continue
        start = days(one.start)
        kind = f"{one.given}{'' if one.counts else ' aside'}"
        if one.dose or one.end is None or one.end == one.start:
            diamond = (
                f"{start:.1f},{at - 7:.1f} {start + 7:.1f},{at:.1f} {start:.1f},{at + 7:.1f} {start - 7:.1f},{at:.1f}"
            )
            picture.add("polygon", f"dose {kind}", points=diamond)
        else:
            width = max(days(one.end) - start, 4)
            picture.add("rect", f"course {kind}", x=start, y=at - 6, width=width, height=12)


def _foot(
    picture: Drawing,
    timeline: Timeline,
    known: Sequence[date],
    days: Days,
    as_of: date,
    bottom: float,
    speaker: Speaker,
) -> None:
    picture.add("line", "axis", x1=_LEFT, x2=_RIGHT, y1=bottom + 4, y2=bottom + 4)
    today = days(as_of)
    picture.add("line", "today", x1=today, x2=today, y1=26, y2=bottom + 8)
    if timeline.onset and days.holds(timeline.onset):
        at = days(timeline.onset)
        picture.add("line", "onset", x1=at, x2=at, y1=26, y2=bottom + 8)
        picture.add("text", "", speaker.t(say("onset")), x=at + 4, y=36)
    wide = (days.last - days.first).days > 300
    for one in days.chosen([*known, as_of], _DAY_LABEL * (1.4 if wide else 1)):
        anchor = "end" if days(one) > _RIGHT - _DAY_LABEL / 2 else "middle"
        picture.add("text", "", speaker.day(one, year=wide), x=days(one), y=bottom + 22, text_anchor=anchor)
