"""JSON out, with clinical numbers exactly as recorded: 1.50 stays 1.50, and no float is ever made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any


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
    return _write(value, " " * indent, "\n" if indent else "")


def _write(value: Any, step: str, line: str) -> str:
    if value is None or isinstance(value, (bool, str, int)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("JSON has no NaN or Infinity")
        return str(value)  # "1E+3" and "0E-8", too, are JSON numbers
    inner = line + step if line else ""
    if isinstance(value, Mapping):
        colon = ": " if line else ":"
        parts = [
            f"{json.dumps(_key(key), ensure_ascii=False)}{colon}{_write(item, step, inner)}"
            for key, item in value.items()
        ]
        return _enclose("{", parts, "}", inner, line)
    if isinstance(value, (list, tuple)):
        return _enclose("[", [_write(item, step, inner) for item in value], "]", inner, line)
    raise TypeError(f"no JSON for {type(value).__name__}")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError("JSON keys are text")
    return key


def _enclose(start: str, parts: list[str], end: str, inner: str, line: str) -> str:
    return start + inner + ("," + inner).join(parts) + line + end if parts else start + end
