"""Discovery in two languages: what people read follows the reader, what programs read never does."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from door_fakes import services
from english_left import english_left

from cds_service.settings import SERVICES, Settings
from cds_service.web import create_app

HAN = re.compile(r"[\u4e00-\u9fff]")
WORDS = ("title", "description", "usageRequirements")
KNOWN = ("Patient", "Condition", "Observation", "FHIR", "prefetch", "Medication", "Procedure")


def discovered(wanted: str | None, **settings: Any) -> tuple[list[dict[str, Any]], Any]:
    built, _ = services()
    app = create_app(replace(built, settings=built.settings.model_copy(update=settings)))
    answer = app.test_client().get("/cds-services", headers={} if wanted is None else {"Accept-Language": wanted})
    assert answer.status_code == 200
    return answer.get_json()["services"], answer.headers


@pytest.mark.parametrize(
    ("wanted", "setting", "tag"),
    [
        (None, "en", "en"),
        (None, "zh", "zh-Hans"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "en", "zh-Hans"),
        ("en-US", "zh", "en"),
        ("fr", "zh", "zh-Hans"),
    ],
)
def test_the_reader_chooses_else_the_setting(wanted: str | None, setting: str, tag: str) -> None:
    entries, headers = discovered(wanted, language=setting)
    assert headers["Content-Language"] == tag
    assert "Accept-Language" in headers["Vary"]
    assert headers["Cache-Control"] == "no-store"
    for entry in entries:
        assert {bool(HAN.search(entry[name])) for name in WORDS} == {tag == "zh-Hans"}


def test_what_programs_read_is_the_same() -> None:
    (english, _), (chinese, _) = discovered("en"), discovered("zh-CN")
    assert [list(one) for one in chinese] == [list(one) for one in english]
    for one, other in zip(english, chinese, strict=True):
        assert {name: value for name, value in one.items() if name not in WORDS} == {
            name: value for name, value in other.items() if name not in WORDS
        }
        assert list(one["prefetch"]) == list(other["prefetch"])
    assert len({one["description"] for one in chinese}) == len(chinese) == len(SERVICES)


def test_no_english_sentence_is_left() -> None:
    entries, _headers = discovered("zh-CN")
    for entry in entries:
        for name in WORDS:
            assert english_left(entry[name], KNOWN) == []


def test_a_title_that_the_site_wrote_stays() -> None:
    own = [one.model_copy(update={"title": "Our own {trials}"}) for one in SERVICES]
    for wanted in ("en", "zh-CN"):
        entries, _headers = discovered(wanted, services=tuple(own))
        assert {one["title"] for one in entries} == {"Our own {trials}"}


def test_every_title_of_ours_has_a_chinese_form() -> None:
    entries, _headers = discovered("zh-CN", services=Settings().services)
    assert all(HAN.search(one["title"]) for one in entries)
