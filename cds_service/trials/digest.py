"""Which rules judged a patient: one digest over everything a judgement rests on.

Data are hashed, not text: comments, spaces, the order of keys and the order of files change nothing; a number
is its value, so ``1.5`` and ``1.50`` are one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def rules_digest(trial: Any, facts: Any, value_sets: Mapping[str, Any], site: Any = None) -> str:
    """Return ``sha256:`` and 64 hexadecimal digits.

    Args:
        trial: the data of the trial's rule file.
        facts: the data of ``facts.yaml``.
        value_sets: the data of every value set file, by name.
        site: the data of the site file; None without one.
    """
    parts = {"trial": trial, "facts": facts, "value_sets": dict(value_sets)}
    whole = _canonical(parts if site is None else {**parts, "site": site})
    text = json.dumps(whole, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode('utf-8')).hexdigest()}"


def _canonical(data: Any) -> Any:
    """Give numbers one spelling, marked as numbers: the text "90" is something else."""
    if isinstance(data, Mapping):
        return {key: _canonical(value) for key, value in data.items()}
    if isinstance(data, list):
        return ["list", *(_canonical(item) for item in data)]
    if isinstance(data, (int, Decimal)) and not isinstance(data, bool):
        return ["number", str(Decimal(data).normalize())]
    return data
