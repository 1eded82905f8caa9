"""Text from a record made harmless: for one line of plain text, and for Markdown that becomes HTML.

A name or a unit may hold anything. The public Sandbox renders raw HTML in ``detail``; bidi controls can turn
a sentence round; a ``|`` breaks a table.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

SUMMARY_LIMIT: Final = 139  # "fewer than 140 characters", counted in code points
_VALUE_LIMIT: Final = 240

_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# Whatever GFM gives a meaning: emphasis, links, autolinks (`:`, `@`, `www.`), code, tables, lists, math. A point
# or a hyphen between a digit and a letter or digit has none, nor have brackets but in "](" and, at the start, in "1)":
# so "11.4 (0.54 × ULN)" stays readable where nothing renders.
_PUNCTUATION: Final = re.compile(r"[!\"#$*+:=@\[\\\]^_`{|}~]|(?<![0-9])[.\-]|[.\-](?![0-9A-Za-z])|(?<=\])\(")
_LIST_ITEM: Final = re.compile(r"^([0-9]{1,9})\)")
_RULE_PUNCTUATION: Final = re.compile(r"[\\|`*_\[\]~]")
_HIDDEN: Final = frozenset(["Cc", "Cf", "Cs", "Co", "Cn"])
_MARKS: Final = frozenset(["Mn", "Me"])  # above, below or around a letter
_MOST_MARKS: Final = 4  # no name is written with more on one letter


def plain(text: object, limit: int = _VALUE_LIMIT) -> str:
    r"""Return one line of visible characters, cut with an ellipsis at the limit.

    Args:
        text: anything; it is turned into text.
        limit: the most code points returned.

    >>> plain("a\n b\u202ec", 9)
    'a bc'
    """
    spaced = "".join(" " if char.isspace() else char for char in str(text)[: 8 * limit])
    line = " ".join("".join(_visible(spaced)).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _visible(text: str) -> Iterator[str]:
    """Yield visible characters; of a heap of marks on one letter, which would cover the lines around, the first few."""
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        marks = marks + 1 if category in _MARKS else 0
        if category not in _HIDDEN and marks <= _MOST_MARKS:
            yield char


def markdown(text: object, limit: int = _VALUE_LIMIT) -> str:
    r"""Return text from a record for GitHub Flavored Markdown: it renders as itself and as nothing else.

    >>> markdown("<b>|x|")
    '&lt;b&gt;\\|x\\|'
    """
    return _entities(_LIST_ITEM.sub(r"\1\\)", _PUNCTUATION.sub(r"\\\g<0>", plain(text, limit))))


def markdown_of_rules(text: object, limit: int = 400) -> str:
    """Return reviewed text of a rule file for Markdown, escaping only what could break a table or a line.

    Clients that show Markdown as plain text stay readable: "Hemoglobin ≥ 90 g/L" needs no backslash.
    """
    return _entities(_RULE_PUNCTUATION.sub(r"\\\g<0>", plain(text, limit)))


def _entities(text: str) -> str:
    return "".join(_ENTITIES.get(char, char) for char in text)


def fit(*choices: str) -> str:
    """Return the first text that fits a card's summary, else the last one, cut."""
    for choice in choices:
        line = plain(choice, 10_000)
        if len(line) <= SUMMARY_LIMIT:
            return line
    return plain(choices[-1], SUMMARY_LIMIT)
