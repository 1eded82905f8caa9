"""JSON out, with clinical numbers exactly as recorded: 1.50 stays 1.50, and no float is ever made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, Final


def to_json(value: Any, *, indent: int = 0) -> str:
    """Write JSON text.

    Args:
        value: mappings with text keys, lists, tuples, text, ``int``, finite ``Decimal``, booleans and None.
        indent: blanks per level; 0 for one line.

    Raises:
        TypeError: any other type, floats among them.
        ValueError: a Decimal that is not finite.

    >>> to_json({"value": Decimal("1.50"), "unit": "µmol/L"})
    '{"value":1.50,"unit":"µmol/L"}'
    """
    written: list[str] = []
    _write(value, " " * indent, "\n" if indent else "", written.append)
    return "".join(written)


_PLAIN: Final[Mapping[object, str]] = {None: "null", True: "true", False: "false"}


def _write(value: Any, step: str, line: str, put: Callable[[str], None]) -> None:
    if isinstance(value, str):
        put(encode_basestring(value))
    elif value is None or isinstance(value, bool):
        put(_PLAIN[value])
    elif isinstance(value, int):
        put(int.__repr__(value))
    elif isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("JSON has no NaN or Infinity")
        put(str(value))  # "1E+3" and "0E-8", too, are JSON numbers
    elif isinstance(value, (list, tuple)):
        _write_list(value, step, line, put)
    elif isinstance(value, Mapping):
        _write_mapping(value, step, line, put)
    else:
        raise TypeError(f"no JSON for {type(value).__name__}")


def _write_mapping(value: Mapping[Any, Any], step: str, line: str, put: Callable[[str], None]) -> None:
    if not value:
        put("{}")
        return
    inner = line + step
    colon, before = (": " if line else ":"), "{" + inner
    for key, item in value.items():
        if not isinstance(key, str):
            raise TypeError("JSON keys are text")
        put(f"{before}{encode_basestring(key)}{colon}")
        _write(item, step, inner, put)
        before = "," + inner
    put(line + "}")


def _write_list(value: list[Any] | tuple[Any, ...], step: str, line: str, put: Callable[[str], None]) -> None:
    if not value:
        put("[]")
        return
    inner = line + step
    before = "[" + inner
    for item in value:
        put(before)
        _write(item, step, inner, put)
        before = "," + inner
    put(line + "]")
