"""What the page and the report of one patient show, against what was judged; harmless whatever a record says."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from entry_pages import (
    NAMES,
    PREFIX,
    STORIES,
    TRIAL,
    WEB,
    Shown,
    judged_story,
    page_app,
    rules,
    seen_of,
    shown_of,
    story,
)

from cds_service.evaluation.attested import Attestation
from cds_service.evaluation.outcome import PatientOutcome, Status, TrialOutcome, Verdict
from cds_service.evaluation.seen import LabPoint, LabSeries, Limit, Seen, Timeline, Treatment
from cds_service.facts.phrase import say
from cds_service.present.pages.entry_view import entry_view
from cds_service.present.pages.lab_plot import lab_plot
from cds_service.present.pages.people import event_rows, person_row
from cds_service.present.pages.svg import Drawing
from cds_service.present.pages.timeline_plot import timeline_plot
from cds_service.present.speaker import ENGLISH, speaker
from cds_service.screening.worklist.changes import changes

ALL = sorted(path.parent.name for path in STORIES.glob("*/bundle.json"))
STATIC = WEB / "static" / "worklist"
# As published on npm: see static/worklist/vendor/README.md.
PUBLISHED = {
    "pico.classless.min.css": "61207a40ffc02a42d1e50143651c121beab70ed413c934c1ff84fa263ba436b0",
    "pico.LICENSE.md": "afaff063e044233f917b7807dccab022f09dca474f92b642846bee4850655bbf",
    "htmx.min.js": "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717",
    "htmx.LICENSE": "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38",
}
EVIL = '"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}\u202eabc'
DAY = date(2026, 3, 1)


def judged(name: str) -> tuple[TrialOutcome, PatientOutcome]:
    patient = judged_story(name)
    return patient.trials[0], patient


def get(name: str, path: str = PREFIX, shown: Shown = Shown()) -> str:  # noqa: B008
    answer = page_app(name, shown).test_client().get(path)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


class Tags(HTMLParser):
    """Collects the tags of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


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
    assert "in truth: needs data" in text
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


# Plots.


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
        for point, mark in zip(used, marks, strict=True):
            for limit, line in zip(limits, lines, strict=True):
                assert (point.value > limit) == (float(mark["cy"]) < line - 0.05), (series.fact, point.value, limit)
            inside = series.window[0] <= point.day <= series.window[1]
            left, width = float(window["x"]), float(window["width"])
            assert inside == (left <= float(mark["cx"]) <= left + width)


def point(day: date | None, value: str | None = None, **rest: object) -> LabPoint:
    told = {
        "day": day,
        "day_text": day.isoformat() if day else "2026",
        "value": Decimal(value) if value else None,
        "low": None,
        "high": None,
        "recorded": f"{value} U/L",
        "upper": Decimal(40),
        "status": "final",
        "used": False,
        "resource": "Observation/x",
        "why_not": "",
        **rest,
    }
    return LabPoint(**told)  # type: ignore[arg-type]


def ast(*points: LabPoint, **rest: object) -> LabSeries:
    told = {
        "criteria": ("transaminases",),
        "fact": "ast",
        "label": say("AST"),
        "unit": "U/L",
        "points": points,
        "least": None,
        "most": Decimal(100),
        "upper": Decimal(40),
        "factor": Decimal("2.5"),
        "window": (DAY - timedelta(days=14), DAY),
        **rest,
    }
    return LabSeries(**told)  # type: ignore[arg-type]


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


# Hostile words.


def harmless(page: str) -> bool:
    """Say whether what is hostile stands in a page as text only."""
    tags = Tags(page)
    scripts = [one for tag, one in tags.tags if tag == "script" and "src" not in one]
    return not scripts and "img" not in {tag for tag, _ in tags.tags} and "\u202e" not in page


def spoilt(value: object, key: str = "") -> object:
    """Put hostile words where a record has words for people."""
    if isinstance(value, dict):
        return {name: spoilt(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [spoilt(one, key) for one in value]
    return f"{value}{EVIL}" if key in ("text", "display", "unit") and isinstance(value, str) else value


@pytest.mark.parametrize("name", ["candidate", "after-5-cycles-pr", "preliminary-platelets", "sintilimab-by-name"])
def test_hostile_words_of_a_record_are_text_only(name: str) -> None:
    record, _, _ = story(name)
    resources = {kind: spoilt(one) for kind, one in record.resources.items()}
    hostile = replace(record, resources=resources)
    shown = Shown(
        names=(EVIL, "\u202e", "x" * 500),
        record=hostile,
        events=[SimpleNamespace(at=datetime(2026, 3, 1, tzinfo=UTC), who=EVIL, what="noted", detail={"text": EVIL})],
    )
    for path in (PREFIX, f"{PREFIX}?lang=zh&if-x=", f"{PREFIX}/report"):
        page = get(name, path, shown)
        assert "onerror" in page, "it is shown"
        assert harmless(page)
        assert "x" * 121 not in page


def test_a_person_without_a_name_and_events_of_every_kind() -> None:
    nobody = person_row(SimpleNamespace(names=(), birth_date="", gender=""), ENGLISH)
    assert (nobody.names, nobody.born, nobody.gender) == (["(no name on record)"], "", "")
    someone = person_row(SimpleNamespace(names=NAMES, birth_date="1979", gender="other"), speaker("zh"))
    assert (someone.names, someone.born, someone.gender) == (list(NAMES), "1979", "其他")
    details = [
        ("screened", {"status": "needs-data", "as_of": "2026-03-01"}, "judged as of 1 Mar 2026: needs data"),
        ("decided", {"state": "not-suitable", "criterion": "age", "reason": "r"}, "set to: not suitable; Age 18-70; r"),
        ("noted", {"text": "called"}, "called"),
        ("assigned", {"assignee": "Li"}, "assigned to Li"),
        ("assigned", {"assignee": "", "was": "Li"}, "assigned to nobody"),
        (
            "attested",
            {"criterion": "age", "verdict": "pass", "until": "2026-03-09"},
            "attested Age 18-70: pass, until 9 Mar 2026",
        ),
        ("withdrawn", {"criterion": "age"}, "withdrew what was attested: Age 18-70"),
        ("seen", {"screening": 3}, "saw what changed"),
    ]
    at = datetime(2026, 3, 1, 9, 5, tzinfo=UTC)
    events = [SimpleNamespace(at=at, who="Na", what=what, detail=detail) for what, detail, _ in details]
    rows = event_rows(events, rules().library.trials[TRIAL], ENGLISH)
    assert [row.told for row in rows] == [told for *_, told in details]
    assert {row.at for row in rows} == {"1 Mar 2026 09:05 UTC"}


def test_rules_of_another_day_are_named_by_their_digest() -> None:
    outcome, patient = judged("candidate")
    today = entry_view(outcome, patient, None, ENGLISH, judged_by=outcome.trial.digest)
    other = entry_view(outcome, patient, None, ENGLISH, judged_by="sha256:" + "a" * 64)
    assert today.rules.startswith(f"{TRIAL} rev. {outcome.trial.revision} (")
    assert (other.rules, other.digest) == (f"{TRIAL} (aaaaaaaaaaaa)", "sha256:" + "a" * 64)


def test_an_empty_picture_of_the_record() -> None:
    seen = Seen((ast(),), Timeline((), (), None, "screening", (("screening", "before induction"),)))
    page = get("candidate", PREFIX, Shown(seen=seen))
    assert "No result on record: AST" in page
    assert "No anti-tumour treatment is on record." in page


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
