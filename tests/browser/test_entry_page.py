"""A patient's page and report in a real browser: readable by everybody, without scripts too; on one sheet of paper."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from entry_pages import PREFIX, TRIAL, Shown, judged_story, page_app

from cds_service.cli.listening import in_background, listening
from cds_service.evaluation.attested import Attestation
from cds_service.evaluation.outcome import Verdict
from cds_service.screening.worklist.changes import changes

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
SPY = "window.violations = []; addEventListener('securitypolicyviolation', (e) => violations.push(e.blockedURI));"
REPORT = f"{PREFIX}/report"
NOTHING = Shown()
OPEN_ALL = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"


@dataclass
class Opened:
    """A page that is open.

    Args:
        page: of the browser.
        base: address of the application.
        asked: every address that the browser asked.
        said: what the browser complained of.
    """

    page: Page
    base: str
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        answer = self.page.goto(self.base + path)
        assert answer is not None
        assert answer.status == 200
        return self.page


Open = Callable[..., Opened]


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """Open a page; afterwards: the browser stayed at home, blocked nothing and complained of nothing."""
    pages: list[tuple[Opened, bool]] = []
    with ExitStack() as stack:

        def start(
            name: str,
            path: str = PREFIX,
            shown: Shown = NOTHING,
            *,
            scheme: str = "light",
            width: int = 1280,
            scripts: bool = True,
            axe: Path | None = None,
        ) -> Opened:
            server = stack.enter_context(listening(page_app(name, shown), "127.0.0.1", 0))
            stack.enter_context(in_background(server))
            size: Any = {"width": width, "height": 900}
            context = browser.new_context(color_scheme=scheme, viewport=size, java_script_enabled=scripts)  # type: ignore[arg-type]
            stack.callback(context.close)
            context.set_default_timeout(10_000)
            if scripts:
                context.add_init_script(SPY)
            if axe:
                context.add_init_script(path=axe)
            one = Opened(context.new_page(), f"http://127.0.0.1:{server.port}")
            context.on("request", lambda request: one.asked.append(request.url))
            one.page.on("console", lambda message: one.said.append(message.text))
            one.page.on("pageerror", lambda error: one.said.append(str(error)))
            one.go(path)
            pages.append((one, scripts))
            return one

        yield start
        for one, scripts in pages:
            if scripts:
                assert one.page.evaluate("window.violations") == []
            assert one.said == []
            assert [url for url in one.asked if not url.startswith(f"{one.base}/")] == []


def look(page: Page, when: str) -> list[str]:
    """Run axe-core; return what it finds."""
    result = page.evaluate("axe.run(document)")
    assert {"color-contrast", "html-has-lang"} <= {rule["id"] for rule in result["passes"]}, "it did look"
    return [
        f"{when}: {rule['id']} at {node['target']}: {node['failureSummary']}"
        for rule in result["violations"]
        for node in rule["nodes"]
    ]


def busy() -> Shown:
    """Everything that a page can have: what changed, what was attested, events."""
    day = judged_story("stale-bilirubin").as_of
    given = Attestation(
        TRIAL, "life-expectancy", "screening", Verdict.PASS, "Li Na", day, day, "seen at the ward round"
    )
    old, new = (judged_story(one).to_json()["results"][0] for one in ("candidate", "stale-bilirubin"))
    events = [SimpleNamespace(at=datetime(2026, 3, 1, 9, 5), who="Li Na", what="noted", detail={"text": "called"})]
    told = tuple(one for one in changes(old, new) if one.criterion in ("", "bilirubin"))
    return Shown(attested=(given,), changes=told, events=events)


@pytest.mark.parametrize(
    ("name", "scheme", "language"), [("stale-bilirubin", "light", "en"), ("after-5-cycles-pr", "dark", "zh")]
)
def test_axe_finds_nothing(opened, axe, name, scheme, language):
    path = (
        f"{PREFIX}?lang={language}&if-bilirubin_total=40" if name == "stale-bilirubin" else f"{PREFIX}?lang={language}"
    )
    one = opened(name, path, busy() if name == "stale-bilirubin" else NOTHING, scheme=scheme, axe=axe)
    page = one.page
    page.evaluate(OPEN_ALL)
    found = look(page, "page")
    for width in (320, 640):  # a phone; 1280 at 200 %
        page.set_viewport_size({"width": width, "height": 640})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "no sideways scrolling"
    if language == "en":
        found += look(page, "narrow")
    found += look(one.go(f"{REPORT}?lang={language}"), "report")
    assert found == []


def test_words_of_a_drawing_keep_inside_of_it(opened):
    page = opened("after-5-cycles-pr").page
    drawing = page.locator("#treatment ~ .scroll svg")
    assert drawing.get_by_text("5", exact=True).count() == 1
    expect(page.locator("section", has=page.locator("#treatment"))).to_contain_text("5 cycles begun")
    outside = """() => [...document.querySelectorAll('svg.plot')].flatMap((svg) => {
        const frame = svg.getBoundingClientRect();
        return [...svg.querySelectorAll('text')].map((one) => [one.textContent, one.getBoundingClientRect()])
            .filter(([, box]) => box.left < frame.left - 8 || box.right > frame.right + 8).map(([text]) => text);
    })"""
    assert page.evaluate(outside) == []
    long_name = opened("prior-radiotherapy", f"{PREFIX}?lang=zh").page
    assert long_name.locator("#treatment ~ .scroll svg").count() == 1
    assert long_name.evaluate(outside) == []


def test_without_scripts_a_person_attests_and_supposes(opened):
    one = opened("stale-bilirubin", scripts=False)
    page = one.page
    page.locator("summary", has_text="Attest").first.click()
    form = page.locator("form[action$='/attest']").first
    expect(form.get_by_label("not met")).to_be_visible()
    form.get_by_label("met", exact=True).check()
    assert form.get_by_label("Counts until").input_value() == "2026-03-29"
    page.locator("input[name=if-bilirubin_total]").fill("40")
    page.get_by_role("button", name="Suppose").click()
    expect(page.locator(".supposed")).to_contain_text("as it stands: needs data")
    assert "if-bilirubin_total=40" in page.url
    expect(page.locator("p.sentence")).to_contain_text("Needs data")


def test_by_keyboard(opened):
    page = opened("stale-bilirubin").page
    ring = "() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle + s.outlineWidth; }"
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    seen = []
    for _ in range(16):
        page.keyboard.press("Tab")
        assert page.evaluate(ring) == "solid3px"
        seen.append(page.evaluate("document.activeElement.textContent.trim()"))
    assert seen[:3] == ["One-page report", "History", "Registry record"]
    assert any(one.startswith("Attest") for one in seen)
    while not page.evaluate("document.activeElement.textContent").startswith("Hemoglobin"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Hemoglobin at least 90 g/L.")).to_be_visible()
    expect(page.get_by_text("Fourteen days before the planned first dose").first).to_be_visible()


def sheets(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf))


@pytest.mark.parametrize("name", ["candidate", "stale-bilirubin", "after-5-cycles-pr", "prior-radiotherapy"])
def test_the_report_is_one_sheet_in_both_languages(opened, name):
    one = opened(name, REPORT, scheme="dark")
    for language in ("en", "zh"):
        page = one.go(f"{REPORT}?lang={language}")
        pdf = page.pdf(prefer_css_page_size=True, print_background=False)
        assert sheets(pdf) == 1
        assert re.search(rb"/MediaBox\s*\[\s*0 0 59[45]\.\d+ 84[12]\.\d+", pdf), "A4"
        assert b"CJK" in pdf, "the name is printed in a font that has it"
        page.emulate_media(media="print")
        assert not page.locator("body > header").is_visible()
        assert not page.locator("form").first.is_visible()
        foot = page.locator(".report footer").inner_text()
        assert re.search(r"sha256:[0-9a-f]{64}", foot)
        assert ("Data as of 1 Mar 2026." if language == "en" else "数据截至2026年3月1日。") in foot
        assert ("Printed on 2 Mar 2026." if language == "en" else "打印日期：2026年3月2日。") in foot
        colour = "getComputedStyle(document.querySelector('.report')).backgroundColor"
        assert page.evaluate(colour) == "rgb(255, 255, 255)", "paper is white in the dark too"
        page.emulate_media(media="null")
    assert page.locator(".signatures dt").all_inner_texts() == ["筛选人", "审核人", "日期"]


def test_a_long_report_goes_on_and_its_foot_is_on_every_sheet(opened):
    page = opened("stale-bilirubin", REPORT).page
    page.evaluate("""() => { const rows = document.querySelector('.report tbody'), more = [...rows.children];
        for (let at = 0; at < 3; at++) more.forEach((one) => rows.append(one.cloneNode(true))); }""")
    assert sheets(page.pdf(prefer_css_page_size=True)) == 3
    page.emulate_media(media="print")
    style = "getComputedStyle(document.querySelector('.report > footer'))"
    assert page.evaluate(f"[{style}.display, {style}.breakInside]") == ["table-footer-group", "avoid"]


def test_the_button_prints(opened):
    page = opened("candidate", REPORT).page
    page.evaluate("window.print = () => { window.printed = true; }")
    page.get_by_role("button", name="Print").click()
    assert page.evaluate("window.printed") is True


def test_pictures_for_the_docs(opened):
    """UPDATE_PICTURES=1 takes them anew: fonts differ from machine to machine, so they are not compared."""
    wanted = {
        "entry-page.png": ("stale-bilirubin", PREFIX, "light", "h1"),
        "entry-plots-zh-dark.png": ("after-5-cycles-pr", f"{PREFIX}?lang=zh", "dark", "#labs"),
        "entry-report.png": ("stale-bilirubin", REPORT, "light", ".report"),
        "entry-report-zh.png": ("stale-bilirubin", f"{REPORT}?lang=zh", "light", ".report"),
    }
    for file, (name, path, scheme, place) in wanted.items():
        if os.environ.get("UPDATE_PICTURES"):
            page = opened(name, path, busy() if name == "stale-bilirubin" else NOTHING, scheme=scheme).page
            if place == ".report":
                page.locator(place).screenshot(path=IMAGES / file)
            else:
                box = page.locator(place).bounding_box()
                top = box["y"] if box and place != "h1" else 0
                bottom = page.evaluate("document.documentElement.scrollHeight")
                size: Any = {"x": 0, "y": top, "width": 1280, "height": min(1450, bottom - top)}
                page.screenshot(path=IMAGES / file, full_page=True, clip=size)
        picture = (IMAGES / file).read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert len(picture) < 500_000
