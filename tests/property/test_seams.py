"""Where Chinese meets Latin letters or digits: a space at the seams of a template, and nowhere else."""

from __future__ import annotations

import gettext
import re
from itertools import pairwise
from string import Formatter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cds_service.facts.phrase import in_language, joined, say
from cds_service.facts.seams import filled, parted
from cds_service.facts.shown import day
from cds_service.languages import DOMAIN, FOLDER, translator

CHINESE = translator("zh")
# What a seam may meet: both scripts, dates, spaces, punctuation of both, raised digits, marks that belong to none.
SIGNS = "于期癌年月日〇㐀𠮷AzéµβΩ09²⁹ ，。；（）“”、:;,.()%≥×-/*_\n\u3000\u200d🙂１"
PIECES = st.text(alphabet=SIGNS, max_size=6) | st.sampled_from(["2026年3月1日", "3月1日", "IV 期", "Li Na", "12.5", ""])
# Signs of dates stand in values: words of these alone would make the template a date.
WORDS = st.text(alphabet=sorted(set(SIGNS) - set("年月日")), max_size=5)
ROWS = st.lists(st.tuples(WORDS, PIECES), max_size=5)


def built(row: list[tuple[str, str]]) -> tuple[str, dict[str, str]]:
    """Return the template of a row of words and values, and the values."""
    return "".join(f"{words}{{v{at}}}" for at, (words, _) in enumerate(row)), {
        f"v{at}": value for at, (_, value) in enumerate(row)
    }


def pieces(row: list[tuple[str, str]]) -> list[str]:
    return [one for pair in row for one in pair if one]


@given(ROWS)
@example([("判定取决于", "IV 期")])
@example([("由", "Li Na"), ("于", "2026年3月1日"), ("确认", "")])
def test_only_seams_get_a_space_and_only_where_the_scripts_meet(row: list[tuple[str, str]]) -> None:
    template, values = built(row)
    rest = filled(template, values)
    for at, piece in enumerate(pieces(row)):
        if at and not rest.startswith(piece):
            before = pieces(row)[at - 1][-1]
            assert rest.startswith(" " + piece)
            rest = rest[1:]
            assert not before.isspace()
            assert not piece[0].isspace()
            assert (is_chinese(before), is_chinese(piece[0])) in ((True, False), (False, True))
            assert (before if is_chinese(piece[0]) else piece[0]).isalnum()
        assert rest.startswith(piece)
        rest = rest.removeprefix(piece)
    assert rest == ""


@given(ROWS)
def test_what_is_parted_is_not_parted_again(row: list[tuple[str, str]]) -> None:
    template, values = built(row)
    once = filled(template, values)
    assert filled("{all}", {"all": once}) == once
    kept = pieces(row)
    spaced = [f" {one}" if at and parted(kept[at - 1], one) else one for at, one in enumerate(kept)]
    assert "".join(spaced) == once
    assert not any(parted(one, other) for one, other in pairwise(spaced))


@given(ROWS)
def test_english_is_filled_as_it_stands(row: list[tuple[str, str]]) -> None:
    template, values = built(row)
    assert in_language(say(template, **values), lambda text: text) == template.format(**values)


@given(WORDS, st.sampled_from(["2026年3月1日", "2026年3月", "3月1日", "12月31日"]), WORDS)
def test_a_date_stands_without_spaces_before_it(one: str, when: str, other: str) -> None:
    said = filled(f"{one}{{day}}{other}", {"day": when})
    assert said.startswith(one + when)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-03-01", "2026年3月1日"),
        ("2026-03", "2026年3月"),
        ("2026", "2026"),
        ("2026-02-10/2026-03-01", "2026年2月10日至2026年3月1日"),
        ("2026-02-10/", "自2026年2月10日起"),
        ("2026/", "自 2026 起"),
    ],
)
def test_days_in_chinese(text: str, said: str) -> None:
    assert in_language(day(text), CHINESE) == said


def test_the_record_s_own_seams_stay() -> None:
    half = say("{half} seen without {other}", half="顺铂DDP注射液", other=say("chemotherapy"))
    assert "顺铂DDP注射液" in in_language(half, CHINESE)
    drugs = say("{names} and {last}", names="cisplatin", last="toripalimab")
    assert in_language(drugs, CHINESE) == "cisplatin 和 toripalimab"
    assert in_language(say("{names} and {last}", names="顺铂", last="特瑞普利单抗"), CHINESE) == "顺铂和特瑞普利单抗"
    assert in_language(joined([drugs, "AST"]), CHINESE) == "cisplatin 和 toripalimab；AST"


def test_no_translation_parts_nor_joins_the_scripts_by_itself() -> None:
    """A translator writes the space between words of a template; only a month has none."""
    words = re.compile(r"[\u4e00-\u9fff][0-9A-Za-z]|[0-9A-Za-z][\u4e00-\u9fff]")
    for template, said in catalogue().items():
        for literal, *_ in Formatter().parse(said):
            assert not words.search(literal) or re.fullmatch(r"\d{1,2}月", literal), (template, said)


def catalogue() -> dict[str, str]:
    found = gettext.translation(DOMAIN, FOLDER, ["zh_Hans"])._catalog  # type: ignore[attr-defined]
    return {key: text for key, text in found.items() if key}


def is_chinese(sign: str) -> bool:
    return sign in "于期癌年月日〇㐀𠮷判定取决于由确认"
