"""The simulator in Chinese: its own words, the cards that it asks for, and the way back to English."""

from __future__ import annotations

import json
import re

from english_left import english_left, words_of_record

from cds_service.web.example_stories import EXAMPLES

CHINESE = re.compile(r"[\u4e00-\u9fff]")
# What is no word of ours: what is on the wire.
NOT_OURS = "pre"


def own_words(one) -> list[str]:
    """Return the lines of the page that it says itself."""
    return one.page.evaluate(
        """(others) => {
          const copy = document.body.cloneNode(true);
          copy.querySelectorAll(others).forEach((node) => node.remove());
          const texts = [], walker = document.createTreeWalker(copy, NodeFilter.SHOW_TEXT);
          while (walker.nextNode()) texts.push(walker.currentNode.textContent.trim());
          return texts.filter(Boolean);
        }""",
        NOT_OURS,
    )


def test_the_page_and_its_cards_are_chinese(visit):
    one = visit(language="zh")
    assert one.page.get_attribute("html", "lang") == "zh-Hans"
    assert one.page.inner_text("#day") == "服务的判定日期：2026-03-01。"
    assert re.fullmatch(r"HTTP 200，?,? ?\d+ ms，1 张卡片。", one.send())
    (summary,) = one.cards()
    assert summary.startswith("可能为 NCT07235319 的候选受试者，待审核")
    assert (
        json.loads(one.page.locator("#response").text_content().partition("\n\n")[2])["cards"][0]["summary"] == summary
    )
    one.page.click("text=忽略……")
    one.page.select_option("#reason-0", label="患者拒绝参加该试验")
    one.page.click("text=忽略此卡片")
    assert one.page.inner_text(".told") == "已忽略：患者拒绝参加该试验。 再次发送，可查看服务如何处理。"
    assert [one.told[0]["feedback"][0]["overrideReason"]["reason"]["code"]] == ["declined"]
    said = own_words(one)
    recorded = words_of_record(EXAMPLES / "candidate" / "bundle.json")
    assert sum(bool(CHINESE.search(text)) for text in said) > 40
    assert [left for text in said for left in english_left(text, recorded)] == []
    assert "鼻咽癌临床试验" in one.page.inner_text("#service")
    assert one.page.inner_text("#story").splitlines()[1] == "可能为候选"
    assert one.page.input_value("#story") == "candidate"
    assert one.page.inner_text("#service-text").startswith("打开病历时：")
    assert one.page.inner_text("#story-text").endswith("预期结果：候选者，供审核。")
    one.send()
    assert one.page.inner_text("#cards") == "服务没有需要提示的内容。"


def test_a_link_leads_to_the_other_language_and_back(visit):
    one = visit()
    one.page.click("text=中文")
    one.page.wait_for_selector("body[data-ready]")
    assert one.page.inner_text("h1") == "电子病历模拟器"
    one.page.click("text=English")
    one.page.wait_for_selector("body[data-ready]")
    assert one.page.inner_text("h1") == "EHR simulator"
