"""Hostile text in charts and in cards: shown as text, nothing runs, nothing is fetched, no element appears."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import expect

CHART = Path(__file__).resolve().parents[2] / "fhir_examples" / "patients" / "candidate" / "bundle.json"
IMG = '<img src="https://evil.invalid/x.png" onerror="alert(1)">'
SCRIPT = "<script>alert(2)</script>"
MARKDOWN = "![pixel](https://evil.invalid/p.png) [go](javascript:alert(3)) <b>x</b> | a | b |"
HOSTILE = f"{IMG}{SCRIPT}{MARKDOWN}"


def hostile_chart() -> bytes:
    """The candidate's chart with hostile text wherever a card or the banner shows words of the record."""
    bundle = json.loads(CHART.read_text(encoding="utf-8"))
    for resource in (entry["resource"] for entry in bundle["entry"]):
        if resource["resourceType"] == "Patient":
            resource["name"] = [{"text": HOSTILE, "family": HOSTILE}]
        for concept in (resource.get("code"), resource.get("valueCodeableConcept")):
            if concept:
                concept["text"] = HOSTILE
        if "valueQuantity" in resource:
            resource["valueQuantity"]["unit"] = IMG
            resource["valueQuantity"].pop("code", None)
            resource["valueQuantity"].pop("system", None)
    return json.dumps(bundle).encode()


def page_counts(page) -> dict[str, int]:
    tags = ["script", "img", "iframe", "object", "embed", "video", "audio", "svg", "link", "style", "b", "base", "meta"]
    return {tag: page.locator(tag).count() for tag in tags}


def handlers(page) -> list[str]:
    """Attributes that could run something."""
    return page.evaluate(
        """[...document.querySelectorAll('*')].flatMap((one) => [...one.attributes])
           .filter((one) => one.name.startsWith('on') || /^\\s*(javascript|data):/i.test(one.value))
           .map((one) => `${one.name}=${one.value}`)"""
    )


def test_a_hostile_chart_is_shown_as_text(visit):
    one = visit()
    before = page_counts(one.page)
    file = {"name": "chart.json", "mimeType": "application/json", "buffer": hostile_chart()}
    one.page.set_input_files("#file", file)
    expect(one.page.locator("#patient")).to_contain_text("onerror")
    assert IMG in one.page.inner_text("#patient")
    assert one.send().startswith("HTTP 200")
    assert len(one.cards()) == 1
    card = one.page.inner_text(".card")
    assert IMG in card, "the unit or the text of a code is on the card, as it is written"
    assert page_counts(one.page) == before
    assert handlers(one.page) == []


def test_a_hostile_card_is_shown_as_text(visit):
    one = visit()
    before = page_counts(one.page)
    card = {
        "uuid": "6d0c2b3e-8c3a-4f3f-9b9a-0c7d3f5b8a11",
        "summary": HOSTILE,
        "indicator": '"><script>alert(4)</script>',
        "detail": f"**bold** {HOSTILE}\n\n{SCRIPT}\n\n| {IMG} | b |\n|---|---|\n| {SCRIPT} | [x](data:text/html,y) |",
        "source": {"label": IMG, "url": "javascript:alert(5)"},
        "suggestions": [{"label": IMG, "uuid": "a", "actions": [{"type": "create", "description": SCRIPT}]}],
        "overrideReasons": [{"code": "a", "system": "b", "display": IMG}],
        "links": [
            {"label": IMG, "url": "javascript:alert(6)", "type": "absolute"},
            {"label": SCRIPT, "url": "https://evil.invalid/", "type": "absolute"},
            {"label": IMG, "url": "https://evil.invalid/launch", "type": "smart"},
        ],
    }
    one.page.route("**/cds-services/*", lambda route: route.fulfill(json={"cards": [card]}))
    one.send()
    one.page.click("text=Dismiss …")
    words = one.page.inner_text(".card")
    assert words.count(IMG) >= 6
    assert SCRIPT in one.page.inner_text(".detail")
    assert "[image: pixel]" in words
    assert one.page.locator(".detail strong").inner_text() == "bold"
    assert one.page.locator(".detail table").count() == 1
    assert page_counts(one.page) == before
    assert handlers(one.page) == []
    links = one.page.locator(".card a")
    assert [links.nth(at).get_attribute("href") for at in range(links.count())] == ["https://evil.invalid/"]
    assert "no-referrer" in one.page.evaluate("fetch('simulator').then((r) => r.headers.get('Referrer-Policy'))")


def test_a_hostile_error_is_shown_as_text(visit):
    one = visit()
    before = page_counts(one.page)
    issue = {"severity": "error", "code": "x", "diagnostics": HOSTILE, "expression": [IMG]}
    body = {"resourceType": "OperationOutcome", "issue": [issue]}
    one.page.route("**/cds-services/*", lambda route: route.fulfill(status=400, json=body))
    one.send()
    assert HOSTILE in one.page.inner_text(".problem")
    assert page_counts(one.page) == before
    assert handlers(one.page) == []


def test_files_that_are_no_chart_are_refused_in_words(visit):
    one = visit()
    for content, words in ((b"<html>", "The file is not JSON."), (b'{"resourceType":"Bundle"}', "holds no Patient")):
        one.page.set_input_files("#file", {"name": "x.json", "mimeType": "application/json", "buffer": content})
        expect(one.page.locator("#story-text")).to_contain_text(words)
        assert one.page.is_disabled("#send")
