"""What ``rules/facts.yaml`` says of a fact: its name for people, its type, how it is read and what to ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Ask:
    """What would settle a missing fact.

    Args:
        kind: "lab", "measurement", "pathology", "imaging", "question" or "access".
        system: code system of what can be ordered, "" when nothing can.
        code: its code.
        display: its name.
    """

    kind: str
    system: str = ""
    code: str = ""
    display: str = ""


@dataclass(frozen=True)
class FactDefinition:
    """One entry of ``rules/facts.yaml``.

    Args:
        name: the fact.
        kind: which reader builds it (``cds_service/facts/chart.py`` lists them).
        type: "number", "boolean" or "string".
        label: by language.
        ask: what would settle it when missing.
        unit: canonical unit for a number, "" for none.
        options: the reader's own settings: value sets, limits, tables. Checked by the reader at load.
        line: where it stands in the file (1-based).
    """

    name: str
    kind: str
    type: str
    label: Mapping[str, str]
    ask: Ask
    unit: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    line: int = 0


def analytes_of(definitions: Mapping[str, FactDefinition]) -> dict[str, str]:
    """Return the analyte of each value set of results with units, by the set's name."""
    found: dict[str, str] = {}
    for definition in definitions.values():
        for options in (definition.options, *definition.options.values()):
            if isinstance(options, Mapping) and "analyte" in options and isinstance(options.get("value_set"), str):
                found.setdefault(options["value_set"], str(options["analyte"]))
    return found
