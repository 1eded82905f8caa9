"""What a rule asks of a fact: its name, unit and window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

XULN: Final = "xULN"


@dataclass(frozen=True)
class Need:
    """One fact that a criterion reads.

    Args:
        fact: its name in ``rules/facts.yaml``.
        unit: what the rule's limits are written in; "xULN" for multiples of the upper limit of normal.
        within_days: how many days before the window's end a value may be; None for the fact's own rule.
        anchor: where the window ends: "anchor" (the planned first dose) or "as_of".
    """

    fact: str
    unit: str | None = None
    within_days: int | None = None
    anchor: str = "anchor"
