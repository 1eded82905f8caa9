"""JSON as the store keeps it: numbers exactly as recorded, all in ASCII, which every database gives back unchanged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator


def dump(value: Any) -> str:
    r"""Write JSON of mappings, lists, tuples, text, ``int``, ``Decimal``, booleans and None.

    A NUL or half a surrogate pair, which PostgreSQL and UTF-8 refuse, stays an escape.

    Raises:
        TypeError: any other type, floats among them.

    >>> dump({"value": Decimal("1.50"), "unit": "µ\0"})
    '{"value":1.50,"unit":"\\u00b5\\u0000"}'
    """
    if value is None or isinstance(value, (bool, str, int)):
        return json.dumps(value)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("JSON has no NaN or Infinity")
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(_key(key))}:{dump(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(dump, value)) + "]"
    raise TypeError(f"no JSON for {type(value).__name__}")


def load(text: str) -> Any:
    """Read what :func:`dump` wrote; numbers with a point come back as ``Decimal``."""
    return json.loads(text, parse_float=Decimal)


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError("JSON keys are text")
    return key


class ExactJson(TypeDecorator[Any]):
    """A column of such JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        """Write."""
        return dump(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Any:
        """Read."""
        return None if value is None else load(value)
