"""Numbers, units and days as people read them; programs read the recorded ones.

A rounded number never reads as a limit that it is not: 1.5004 is not shown as "1.50", nor 89.996 as "90". Limits of
protocols end after a digit or two, so a rounded number that ends in zero gets further digits until it does not.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from functools import lru_cache
from itertools import count
from typing import Final

from cds_service.facts.phrase import say

MONTHS: Final = (
    say("Jan"),
    say("Feb"),
    say("Mar"),
    say("Apr"),
    say("May"),
    say("Jun"),
    say("Jul"),
    say("Aug"),
    say("Sep"),
    say("Oct"),
    say("Nov"),
    say("Dec"),
)
_DIGITS: Final = 4
_RATIO_DECIMALS: Final = 2
_UNROUNDED_FROM: Final = 1000
_RATIO_BELOW: Final = 10**6  # far beyond any result; much further a Decimal runs out of digits


def plain_number(value: Decimal | None) -> str:
    """Return a number for people: four significant digits, more where rounding would hide a difference; no exponent.

    >>> plain_number(Decimal("121.0")), plain_number(Decimal("1.23456")), plain_number(Decimal("89.996"))
    ('121', '1.235', '89.996')
    """
    if value is None:
        return "?"
    text = f"{value if abs(value) >= _UNROUNDED_FROM else _rounded(value):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _rounded(value: Decimal) -> Decimal:
    return next(
        one
        for digits in count(_DIGITS)
        if (one := Decimal(f"{value:.{digits}g}")) == value or one.as_tuple().digits[-1] != 0
    )


def ratio(value: Decimal | None) -> str:
    """Return a multiple of the upper limit of normal: two decimals, more where rounding would hide a difference.

    No protocol asks for less than the upper limit itself, so below 1 two decimals are enough.

    >>> ratio(Decimal(17) / 21), ratio(Decimal("0.9004")), ratio(Decimal("1.5004")), ratio(Decimal(40_000) / 35)
    ('0.81', '0.90', '1.5004', '1142.86')
    """
    if value is None or not Decimal("0.01") <= value < _RATIO_BELOW:
        return plain_number(value)
    rounded = (value.quantize(Decimal(1).scaleb(-decimals)) for decimals in count(_RATIO_DECIMALS))
    return f"{next(one for one in rounded if one < 1 or one == value or one.as_tuple().digits[-1] != 0):f}"


_SUPERSCRIPTS: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_POWER: Final = re.compile(r"(?<![\d.])[x×*]?10[*^](-?\d{1,2})(?!\d)")
_MICRO: Final = re.compile(r"(?<![A-Za-z])u(?=(?:mol|g|[lL]|I?U|kat)(?![A-Za-z]))")
_ANNOTATED: Final = re.compile(r"\{([^{}]*)\}|\[(?:iU|IU)\]")
_SQUARE_METRES: Final = re.compile(r"(?<![A-Za-z])m2(?!\d)")


def unit(text: str | None) -> str:
    """Return a unit for people: UCUM's signs spelled as they are printed, and nothing for its "no unit".

    >>> unit("10*9/L"), unit("umol/L"), unit("mL/min/{1.73_m2}"), unit("k[iU]/mL"), unit("1")
    ('×10⁹/L', 'µmol/L', 'mL/min/1.73 m²', 'kIU/mL', '')
    """
    clean = (text or "").strip()
    return _unit(clean) if len(clean) > _LONGEST_UNIT else _remembered_unit(clean)


def _unit(clean: str) -> str:
    if clean == "1":
        return ""
    clean = _ANNOTATED.sub(lambda match: "IU" if match[1] is None else match[1].replace("_", " "), clean)
    clean = _POWER.sub(lambda match: "×10" + match[1].translate(_SUPERSCRIPTS), clean)
    return _SQUARE_METRES.sub("m²", _MICRO.sub("µ", clean))


_LONGEST_UNIT: Final = 40  # characters of one that is remembered
_remembered_unit: Final = lru_cache(maxsize=512)(_unit)


def day(value: date | str | None, *, year: bool = True) -> str:
    """Write a day for people: "1 Mar 2026"; of part of a date, what is known.

    >>> day("2026-02"), day(date(2026, 3, 1), year=False), day("2026"), day("2026-02-10/2026-03-01")
    ('Feb 2026', '1 Mar', '2026', '10 Feb 2026 to 1 Mar 2026')
    """
    if value is None:
        return ""
    text = value if isinstance(value, str) else value.isoformat()
    first, between, last = text.partition("/")
    if between:
        return say("{first} to {last}", first=day(first), last=day(last)) if last else say("from {day}", day=day(first))
    try:
        exact = date.fromisoformat(text if len(text) != len("2026-02") else f"{text}-01")
    except ValueError:
        return text
    month = MONTHS[exact.month - 1]
    if len(text) == len("2026-02"):
        return say("{month} {year}", month=month, year=exact.year)
    if not year:
        return say("{day} {month}", day=exact.day, month=month)
    return say("{day} {month} {year}", day=exact.day, month=month, year=exact.year)
