"""The values that JSON of CDS Hooks never holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def empties(value: Any, where: str = "") -> Iterator[str]:
    """Yield the place of each null, "", [] and {} in a value.

    >>> list(empties({"a": [{"b": None}], "c": 0}))
    ['a[0].b']
    """
    if value is None or (isinstance(value, (str, list, dict)) and not value):
        yield where or "the value"
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from empties(part, f"{where}.{name}" if where else name)
    elif isinstance(value, list):
        for at, part in enumerate(value):
            yield from empties(part, f"{where}[{at}]")
