"""Reports printed: one sheet for each patient of the demo's clinic; of a longer one each sheet says whose it is.

And the list of that clinic on a laptop: no column is cut.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from worklist_house import AS_OF, NOW, TRIAL

from cds_service.bootstrap import build
from cds_service.cli.demo_worklist import fill_worklist
from cds_service.cli.listening import in_background, listening
from cds_service.screening.patient import Rules
from cds_service.settings import load_settings
from cds_service.store.worklist import Entry, Wanted
from cds_service.web import create_app

MANY = 30  # of the list, from its top: candidates, then those who need data


@pytest.fixture(scope="module")
def clinic(rules: Rules) -> Iterator[tuple[str, list[Entry]]]:
    """The demo's clinic behind a service: its address, and who is on the list."""
    services = build(load_settings(mode="open", store="sqlite://"), clock=lambda: AS_OF, now=lambda: NOW, rules=rules)
    with ExitStack() as stack:
        stack.callback(services.store.close)
        fill_worklist(services)
        server = stack.enter_context(listening(create_app(services), "127.0.0.1", 0))
        stack.enter_context(in_background(server))
        found = services.store.worklist.entries(TRIAL, wanted=Wanted(size=MANY)).entries
        yield f"http://127.0.0.1:{server.port}", list(found)


def sheets(page: Page, folder: Path) -> list[str]:
    """Print a page; return the text of each sheet."""
    if shutil.which("pdftotext") is None:
        pytest.skip("install: make clients (or: apt-get install poppler-utils)")
    (folder / "report.pdf").write_bytes(page.pdf(prefer_css_page_size=True))
    told = subprocess.run(
        ["pdftotext", "-layout", "report.pdf", "-"], cwd=folder, check=True, capture_output=True, text=True, timeout=30
    )
    return told.stdout.split("\f")[:-1]


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_one_sheet_each(clinic: tuple[str, list[Entry]], browser: Browser, tmp_path: Path, locale: str):
    base, entries = clinic
    page = browser.new_page(locale=locale)
    long = {}
    for one in entries:
        page.goto(f"{base}/worklist/entries/{one.id}/report")
        found = sheets(page, tmp_path)
        if len(found) > 1:
            long[one.person.reference] = len(found)
        assert "1/1" in found[0].replace(" ", "") or len(found) > 1
    assert long == {}
    page.context.close()


def test_each_sheet_of_a_longer_one_says_whose_it_is(clinic: tuple[str, list[Entry]], browser: Browser, tmp_path: Path):
    base, entries = clinic
    person, page = entries[0].person, browser.new_page(locale="en-GB")
    page.goto(f"{base}/worklist/entries/{entries[0].id}/report")
    page.evaluate("""() => { const rows = document.querySelector('.report tbody'), more = [...rows.children];
        for (let at = 0; at < 3; at++) more.forEach((one) => rows.append(one.cloneNode(true))); }""")
    found = sheets(page, tmp_path)
    assert len(found) > 1
    number = person.reference.removeprefix("Patient/")
    for at, sheet in enumerate(found, 1):
        assert person.names[-1] in sheet
        assert "born" in sheet
        assert f"patient no. {number}" in sheet
        assert TRIAL in sheet
        assert "For review by people." in sheet
        assert f"{at}/{len(found)}" in sheet.replace(" ", "")
    signed = [sheet for sheet in found if "Screened by" in sheet]
    assert len(signed) == 1
    assert "To confirm by a person" in signed[0], "what is confirmed and who signs stand together"
    assert "Exclusion criteria not encoded." in signed[0]
    page.context.close()


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_no_column_is_cut_on_a_laptop(clinic: tuple[str, list[Entry]], browser: Browser, locale: str):
    base, entries = clinic
    page = browser.new_page(locale=locale, viewport={"width": 1280, "height": 860})
    page.goto(f"{base}/worklist/trials/{TRIAL}")
    longest = {
        "en-GB": ["candidate as of 22 Mar 2026", "lapsed after 22 Mar 2026", "declined by the patient", "Sister Wang"],
        "zh-CN": ["截至2026年12月22日为候选者", "2026年12月22日后失效", "患者拒绝", "Sister Wang"],
    }
    page.evaluate(
        """(words) => ['.status', '.watch', '.state', 'td.name'].forEach((name, at) => {
        document.querySelector(`#list tbody tr ${name}`).textContent = words[at]; })""",
        longest[locale],
    )
    assert len(entries) > 1
    for width in (1280, 1100, 1024):
        page.set_viewport_size({"width": width, "height": 860})
        wide, there = page.evaluate(
            "(() => { const one = document.querySelector('.scroll'); return [one.scrollWidth, one.clientWidth]; })()"
        )
        assert wide <= there, (width, wide)
        narrowest = page.evaluate(
            "Math.min(...[...document.querySelectorAll('#list td.name')].map((o) => o.offsetWidth))"
        )
        assert narrowest >= 70, "a name is not written downwards"
    page.context.close()
