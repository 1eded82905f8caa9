"""What a plain word of a YAML file means: YAML 1.2, numbers exact, nothing that two readers read differently.

``on``, ``no``, ``off``, ``1:30`` and ``2026-03-01`` are text. A number is written as JSON writes it and comes
out as `int` or `Decimal`, digit for digit. What other readers take for a number (``012``, ``0x1f``, ``.5``,
``1_000``) is refused rather than guessed.

Source: YAML 1.2.2, section 10.3.2 (core schema); RFC 8259, section 6 (numbers).
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<part>\.[0-9]+)?(?P<power>[eE][-+]?[0-9]+)?")
_DOUBTFUL: Final = re.compile(
    r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9_]+)?|0[xXoObB][0-9a-fA-F_]+"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_TRUE: Final = frozenset(("true", "True", "TRUE"))
_FALSE: Final = frozenset(("false", "False", "FALSE"))
_NOTHING: Final = frozenset(("", "~", "null", "Null", "NULL"))
# No clinical limit comes near either; beyond them a number only costs time.
_MOST_DIGITS: Final = 30
_GREATEST_POWER: Final = 30

# Control characters, directions of writing and half characters: what runs must be what a reviewer sees.
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069"
    "\ud800-\udfff\ufeff\ufff9-\uffff\U000e0000-\U000e007f]"
)

Plain = str | int | Decimal | bool | None


class DoubtfulScalarError(ValueError):
    """A plain word that readers would not agree on; the text says what to write instead."""


def read_plain(text: str) -> Plain:
    """Return what an unquoted word means.

    Raises:
        DoubtfulScalarError: it looks like a number and is none of JSON's, or is beyond all sense.

    >>> read_plain("1.50"), read_plain("90"), read_plain("no"), read_plain("1:30"), read_plain("2026-03-01")
    (Decimal('1.50'), 90, 'no', '1:30', '2026-03-01')
    >>> read_plain("012")
    Traceback (most recent call last):
    ...
    cds_service.trials.scalars.DoubtfulScalarError: '012' is a number to some readers and text to others
    """
    if text in _NOTHING:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if match := _NUMBER.fullmatch(text):
        return _number(text, whole=match["part"] is None and match["power"] is None)
    if _DOUBTFUL.fullmatch(text):
        shown = text if len(text) <= _MOST_DIGITS else text[:_MOST_DIGITS] + "..."
        raise DoubtfulScalarError(f"{shown!r} is a number to some readers and text to others")
    return text


def _number(text: str, *, whole: bool) -> int | Decimal:
    if len(text) > _MOST_DIGITS:
        raise DoubtfulScalarError(f"a number of more than {_MOST_DIGITS} digits")
    if whole:
        return int(text)
    value = Decimal(text)
    if value and abs(value.adjusted()) > _GREATEST_POWER:
        raise DoubtfulScalarError(f"{text!r} is beyond 10 to the {_GREATEST_POWER}")
    return value


def unseen(text: str) -> str:
    """Return the name of the first character that a reviewer cannot see, or an empty text.

    >>> unseen("a" + chr(0x202E)), unseen("鼻咽癌 ≥ 90")
    ('U+202E', '')
    """
    match = _UNSEEN.search(text)
    return f"U+{ord(match[0]):04X}" if match else ""
