"""A rule's operator tree as the JSON it came from, for evaluators that read JSON-Logic."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from jsonlogic.core import Operator


def logic_of(part: Any) -> Any:
    """Return JSON-Logic; exact decimals become floats, as those evaluators hold them."""
    if isinstance(part, Operator):
        arguments = [logic_of(one) for one in part.arguments]  # type: ignore[attr-defined]
        return {part.operator: arguments[0] if part.operator == "var" else arguments}
    if isinstance(part, list):
        return [logic_of(one) for one in part]
    return float(part) if isinstance(part, Decimal) else part
