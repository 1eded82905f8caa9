"""What a chart holds that nothing maps: the codes, names and units that a site file is written from.

Codes, names and counts only: no value, no date, nothing of the patient. Digits in names are masked, since people
write anything into them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from cds_service.facts import units
from cds_service.facts.chart import Entries
from cds_service.facts.codes import NAMES, ValueSet, ValueSets, normalise_system
from cds_service.facts.definitions import FactDefinition, analytes_of
from cds_service.facts.elements import Coded
from cds_service.facts.names import named_in
from cds_service.facts.observations import ObservationEntry
from cds_service.facts.phrase import say
from cds_service.facts.site import Site

UNMAPPED: Final = say("results with codes that nothing maps")
"""The cause under which a judgement counts them."""

_LONGEST: Final = 60
_DIGITS: Final = re.compile(r"\d")
_IN_TEXT: Final = "(written into the value)"


@dataclass(frozen=True, order=True)
class Unmapped:
    """One code, name or unit.

    Args:
        element: where it stands: "Observation.code", "MedicationRequest.medication", "unit of creatinine", "system".
        system: of the code, "" when it has none.
        code: "" when there is only text.
        text: display or text, digits masked.
    """

    element: str
    system: str
    code: str
    text: str


def unmapped_results(entries: Entries, value_sets: ValueSets) -> int:
    """Count the results whose codes are all a hospital's own and in no value set."""
    index = _Index(value_sets)
    return sum(
        any(coding.code for coding in entry.code.codings) and not index.understands(entry.code)
        for entry in entries.observations
    )


def find_unmapped(
    entries: Entries,
    value_sets: ValueSets,
    definitions: Mapping[str, FactDefinition],
    site: Site | None = None,
    *,
    every: bool = False,
) -> Counter[Unmapped]:
    """Count what a record holds that nothing maps.

    Args:
        entries: the record, its systems renamed as the site file says.
        value_sets: the site's codes included.
        definitions: ``rules/facts.yaml``: they say which results have units.
        site: for the units that it explains.
        every: whether to list codes of known systems too that no value set holds.
    """
    index = _Index(value_sets)
    found: Counter[Unmapped] = Counter()
    for element, code in _codes(entries):
        if index.maps(code) or (not every and index.understands(code)):
            continue
        named_only = element.endswith(".medication") and not any(coding.code for coding in code.codings)
        if named_only and index.names(code):
            continue
        for one in _listed(element, code):
            found[one] += 1
            if one.system and not value_sets.is_known_system(one.system):
                found[Unmapped("system", one.system, "", "")] += 1
    found.update(_units(entries, value_sets, definitions, site))
    return found


def listed(found: Counter[Unmapped]) -> list[tuple[Unmapped, int]]:
    """Return one row for each code, with the text it mostly comes with; the most frequent first."""
    rows: dict[tuple[str, str, str, str], Counter[Unmapped]] = {}
    for one, count in found.items():
        rows.setdefault((one.element, one.system, one.code, "" if one.code else one.text), Counter())[one] += count
    merged = [(min(row, key=lambda one: (-row[one], one)), row.total()) for row in rows.values()]
    return sorted(merged, key=lambda pair: (-pair[1], pair[0]))


class _Index:
    """Answers once for each code."""

    def __init__(self, value_sets: ValueSets) -> None:
        self._sets = value_sets

    def maps(self, code: Coded) -> bool:
        """Say whether one of the codes is in a value set."""
        return any(self._holds(c.system, c.code) for c in code.codings if c.system and c.code)

    def understands(self, code: Coded) -> bool:
        """Say whether one of the codes is mapped or of a known system, so that it is certainly something else."""
        known = (c.code and self._sets.is_known_system(c.system) for c in code.codings)
        return any(known) or self.maps(code)

    def names(self, code: Coded) -> bool:
        """Say whether one of the texts is a name that is known."""
        texts = list(code.names())
        return any(named_in(texts, one) for one in self._lists_of_names)

    @cached_property
    def _lists_of_names(self) -> list[ValueSet]:
        return [one for one in self._sets.values() if all(concept.system == NAMES for concept in one.concepts)]

    def _holds(self, system: str, code: str) -> bool:
        return bool(self._sets.holding(system, code))


def _codes(entries: Entries) -> Iterator[tuple[str, Coded]]:
    yield from (("Observation.code", entry.code) for entry in entries.observations)
    yield from (("Condition.code", entry.code) for entry in entries.conditions)
    for entry in entries.treatments:
        yield f"{entry.type}.{'code' if entry.type == 'Procedure' else 'medication'}", entry.code


def _listed(element: str, code: Coded) -> Iterator[Unmapped]:
    coded = [coding for coding in code.codings if coding.code]
    for coding in coded:
        system = normalise_system(coding.system)
        yield Unmapped(element, system, coding.code or "", _masked(coding.display or code.text))
    if not coded:
        yield Unmapped(element, "", "", _masked(code.label))


def _units(
    entries: Entries, value_sets: ValueSets, definitions: Mapping[str, FactDefinition], site: Site | None
) -> Iterator[Unmapped]:
    for name, analyte in sorted(analytes_of(definitions).items()):
        for entry in entries.observations:
            if entry.amount is not None and entry.code.find(value_sets[name]):
                known = site.in_known_units(entry, analyte) if site else entry
                yield from (Unmapped(f"unit of {analyte}", "", unit, "") for unit in _unusable(known, analyte))


def _unusable(entry: ObservationEntry, analyte: str) -> Iterator[str]:
    amount = entry.amount
    given = [(amount.unit, entry.answer.readable)] if amount is not None else []
    given += [(one.unit, one.from_text) for one in entry.ranges if one.high is not None and one.unit]
    for unit, in_text in dict.fromkeys(given):
        if units.normalise_unit(unit or "") not in units.ANALYTES[analyte].units:
            # A unit cut out of a sentence may be any words of it.
            yield _IN_TEXT if in_text and unit else (unit or "(none)")[:_LONGEST]


def _masked(text: str) -> str:
    return _DIGITS.sub("#", " ".join(text.split()))[:_LONGEST]
