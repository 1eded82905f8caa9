"""The worklist's list in a real browser: keys, search, without scripts, from another site; axe-core on each page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from cds_service.bootstrap import build
from cds_service.cli.listening import in_background, listening
from cds_service.gather.bundle import read_bundle
from cds_service.present.cohort.funnel import FunnelCount, to_json
from cds_service.screening.patient import Rules
from cds_service.screening.worklist.intake import take_outcome
from cds_service.settings import load_settings
from cds_service.store.worklist import Run
from cds_service.web import create_app

AS_OF = date(2026, 3, 1)
NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
TRIAL = "NCT07235319"
LIST = f"/worklist/trials/{TRIAL}"
PATIENTS = Path(__file__).resolve().parents[2] / "fhir_examples" / "patients"
SPY = "window.violations = []; addEventListener('securitypolicyviolation', (e) => violations.push(e.blockedURI));"


@pytest.fixture(scope="module")
def base(rules: Rules) -> Iterator[str]:
    """A service with every story on its list, and a run's funnel."""
    services = build(load_settings(mode="open"), clock=lambda: AS_OF, now=lambda: NOW, rules=rules)
    counts = {gate.id: FunnelCount(rules.library.trials[TRIAL], gate.id) for gate in rules.library.trials[TRIAL].gates}
    for folder in sorted(PATIENTS.iterdir()):
        record = read_bundle(json.loads((folder / "bundle.json").read_text(encoding="utf-8")))
        outcome = rules.judge(record, rules.library, as_of=AS_OF)
        take_outcome(services.store.worklist, record, outcome, source="", now=NOW)
        one = next(one for one in outcome.trials if one.trial.id == TRIAL)
        counts[one.gate].add(one)
    told = to_json(count.funnel() for count in counts.values())
    services.store.worklist.keep_run(Run("run", TRIAL, AS_OF, NOW, "bundles", 20, told))
    with ExitStack() as stack:
        stack.callback(services.store.close)
        server = stack.enter_context(listening(create_app(services), "127.0.0.1", 0))
        stack.enter_context(in_background(server))
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture
def open_page(browser: Browser, base: str) -> Iterator:
    errors: list[str] = []
    with ExitStack() as stack:

        def start(**options) -> Page:
            context = browser.new_context(base_url=base, **options)
            stack.callback(context.close)
            context.set_default_timeout(10_000)
            context.add_init_script(SPY)
            page = context.new_page()
            page.on("console", lambda message: errors.append(message.text) if complaint(message) else None)
            page.on("pageerror", lambda error: errors.append(str(error)))
            return page

        yield start
        assert errors == []


def complaint(message: ConsoleMessage) -> bool:
    """Say whether the browser complains of the page; that a form was refused is an answer."""
    return message.type == "error" and "the server responded with a status of 400" not in message.text


def name_me(page: Page, name: str) -> None:
    page.goto("/worklist/me")
    page.fill("input[name=who]", name)
    page.click("main form.stacked button")
    page.wait_for_url("**/worklist/")


def test_keys(open_page):
    page = open_page()
    page.goto(LIST)
    links = page.locator("#list tbody th a")
    for place in ("#status-candidate", "#missing", "#filter-now", "#keys summary"):
        page.locator(place).focus()
        for key in "jk/?":
            page.keyboard.press(key)
            expect(page.locator(place)).to_be_focused()  # letters that are dictated do nothing
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("j")
    expect(links.nth(0)).not_to_be_focused()
    expect(page.locator("#keys")).not_to_have_attribute("open", "")
    page.locator("#list tbody td.state").nth(0).click()
    page.keyboard.press("j")
    expect(links.nth(0)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(links.nth(1)).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("k")
    expect(links.nth(0)).to_be_focused()
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_have_attribute("open", "")
    page.keyboard.press("Escape")  # back to the list
    page.keyboard.press("/")
    expect(page.locator("#find-text")).to_be_focused()
    page.keyboard.type("j/k?")  # in a field they are letters
    expect(page.locator("#find-text")).to_have_value("j/k?")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/worklist/entries/[0-9a-f]{32}$"))


@pytest.mark.parametrize("scripts", [True, False])
def test_a_search_by_name_stays_out_of_the_address(open_page, scripts):
    page = open_page(java_script_enabled=scripts)
    page.goto(f"{LIST}?status=candidate")
    shown = page.locator("#list tbody tr")
    name = shown.nth(0).locator("th a").inner_text()
    page.fill("#find-text", name)
    page.click("#find button")
    expect(page.locator("#find-text")).to_have_value(name)
    expect(shown.nth(0).locator("th a")).to_have_text(name)
    page.click("thead th >> nth=0 >> button")  # sorted by name: still found by name, and still no name in the address
    expect(page.locator("#find-text")).to_have_value(name)
    expect(page.locator("thead th[aria-sort=ascending]")).to_have_count(1)
    assert page.url.endswith(f"{LIST}#shown")
    page.click("text=All of them")
    expect(shown.nth(1)).to_be_visible()


def test_a_note_is_typed_without_scripts(open_page):
    page = open_page(java_script_enabled=False)
    page.goto(LIST)
    page.click("#list tbody th a >> nth=0")
    page.fill("textarea[name=text]", "called; nobody there")
    page.click("text=Add the note")
    page.fill("input[name=who]", "Dr Li")  # asked once, and what was typed is still there
    expect(page.locator("textarea[name=text]")).to_have_value("called; nobody there")
    page.click("text=Send it again")
    page.wait_for_url(re.compile(r"/worklist/entries/[0-9a-f]{32}#people$"))
    expect(page.locator("#main")).to_contain_text("called; nobody there")


def test_a_link_of_another_site_keeps_the_session(open_page, base):
    page = open_page()
    name_me(page, "Dr Li")
    link = f'<!doctype html><a href="{base}{LIST}">list</a>'
    page.route("http://elsewhere.invalid/", lambda route: route.fulfill(body=link, content_type="text/html"))
    page.goto("http://elsewhere.invalid/")
    page.click("a")
    expect(page.locator(".who")).to_contain_text("You are Dr Li.")
    page.goto("/worklist/me")
    expect(page.locator("input[name=who]")).to_have_value("Dr Li")


@pytest.mark.parametrize(("locale", "scheme", "width"), [("en-GB", "light", 1280), ("zh-CN", "dark", 400)])
def test_nobody_is_shut_out(open_page, axe, locale, scheme, width):
    page = open_page(locale=locale, color_scheme=scheme, viewport={"width": width, "height": 900})
    page.context.add_init_script(path=axe)
    name_me(page, "李医生")
    page.goto(LIST)
    entry = page.locator("#list tbody th a").nth(0).get_attribute("href")
    for path in ("/worklist/", LIST, f"{LIST}?missing=bilirubin&sort=-name", f"{LIST}/funnel", f"{LIST}/export",
                 "/worklist/audit", "/worklist/me", f"{entry}/history"):  # fmt: skip
        page.goto(path)
        found = page.evaluate("axe.run()")["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == [], path
        assert page.evaluate("window.violations") == [], path
        root = "document.documentElement"
        assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth"), path
        assert page.get_attribute("html", "lang") == ("zh-Hans" if locale == "zh-CN" else "en")
