"""Filling the places of a Chinese template: a space where Chinese meets Latin letters or digits.

"取决于 IV 期", "由 Li Na 确认": a clinic's print parts the two scripts. Only the seams between a template and what
stands in its places are parted; a template's own words, and words of the record, stay as they were written. A date
stands without spaces, as it is printed ("至2026年3月1日").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from string import Formatter
from typing import Final

# Digits, raised ones as in "m²" among them; letters of the Latin and Greek scripts, and "µ".
_WESTERN: Final = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyzµ²³¹⁰⁴⁵⁶⁷⁸⁹").union(
    one for one in map(chr, (*range(0xC0, 0x250), *range(0x370, 0x400))) if one.isalpha()
)
# Ideographs, 〇 included; no punctuation, which brings its own room.
_CHINESE: Final = re.compile("[\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_DATE_BEGINS: Final = re.compile("[0-9]{1,4}[年月]")
# A template of these signs alone is itself a date.
_DATE_SIGNS: Final = frozenset("年月日")


def filled(template: str, values: Mapping[str, str]) -> str:
    """Return a Chinese template with its places filled and its seams parted.

    Args:
        template: with places in braces.
        values: finished text for each place.

    >>> filled("判定取决于{labels}", {"labels": "IV 期"}), filled("由{by}于{on}", {"by": "Li Na", "on": "2026年3月1日"})
    ('判定取决于 IV 期', '由 Li Na 于2026年3月1日')
    """
    if not _has_seams(template):
        return template.format(**values)
    found: list[str] = []
    before = ""
    for text, place in pieces(template):
        piece = values[text] if place else text
        if piece:
            # Asked here first: of most pairs both sides are Chinese or signs, and a call costs more than the question.
            if before and (before[-1] in _WESTERN) is not (piece[0] in _WESTERN) and parted(before, piece):
                found.append(" ")
            found.append(piece)
            before = piece
    return "".join(found)


def parted(one: str, other: str) -> bool:
    """Say whether a space belongs between two pieces of text, neither of them empty."""
    last, first = one[-1], other[0]
    if first in _WESTERN:
        return _CHINESE.match(last) is not None and not _DATE_BEGINS.match(other)
    return last in _WESTERN and _CHINESE.match(first) is not None


@lru_cache(maxsize=4096)
def pieces(template: str) -> tuple[tuple[str, bool], ...]:
    """Return a template's own words and the names of its places, in order, each with whether it is a place."""
    found: list[tuple[str, bool]] = []
    for words, place, _format, _conversion in Formatter().parse(template):
        found += [(words, False)] if words else []
        found += [(place, True)] if place is not None else []
    return tuple(found)


@lru_cache(maxsize=4096)
def _has_seams(template: str) -> bool:
    """Say whether a place touches a letter, a digit, an ideograph or another place; in most templates none does."""
    row = pieces(template)
    words = "".join(text for text, place in row if not place)
    if words and _DATE_SIGNS.issuperset(words):
        return False
    for (one, place), (other, next_place) in pairwise(row):
        ends = ([] if place else [one[-1]]) + ([] if next_place else [other[0]])
        if (place and next_place) or any(end in _WESTERN or _CHINESE.match(end) for end in ends):
            return True
    return False
