"""Text in the columns of a terminal, where a Chinese character takes two and may end a line."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from typing import Final

_WIDE: Final = "\u3000-\u9fff\uff00-\uffef"
_OPENING: Final = r"（“《\["
# What stays together on a line: a Chinese character or a word, with the punctuation before and after it.
_PIECE: Final = re.compile(rf"[{_OPENING}]*(?:[{_WIDE}]|[^\s{_WIDE}“”]+)[，。；：、）”》\]]*|\s+")


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes.

    >>> columns("ab"), columns("试验 a")
    (2, 6)
    """
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


def folded(text: str, width: int) -> list[str]:
    """Return a text in lines of at most so many columns, where words allow.

    >>> folded("每次运行（见 docs）完", 8)
    ['每次运行', '（见', 'docs）完']
    """
    lines: list[str] = []
    line = ""
    for piece in _PIECE.findall(text):
        if line and columns(line + piece.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece if line or not piece.isspace() else ""
    return [*lines, line.rstrip()] if line.strip() else lines


def padded(text: str, width: int) -> str:
    """Return a text with blanks up to so many columns.

    >>> padded("患者", 6) + "|"
    '患者  |'
    """
    return text + " " * (width - columns(text))


def filled(text: str, width: int, first: str, further: str) -> str:
    """Return a paragraph in lines, the first and the further ones each with what stands before them."""
    if columns(text) == len(text):
        return textwrap.fill(text, width, initial_indent=first, subsequent_indent=further)
    return first + f"\n{further}".join(folded(text, width - len(further)))
