"""A patient's whole story in a real browser: card, page, attestation, list, new result, two people, export, paper."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from openpyxl import load_workbook
from playwright.sync_api import BrowserContext, Page, expect
from worklist_house import LIST, STORY, TRIAL, House, bundle_of, form, row, sentence, with_new_bilirubin

WORDS = {
    "en": {
        "needs-data": "Needs data",
        "not-now": "Not now",
        "candidate": "May be a candidate, for review",
        "attested": "fail, attested",
        "changed": "data changed",
        "before": "12 µmol/L, 10 Feb 2026",
        "now": "14 µmol/L, 1 Mar 2026",
        "enrolled": "enrolled",
    },
    "zh": {
        "needs-data": "资料不足",
        "not-now": "目前不符合",
        "candidate": "可能为候选受试者，待审核",
        "attested": "不符合，经人工确认",
        "changed": "数据有变化",
        "before": "12 µmol/L，2026年2月10日",
        "now": "14 µmol/L，2026年3月1日",
        "enrolled": "已入组",
    },
}


def decide(page: Page, state: str, reason: str = "") -> None:
    form(page, "decision").locator("select[name=state]").select_option(state)
    form(page, "decision").locator("input[name=reason]").fill(reason)
    form(page, "decision").locator("button").click()


def sheets(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf))


@pytest.mark.parametrize(("language", "scripts"), [("en", True), ("zh", False)])
def test_the_whole_story(house: House, language: str, scripts: bool):
    words = WORDS[language]
    locale = {"en": "en-GB", "zh": "zh-CN"}[language]
    window = house.window(scripts=scripts, locale=locale, accept_downloads=True)
    page = from_the_card(house, window) if scripts else window.new_page()
    if not scripts:  # the simulator needs scripts; any other record system shows the same link
        (card,) = house.hook(bundle_of(STORY))
        page.goto(next(one["url"] for one in card["links"] if "/worklist/" in one["url"]))
    address = page.url
    assert re.fullmatch(rf"{house.base}/worklist/entries/[0-9a-f]{{32}}", address)
    expect(sentence(page)).to_contain_text(words["needs-data"])
    assert "黄" not in page.title(), "a browser's history holds no names"

    attest_and_withdraw(page, words)
    act_in_the_list(page, address)
    a_new_result_comes(house, window, page, words, language)
    two_people_at_once(house, page, address, language)

    page.goto(address)
    decide(page, "enrolled")
    page.wait_for_url("**#people")
    assert house.hook(with_new_bilirubin()) == [], "nothing more to say to the record system"
    if scripts:
        simulator = window.new_page()
        simulator.goto("/simulator")
        simulator.wait_for_selector("body[data-ready]")
        chart = json.dumps(with_new_bilirubin()).encode()
        simulator.set_input_files("#file", {"name": "chart.json", "mimeType": "application/json", "buffer": chart})
        expect(simulator.locator("#story-text")).to_contain_text("Read from a file")
        simulator.click("#send")
        expect(simulator.locator("#cards")).to_have_text("The service had nothing to say.")
        simulator.close()
    take_along(page, language, words)
    on_paper(page, address)


def from_the_card(house: House, window: BrowserContext) -> Page:
    """Send the chart in the simulator, accept the suggestion, follow the card's link."""
    simulator = window.new_page()
    simulator.goto("/simulator")
    simulator.wait_for_selector("body[data-ready]")
    simulator.select_option("#story", STORY)
    expect(simulator.locator("#patient")).to_contain_text(STORY)
    simulator.click("#send")
    expect(simulator.locator(".card h3")).to_contain_text("otal bilirubin decides")
    with simulator.expect_response("**/feedback") as told:
        simulator.click(".suggestions button >> nth=0")
    assert told.value.ok
    expect(simulator.locator(".told")).to_have_text("Accepted: the service was told.")
    with window.expect_page() as opened:
        simulator.click("text=Eligibility detail")
    page = opened.value
    page.wait_for_load_state()
    simulator.close()
    return page


def attest_and_withdraw(page: Page, words: dict[str, str]) -> None:
    """Attest that one criterion is not met: the status follows, and follows back."""
    item = page.locator("ul.confirm > li", has=page.locator("input[value='life-expectancy']"))
    item.locator("summary").click()
    item.locator("input[value=fail]").check()
    item.locator("input[name=reason]").fill("seen at the ward round")
    item.locator("button").click()
    # Who it is, is asked once; what was typed is still there.
    expect(page.locator("textarea[name=reason]")).to_have_value("seen at the ward round")
    page.locator("input[name=who]").fill("Dr Li")
    page.locator("form[action$='/attest'] button").click()
    page.wait_for_url("**#confirm")
    expect(sentence(page)).to_contain_text(words["not-now"])
    expect(page.locator(".matrix td.fail")).to_contain_text(words["attested"])
    expect(page.locator("ul.confirm")).to_contain_text("Dr Li")
    form(page, "withdraw").locator("button").click()
    expect(sentence(page)).to_contain_text(words["needs-data"])

    item.locator("summary").click()
    item.locator("input[value=pass]").check()
    item.locator("button").click()
    expect(form(page, "withdraw")).to_be_visible()
    expect(sentence(page)).to_contain_text(words["needs-data"])

    page.locator("input[name=if-bilirubin_total]").fill("14")
    page.locator("form.suppose button").click()
    expect(page.locator(".supposed .status-candidate")).to_be_visible()
    expect(sentence(page)).to_contain_text(words["needs-data"])  # supposed, and so not true


def act_in_the_list(page: Page, address: str) -> None:
    """Find the patient in the list, set the state and who looks after."""
    page.locator("header nav a").first.click()
    page.wait_for_url(f"**{LIST}")
    page.locator("#status-needs-data").click()
    page.wait_for_url("**?status=needs-data")
    expect(page.locator("#status-needs-data")).to_have_attribute("aria-current", "true")
    row(page).locator("a").click()
    page.wait_for_url(address)
    decide(page, "reviewing", "called the ward")
    page.wait_for_url("**#people")
    form(page, "assignee").locator("input[name=assignee]").fill("Nurse Chen")
    form(page, "assignee").locator("button").click()
    expect(page.locator(".events")).to_contain_text("Nurse Chen")
    form(page, "note").locator("textarea").fill("family asked for time\nuntil Monday")
    form(page, "note").locator("button").click()
    expect(page.locator(".events")).to_contain_text("family asked for time")
    page.goto(LIST)
    page.locator("#assignee").select_option("Nurse Chen")
    page.locator("#filter-now").click()
    page.wait_for_url(re.compile(r"assignee=Nurse(\+|%20)Chen"))
    expect(page.locator("#list tbody tr")).to_have_count(1)
    expect(row(page)).to_contain_text("Nurse Chen")


def a_new_result_comes(house: House, window: BrowserContext, page: Page, words: dict[str, str], language: str) -> None:
    """A newer bilirubin comes by the hook: the list says so, the page what changed; once seen, both are still."""
    house.hook(with_new_bilirubin())
    page.goto(f"{LIST}?changed=1")
    expect(page.locator("#list tbody tr")).to_have_count(1)
    expect(row(page).locator(".changed")).to_have_text(words["changed"])
    row(page).locator("a").click()
    expect(sentence(page)).to_contain_text(words["candidate"])
    table = page.locator("section", has=page.locator("#changed")).locator("tbody tr")
    bilirubin = table.filter(has_text="Total bilirubin" if language == "en" else "总胆红素").first
    expect(bilirubin.locator("td").nth(0)).to_contain_text(words["before"])
    expect(bilirubin.locator("td").nth(1)).to_contain_text(words["now"])
    expect(page.locator(".people")).to_contain_text("called the ward")  # the decision stands
    form(page, "seen").locator("button").click()
    expect(page.locator("#changed")).to_have_count(0)
    page.goto(f"{LIST}?changed=1")
    expect(page.locator("#list")).to_have_count(0)


def two_people_at_once(house: House, page: Page, address: str, language: str) -> None:
    """Whoever is slower is shown what the other did and what they typed themselves, and can send it again."""
    other = house.window(locale="en-GB").new_page()
    other.goto("/worklist/me")
    other.locator("main input[name=who]").fill("Dr Wang")
    other.locator("main form.stacked button").click()
    other.goto(address)
    page.goto(address)
    decide(page, "contacted", "spoke to her on the phone")
    page.wait_for_url("**#people")
    with other.expect_response("**/decision") as answer:
        decide(other, "declined", "wants treatment at home")
    assert answer.value.status == 409
    expect(other.locator("[role=alert]")).to_contain_text("Somebody else changed this entry")
    expect(other.locator(".events")).to_contain_text("Dr Li")
    expect(other.locator(".events")).to_contain_text("spoke to her on the phone")
    expect(other.locator("textarea[name=reason]")).to_have_value("wants treatment at home")
    expect(other.locator("select[name=state]")).to_have_value("declined")
    other.locator("select[name=state]").select_option("consented")
    other.locator("form.stacked button").click()
    other.wait_for_url("**#people")
    page.reload()
    expect(page.locator(".events")).to_contain_text("spoke to her on the phone")  # nothing was lost
    expect(page.locator(".events")).to_contain_text("wants treatment at home")


def take_along(page: Page, language: str, words: dict[str, str]) -> None:
    """Export the list: codes at first, names when asked for; the audit knows."""
    page.goto(LIST)
    page.locator("a[href*='/export']").click()
    files: dict[str, bytes] = {}
    for kind, names in (("csv", False), ("xlsx", True)):
        page.locator(f"input[value={kind}]").check()
        page.locator("input[name=reason]").fill("tumour board")
        page.locator("input[name=names]").set_checked(names)
        with page.expect_download() as download:
            page.locator("main form button").click()
        holds = "named" if names else "coded"
        assert download.value.suggested_filename == f"worklist-{TRIAL}-2026-03-01-{holds}.{kind}"
        files[kind] = Path(download.value.path()).read_bytes()
    rows = list(csv.DictReader(io.StringIO(files["csv"].decode("utf-8-sig"))))
    text = files["csv"].decode("utf-8-sig")
    assert len(rows) == 5
    assert "tumour board" in text
    assert "Dr Li" in text
    assert not re.search("黄|Huang|1979-11-02", text), "codes, no names"
    (hers,) = [one for one in rows if words["enrolled"] in one.values()]
    assert any("candidate" in one or "候选" in one for one in hers.values())
    book = load_workbook(io.BytesIO(files["xlsx"]), read_only=True)
    cells = [str(cell) for sheet in book for line in sheet.iter_rows(values_only=True) for cell in line if cell]
    book.close()
    assert any("黄美玲" in one for one in cells)
    assert "tumour board" in cells
    page.goto("/worklist/audit")
    exported = page.locator("table.audit tr", has_text="tumour board")
    expect(exported).to_have_count(2)
    expect(exported.first).to_contain_text("Dr Li")


def on_paper(page: Page, address: str) -> None:
    """The report is one A4 sheet."""
    page.goto(f"{address}/report")
    pdf = page.pdf(prefer_css_page_size=True)
    assert sheets(pdf) == 1
    assert re.search(rb"/MediaBox\s*\[\s*0 0 59[45]\.\d+ 84[12]\.\d+", pdf), "A4"
    assert b"CJK" in pdf, "the name is printed in a font that has it"
