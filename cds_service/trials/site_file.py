"""``sites/<site>.yaml``: what one hospital's codes, systems, units, limits and names mean, reviewed and versioned.

The key of a code is system and code together, never the bare code. A bad entry refuses the whole file.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

from cds_service.facts.codes import ValueSets, normalise_system
from cds_service.facts.definitions import FactDefinition, analytes_of
from cds_service.facts.person import SEXES
from cds_service.facts.site import Site, SiteLimit
from cds_service.facts.units import ANALYTES, canonical_unit, convert, normalise_unit, within_bounds
from cds_service.trials.complaints import Complaints, did_you_mean, quoted
from cds_service.trials.form import SLUG, Part
from cds_service.trials.load import check_format
from cds_service.trials.site_codes import LocalCodes
from cds_service.trials.yaml_text import Document

SITES: Final = "sites"
TOP: Final = ("format", "site", "version")
TOP_OPTIONAL: Final = ("system_aliases", "codes", "units", "upper_limits", "names")
UNIT: Final = ("text", "analyte", "unit", "reviewed_by", "reviewed_on")
UNIT_OPTIONAL: Final = ("note",)
LIMIT: Final = ("value_set", "value", "unit", "reviewed_by", "reviewed_on")
LIMIT_OPTIONAL: Final = ("sex", "min_age", "max_age", "note")
REVIEWERS: Final = 2
_OLDEST: Final = 150


def site_names(folder: Path) -> list[str]:
    """Return the sites that have a file."""
    return sorted(file.stem for file in (folder / SITES).glob("*.yaml"))


def site_path(folder: Path, name: str, complaints: Complaints) -> Path | None:
    """Return the path of a site's file; complain if there is none, or if the name is no plain name."""
    file = folder / SITES / f"{name}.yaml"
    # The name is a setting: it must not lead out of the folder.
    if SLUG.fullmatch(name) and file.is_file():
        return file
    complaints.add(str(folder / SITES), f"no site file for {quoted(name)}", did_you_mean(name, site_names(folder)))
    return None


def read_site(
    document: Document, facts: Mapping[str, FactDefinition], value_sets: ValueSets, complaints: Complaints
) -> Site | None:
    """Check a site file.

    Args:
        document: the file as read.
        facts: every fact definition: they say which value sets have units.
        value_sets: the standard ones.
        complaints: where complaints go.

    Returns:
        None when anything was complained of.
    """
    before = len(complaints)
    top = Part.whole(document, complaints).fields(TOP, TOP_OPTIONAL)
    check_format(top["format"])
    name = top["site"].name(SLUG, "example-hospital")
    version = top["version"].day()
    analytes = analytes_of(facts)
    local = LocalCodes(value_sets, analytes, _aliases(top["system_aliases"], value_sets))
    for part in top["codes"].items(empty=True):
        local.read_code(part, _reviewed(part, version))
    for part in top["names"].items(empty=True):
        local.read_name(part, _reviewed(part, version))
    units = _units(top["units"], version)
    limits = _limits(top["upper_limits"], analytes, version)
    if len(complaints) > before:
        return None
    concepts = {key: tuple(found) for key, found in local.concepts.items()}
    return Site(name, str(version), local.aliases, concepts, units, limits)


def _aliases(part: Part, value_sets: ValueSets) -> Mapping[str, str]:
    aliases: dict[str, str] = {}
    for written, target in part.entries().items():
        alias, known = normalise_system(written), normalise_system(target.text())
        if value_sets.is_known_system(alias):
            target.complain(f"{quoted(written)} is known already and needs no other name")
        elif known and not value_sets.is_known_system(known):
            systems = {concept.system for one in value_sets.values() for concept in one.concepts}
            target.complain(f"{quoted(known)} is no system of the value sets", did_you_mean(known, systems))
        elif alias in aliases:
            target.complain(f"{quoted(written)} stands twice, in two spellings")
        else:
            aliases[alias] = known
    return aliases


def _reviewed(part: Part, version: date | None) -> str:
    """Read who reviewed an entry and when; return it as a source."""
    if not isinstance(part.data, dict):
        return ""
    by, on = part.inside("reviewed_by"), part.inside("reviewed_on")
    names = by.different()
    if by.present and isinstance(by.data, list) and 0 < len(names) < REVIEWERS:
        by.complain(f"an entry has at least {REVIEWERS} reviewers")
    day = on.day()
    if day and version and day > version:
        on.complain(f"reviewed after this version of the file ({version})", "raise the version")
    return f"site file, reviewed by {' and '.join(names)} on {day}"


def _units(part: Part, version: date | None) -> dict[tuple[str, str], str]:
    units: dict[tuple[str, str], str] = {}
    for entry in part.items(empty=True):
        _reviewed(entry, version)
        fields = entry.fields(UNIT, UNIT_OPTIONAL)
        text, unit = fields["text"].text(most=40), fields["unit"].text()
        analyte = fields["analyte"].choice(ANALYTES, "analyte")
        if not (text and analyte and unit) or not _is_unit(fields["unit"], unit, analyte):
            continue
        spelled, meant = normalise_unit(text), normalise_unit(unit)
        if spelled in ANALYTES[analyte].units and spelled != meant:
            fields["text"].complain(f"{quoted(text)} is a unit of {analyte} already, and another one")
        elif (analyte, spelled) in units:
            entry.complain(f"a second entry for {quoted(text)} of {analyte}")
        else:
            units[(analyte, spelled)] = unit
    return units


def _limits(part: Part, analytes: Mapping[str, str], version: date | None) -> dict[str, tuple[SiteLimit, ...]]:
    limits: dict[str, list[tuple[SiteLimit, int]]] = {}
    for entry in part.items(empty=True):
        _reviewed(entry, version)
        fields = entry.fields(LIMIT, LIMIT_OPTIONAL)
        name = fields["value_set"].choice(analytes, "value set of results")
        low, high = (
            fields[key].whole_number(0, _OLDEST) if fields[key].present else None for key in ("min_age", "max_age")
        )
        if low is not None and high is not None and low > high:
            entry.complain(f"no age is from {low} to {high}")
        sex = fields["sex"].choice(SEXES, "sex") if fields["sex"].present else ""
        value, unit = _number(fields["value"]), fields["unit"].text()
        if not name or value is None or not unit or not _is_unit(fields["unit"], unit, analytes[name]):
            continue
        canonical = convert(analytes[name], value, unit)
        if canonical is None or not within_bounds(analytes[name], canonical):
            fields["value"].complain(f"{value} {unit} is no plausible {analytes[name]}")
        limit = SiteLimit(value, unit, sex, low, high)
        earlier = next((line for one, line in limits.get(name, ()) if one.overlaps(limit)), None)
        if earlier is not None:
            entry.complain(f"a patient may have this limit and that of line {earlier}", "part them by sex or age")
        limits.setdefault(name, []).append((limit, entry.line))
    return {name: tuple(limit for limit, _ in found) for name, found in limits.items()}


def _is_unit(part: Part, unit: str, analyte: str) -> bool:
    """Complain of a unit that is none of the analyte's."""
    if convert(analyte, Decimal(1), unit) is not None:
        return True
    part.complain(f"{quoted(unit)} is no unit of {analyte}", f"its unit is {canonical_unit(analyte)}")
    return False


def _number(part: Part) -> Decimal | None:
    if not part.present:
        return None
    if not isinstance(part.data, (int, Decimal)) or isinstance(part.data, bool) or part.data <= 0:
        part.expected("a number above 0")
        return None
    return Decimal(part.data)
