"""Days at the ends of the calendar: mistyped years break no verdict, no page and no drawing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any
from xml.etree import ElementTree

import pytest
from door_fakes import hook
from entry_pages import PREFIX, STORIES, Shown, page_app, rules, seen_of, story

from cds_service.bootstrap import build
from cds_service.cli.demo_ehr import prefetch_of
from cds_service.facts.dates import When
from cds_service.gather.bundle import read_bundle
from cds_service.present.pages.lab_plot import lab_plot
from cds_service.present.pages.scales import OLDEST, plausible
from cds_service.present.pages.timeline_plot import timeline_plot
from cds_service.present.speaker import ENGLISH
from cds_service.settings import load_settings
from cds_service.web import create_app

DAY = date(2026, 3, 1)
ENDS = ("0001", "0001-01", "0001-01-01", "0001-01-01T00:30:00+14:00", "9999", "9999-12-31", "9999-12-31T23:30:00-12:00")
DATES = ("effectiveDateTime", "onsetDateTime", "recordedDate", "performedDateTime", "authoredOn")


def dated(name: str, text: str) -> dict[str, Any]:
    """Return an example patient all of whose days but the birth date are one text."""
    bundle = json.loads((STORIES / name / "bundle.json").read_text(encoding="utf-8"))
    for entry in bundle["entry"]:
        resource = entry["resource"]
        for field in DATES:
            if field in resource:
                resource[field] = text
        for field in ("effectivePeriod", "performedPeriod"):
            if field in resource:
                resource[field] = {"start": text, "end": text}
    return dict(bundle)


@pytest.mark.parametrize("text", ["0001", "0001-01", "0001-01-01", "0012-02", "2026", "2026-02", "2026-02-10"])
def test_a_day_is_written_as_it_is_read(text: str) -> None:
    assert When.parse(text).text == text
    assert When.parse(When.parse(text).text) == When.parse(text)


@pytest.mark.parametrize("text", ENDS)
@pytest.mark.parametrize("name", ["candidate", "after-5-cycles-pr"])
def test_page_report_and_hook_answer(name: str, text: str) -> None:
    bundle = dated(name, text)
    client = page_app(name, Shown(record=read_bundle(bundle))).test_client()
    for path in (PREFIX, f"{PREFIX}/report"):
        for language in ("en", "zh"):
            assert client.get(f"{path}?lang={language}").status_code == 200
    _, as_of, _ = story(name)
    services = build(load_settings(mode="open"), clock=lambda: as_of, rules=rules())
    try:
        patient = next(one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "Patient")
        body = hook(
            context={"userId": "Practitioner/1", "patientId": patient["id"]},
            prefetch=json.loads(json.dumps(prefetch_of(bundle, rules().plan.templates), default=float)),
        )
        answer = create_app(services).test_client().post("/cds-services/npc-trials-patient-view", json=body)
        assert answer.status_code == 200, answer.text
    finally:
        services.store.close()


def test_a_result_of_no_plausible_day_is_in_the_table_only() -> None:
    (series, *_) = (one for one in seen_of("candidate").labs if one.points)
    used = series.points[-1]
    strange = [
        replace(used, day=day, used=False, resource=f"Observation/{day.year}")
        for day in (date.min, date(1899, 12, 31), date.max)
    ]
    plot = lab_plot(replace(series, points=(*strange[:2], *series.points, strange[2])), "pass", "p", ENGLISH)
    assert len(plot.rows) == len(series.points) + 3
    assert plot.older == "2 older results are in the table only. 1 results of later days are in the table only."
    assert plot.svg == lab_plot(series, "pass", "p", ENGLISH).svg
    alone = lab_plot(replace(series, points=(strange[0], strange[2])), "unknown", "p", ENGLISH)
    assert (alone.svg, len(alone.rows)) == ("", 2)


def test_treatment_of_no_plausible_day_is_in_the_table_only() -> None:
    timeline = seen_of("after-5-cycles-pr").timeline
    known = timeline_plot(timeline, DAY, "t", ENGLISH)
    first = timeline.treatments[0]
    strange = [replace(first, start=day, end=day, name="mistyped") for day in (date.min, date.max)]
    plot = timeline_plot(replace(timeline, treatments=(*timeline.treatments, *strange)), DAY, "t", ENGLISH)
    assert plot.svg == known.svg
    assert len(plot.rows) == len(known.rows) + 2
    assert plot.more == "2 further treatments are in the table only."
    odd = replace(timeline, onset=date.min, cycles=(date.min, *timeline.cycles, date.max))
    labels = [
        one.text
        for one in ElementTree.fromstring(timeline_plot(odd, DAY, "t", ENGLISH).svg).iter()
        if one.get("class") == "cycle-label"
    ]
    assert labels == [str(number + 2) for number in range(len(timeline.cycles))]
    endless = replace(first, end=date.max, dose=False)
    assert "course" in timeline_plot(replace(timeline, treatments=(endless,)), DAY, "t", ENGLISH).svg


def test_what_is_plausible() -> None:
    assert plausible(OLDEST, DAY)
    assert plausible(DAY, DAY)
    assert not plausible(date(1899, 12, 31), DAY)
    assert not plausible(date(2026, 3, 2), DAY)
    assert not plausible(None, DAY)
