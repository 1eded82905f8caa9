"""What a hospital's own codes, systems, units and reference limits mean: a site file, as the facts use it.

Local codes and names join the value sets (`ValueSets.with_concepts`). The rest is here: systems are renamed before
a record is read, units are understood per analyte, and limits stand in for ranges that results do not bring.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from cds_service.facts.codes import Concept, normalise_system
from cds_service.facts.observations import ObservationEntry
from cds_service.facts.record import Record
from cds_service.facts.units import normalise_unit
from cds_service.logic.values import Numbers


@dataclass(frozen=True)
class SiteLimit:
    """An upper limit of normal that the hospital's laboratory states.

    Args:
        value: the limit.
        unit: of the limit.
        sex: "male" or "female"; "" for both.
        min_age: least age in completed years; None for no bound.
        max_age: greatest age in completed years; None for no bound.
    """

    value: Decimal
    unit: str
    sex: str = ""
    min_age: int | None = None
    max_age: int | None = None

    def fits(self, sex: str, ages: Numbers | None) -> bool:
        """Say whether it certainly is for this patient.

        Args:
            sex: "male" or "female".
            ages: possible ages in completed years; None when not known.
        """
        if self.sex not in ("", sex):
            return False
        if self.min_age is None and self.max_age is None:
            return True
        if ages is None:
            return False
        low, high = self.min_age or 0, 999 if self.max_age is None else self.max_age
        return all(one.low is not None and low <= one.low <= high for one in ages.intervals)

    def overlaps(self, other: SiteLimit) -> bool:
        """Say whether some patient would have both."""
        if self.sex and other.sex and self.sex != other.sex:
            return False
        ends = [999 if one.max_age is None else one.max_age for one in (self, other)]
        return max(self.min_age or 0, other.min_age or 0) <= min(ends)


@dataclass(frozen=True)
class Site:
    """One site file. Its mappings are never changed.

    Args:
        name: of the hospital.
        version: the day of this version, ISO 8601.
        aliases: the hospital's name of a code system to the one that the value sets use.
        concepts: local codes and names by value set.
        units: by analyte and `normalise_unit` of the hospital's spelling, a unit of the analyte.
        limits: by value set.
    """

    name: str
    version: str
    # Plain dicts behind read-only types, as in `Concept`: they must pickle.
    aliases: Mapping[str, str] = field(default_factory=dict)
    concepts: Mapping[str, tuple[Concept, ...]] = field(default_factory=dict)
    units: Mapping[tuple[str, str], str] = field(default_factory=dict)
    limits: Mapping[str, tuple[SiteLimit, ...]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Name and version, as results and cards show them."""
        return f"{self.name} {self.version}"

    def localised(self, record: Record) -> Record:
        """Return the record with the hospital's names of code systems replaced by the usual ones."""
        if not self.aliases:
            return record
        resources = {
            kind: tuple(replace(source, body=self._renamed(source.body)) for source in sources)
            for kind, sources in record.resources.items()
        }
        drugs = {name: self._renamed(body) for name, body in record.medications.items()}
        return replace(record, resources=resources, medications=drugs)

    def _renamed(self, data: Any) -> Any:
        """Return data with the systems of codings renamed; what needs no change is not copied."""
        if isinstance(data, list):
            items = [self._renamed(item) for item in data]
            return items if any(new is not old for new, old in zip(items, data, strict=True)) else data
        if not isinstance(data, Mapping):
            return data
        changed = {key: new for key, old in data.items() if (new := self._renamed(old)) is not old}
        system = data.get("system")
        if isinstance(system, str) and (known := self.aliases.get(normalise_system(system))):
            changed["system"] = known
        return {**data, **changed} if changed else data

    def in_known_units(self, entry: ObservationEntry, analyte: str) -> ObservationEntry:
        """Return a result with the hospital's spellings of units replaced, its ranges' units included."""
        if not any(of == analyte for of, _ in self.units):
            return entry
        amount = entry.amount
        if amount is not None:
            amount = replace(amount, unit=self._unit(analyte, amount.unit))
        ranges = tuple(replace(one, unit=self._unit(analyte, one.unit)) for one in entry.ranges)
        return replace(entry, amount=amount, ranges=ranges)

    def _unit(self, analyte: str, unit: str | None) -> str | None:
        return None if unit is None else self.units.get((analyte, normalise_unit(unit)), unit)

    def searched(self, codes: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return ``(system, code)`` pairs to search for, each also under the hospital's names of its system."""
        return [
            pair
            for system, code in codes
            for pair in ((system, code), *((a, code) for a, known in self.aliases.items() if known == system))
        ]
