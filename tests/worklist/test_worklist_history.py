"""The history of an entry over HTTP: in pages, each event and each judgement once, however long it is."""

from __future__ import annotations

import html
import re
from datetime import date, timedelta

from worklist_desk import entry_of, story, take

FIRST = date(2026, 2, 21)


def rows(page):
    return re.findall(r"note ([0-9]+)\b", page), len(re.findall('<th scope="row">', page))


def walked(li, path, parameter):
    """Follow one of the ways to older rows; return all pages."""
    pages, way = [], path
    while way is not None:
        page = li.get(way)
        assert page.status_code == 200
        pages.append(page.text)
        after = re.search(rf'href="(\?{parameter}=[0-9]+)"', page.text)
        way = path + html.unescape(after[1]) if after else None
    return pages


def test_a_long_history_comes_in_pages(services, li, candidate):
    path = f"/worklist/entries/{candidate}"
    for number in range(230):
        services.store.worklist.note(candidate, text=f"note {number}", who="Dr Li", now=services.now())
    pages = walked(li, f"{path}/history", "before")
    assert [len(rows(page)[0]) for page in pages] == [100, 100, 30]
    assert [int(one) for page in pages for one in rows(page)[0]] == list(range(229, -1, -1))
    newest = rows(li.get(path).text)[0]
    assert [int(one) for one in newest] == [229, 228, 227, 226, 225, 224]


def with_hemoglobin(value):
    bundle = story("candidate")
    for one in bundle["entry"]:
        if "718-7" in str(one["resource"].get("code")):
            one["resource"]["valueQuantity"]["value"] = value
    return bundle


def test_many_judgements_come_in_pages(services, li, monkeypatch):
    monkeypatch.setattr("cds_service.web.worklist.entries._ROWS", 3)
    for number in range(8):
        entry = take(services, with_hemoglobin(120 + number), as_of=FIRST + timedelta(days=number))
    pages = walked(li, f"/worklist/entries/{entry}/history", "judged-before")
    assert [rows(page)[1] for page in pages] == [3, 3, 2]
    days = [day for page in pages for day in re.findall(r'<th scope="row">([0-9]+) Feb 2026', page)]
    assert days == [str(number) for number in range(28, 20, -1)]
    assert entry_of(services, entry).latest.as_of == FIRST + timedelta(days=7)


def test_what_was_the_same_on_many_days_is_one_line(services, li):
    for number in range(6, 9):
        entry = take(services, story("candidate"), as_of=FIRST + timedelta(days=number))
    page = li.get(f"/worklist/entries/{entry}/history").text
    assert rows(page)[1] == 1
    assert "the same since 27 Feb 2026, judged on 3 days" in page
    assert (
        "the same since" not in li.get(f"/worklist/entries/{take(services, story('prior-radiotherapy'))}/history").text
    )


def test_a_history_takes_numbers_only(services, li, candidate):
    for query in ("before=x", "before=-1", "judged-before=1&judged-before=2", "page=2"):
        assert li.get(f"/worklist/entries/{candidate}/history?{query}").status_code == 400
    assert li.get(f"/worklist/entries/{candidate}/history?before=1").status_code == 200
