"""Strict JSON: what RFC 8259 leaves open, and what could mislead or exhaust us, is refused."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

import jiter

from cds_service.errors import RequestError

MAX_DEPTH: Final = 64
MAX_NODES: Final = 500_000  # some 10,000 resources; memory of the worst text: docs/adr/0032
BYTES_OF_A_NODE: Final = 10
"""Of FHIR's values each takes some 20 bytes of text: fewer than this, on average, is no record."""
MAX_DIGITS: Final = 40
MAX_EXPONENT: Final = 400  # far beyond any measured quantity; Decimal would happily hold 1E+999999

_BOM: Final = b"\xef\xbb\xbf"
# Five kinds of bytes matter outside strings: brackets that open and that close, commas, digits with their signs and
# points, and the "e" of an exponent. The rest is left out, but for the quotes.
_KINDS: Final = bytes.maketrans(b"{}0123456789+-.E", b"[]0000000000000e")
_OTHER: Final = bytes(set(range(256)) - set(b'"[]{},0123456789+-.eE'))
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]"))

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
            a surrogate pair, more than 64 levels, a number of more than 40 digits, or more values than
            `most_nodes` (400). No message repeats what was sent.

    >>> read_json(b'{"a": 1.50}', max_bytes=99)
    {'a': Decimal('1.50')}
    """
    if len(data) > max_bytes:
        raise RequestError(f"The {what} is larger than {max_bytes} bytes.", field=what, status=413)
    body = data.removeprefix(_BOM)
    most = most_nodes(max_bytes)
    if _is_plain(body, most):
        # A strict parser in Rust. What it refuses is refused below, too, with our own words.
        with suppress(ValueError):
            return jiter.from_json(
                body,
                allow_inf_nan=False,
                float_mode="decimal",
                catch_duplicate_keys=True,
                cache_mode="keys",  # it keeps what it caches: names of elements, nothing of a patient
            )
    return read_slowly(data, most, what)


def most_nodes(max_bytes: int) -> int:
    """Return how many values a text of at most so many bytes may hold.

    >>> most_nodes(2 * 2**20), most_nodes(16 * 2**20)
    (209715, 500000)
    """
    return min(MAX_NODES, max(1_000, max_bytes // BYTES_OF_A_NODE))


def _is_plain(data: bytes, most: int) -> bool:
    """Say whether text, if it is JSON, surely keeps within the limits of depth, values, digits and exponents.

    Strings are what stands between every second pair of quotes, once escaped ones are gone. Text with a backslash
    outside strings may be taken wrongly here from there on; a parser does not come further than there.
    """
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    if data.count(b'"') > 4 * most:  # two for a key and two for its value: more would take memory here
        return False
    kinds = b"".join(data.translate(_KINDS, _OTHER).split(b'"')[::2])
    opened = kinds.count(b"[")
    if kinds.count(b",") + opened >= most or opened != kinds.count(b"]"):
        return False
    if b"0" * (MAX_DIGITS + 1) in kinds or b"e0" in kinds:
        return False
    if opened <= MAX_DEPTH:
        return True
    brackets = kinds.translate(None, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):  # each time the innermost level goes
        brackets = brackets.replace(b"[]", b"")
    return not brackets


def read_slowly(data: bytes, most: int = MAX_NODES, what: str = "body") -> Any:
    """Read as `read_json` does, with the standard library's parser: the reference, and the one that says what is wrong.

    Args:
        data: the text.
        most: values that it may hold.
        what: the field that an error names.

    Raises:
        RequestError: as there, but for the size.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RequestError(f"The {what} is not UTF-8 text.", field=what) from None
    _check_shape(text, most, what)
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


def _check_shape(text: str, most: int, what: str) -> None:
    """Refuse by a scan what the parser would only notice by running out of stack or memory."""
    if "\\u" in text and any(match["lone"] for match in _ESCAPE.finditer(text)):
        raise RequestError(f"The {what} holds half a surrogate pair, which is no character.", field=what)
    bare = _STRING.sub("", text)
    # Each value but the first follows a comma or an opening bracket. Counted, closing ones too, before brackets are
    # looked at one by one: megabytes of them would take seconds.
    if any(sum(map(bare.count, signs)) >= most for signs in (",[{", "]}")):
        raise RequestError(f"The {what} holds more than {most} values.", field=what)
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
