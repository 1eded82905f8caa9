"""Strict JSON: what RFC 8259 leaves open, and what could mislead or exhaust us, is refused."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

from cds_service.errors import RequestError

MAX_DEPTH: Final = 64
MAX_NODES: Final = 200_000
MAX_DIGITS: Final = 40
MAX_EXPONENT: Final = 400  # far beyond any measured quantity; Decimal would happily hold 1E+999999

# An unterminated string runs to the end of the text, so that the scan stays linear on hostile input.
_STRING: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_BRACKET: Final = re.compile(r"[\[\]{}]")
_ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def read_json(data: bytes, *, max_bytes: int, what: str = "body") -> Any:
    """Parse JSON text, numbers with a point exactly as ``Decimal``.

    Args:
        data: UTF-8 text; a byte order mark is tolerated.
        max_bytes: the largest size accepted.
        what: the field that an error names.

    Returns:
        Objects, lists, strings, ``int``, ``Decimal``, booleans and None.

    Raises:
        RequestError: too large (413); or not UTF-8, not JSON, NaN or Infinity, a key twice in an object, half
            a surrogate pair, more than 64 levels or 200,000 values, a number of more than 40 digits (400). No
            message repeats what was sent.

    >>> read_json(b'{"a": 1.50}', max_bytes=99)
    {'a': Decimal('1.50')}
    """
    if len(data) > max_bytes:
        raise RequestError(f"The {what} is larger than {max_bytes} bytes.", field=what, status=413)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RequestError(f"The {what} is not UTF-8 text.", field=what) from None
    _check_shape(text, what)
    reader = _Reader(what)
    try:
        return json.loads(
            text,
            parse_float=reader.decimal,
            parse_int=reader.integer,
            parse_constant=reader.constant,
            object_pairs_hook=reader.unique,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise RequestError(f"The {what} is not valid JSON ({where}).", field=what) from None


def _check_shape(text: str, what: str) -> None:
    """Refuse by a scan what the parser would only notice by running out of stack or memory."""
    if any(match["lone"] for match in _ESCAPE.finditer(text)):
        raise RequestError(f"The {what} holds half a surrogate pair, which is no character.", field=what)
    bare = _STRING.sub("", text)
    # Each value but the first follows a comma or an opening bracket. Counted, closing ones too, before brackets are
    # looked at one by one: megabytes of them would take seconds.
    if any(sum(map(bare.count, signs)) >= MAX_NODES for signs in (",[{", "]}")):
        raise RequestError(f"The {what} holds more than {MAX_NODES} values.", field=what)
    depth = deepest = 0
    for bracket in _BRACKET.findall(bare):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise RequestError(f"The {what} is nested more than {MAX_DEPTH} levels deep.", field=what)


class _Reader:
    """The parser's hooks; they know the name of the field for their complaints."""

    def __init__(self, what: str) -> None:
        self._what = what

    def _refuse(self, why: str) -> NoReturn:
        raise RequestError(f"The {self._what} {why}.", field=self._what)

    def integer(self, text: str) -> int:
        if len(text) > MAX_DIGITS:
            self._refuse(f"holds a number of more than {MAX_DIGITS} digits")
        return int(text)

    def decimal(self, text: str) -> Decimal:
        digits, _, exponent = text.lower().partition("e")
        if len(digits) > MAX_DIGITS:
            self._refuse(f"holds a number of more than {MAX_DIGITS} digits")
        if len(exponent) > MAX_DIGITS or abs(int(exponent or 0)) > MAX_EXPONENT:
            self._refuse("holds a number outside any measure")
        try:
            return Decimal(text)
        except InvalidOperation:
            self._refuse("holds a number that cannot be read")

    def constant(self, _text: str) -> NoReturn:
        self._refuse("holds NaN or Infinity, which are not JSON")

    def unique(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            self._refuse("holds an object with the same key twice")
        return found
