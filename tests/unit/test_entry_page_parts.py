"""The page and report of an entry, whole: every story in both languages, its rows, its forms, its files."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from entry_pages import PREFIX, TRIAL, WEB, Shown, rules, shown_of
from entry_parts import ALL, DAY, EVIL, Tags, get, harmless, judged

from cds_service.evaluation.attested import Attestation
from cds_service.evaluation.outcome import Status, Verdict
from cds_service.present.speaker import ENGLISH, speaker
from cds_service.screening.worklist.changes import changes

STATIC = WEB / "static" / "worklist"
# As published on npm: see static/worklist/vendor/README.md.
PUBLISHED = {
    "pico.classless.min.css": "61207a40ffc02a42d1e50143651c121beab70ed413c934c1ff84fa263ba436b0",
    "pico.LICENSE.md": "afaff063e044233f917b7807dccab022f09dca474f92b642846bee4850655bbf",
    "htmx.min.js": "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717",
    "htmx.LICENSE": "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38",
}


# Files of others.


def test_files_of_others_are_as_published() -> None:
    vendor = STATIC / "vendor"
    found = {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in vendor.iterdir()}
    told = found.pop("README.md") and (vendor / "README.md").read_text(encoding="utf-8")
    assert found == PUBLISHED
    for name, package in (("pico.classless.min.css", "Pico CSS ✨ v2.1.1"), ("htmx.min.js", '"2.0.11"')):
        assert package in (vendor / name).read_text(encoding="utf-8")
        assert name in told


def test_no_style_sheet_fetches_anything() -> None:
    for path in STATIC.rglob("*.css"):
        for address in re.findall(r"url\(([^)]{0,40})|@import([^;]*)", path.read_text(encoding="utf-8")):
            assert address[0].strip("\"'").startswith(("data:", "#")), path.name


# The whole page.


@pytest.mark.parametrize("name", ALL)
def test_every_story_has_its_page_and_report_in_both_languages(name: str) -> None:
    outcome, _ = judged(name)
    trial = outcome.trial
    for path in (PREFIX, f"{PREFIX}/report"):
        for language in ("en", "zh"):
            page = get(name, f"{path}?lang={language}")
            tags, words = Tags(page), Tags(page).text
            # Nothing that the Content-Security-Policy would block.
            for tag, attributes in tags.tags:
                assert "style" not in attributes, tag
                assert not [one for one in attributes if one.startswith("on")], tag
                assert tag != "style"
                assert tag != "script" or attributes.get("src", "").startswith("/worklist/static/")
            ids = [one["id"] for _, one in tags.tags if "id" in one]
            assert len(ids) == len(set(ids))
            assert {one["aria-labelledby"] for _, one in tags.tags if "aria-labelledby" in one} <= {
                *ids,
                *(one["aria-labelledby"] for tag, one in tags.tags if tag == "svg" and "aria-labelledby" in one),
            }
            assert "eligible" not in words.lower()
            assert "None" not in words
            spoken = speaker(language, rules().library)
            for one in outcome.criteria:
                assert spoken.rules(one.criterion.short) in words
                if path == PREFIX:
                    for line in one.criterion.source:
                        assert (trial.lines if language == "en" else trial.lines_zh)[line] in words, line
                    for convention in one.criterion.conventions:
                        told = trial.conventions if language == "en" else trial.conventions_zh
                        assert told[convention] in words, convention
                for evidence in one.evidence[:2]:
                    if isinstance(evidence.value, Decimal) and not evidence.instead and one.verdict is Verdict.PASS:
                        assert f"{evidence.value:f}" in words, one.criterion.id
                        assert spoken.said(evidence.note) in words, one.criterion.id
            not_encoded = {"en": "Exclusion criteria not encoded.", "zh": "排除标准未编码。"}
            assert not_encoded[language] in words
            assert ("zh-Hans" if language == "zh" else "en") == dict(tags.tags[0][1])["lang"]


@pytest.mark.parametrize("name", ALL)
def test_the_sentence_says_the_status(name: str) -> None:
    outcome, _ = judged(name)
    view = shown_of(name)
    heads = {
        Status.CANDIDATE: "May be a candidate, for review",
        Status.NEEDS_DATA: "Needs data",
        Status.NOT_NOW: "Not now",
        Status.EXCLUDED: "Cannot enter",
    }
    assert view.spoken.head == heads[outcome.status]
    if outcome.status is Status.NEEDS_DATA:
        for label in [one.label for one in outcome.decisive][:3]:
            assert label.lower() in view.spoken.rest.lower()
    if outcome.status in (Status.NOT_NOW, Status.EXCLUDED) and not outcome.blocked:
        failing = [one for one in outcome.criteria if one.verdict is Verdict.FAIL]
        assert any(one.criterion.short in view.spoken.rest for one in failing)
    if outcome.until and outcome.status is Status.CANDIDATE:
        assert f"results count until {ENGLISH.day(outcome.until)}" in view.spoken.rest


def test_a_row_says_all_of_a_criterion() -> None:
    outcome, _ = judged("liver-metastasis-ast-4x")
    rows = {row.id: row for row in shown_of("liver-metastasis-ast-4x").rows}
    assert list(rows) == [one.criterion.id for one in outcome.criteria]
    hemoglobin = rows["hemoglobin"]
    one = outcome.of("hemoglobin")
    assert (hemoglobin.mark, hemoglobin.word, hemoglobin.change) == ("✔", "pass", "can change")
    assert hemoglobin.values[0].amount == f"{one.evidence[0].value:f} g/dL"
    assert re.fullmatch(r"= [0-9.]+ g/L", hemoglobin.values[0].made)
    assert hemoglobin.values[0].resource == one.evidence[0].resource
    assert ("9a", "Hemoglobin at least 90 g/L.") in hemoglobin.lines
    assert any("Fourteen days before the planned first dose" in told for told in hemoglobin.conventions)
    assert hemoglobin.until == ENGLISH.day(one.until, year=False)
    assert rows["stage"].change == "for good"
    both = rows["transaminases"].values
    assert {value.test for value in both if value.test} == {"AST", "ALT"}
    assert any("× ULN" in value.made and "upper limit" in value.made for value in both)
    unknown = rows["life-expectancy"]
    assert (unknown.mark, unknown.word, unknown.change) == ("?", "unknown", "")
    assert "a person must confirm" in unknown.why


def test_what_decides_says_what_it_would_give_and_until_when_a_new_result_counts() -> None:
    (row,) = shown_of("stale-bilirubin").missing
    assert row.label == "Total bilirubin"
    assert row.why == "too old"
    assert row.last == "12 µmol/L, 10 Feb 2026, 19 days ago"
    assert (row.gives, row.leaning, row.settled_by) == ("would pass", "pass", "laboratory test")
    assert row.until == "15 Mar 2026"


# What people attest and suppose.


def test_an_attested_criterion_says_who_and_until_when_and_may_be_withdrawn() -> None:
    given = Attestation(
        TRIAL, "life-expectancy", "screening", Verdict.PASS, f"Li {EVIL}", DAY, DAY + timedelta(days=9), f"r {EVIL}"
    )
    page = get("candidate", PREFIX, Shown(attested=(given,)))
    tags = Tags(page)
    assert "attested by Li" in tags.text
    assert "until 10 Mar 2026" in tags.text
    assert harmless(page)
    actions = [one.get("action") for tag, one in tags.tags if tag == "form"]
    assert actions.count(f"{PREFIX}/withdraw") == 1
    assert actions.count(f"{PREFIX}/attest") == 1, "the other one, which is still open"
    rows = {row.id: row for row in shown_of("candidate", "en", Shown(attested=(given,))).rows}
    assert rows["life-expectancy"].word == "pass, attested"
    assert rows["life-expectancy"].mark == "✔"


def test_what_if_stands_beside_the_truth() -> None:
    view = shown_of("stale-bilirubin", "en", Shown(supposed={"bilirubin_total": "40"}))
    assert view.supposed is not None
    assert (view.spoken.status, view.supposed.spoken.status) == ("needs-data", "not-now")
    (row,) = view.supposed.rows
    assert (row.label, row.before.verdict, row.after.verdict) == ("Total bilirubin ≤ 1.5 × ULN", "unknown", "fail")
    text = Tags(get("stale-bilirubin", f"{PREFIX}?if-bilirubin_total=40")).text
    assert "Supposed, not stored" in text
    assert "as it stands: needs data" in text
    assert "Supposed, not stored" not in Tags(get("stale-bilirubin")).text


def test_what_changed_is_told_before_and_after() -> None:
    (before, _), (after, _) = judged("candidate"), judged("stale-bilirubin")
    _, patient = judged("candidate")
    old = patient.to_json()["results"][0]
    _, patient = judged("stale-bilirubin")
    new = patient.to_json()["results"][0]
    found = changes(old, new)
    view = shown_of("stale-bilirubin", "en", Shown(changes=tuple(found)))
    rows = {row.label: row for row in view.changes}
    assert rows["Status"].before.told == "candidate, for review"
    assert rows["Status"].after.told == "needs data"
    bilirubin = rows["Total bilirubin ≤ 1.5 × ULN"]
    assert bilirubin.before.mark == "✔"
    assert bilirubin.after.told.startswith("unknown; too old; would pass; 12 µmol/L, 10 Feb 2026")
    assert before.status is not after.status
    page = get("stale-bilirubin", PREFIX, Shown(changes=tuple(found)))
    assert f'action="{PREFIX}/seen"' in page
    assert '<input type="hidden" name="screening" value="12">' in page
    assert "/seen" not in get("stale-bilirubin")


def test_forms_carry_token_and_version() -> None:
    page = get("stale-bilirubin")
    forms = re.findall(r'<form [^>]*method="post" action="([^"]+)"', page)
    assert {one.rpartition("/")[2] for one in forms} == {"language", "attest", "decision", "assignee", "note"}
    for body in re.findall(r'<form [^>]*method="post".*?</form>', page, re.DOTALL):
        assert 'name="csrf_token" value="token"' in body
        assert 'name="version" value="7"' in body or "/note" in body or "/language" in body


def test_rules_that_changed_since_are_told() -> None:
    assert "The rules changed since" not in get("candidate")
    assert "The rules changed since" in get("candidate", PREFIX, Shown(same_rules=False))
    assert "The rules changed since" in get("candidate", f"{PREFIX}/report", Shown(same_rules=False))


def test_htmx_runs_nothing_and_keeps_nothing() -> None:
    base = (Path(WEB) / "templates" / "worklist" / "_swapping.html").read_text(encoding="utf-8")
    config = json.loads(re.search(r"name=\"htmx-config\" content='([^']+)'", base)[1])  # type: ignore[index]
    assert config == {
        "includeIndicatorStyles": False,
        "allowEval": False,
        "allowScriptTags": False,
        "selfRequestsOnly": True,
        "historyCacheSize": 0,
        "refreshOnHistoryMiss": True,
        "responseHandling": [{"code": "...", "swap": True}],  # errors are shown too
    }
