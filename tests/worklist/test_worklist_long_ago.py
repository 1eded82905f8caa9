"""A patient who was judged long ago: whatever the status, list, page, report and exports say that results lapsed."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from dataclasses import replace
from datetime import date

import pytest
from worklist_desk import LIST, Person, exported, story, take

from cds_service.web import create_app

NOVEMBER = date(2026, 11, 23)


@pytest.fixture
def later(services):
    return Person(create_app(replace(services, clock=lambda: NOVEMBER)), "Dr Li")


def words(answer):
    return " ".join(html.unescape(re.sub("<[^>]+>", " ", answer.text)).split())


@pytest.mark.parametrize("name", ["stale-bilirubin", "inr-on-warfarin", "candidate"])
def test_all_say_that_results_lapsed(services, later, li, name):
    entry = take(services, story(name))
    path = f"/worklist/entries/{entry}"
    last = re.search(r"lapsed after ([0-9]+ [A-Z][a-z]+ 2026)", words(later.get(path)))
    assert last, "the head"
    told = f"lapsed after {last[1]}"
    assert told in words(later.get(LIST))
    report = words(later.get(f"{path}/report"))
    assert f"results {told}" in report
    assert report.count("lapsed after") > 2, "the rows, too"
    (row,) = csv.DictReader(io.StringIO(exported(later, format="csv").get_data().decode("utf-8-sig")))
    assert row["Results lapsed"] == "yes"
    assert row["Results count until"]
    bundle = json.loads(exported(later, format="fhir").get_data())
    assert "results lapsed after 2026-" in bundle["entry"][1]["resource"]["entry"][0]["flag"]["text"]
    for page in (LIST, path, f"{path}/report"):
        assert "lapsed" not in words(li.get(page)), "not on the day itself"


def test_the_head_says_of_which_day_its_count_is(services, later, li):
    entry = take(services, story("stale-bilirubin"))
    path = f"/worklist/entries/{entry}"
    assert "criteria met as of 1 Mar 2026" in words(later.get(path))
    assert "criteria met as of" not in words(li.get(path))


def test_until_when_a_result_of_that_day_counts_is_left_out_once_that_has_passed(services, later, li):
    entry = take(services, story("stale-bilirubin"))
    path = f"/worklist/entries/{entry}"
    assert "One of today counts until" in words(li.get(path))
    soon = Person(create_app(replace(services, clock=lambda: date(2026, 3, 3))), "Dr Li")
    assert "One of 1 Mar 2026 counts until" in words(soon.get(path))
    for page in (path, f"{path}/report"):
        assert "ne of 1 Mar 2026 counts until" not in words(later.get(page))


def test_who_cannot_enter_is_told_nothing_of_the_kind(services, later):
    entry = take(services, story("keratinizing"))
    assert "results lapsed" not in words(later.get(f"/worklist/entries/{entry}"))
