"""The page of a prescreening run in a real browser: readable, still, at home, and harmless whatever a record says."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "cohort"))

from run_maker import line_of, story_outcomes, write_run  # noqa: E402

from cds_service.present.cohort.html_page import write_html  # noqa: E402
from cds_service.present.cohort.lists import read_cohort  # noqa: E402
from cds_service.present.cohort.run_folder import open_run  # noqa: E402
from cds_service.screening.patient import Rules  # noqa: E402

# One of each kind.
STORIES = {
    *("after-5-cycles-pr", "candidate", "inr-on-warfarin", "stale-bilirubin", "neck-nodes-only", "in-induction"),
    *("stage-iva-8th", "deceased", "empty-problem-list", "healthy-person"),
}
PICTURE = ROOT / "docs" / "images" / "prescreen-report.png"
SPY = "window.violations = []; addEventListener('securitypolicyviolation', (e) => violations.push(e.blockedURI));"
EVIL = [
    '<script>document.title="run"</script>',
    '"><img src="http://evil.invalid/x" onerror="document.title=1">',
    "{{ 7*7 }}",
]


@dataclass
class Shown:
    """A page that is open.

    Args:
        page: of the browser.
        asked: every address that the browser asked.
        said: what the browser complained of.
    """

    page: Page
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


Show = Callable[..., Shown]


@pytest.fixture(scope="module")
def lines(rules: Rules) -> list[dict[str, Any]]:
    return [line_of(one) for one in story_outcomes(rules)]


@pytest.fixture
def show(browser: Browser, rules: Rules, tmp_path: Path) -> Iterator[Show]:
    """Write a page and open it; afterwards: it asked for nothing, and nothing was blocked."""
    pages: list[Shown] = []
    with ExitStack() as stack:

        def start(
            lines: list[dict], *, language: str = "en", scheme: str = "light", axe: Path | None = None, **rest: Any
        ) -> Shown:
            run = write_run(tmp_path / "run", lines, rules.library)
            write_html(read_cohort(open_run(run), rules.library, language), run / "page.html", str, **rest)
            context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})  # type: ignore[arg-type]
            stack.callback(context.close)
            context.add_init_script(SPY)
            if axe:
                context.add_init_script(path=axe)
            one = Shown(context.new_page())
            one.page.on("request", lambda request: one.asked.append(request.url))
            one.page.on("console", lambda message: one.said.append(message.text))
            one.page.on("pageerror", lambda error: one.said.append(str(error)))
            one.page.on("dialog", lambda dialog: (one.said.append(dialog.message), dialog.dismiss()))
            one.page.goto((run / "page.html").as_uri())
            pages.append(one)
            return one

        yield start
        for one in pages:
            assert one.page.evaluate("window.violations") == []
            assert one.said == []
            assert one.asked == [one.page.url.partition("#")[0]]


def cells(page: Page, selector: str) -> list[list[str]]:
    script = "rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    found = page.locator(selector).locator("tbody tr").evaluate_all(script)
    assert isinstance(found, list)
    return found


def test_what_it_shows(show, lines):
    page = show(lines).page
    assert page.title() == "Prescreening 2026-03-01"
    assert page.inner_text(".notice >> nth=1") == "Exclusion criteria: not encoded."
    first = cells(page, ".trial table >> nth=0")
    assert [row[0] for row in first] == [str(number) for number in range(1, 19)]
    assert first[0][1:3] == ["Patient/sintilimab-by-name", "candidate, for review"]
    assert first[0][7] == "results count until 11 Mar 2026"
    matrix = {row[1]: row[2:] for row in cells(page, ".matrix")}
    assert set(matrix["Patient/candidate"]) == {"✔\npass", "?\nunknown", "–\nnot asked at this moment"}
    assert "✘\nfail" in matrix["Patient/prior-radiotherapy"]
    funnel = cells(page, ".funnel >> nth=0")
    assert funnel[0][:5] == ["Nasopharyngeal carcinoma", "17", "15", "1", "1"]
    for row in funnel:
        assert int(row[1]) == sum(map(int, row[2:5]))
    assert "Patient/empty-problem-list" in page.inner_text(".trial table >> nth=2")
    assert "eligible" not in page.inner_text("body").lower()


def test_the_bars_are_the_numbers(show, lines):
    page = show(lines).page
    bar = "[...row.querySelectorAll('rect')].map(one => [one.classList[0], one.width.baseVal.value])"
    widths = page.locator(".funnel >> nth=0").locator("tbody tr").evaluate_all(f"rows => rows.map(row => {bar})")
    rows = cells(page, ".funnel >> nth=0")
    assert len(rows) == len(widths) == 18
    widest = max(int(row[1]) for row in rows[1:])
    for number, (row, bar) in enumerate(zip(rows, widths, strict=True)):
        whole = widest if number else int(row[1])
        told = {name: int(n) for name, n in zip(("pass", "unknown", "fail"), row[2:5], strict=True) if n != "0"}
        assert {name: round(width * whole / 318) for name, width in bar} == told
    hatch = page.locator(".bar .unknown").first.evaluate("one => getComputedStyle(one).fill")
    assert hatch == 'url("#hatch")', "unknown is hatched, not only coloured"


@pytest.mark.parametrize(("scheme", "language"), [("light", "en"), ("dark", "zh")])
def test_axe_finds_nothing(show, axe, lines, scheme, language):
    page = show(lines, scheme=scheme, language=language, axe=axe).page
    found = []
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "only the tables scroll sideways"
        result = page.evaluate("axe.run(document)")
        assert {"color-contrast", "th-has-data-cells"} <= {rule["id"] for rule in result["passes"]}, "it did look"
        found += [
            f"{rule['id']} {node['target']}: {node['failureSummary']}"
            for rule in result["violations"]
            for node in rule["nodes"]
        ]
    assert found == []


def test_in_chinese(show, lines):
    page = show(lines, language="zh").page
    assert page.get_attribute("html", "lang") == "zh-Hans"
    assert page.inner_text("h1") == "预筛选"
    words = page.locator("h1, h2, h3, thead th, .matrix td, td.told, .quiet, .notice").all_inner_texts()
    english = [
        one for one in words if any(word in one.lower() for word in ("patient", "pass", "unknown", "criteri", "funnel"))
    ]
    assert english == []


def test_hostile_words_are_words(show, lines):
    spoilt = []
    for number, evil in enumerate(EVIL):
        (line,) = (one for one in lines if one["patient"] == "Patient/stale-bilirubin")
        (result,) = line["results"]
        criteria = [{**one, "message": evil, "message_zh": evil} for one in result["criteria"]]
        criteria[9] = {**criteria[9], "verdict": "fail", "can_change": True}
        last = {"resource": evil, "value": evil, "unit": evil, "date": "2026-02-10"}
        decisive = [{**result["decisive"][0], "last": last}]
        result = {**result, "criteria": criteria, "decisive": decisive}
        spoilt.append({**line, "patient": f"{evil}{number}", "results": [result]})
    page = show(spoilt).page
    assert page.title() == "Prescreening 2026-03-01"
    text = page.inner_text("body")
    assert all(text.count(evil) >= 3 for evil in EVIL), "shown as it stands"
    assert page.locator("script, img, iframe, object, [onerror], [onclick], [style]").count() == 0


def test_a_long_list_is_cut_and_says_so(show, lines):
    page = show(lines, most_rows=5).page
    assert len(cells(page, ".matrix")) == 5
    assert "The first 5 of 18 are shown here; the other files of the run have all." in page.inner_text("main")


def test_on_paper_everything_is_there(show, lines):
    page = show(lines).page
    page.emulate_media(media="print")
    boxes = page.locator(".scroll").evaluate_all("all => all.map(one => getComputedStyle(one).overflowX)")
    assert set(boxes) == {"visible"}
    assert page.locator("nav").first.is_hidden()


def test_the_picture_in_the_documentation(show, lines):
    """UPDATE_PICTURES=1 takes it anew: fonts differ from machine to machine, so it is not compared."""
    some = [one for one in lines if one["patient"].removeprefix("Patient/") in STORIES]
    page = show(some).page
    if os.environ.get("UPDATE_PICTURES"):
        page.set_viewport_size({"width": 1440, "height": 900})
        PICTURE.parent.mkdir(exist_ok=True)
        page.screenshot(path=PICTURE, full_page=True)
    assert PICTURE.read_bytes().startswith(b"\x89PNG")
    assert PICTURE.stat().st_size < 1_500_000
