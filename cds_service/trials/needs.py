"""What a criterion needs: for each variable of its logic the fact, the unit of the limits, and the window."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from cds_service.facts.definitions import FactDefinition
from cds_service.facts.need import XULN, Need
from cds_service.facts.possible import ANCHORED, POSSIBLE_REASONS, WINDOWED
from cds_service.facts.units import ANALYTES, convert
from cds_service.trials.complaints import did_you_mean, quoted
from cds_service.trials.form import NAME, Part

ANCHORS: Final = ("anchor", "as_of")
_DAYS: Final = re.compile(r"([0-9]{1,4}) d")


def read_needs(part: Part, facts: Mapping[str, FactDefinition]) -> dict[str, Need]:
    """Read a ``needs`` mapping.

    Args:
        part: the mapping, variable name to what is needed of it.
        facts: every fact definition.

    Returns:
        What could be read; whatever could not is complained of and left out.
    """
    needs: dict[str, Need] = {}
    for variable, entry in part.entries().items():
        if not NAME.fullmatch(variable):
            entry.complain(f"expected a name such as 'npc_primary', found {quoted(variable)}")
        fields = entry.fields((), ("fact", "unit", "within", "anchor"))
        named = fields["fact"].text() if fields["fact"].present else variable
        definition = facts.get(named)
        if definition is None:
            place = fields["fact"] if fields["fact"].present else entry
            place.complain(f"unknown fact {quoted(named)}: facts.yaml does not define it", did_you_mean(named, facts))
            continue
        _check_window(fields, definition)
        needs[variable] = Need(
            fact=named,
            unit=_unit(entry, fields["unit"], definition),
            within_days=_days(fields["within"]),
            anchor=fields["anchor"].choice(ANCHORS, "anchor") or "anchor",
        )
    return needs


def usable_units(definition: FactDefinition) -> frozenset[str]:
    """Return the units in which a rule may state a limit on this fact, other spellings of them aside."""
    analyte = definition.options.get("analyte")
    known = ANALYTES[analyte].units if isinstance(analyte, str) and analyte in ANALYTES else ()
    units = {unit for unit in (*known, definition.unit) if unit}
    return frozenset(units | {XULN} if definition.kind == "lab" else units)


def is_unit_of(analyte: object, unit: str) -> bool:
    """Say whether values of this analyte can be converted to this unit; false for an unknown analyte."""
    return isinstance(analyte, str) and analyte in ANALYTES and convert(analyte, Decimal(1), unit) is not None


def _unit(entry: Part, part: Part, definition: FactDefinition) -> str | None:
    if definition.type != "number":
        if part.present:
            part.complain(f"only a number has a unit, and {definition.name!r} is a {definition.type}", "remove it")
        return None
    if not part.present:
        if definition.unit:
            entry.complain(
                "the unit that the limits are written in is missing", f"for example: unit: {definition.unit}"
            )
        return None
    unit = part.text()
    analyte = definition.options.get("analyte")
    if unit == XULN and definition.kind != "lab":
        part.complain(f"{XULN} is for lab results only, and {definition.name!r} is of kind {definition.kind!r}")
    elif unit and unit not in (XULN, definition.unit) and not is_unit_of(analyte, unit):
        part.complain(f"{quoted(unit)} is no unit of {definition.name!r}", did_you_mean(unit, usable_units(definition)))
    return unit or None


def _check_window(fields: Mapping[str, Part], definition: FactDefinition) -> None:
    """Complain of a window on a fact whose reader looks at none: it would be read and do nothing."""
    if definition.kind not in POSSIBLE_REASONS:
        return
    for key, kinds in (("within", WINDOWED), ("anchor", ANCHORED)):
        if fields[key].present and definition.kind not in kinds:
            message = f"{definition.name!r} is of kind {definition.kind!r}, which has no window"
            fields[key].complain(message, "remove it")


def _days(part: Part) -> int | None:
    if not part.present:
        return None
    match = _DAYS.fullmatch(part.text())
    if match is None:
        part.expected("a number of days such as '14 d'")
        return None
    return int(match[1])
