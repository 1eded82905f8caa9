"""Cards in two languages say the same: the same numbers, days and ids, and feedback works across; who gets which."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from door_fakes import BILIRUBIN, HEMOGLOBIN, criterion, decisive, hook, npc, outcome, services, spread
from door_fakes import trial_outcome as of_trial
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from cds_service.bootstrap import load_rules
from cds_service.errors import ConfigError
from cds_service.evaluation.outcome import Status, Verdict
from cds_service.facts.fact import Evidence, Reason
from cds_service.facts.phrase import joined, say
from cds_service.facts.shown import MONTHS
from cds_service.gather.json_text import read_json
from cds_service.logic.truth import State
from cds_service.present.card_rules import WITHHELD, broken, checked
from cds_service.present.cards import make_cards
from cds_service.present.safe_text import SUMMARY_LIMIT
from cds_service.present.speaker import ENGLISH, Speaker, speaker
from cds_service.screening.patient import screen_bundle
from cds_service.settings import load_settings
from cds_service.web import create_app
from cds_service.web.example_stories import Story, example_stories
from cds_service.web.language import asked, choose, language_of, language_of_call

SEED = UUID("d1577c69-dfbe-44ad-ba6d-3e05e953b2ea")
RULES = load_rules()
ENGLISH_OF_RULES, CHINESE = speaker("en", RULES.library), speaker("zh", RULES.library)
STORIES = example_stories()
GFM = MarkdownIt("gfm-like", {"linkify": False, "html": True})

CHINESE_SIGN = re.compile(r"[\u4e00-\u9fff]")
NUMBERS = re.compile(r"[0-9]+(?:\.[0-9]+)*")
MONTH = re.compile(rf"\b(?:{'|'.join(MONTHS)})\b(?! be)")
WORDS = re.compile(r"[A-Za-z]{2,}")
# Latin letters that Chinese oncologists write themselves.
KNOWN = {
    *("ULN", "AST", "ALT", "INR", "PT", "aPTT", "eGFR", "ECOG", "RECIST", "AJCC", "UICC", "PD", "CR", "PR", "NCT"),
    *("Cockcroft", "Gault", "CKD", "EPI", "mmol", "µmol", "mol", "mL", "min", "mg", "dL", "kg", "mm", "cm"),
    *("IVA", "IVB", "IVC", "IV"),
}


def numbers(text: str) -> Counter[str]:
    return Counter(NUMBERS.findall(MONTH.sub(lambda match: str(MONTHS.index(match[0]) + 1), text)))


def read(story: Story) -> Any:
    return read_json(story.bundle.read_bytes(), max_bytes=2**24)


@pytest.fixture(scope="module")
def both() -> dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], set[str]]]:
    """Every story's cards in both languages, and the words of its record."""
    found = {}
    for story in STORIES:
        judged = screen_bundle(RULES, read(story), as_of=story.as_of)
        pair = [make_cards(judged, seed=SEED, speaker=one) for one in (ENGLISH_OF_RULES, CHINESE)]
        found[story.name] = (*pair, set(WORDS.findall(story.bundle.read_text(encoding="utf-8"))))
    assert sum(bool(english) for english, _chinese, _words in found.values()) >= 10
    return found


def texts(value: Any) -> list[str]:
    """Return what people read of a card."""
    if isinstance(value, dict):
        named = ("summary", "detail", "label", "display", "description", "text")
        own = [one for name, one in value.items() if name in named and isinstance(one, str)]
        return own + [text for name, one in value.items() if name != "coding" for text in texts(one)]
    return [text for one in value for text in texts(one)] if isinstance(value, list) else []


def without_words(value: Any) -> Any:
    """Return a card without what people read: ids, codes, URLs and orders stay."""
    named = ("summary", "detail", "label", "description", "text")
    if isinstance(value, dict):
        said = "system" in value and value["system"] != "http://loinc.org"
        return {
            name: without_words(one)
            for name, one in value.items()
            if name not in named and not (said and name == "display")
        }
    return [without_words(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_both_languages_say_the_same(story: Story, both: Any) -> None:
    english, chinese, recorded = both[story.name]
    assert without_words(chinese) == without_words(english)
    for one, other in zip(english, chinese, strict=True):
        assert len(texts(one)) == len(texts(other))
        for said, said_in_chinese in zip(texts(one), texts(other), strict=True):
            lines = list(zip(said.splitlines(), said_in_chinese.splitlines(), strict=True))
            for line, line_in_chinese in lines:
                # A summary drops from its end what does not fit: of English, which is longer, more.
                dropped = numbers(line) < numbers(line_in_chinese) and said == one["summary"]
                assert dropped or numbers(line_in_chinese) == numbers(line), line
                if WORDS.search(line):
                    assert CHINESE_SIGN.search(line_in_chinese), line
                left = set(WORDS.findall(line_in_chinese)) - KNOWN - recorded
                # The foot has six hexadecimal digits of the rules' digest.
                assert {word for word in left if not set(word) <= set("abcdef")} == set()
        assert 0 < len(other["summary"]) <= SUMMARY_LIMIT
        assert broken(other, "generic") == []


def test_emphasis_and_tables_hold_in_chinese(both: Any) -> None:
    """A closing ** between Chinese signs and a comma would be shown as it stands."""
    for english, chinese, _words in both.values():
        for one, other in zip(english, chinese, strict=True):
            html, html_in_chinese = GFM.render(one["detail"]), GFM.render(other["detail"])
            assert re.findall(r"</?\w+", html) == re.findall(r"</?\w+", html_in_chinese)
            assert "*" not in html_in_chinese


def test_no_english_is_put_into_sentences_where_days_are_said(both: Any) -> None:
    _english, (card,), _words = both["candidate"]
    assert card["summary"] == (
        "可能为 NCT07235319 的候选受试者，待审核：可由病历判定的 15 条标准全部符合，2 条待确认；检验结果有效至3月12日"
    )
    assert "| ✔ | 血红蛋白 ≥ 90 g/L | 132 g/L · 2026年2月26日 |" in card["detail"]
    assert "排除标准未编码" in card["detail"]
    _english, (card,), _words = both["stale-bilirubin"]
    assert card["summary"].startswith("NCT07235319：判定取决于总胆红素（最近一次 12 µmol/L，19 天前，倾向于符合）；")
    assert [one["label"] for one in card["suggestions"]] == ["草拟医嘱：总胆红素"]


# --- whatever is judged, and whatever the record holds ----------------------------------------------------------

LABELS = st.sampled_from(["Total bilirubin", "AST", "Procedures", "活化部分凝血活酶时间", "x" * 200])
MISSING = st.builds(
    decisive,
    st.sampled_from("abcdef"),
    LABELS,
    st.sampled_from(Reason),
    evidence=st.sampled_from(
        [(), (Evidence("Observation/x", Decimal("5.50"), "{INR}", "2026-02-10", say("on hold")),)]
    ),
)


@given(
    missing=st.lists(MISSING, max_size=4),
    against=st.integers(0, 3),
    unread=st.dictionaries(st.sampled_from(["Condition", "Procedure", "Observation", "Other"]), st.text(max_size=90)),
    until=st.none() | st.integers(0, 400).map(lambda days: date(2026, 1, 1) + timedelta(days)),
    status=st.sampled_from([Status.CANDIDATE, Status.NEEDS_DATA]),
    checked_too=st.booleans(),
)
def test_every_card_is_in_form_in_both_languages(
    missing: Any, against: int, unread: Any, until: Any, status: Status, checked_too: bool
) -> None:
    doubts = [
        criterion(f"d{at}", State.UNKNOWN, short="Short", reasons=[Reason.CLINICIAN], leaning=Verdict.FAIL)
        for at in range(against)
    ]
    one = of_trial(status, [npc(), spread(), HEMOGLOBIN, BILIRUBIN, *doubts], missing=missing, until=until)
    more = [of_trial(Status.NEEDS_DATA, [npc(State.UNKNOWN, Reason.NOT_FETCHED)])] if checked_too else []
    judged = outcome(one, *more, unread=unread)
    english, chinese = (make_cards(judged, seed=SEED, speaker=said) for said in (ENGLISH, speaker("zh")))
    assert without_words(english) == without_words(chinese)
    for card in (*english, *chinese):
        assert broken(card, "generic") == []
        assert broken(card, "epic") == []
    for card in chinese:
        assert CHINESE_SIGN.search(card["summary"])


# --- the hooks ------------------------------------------------------------------------------------------------------

ADDRESS = "/cds-services/npc-trials-patient-view"


def call(client: Any, language: str | None = None, **changes: Any) -> Any:
    headers = {} if language is None else {"Accept-Language": language}
    answer = client.post(ADDRESS, json=hook(**changes), headers=headers)
    assert answer.status_code == 200
    return answer


@pytest.mark.parametrize(
    ("wanted", "setting", "tag"),
    [
        (None, "en", "en"),
        (None, "zh", "zh-Hans"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "en", "zh-Hans"),
        ("en-GB", "zh", "en"),
        ("fr", "zh", "zh-Hans"),
    ],
)
def test_a_hook_answers_in_the_language_that_is_asked_for(wanted: str | None, setting: str, tag: str) -> None:
    client = create_app(services(language=setting)[0]).test_client()
    answer = call(client, wanted)
    assert answer.headers["Content-Language"] == tag
    assert {"Accept-Language", "Origin"} <= set(answer.vary)
    (card,) = answer.json["cards"]
    assert bool(CHINESE_SIGN.search(card["summary"])) is (tag == "zh-Hans")


def test_a_page_s_choice_does_not_reach_the_hooks() -> None:
    client = create_app(services()[0]).test_client()
    answer = client.post(f"{ADDRESS}?lang=zh", json=hook())
    assert answer.headers["Content-Language"] == "en"


def test_errors_stay_english_for_engineers() -> None:
    client = create_app(services(language="zh")[0]).test_client()
    answer = client.post(ADDRESS, json={}, headers={"Accept-Language": "zh"})
    assert answer.status_code == 400
    assert not CHINESE_SIGN.search(answer.text)
    assert "Content-Language" not in answer.headers


def test_feedback_on_a_chinese_card_silences_the_english_one() -> None:
    client = create_app(services()[0]).test_client()
    (chinese,), (english,) = call(client, "zh").json["cards"], call(client, "en").json["cards"]
    assert chinese["uuid"] == english["uuid"]
    assert [one["code"] for one in chinese["overrideReasons"]] == [one["code"] for one in english["overrideReasons"]]
    reason = next(one for one in chinese["overrideReasons"] if one["code"] == "declined")
    told = {"card": chinese["uuid"], "outcome": "overridden", "outcomeTimestamp": "2026-03-01T09:00:00Z"}
    feedback = {"feedback": [{**told, "overrideReason": {"reason": reason}}]}
    assert client.post(f"{ADDRESS}/feedback", json=feedback).status_code == 200
    assert call(client, "en").json["cards"] == []


def test_a_withheld_card_is_told_in_the_language() -> None:
    (card,) = checked([{"summary": "x" * 200}], "generic", speaker("zh"))
    assert card["summary"] != WITHHELD
    assert CHINESE_SIGN.search(card["summary"])
    assert card["source"] == {"label": "试验规则"}
    assert broken(card, "generic") == []


# --- who gets which -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", None),
        ("*", None),
        ("fr, de;q=0.5", None),
        ("zhx, enm, english", None),
        ("en", "en"),
        ("EN-us", "en"),
        ("zh", "zh"),
        ("zh-CN", "zh"),
        ("zh-Hans", "zh"),
        ("zh-Hans-HK", "zh"),
        ("zh-SG", "zh"),
        ("zh_CN", "zh"),
        ("zh-CN,zh;q=0.9,en-US;q=0.8,en;q=0.7", "zh"),
        ("en;q=0.1, zh-CN", "zh"),  # an exact tag of little worth does not win
        ("zh;q=0.3, en;q=0.4", "en"),
        ("en;q=0, zh;q=0.1", "zh"),
        ("zh;q=0", None),
        ("fr, zh;q=0.2, *;q=0.1", "zh"),
        ("zh-TW", "zh"),  # better than nothing
        ("zh-Hant-HK, fr", "zh"),
        ("zh-TW, en;q=0.5", "en"),
        ("zh-MO;q=0.9, zh-CN;q=0.1", "zh"),
        ("zh-TW,zh;q=0.9,en;q=0.8", "zh"),  # who names zh itself reads it
        (";;;,q=1,zh;q=nonsense", None),
        ("zh-CN;q=" + "9" * 5000, None),
    ],
)
def test_what_a_header_asks_for(header: str, language: str | None) -> None:
    assert asked(parse_accept_header(header, LanguageAccept)) == language


@given(st.text(max_size=60))
def test_any_header_is_taken(header: str) -> None:
    assert asked(parse_accept_header(header, LanguageAccept)) in (None, "en", "zh")


@pytest.mark.parametrize(
    ("path", "chosen", "header", "page", "program"),
    [
        ("/", None, "", "en", "en"),
        ("/", None, "zh", "zh", "zh"),
        ("/", "zh", "", "zh", "en"),
        ("/", "en", "zh", "en", "zh"),
        ("/?lang=zh", "en", "en", "zh", "en"),
        ("/?lang=en", "zh", "zh", "en", "zh"),
        ("/?lang=tlh", "zh", "en", "zh", "en"),
        ("/?lang=tlh", "tlh", "", "en", "en"),
    ],
)
def test_a_page_goes_by_its_address_then_the_choice_then_the_header(
    path: str, chosen: str | None, header: str, page: str, program: str
) -> None:
    app, settings = Flask("page"), load_settings(mode="open")
    app.secret_key = "only-for-this-test"
    with app.test_request_context(path, headers={"Accept-Language": header}):
        if chosen is not None:
            choose(chosen)
        assert language_of(settings) == page
        assert language_of_call(settings) == program


def test_a_page_without_sessions_has_a_language() -> None:
    with Flask("page").test_request_context("/", headers={"Accept-Language": "zh"}):
        assert language_of(load_settings(mode="open")) == "zh"


def test_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_LANGUAGE", "zh")
    assert load_settings(mode="open").language == "zh"
    monkeypatch.setenv("CDS_LANGUAGE", "zh-CN")
    with pytest.raises(ConfigError, match="language"):
        load_settings(mode="open")


# --- the speaker ----------------------------------------------------------------------------------------------------


def test_a_speaker_says_phrases_days_numbers_and_words_of_the_record() -> None:
    zh: Speaker = speaker("zh")
    assert (ENGLISH.tag, zh.tag) == ("en", "zh-Hans")
    assert zh.t("results count until {day}", day=date(2026, 3, 1)) == "结果有效至2026年3月1日"
    phrase = joined([say("look again from {day}", day=date(2026, 3, 3)), say("male")])
    assert zh.t(phrase) == "自2026年3月3日起再次评估；男"
    assert ENGLISH.said(phrase) == "look again from 3 Mar 2026; male"
    assert (zh.day(date(2026, 3, 3), year=False), ENGLISH.day("2026-03")) == ("3月3日", "Mar 2026")
    assert (zh.number(Decimal("121.0")), zh.number(3), zh.number(None)) == ("121", "3", "?")
    assert zh.joined(["a", "", say("male")], ", ") == "a，男"
    assert zh.joined([]) == ""
    assert (zh.inside("Karnofsky 评分"), ENGLISH.inside("Karnofsky")) == ("Karnofsky 评分", "karnofsky")


def test_words_of_the_record_are_never_a_template() -> None:
    hostile = "{day.__class__} {0} {"
    assert speaker("zh").t(hostile) == hostile
    assert speaker("zh").said(hostile) == hostile
    assert speaker("zh").t("results count until {day}", day=hostile) == f"结果有效至{hostile}"
    assert speaker("zh").said("male") == "male"
