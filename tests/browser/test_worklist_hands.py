"""The worklist by hand: parts that are swapped, the keyboard, axe-core, narrow windows; and pictures for the docs."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from worklist_house import AS_OF, LIST, NOW, STORY, House, bundle_of, form, row, sentence, with_new_bilirubin

from cds_service.bootstrap import build
from cds_service.cli.demo_worklist import fill_worklist
from cds_service.cli.listening import in_background, listening
from cds_service.screening.patient import Rules
from cds_service.settings import load_settings
from cds_service.web import create_app
from cds_service.web.worklist import query

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"


def look(page: Page, when: str) -> list[str]:
    """Run axe-core on everything that the page can show; return what it finds."""
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    result = page.evaluate("axe.run(document)")
    assert {"document-title", "html-has-lang"} <= {rule["id"] for rule in result["passes"]}, "it did look"
    return [f"{when}: {one['id']} at {node['target']}" for one in result["violations"] for node in one["nodes"]]


def test_filters_and_headings_swap_the_list_alone(house: House, monkeypatch):
    monkeypatch.setattr(query, "SIZE", 2)
    page = house.window().new_page()
    page.goto(LIST)
    page.evaluate("window.mark = 1")
    held = "window.mark === 1"
    chip = page.locator("#status-candidate")
    chip.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**?status=candidate")
    expect(chip).to_have_attribute("aria-current", "true")
    expect(chip).to_be_focused()
    expect(page.locator("#shown")).to_contain_text("3 of 4 patients")
    assert page.locator("#language-next").input_value() == f"{LIST}?status=candidate"
    page.locator("#page-after").click()
    page.wait_for_url("**page=2")
    expect(page.locator("#list tbody tr")).to_have_count(1)
    expect(page.locator("#list-part")).to_be_focused()  # the way to the next page is gone
    page.locator("#sort-name").click()
    page.wait_for_url("**sort=name")
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("Patient")
    expect(page.locator("#sort-name")).to_be_focused()
    assert page.evaluate(held), "the page was never loaded anew"

    page.go_back()
    page.wait_for_url("**page=2")
    expect(page.locator("#list tbody tr")).to_have_count(1)
    assert not page.evaluate(held), "going back asks the service: no copy of a page is kept"
    kept = page.evaluate("({...localStorage, ...sessionStorage})")
    assert kept.keys() <= {"htmx-current-path-for-history"}, "the address, which holds nothing of a patient"


def test_what_cannot_be_swapped_is_shown_whole(house: House):
    page = house.window().new_page()
    page.goto(LIST)
    page.route("**?status=candidate", lambda route: route.continue_(url=f"{house.base}{LIST}?status=wrong"))
    page.locator("#status-candidate").click()
    expect(page.locator("#main h1")).to_contain_text("status: one of")
    expect(page.locator("#main")).to_be_focused()
    expect(page.locator("#filters")).to_have_count(0)
    page.locator("#main a").click()
    page.wait_for_url("**/worklist/")

    page.goto(LIST)
    page.route("**?status=needs-data", lambda route: route.abort(), times=1)
    page.locator("#status-needs-data").click()
    page.wait_for_url("**?status=needs-data")  # the browser asks itself, and tells what it finds
    expect(page.locator("#status-needs-data")).to_have_attribute("aria-current", "true")
    assert "Failed to load resource: net::ERR_FAILED" in house.said
    house.said.clear()


def test_supposing_keeps_the_place(house: House):
    house.hook(bundle_of(STORY))
    page = house.window().new_page()
    page.goto(LIST)
    row(page).locator("a").click()
    page.evaluate("window.mark = 1")
    field = page.locator("input[name=if-bilirubin_total]")
    field.fill("14")
    top = page.evaluate("window.scrollY")
    field.press("Enter")
    expect(page.locator("#supposed")).to_contain_text("as it stands: needs data")
    expect(field).to_be_focused()
    assert page.evaluate("window.scrollY") == top
    assert "if-bilirubin_total=14" in page.url
    field.fill("a lot")
    field.press("Enter")
    expect(page.locator("#supposed [role=alert]")).to_be_visible()
    expect(field).to_have_value("a lot")
    assert page.evaluate("window.mark") == 1
    page.get_by_text("Suppose nothing").click()
    expect(page.locator("#supposed")).to_have_text("")
    expect(field).to_have_value("")


def test_by_keyboard_from_the_list_to_an_attestation_and_back(house: House):
    page = house.window().new_page()
    page.goto("/worklist/me")
    page.keyboard.type("Dr Li")
    page.keyboard.press("Enter")
    page.wait_for_url("**/worklist/")
    page.goto(LIST)
    tab_to(page, "Patient")  # the first heading: in the list its keys act
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/entries/*")
    tab_to(page, "Attest: Life expectancy")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert page.evaluate("document.activeElement.value") == "pass"
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.value") == "fail"
    tab_to(page, "Attest: Life expectancy")
    page.keyboard.press("Enter")
    page.wait_for_url("**#confirm")
    expect(sentence(page)).to_contain_text("Not now")
    for _ in range(30):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.textContent") == "List":
            break
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{LIST}")
    expect(page.locator("#status-not-now")).to_contain_text("1")


def tab_to(page: Page, words: str) -> None:
    """Go on by the Tab key until something of these words has the focus, and shows it."""
    ring = "() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle + s.outlineWidth; }"
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").strip().startswith(words):
            assert page.evaluate(ring) == "solid3px"
            return
    raise AssertionError(f"{words}: not reached")


@pytest.mark.parametrize(("locale", "scheme"), [("en-GB", "light"), ("zh-CN", "dark")])
def test_nobody_is_shut_out(house: House, axe: Path, locale: str, scheme: str):
    house.hook(bundle_of(STORY))
    window = house.window(locale=locale, color_scheme=scheme)
    window.add_init_script(path=axe)
    page = window.new_page()
    page.goto(LIST)
    row(page).locator("a").click()
    address = page.url
    form(page, "note").locator("textarea").fill("asked the ward")
    form(page, "note").locator("button").click()  # nobody said who they are yet
    found = look(page, "typed again")
    page.locator("input[name=who]").fill("李医生")
    page.locator("form.stacked button").click()
    page.wait_for_url("**#people")
    house.hook(with_new_bilirubin())
    page.goto(f"{address}?if-confirm-no-prior-treatment=pass")
    expect(page.locator("#changed")).to_be_visible()
    found += look(page, "entry")
    page.goto("/worklist/nothing")
    found += look(page, "error")
    assert found == []
    # 200 % of a small window, and a phone: nothing goes off at the side.
    paths = ["/worklist/", LIST, f"{LIST}/funnel", f"{LIST}/export", address, f"{address}/report",
             f"{address}/history", "/worklist/audit", "/worklist/me"]  # fmt: skip
    for path in paths:
        page.goto(path)
        for width in (640, 320):
            page.set_viewport_size({"width": width, "height": 450})
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, (path, width, wide)


def test_pictures_for_the_docs(browser: Browser, rules: Rules):
    """UPDATE_PICTURES=1 takes them anew, of the demo's clinic; fonts differ, so they are looked at and not compared."""
    wanted = {
        "worklist.png": (LIST, "en-GB", "light"),
        "worklist-zh-dark.png": (LIST, "zh-CN", "dark"),
        "worklist-funnel.png": (f"{LIST}/funnel", "en-GB", "light"),
    }
    if os.environ.get("UPDATE_PICTURES"):
        services = build(
            load_settings(mode="open", store="sqlite://"), clock=lambda: AS_OF, now=lambda: NOW, rules=rules
        )
        with ExitStack() as stack:
            stack.callback(services.store.close)
            fill_worklist(services)
            server = stack.enter_context(listening(create_app(services), "127.0.0.1", 0))
            stack.enter_context(in_background(server))
            for file, (path, locale, scheme) in wanted.items():
                size: Any = {"width": 1280, "height": 860}
                page = browser.new_page(locale=locale, color_scheme=scheme, viewport=size)  # type: ignore[arg-type]
                page.goto(f"http://127.0.0.1:{server.port}{path}")
                page.screenshot(path=IMAGES / file)
                page.context.close()
    for file in wanted:
        picture = (IMAGES / file).read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert len(picture) < 500_000
