"""The plots of an entry: a result's place beside its limit, and the treatment over time."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from entry_pages import rules, seen_of
from entry_parts import ALL, DAY, EVIL, ast, harmless, point

from cds_service.evaluation.seen import Limit, Timeline, Treatment
from cds_service.facts.phrase import say
from cds_service.present.pages.lab_plot import lab_plot
from cds_service.present.pages.svg import Drawing
from cds_service.present.pages.timeline_plot import timeline_plot
from cds_service.present.speaker import ENGLISH, speaker


def shapes(svg: str, *classes: str) -> list[dict[str, str]]:
    """Return the marks of an SVG that have all of these classes."""
    return [
        one.attrib
        for one in ElementTree.fromstring(svg).iter()
        if set(classes) <= set(one.attrib.get("class", "").split())
    ]


@pytest.mark.parametrize("name", ALL)
def test_a_plot_shows_on_which_side_of_the_limit_the_used_result_is(name: str) -> None:
    for series in seen_of(name).labs:
        plot = lab_plot(series, "pass", "p", ENGLISH)
        assert len(plot.rows) == len(series.points)
        assert [row.used for row in plot.rows] == [one.used for one in reversed(series.points)]
        if not plot.svg:
            assert all(one.day is None or not (one.value or one.low or one.high) for one in series.points)
            continue
        used = [one for one in series.points if one.used and one.value is not None]
        marks = shapes(plot.svg, "point", "used")
        assert len(marks) == len(used)
        (window,) = shapes(plot.svg, "window")
        limits = sorted({end for one in series.limits for end in (one.least, one.most) if end is not None})
        lines = sorted((float(one["y1"]) for one in shapes(plot.svg, "limit")), reverse=True)
        assert len(lines) == len(limits)
        for result, mark in zip(used, marks, strict=True):
            for limit, line in zip(limits, lines, strict=True):
                assert (result.value > limit) == (float(mark["cy"]) < line - 0.05), (series.fact, result.value, limit)
            inside = series.window[0] <= result.day <= series.window[1]
            left, width = float(window["x"]), float(window["width"])
            assert inside == (left <= float(mark["cx"]) <= left + width)


def test_hollow_points_bars_and_old_results() -> None:
    plot = lab_plot(
        ast(
            point(None, "33"),
            point(DAY - timedelta(days=400), "31"),
            point(DAY - timedelta(days=20), "90", why_not=say("not final"), status="preliminary"),
            point(DAY - timedelta(days=9), high=Decimal(50), recorded="< 50 U/L"),
            point(DAY - timedelta(days=8), low=Decimal(60), recorded="> 60 U/L"),
            point(DAY - timedelta(days=3), "70", used=True),
        ),
        "pass",
        "p",
        ENGLISH,
    )
    assert len(shapes(plot.svg, "unusable")) == 1
    assert len(shapes(plot.svg, "point")) == 2
    below, above = shapes(plot.svg, "interval")
    (axis,) = shapes(plot.svg, "axis")
    assert float(below["y"]) + float(below["height"]) == float(axis["y1"]), "anything down to nothing"
    assert float(above["y"]) < float(shapes(plot.svg, "limit")[0]["y1"]), "anything up, beyond the limit"
    assert plot.older == "1 older results are in the table only."
    assert plot.limit == "at most 100 (2.5 × 40)"
    assert [row.day for row in plot.rows][-2:] == ["25 Jan 2025", "2026"]
    assert [row.value for row in plot.rows][1:3] == ["60 – …", "… – 50"]
    assert plot.rows[3].about == "preliminary; not final"
    assert "the one that counts: 70 U/L on 26 Feb 2026" in plot.svg


def test_every_limit_that_may_apply_is_drawn() -> None:
    limits = tuple(
        Limit(None, Decimal(40) * factor, factor, (say("liver metastasis"),)) for factor in (Decimal("2.5"), Decimal(5))
    )
    plot = lab_plot(ast(point(DAY, "70", used=True), limits=limits), "unknown", "p", ENGLISH)
    assert len(shapes(plot.svg, "limit")) == 2
    assert plot.limit == (
        "at most 100 (2.5 × 40) · at most 200 (5 × 40) · which one is not known yet: liver metastasis"
    )


@pytest.mark.parametrize("value", ["0", "0.0001", "1E+9", "-3"])
def test_a_plot_of_a_strange_number_can_still_be_drawn(value: str) -> None:
    for series in (ast(point(DAY, value)), ast(point(DAY, value), most=None, upper=None, factor=None)):
        assert shapes(lab_plot(series, "unknown", "p", ENGLISH).svg, "point")


def test_a_drawing_escapes() -> None:
    drawing = Drawing(f"n{EVIL}", 10, 10, EVIL, EVIL).add("text", EVIL, EVIL, x=1, fill=EVIL)
    root = ElementTree.fromstring(drawing.markup())
    assert [one.tag for one in root.iter()] == ["svg", "title", "desc", "text"]


def test_the_treatment_over_time() -> None:
    timeline = seen_of("after-5-cycles-pr").timeline
    plot = timeline_plot(timeline, DAY, "t", speaker("en", rules().library))
    assert len(plot.rows) == len(timeline.treatments)
    assert plot.counted == "5 cycles begun"
    assert [one.text for one in ElementTree.fromstring(plot.svg).iter() if one.get("class") == "cycle-label"] == [
        "1",
        "2",
        "3",
        "4",
        "5",
    ]
    assert plot.gates == [("before induction", False), ("after 4-6 cycles of induction", True)]
    assert len(shapes(plot.svg, "dose", "given")) == len(timeline.treatments)
    doses = [float(one["points"].split(",")[0]) for one in shapes(plot.svg, "dose")]
    starts = [one.start for one in timeline.treatments]
    lanes = sorted(zip(doses, starts, strict=False))
    assert lanes[0][0] < lanes[-1][0]


def test_treatment_that_is_none_of_the_trial_leads_to_no_other_moment() -> None:
    timeline = seen_of("prior-radiotherapy").timeline
    assert timeline.gate == "screening"
    plot = timeline_plot(timeline, DAY, "t", speaker("en", rules().library))
    (moment,) = shapes(plot.svg, "moment")
    assert "here" in moment["class"]
    treated = timeline_plot(seen_of("in-induction").timeline, DAY, "t", speaker("en", rules().library))
    assert [one["class"] for one in shapes(treated.svg, "moment")] == ["moment", "moment here"]


def test_what_was_not_given_does_not_look_given() -> None:
    def treatment(name: str, given: str, **rest: object) -> Treatment:
        told = {"start": DAY, "end": DAY + timedelta(days=9), "start_text": "", "kind": say("chemotherapy")}
        return Treatment(
            **{**told, "name": name, "given": given, "counts": True, "resource": "x", "dose": False, **rest}  # type: ignore[arg-type]
        )

    treatments = (
        treatment(f"a{EVIL}", "given"),
        treatment("b", "perhaps"),
        treatment("c", "not", counts=False, doubt=say("not given")),
        treatment("d", "given", start=None, end=None, start_text="2025"),
        *(treatment(f"more {number}", "given") for number in range(12)),
    )
    plot = timeline_plot(Timeline(treatments, (), None, "screening", (("screening", "before"),)), DAY, "t", ENGLISH)
    assert len(shapes(plot.svg, "course", "given")) == 10
    assert len(shapes(plot.svg, "course", "perhaps")) == 1
    assert len(shapes(plot.svg, "course", "not", "aside")) == 1
    assert plot.more == "3 further treatments are in the table only."
    assert plot.rows[3].days == "2025"
    assert harmless(plot.svg)
