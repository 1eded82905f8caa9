"""The simulator by keyboard alone, and through the eyes of axe-core, in light and dark."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

FOCUS = """() => {
  const one = document.activeElement, style = getComputedStyle(one);
  const ring = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  return {name: one.id || one.textContent.trim(), ring};
}"""


def tab(one, times: int = 1) -> list[str]:
    """Press Tab; every stop shows where it is."""
    names = []
    for _ in range(times):
        one.page.keyboard.press("Tab")
        found = one.page.evaluate(FOCUS)
        assert found["ring"], found
        names.append(found["name"])
    return names


def test_everything_is_done_by_keyboard(visit):
    one = visit()
    keys = one.page.keyboard
    assert tab(one, 5) == ["Skip to the answer", "中文", "story", "file", "service"]
    keys.press("ArrowDown")
    assert one.page.input_value("#service") == "npc-trials-encounter-start"
    keys.press("ArrowUp")
    assert tab(one, 3) == ["with-prefetch", "fhir-server", "send"]
    keys.press("Enter")
    expect(one.page.locator("#answer-heading")).to_be_focused()
    assert len(one.cards()) == 1
    for _ in range(12):
        if tab(one) == ["Dismiss …"]:
            break
    else:
        raise AssertionError("Dismiss cannot be reached")
    keys.press("Enter")
    assert tab(one) == ["reason-0"]
    keys.press("ArrowDown")
    assert tab(one, 2) == ["comment-0", "Dismiss this card"]
    keys.press("Enter")
    expect(one.page.locator(".told")).to_be_focused()
    assert "Patient declined the trial" in one.page.inner_text(".told")


@pytest.mark.parametrize(("scheme", "language"), [("light", ""), ("dark", ""), ("light", "zh")])
def test_axe_finds_nothing(visit, axe, scheme, language):
    one = visit(scheme=scheme, axe=True, language=language)
    one.choose("stale-bilirubin")
    found = look(one, "start")
    one.send()
    one.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found += look(one, "card")
    one.page.click(".suggestions button >> nth=0")
    one.page.click(".dismissal form button")
    one.page.wait_for_selector(".dismissal .told")
    found += look(one, "told")
    one.choose("candidate")
    one.page.select_option("#service", "npc-trials-order-sign")
    one.send()
    assert one.page.locator(".card.warning").count() == 1
    found += look(one, "warning")
    one.page.check("#no-prefetch")
    one.send()
    found += look(one, "error")
    one.page.set_viewport_size({"width": 320, "height": 640})
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 320, "no sideways scrolling on a phone"
    found += look(one, "narrow")
    assert found == []


def look(one, when: str) -> list[str]:
    """Run axe-core; return what it finds."""
    result = one.page.evaluate("axe.run(document)")
    assert {"color-contrast", "label"} <= {rule["id"] for rule in result["passes"]}, "it did look"
    return [
        f"{when}: {rule['id']} at {node['target']}: {node['failureSummary']}"
        for rule in result["violations"]
        for node in rule["nodes"]
    ]
