"""Every action by the keyboard, with the focus in sight; every page in a narrow window, and with large letters."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from worklist_house import LIST, STORY, House, bundle_of, form, row, with_new_bilirubin

OPEN_ALL = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
# What can be acted on; of radio buttons of one name the Tab key reaches one, the arrows the others.
ACTIONS = """() => {
  const groups = new Set();
  return [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
    .filter((one) => one.type !== 'hidden' && one.checkVisibility() && !one.disabled)
    .filter((one) => one.type !== 'radio' || (!groups.has(one.form) && groups.add(one.form)))
    .map((one, at) => { one.dataset.at = at; return at; });
}"""
# Where the focus is: its number, the line around it, and whether it lies in the window with nothing over it.
FOCUS = """() => {
  const one = document.activeElement, box = one.getBoundingClientRect(), style = getComputedStyle(one);
  const at = (start, size) => Math.max(start, 0) + Math.min(size, 8) / 2;
  const top = document.elementFromPoint(at(box.left, box.width), at(box.top, box.height));
  return [one === document.body ? -1 : Number(one.dataset.at), style.outlineStyle + style.outlineWidth,
          top !== null && (one.contains(top) || top.contains(one))];
}"""
# Elements that stick out at the side, and are in no region that scrolls by itself.
OUTSIDE = """() => [...document.querySelectorAll('body *')]
  .filter((one) => one.checkVisibility() && !one.closest('.scroll, .hidden, .skip, svg, thead'))
  .filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map((one) => one.outerHTML.slice(0, 120))"""
REGIONS = """() => [...document.querySelectorAll('.scroll')].filter((one) => one.checkVisibility()).map((one) =>
  [one.tabIndex === 0 && one.getAttribute('role') === 'region',
   Boolean(one.getAttribute('aria-label') || one.getAttribute('aria-labelledby')),
   Boolean(one.querySelector('table.stack, table.list')) && one.scrollWidth > one.clientWidth])"""


@pytest.fixture
def address(house: House) -> str:
    """An entry that has everything: what changed, what decides, what is to be confirmed, notes."""
    house.hook(bundle_of(STORY))
    page = named(house)
    page.goto(LIST)
    row(page).locator("a").click()
    form(page, "note").locator("textarea").fill("asked the ward " + "and the laboratory " * 20)
    form(page, "note").locator("button").click()
    page.wait_for_url("**#people")
    house.hook(with_new_bilirubin())
    found = page.url.partition("#")[0].removeprefix(house.base)
    page.context.close()
    return found


def named(house: House, **options) -> Page:
    page = house.window(**options).new_page()
    page.goto("/worklist/me")
    page.fill("input[name=who]", "Dr Li")
    page.click("main form.stacked button")
    page.wait_for_url("**/worklist/")
    return page


@pytest.mark.parametrize("width", [1280, 360])
def test_the_tab_key_reaches_every_action_with_the_focus_in_sight(house: House, address: str, width: int):
    page = named(house, viewport={"width": width, "height": 800})
    for path in (LIST, address):
        page.goto(path)
        page.evaluate(OPEN_ALL)
        wanted = page.evaluate(ACTIONS)
        assert len(wanted) > 30
        reached = []
        for _ in range(2 * len(wanted)):
            page.keyboard.press("Tab")
            at, ring, in_sight = page.evaluate(FOCUS)
            if at == -1:
                break
            what = page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
            assert ring == "solid3px", what
            assert in_sight, what
            if reached[-1:] != [at]:  # day, month and year of a date are one field
                reached.append(at)
        assert reached == wanted, "all of them, in the order of the page"


def test_after_an_edit_the_focus_is_where_it_was_done(house: House, address: str):
    page = named(house)
    page.goto(address)
    form(page, "seen").get_by_role("button").press("Enter")
    page.wait_for_url("**#main")
    expect(page.locator("#main")).to_be_focused()
    for action, field, words in (("note", "textarea", "called"), ("assignee", "input[name=assignee]", "Dr Wang")):
        form(page, action).locator(field).fill(words)
        form(page, action).get_by_role("button").press("Enter")
        expect(page.locator(".events").first).to_contain_text(words)
        expect(page.locator("#people")).to_be_focused()
        assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
        page.keyboard.press("Tab")
        expect(page.locator("select[name=state]")).to_be_focused()
    page.locator("summary", has_text="Attest").first.press("Enter")
    attest = form(page, "attest").first
    attest.get_by_label("met", exact=True).check()
    attest.get_by_role("button").press("Enter")
    page.wait_for_url("**#confirm")
    expect(page.locator("#confirm")).to_be_focused()


def test_after_a_search_the_focus_is_at_what_was_found(house: House):
    page = named(house)
    page.goto(LIST)
    page.locator("#find-text").fill("a")
    page.keyboard.press("Enter")
    expect(page.locator("#find-text")).to_have_value("a")
    expect(page.locator("#shown")).to_be_focused()
    page.locator("#find-text").fill("")
    page.locator("#missing").select_option(index=1)
    page.locator("#filter-now").press("Enter")
    page.wait_for_url(re.compile(r"\?missing=[a-z_]+#shown$"))
    expect(page.locator("#shown")).to_be_focused()
    # A part that is swapped leaves the focus on what was pressed.
    page.locator("#status-needs-data").press("Enter")
    page.wait_for_url("**status=needs-data**")
    expect(page.locator("#status-needs-data")).to_be_focused()
    assert "missing=" in page.url


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_every_page_fits_a_narrow_window_and_letters_of_twice_the_size(house: House, address: str, locale: str):
    page = named(house, locale=locale)
    supposed = f"{address}?if-confirm-no-prior-treatment=pass"
    for path in ("/worklist/", LIST, f"{LIST}?status=candidate&missing=bilirubin_total", f"{LIST}/funnel",
                 f"{LIST}/export", address, supposed, f"{address}/report", f"{address}/history", "/worklist/audit",
                 "/worklist/me", "/worklist/nothing"):  # fmt: skip
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(path)
        page.evaluate(OPEN_ALL)
        for width, size in ((320, "100%"), (360, "100%"), (640, "100%"), (1280, "200%")):
            page.set_viewport_size({"width": width, "height": 700})
            page.evaluate("(size) => { document.documentElement.style.fontSize = size; }", size)
            case = (path, width, size)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, case
            assert page.evaluate(OUTSIDE) == [], case
            for focusable, told, sideways in page.evaluate(REGIONS):
                assert focusable, case
                assert told, case
                assert not (sideways and width < 700), (*case, "rows are blocks of lines, and need no scrolling")
