"""Which rules judged a patient: one digest over everything a judgement rests on.

Data are hashed, not text: comments, spaces, the order of keys and the order of files change nothing; a number
is its value, so ``1.5`` and ``1.50`` are one.
"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any


def rules_digest(trial: str, facts: str, value_sets: str, site: str | None = None) -> str:
    """Return ``sha256:`` and 64 hexadecimal digits.

    Args:
        trial: the data of the trial's rule file, as :func:`canonical` writes them; so are all.
        facts: the data of ``facts.yaml``.
        value_sets: the data of every value set file, by name.
        site: the data of the site file; None without one.
    """
    parts = {"facts": facts, "site": site, "trial": trial, "value_sets": value_sets}  # in the order of the alphabet
    whole = ",".join(f'"{name}":{text}' for name, text in parts.items() if text is not None)
    return f"sha256:{hashlib.sha256(f'{{{whole}}}'.encode()).hexdigest()}"


def canonical(data: Any) -> str:
    """Write data as the text that is hashed; what all trials share needs to be written once."""
    return json.dumps(_canonical(data), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _canonical(data: Any) -> Any:
    """Give numbers one spelling, marked as numbers: the text "90" is something else."""
    if isinstance(data, dict):
        return {key: _canonical(value) for key, value in data.items()}
    if isinstance(data, list):
        return ["list", *(_canonical(item) for item in data)]
    if isinstance(data, (int, Decimal)) and not isinstance(data, bool):
        return ["number", str(Decimal(data).normalize())]
    return data
