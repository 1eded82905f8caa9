"""Value sets: which codes mean what, matched by system and code together, never by a bare code.

The sets are FHIR ValueSet files under ``rules/valuesets``. A listed concept matches exactly; a filter
(``concept is-a CODE``) matches every code below it, only in systems whose codes spell their own hierarchy.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from cds_service.errors import ConfigError

SNOMED: Final = "http://snomed.info/sct"
LOINC: Final = "http://loinc.org"
ICD_10: Final = "http://hl7.org/fhir/sid/icd-10"
ICD_10_CM: Final = "http://hl7.org/fhir/sid/icd-10-cm"
ICD_9_CM: Final = "http://hl7.org/fhir/sid/icd-9-cm"
ICD_O_3: Final = "http://terminology.hl7.org/CodeSystem/icd-o-3"
ATC: Final = "http://www.whocc.no/atc"
RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"
NCIT: Final = "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl"
AJCC: Final = "http://cancerstaging.org"
UICC: Final = "https://www.uicc.org/resources/tnm"
MOST_REMEMBERED: Final = 4096
LONGEST_REMEMBERED: Final = 512  # system and code together; a record may hold text of any length in their place
NAMES: Final = "urn:cds-service:name"
"""Our own system for drug names as people write them."""

# Source of the OIDs: HL7 Terminology (THO), the page of each system. The other ICD-O-3 URL is the older one.
_SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    SNOMED: ("urn:oid:2.16.840.1.113883.6.96",),
    LOINC: ("urn:oid:2.16.840.1.113883.6.1",),
    ICD_10: ("urn:oid:2.16.840.1.113883.6.3",),
    ICD_10_CM: ("urn:oid:2.16.840.1.113883.6.90",),
    ICD_9_CM: (),
    ICD_O_3: ("http://hl7.org/fhir/sid/icd-o-3", "urn:oid:2.16.840.1.113883.6.43.1"),
    ATC: ("urn:oid:2.16.840.1.113883.6.73",),
    RXNORM: ("urn:oid:2.16.840.1.113883.6.88",),
    NCIT: ("urn:oid:2.16.840.1.113883.3.26.1.1",),
    AJCC: (),
    UICC: (),
    NAMES: (),
}


def _both_schemes(system: str) -> Iterator[str]:
    yield system
    scheme, colon, rest = system.partition("://")
    if colon:
        yield f"{'http' if scheme == 'https' else 'https'}://{rest}"


_CANONICAL: Final[Mapping[str, str]] = {
    spelling: system
    for system, others in _SPELLINGS.items()
    for known in (system, *others)
    for spelling in _both_schemes(known)
}

_ICD_10_LIKE: Final = re.compile(r"icd-?10", re.IGNORECASE)
_OPS: Final = re.compile(r"/ops$", re.IGNORECASE)
# Dagger and asterisk mark a pair of ICD-10 codes; a plus is how the dagger is typed.
_NO_PART_OF_A_CODE: Final = str.maketrans("", "", "†*+ \t\u3000")
# The second is what a Chinese keyboard types for a dot.
_DOTS: Final = str.maketrans("", "", ".。")
_MORPHOLOGY: Final = re.compile(r"M-?(\d{4}/\d)")


@lru_cache(maxsize=1024)
def normalise_system(system: str | None) -> str:
    """Return the one spelling of a code system that the value sets use.

    Only well-known systems have several spellings; a hospital's own system is trimmed and otherwise kept.

    Args:
        system: ``Coding.system``.

    >>> normalise_system("urn:oid:2.16.840.1.113883.6.96")
    'http://snomed.info/sct'
    >>> normalise_system(" http://hospital.example/lis/ ")
    'http://hospital.example/lis'
    >>> normalise_system(None)
    ''
    """
    trimmed = (system or "").strip().rstrip("/")
    return _CANONICAL.get(trimmed, trimmed)


def spells_hierarchy(system: str) -> bool:
    """Say whether a longer code of this system always lies below its own beginning."""
    return system in (ATC, ICD_9_CM, ICD_O_3) or bool(_ICD_10_LIKE.search(system) or _OPS.search(system))


@lru_cache(maxsize=4096)
def normalise_code(system: str, code: str) -> str:
    """Return a code as it is compared, in the ways its system is really written.

    ICD-9-CM keeps its dot: it alone tells the procedure 92.2 (radiotherapy) from the diagnosis 922.

    Args:
        system: as given by `normalise_system`.
        code: ``Coding.code``.

    >>> normalise_code(ICD_10, "Ｃ１１．９†")
    'C119'
    >>> normalise_code(ICD_O_3, "M-8072/3")
    '8072/3'
    >>> normalise_code(SNOMED, " 449248000 ")
    '449248000'
    """
    trimmed = code.strip()
    if system == NAMES:
        return unicodedata.normalize("NFKC", trimmed).casefold()
    if not spells_hierarchy(system):
        return trimmed
    if not trimmed.isascii():
        trimmed = unicodedata.normalize("NFKC", trimmed)
    compared = trimmed.upper().translate(_NO_PART_OF_A_CODE)
    if system == ICD_9_CM:
        return compared
    if system == ICD_O_3 and (morphology := _MORPHOLOGY.fullmatch(compared)):
        return morphology[1]
    return compared.translate(_DOTS)


@dataclass(frozen=True)
class Concept:
    """One entry of a value set.

    Args:
        system: in the spelling of `normalise_system`.
        code: as the file writes it.
        display: what the code means.
        prefix: whether every code that begins with this one is meant too.
        attributes: what else the file says: ``source``, ``value``, ``stage``, ``edition``, ``property``,
            ``unit``, ``confidence``, ``site``, ``note``; ``unverified`` and ``placeholder-system`` are
            ``"true"`` or absent.
    """

    system: str
    code: str
    display: str
    prefix: bool
    # A plain dict behind the read-only type: it must pickle, since cohorts are judged in several processes.
    attributes: Mapping[str, str] = field(hash=False)


class ValueSet:
    """The codes of one meaning."""

    def __init__(self, name: str, concepts: Iterable[Concept]) -> None:
        """Index the concepts.

        Args:
            name: with underscores, e.g. ``npc_primary_site``.
            concepts: in the order of the file.

        Raises:
            ValueError: a code is listed twice, or a prefix stands in a system whose codes spell no hierarchy.
        """
        self.name = name
        self.concepts = tuple(concepts)
        self._exact: dict[tuple[str, str], Concept] = {}
        self._prefixes: dict[tuple[str, str], Concept] = {}
        for concept in self.concepts:
            if concept.prefix and not spells_hierarchy(concept.system):
                raise ValueError(
                    f"{concept.code}: is-a is understood for ICD, OPS and ATC only, not for {concept.system}"
                )
            key = (concept.system, normalise_code(concept.system, concept.code))
            if key in self._exact or key in self._prefixes:
                raise ValueError(f"{concept.code} of {concept.system} is listed twice")
            (self._prefixes if concept.prefix else self._exact)[key] = concept
        self._longest = max((len(code) for _, code in self._prefixes), default=0)
        # A record says few different codes, and each is asked for many times.
        self._found: dict[tuple[str | None, str | None], Concept | None] = {}

    def find(self, system: str | None, code: str | None) -> Concept | None:
        """Return the concept a code belongs to: the exact one, else the one with the longest matching prefix.

        Args:
            system: ``Coding.system``; without it nothing matches: a bare code means other things elsewhere.
            code: ``Coding.code``.
        """
        try:
            return self._found[system, code]
        except KeyError:
            if len(system or "") + len(code or "") > LONGEST_REMEMBERED:
                return self._search(system, code)
            if len(self._found) >= MOST_REMEMBERED:
                self._found.clear()
            return self._found.setdefault((system, code), self._search(system, code))

    def _search(self, system: str | None, code: str | None) -> Concept | None:
        known = normalise_system(system)
        if not known or not code:
            return None
        compared = normalise_code(known, code)
        exact = self._exact.get((known, compared))
        if exact is not None:
            return exact
        for length in range(min(len(compared), self._longest), 0, -1):
            below = self._prefixes.get((known, compared[:length]))
            if below is not None:
                return below
        return None

    def with_concepts(self, added: Iterable[Concept]) -> ValueSet:
        """Return a copy that holds these too; one that is listed already is replaced."""
        newer = {(one.system, normalise_code(one.system, one.code)): one for one in added}
        kept = [one for one in self.concepts if (one.system, normalise_code(one.system, one.code)) not in newer]
        return ValueSet(self.name, (*kept, *newer.values()))

    def __repr__(self) -> str:
        """Return the name and the size."""
        return f"ValueSet({self.name!r}, {len(self.concepts)} concepts)"


class ValueSets(Mapping[str, ValueSet]):
    """Every value set, by its name with underscores."""

    def __init__(self, sets: Iterable[ValueSet]) -> None:
        """Keep the sets and the systems they speak."""
        self._sets = {value_set.name: value_set for value_set in sets}
        self._systems = frozenset(concept.system for s in self._sets.values() for concept in s.concepts) | set(
            _SPELLINGS
        )
        self._holding: dict[tuple[str | None, str | None], frozenset[str]] = {}

    def __getitem__(self, name: str) -> ValueSet:
        """Return a set by its name, e.g. ``npc_primary_site``."""
        return self._sets[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names, sorted as the files are."""
        return iter(self._sets)

    def __len__(self) -> int:
        """Return how many sets there are."""
        return len(self._sets)

    def holding(self, system: str | None, code: str | None) -> frozenset[str]:
        """Return the names of the sets that hold a code."""
        try:
            return self._holding[system, code]
        except KeyError:
            found = frozenset(name for name, one in self._sets.items() if one.find(system, code))
            if len(system or "") + len(code or "") > LONGEST_REMEMBERED:
                return found
            if len(self._holding) >= MOST_REMEMBERED:
                self._holding.clear()
            return self._holding.setdefault((system, code), found)

    def is_known_system(self, system: str | None) -> bool:
        """Say whether codes of this system can be judged; else they are local, for a site file to map."""
        known = normalise_system(system)
        return known in self._systems or known.startswith(f"{ICD_10}-")

    def with_concepts(self, added: Mapping[str, Iterable[Concept]]) -> ValueSets:
        """Return a copy whose sets hold these concepts too, by the sets' names.

        The systems that are known stay the same: of a hospital's own system only the added codes are.
        """
        copy = ValueSets(s.with_concepts(added[name]) if name in added else s for name, s in self._sets.items())
        copy._systems = self._systems
        return copy

    @classmethod
    def load(cls, folder: Path) -> ValueSets:
        """Read every ``*.json`` of a folder.

        Raises:
            ConfigError: the folder has no value set, or a file is not one that we can honour in full.
        """
        files = sorted(folder.glob("*.json"))
        if not files:
            raise ConfigError(f"{folder}: no value sets (*.json) here")
        return cls(_read(file) for file in files)


_FLAGS: Final = ("unverified", "placeholder-system")
_WORDS: Final = (
    "source",
    "display",
    "note",
    "site",
    "value",
    "stage",
    "edition",
    "property",
    "unit",
    "confidence",
)
_ATTRIBUTES: Final = frozenset((*_FLAGS, *_WORDS))
_EXTENSION: Final = "urn:cds-service:"


def _read(file: Path) -> ValueSet:
    """Read one file; whatever it says that we would not honour is refused rather than passed over."""
    try:
        resource = json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=_without_duplicates)
        _expect(isinstance(resource, dict) and resource.get("resourceType") == "ValueSet", "not a FHIR ValueSet")
        _expect(resource.get("id") == file.stem, f"id must be the file's name, {file.stem!r}")
        compose = resource.get("compose")
        _expect(isinstance(compose, dict), "compose is missing")
        _expect(set(compose) == {"include"}, "compose may hold include only")
        includes = compose["include"]
        _expect(isinstance(includes, list) and bool(includes), "compose.include is empty")
        return ValueSet(
            file.stem.replace("-", "_"), [concept for include in includes for concept in _concepts(include)]
        )
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:  # JSON and UTF-8 errors are ValueErrors too
        raise ConfigError(f"{file}: {error}") from error


def _expect(holds: bool, complaint: str) -> None:
    if not holds:
        raise ValueError(complaint)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    _expect(len(members) == len(pairs), f"a key is written twice among {', '.join(sorted(members))}")
    return members


def _concepts(include: Any) -> Iterator[Concept]:
    """Yield the entries of one ``compose.include``."""
    _expect(isinstance(include, dict), "an include is not an object")
    system = include.get("system")
    _expect(isinstance(system, str) and bool(system.strip()), "an include has no system")
    kinds = set(include) - {"system"}
    _expect(
        kinds in ({"concept"}, {"filter"}),
        f"an include of {system} must hold a system and either concept or filter",
    )
    kind = kinds.pop()
    entries = include[kind]
    _expect(isinstance(entries, list) and bool(entries), f"an include of {system} has an empty {kind}")
    # FHIR joins the filters of one include by "and"; two prefixes in one would match nothing.
    _expect(
        kind == "concept" or len(entries) == 1,
        f"an include of {system} has several filters: give each its own include",
    )
    for entry in entries:
        _expect(isinstance(entry, dict), f"an entry of {system} is not an object")
        attributes = _attributes(entry)
        if kind == "filter":
            is_a = entry.get("property") == "concept" and entry.get("op") == "is-a"
            _expect(is_a, f"the filter of {system} must be: concept is-a")
        code = entry.get("code" if kind == "concept" else "value")
        display = attributes.pop("display", "") if kind == "filter" else entry.get("display")
        _expect(isinstance(code, str) and bool(code.strip()), f"an entry of {system} has no code")
        _expect(isinstance(display, str) and bool(display), f"{code} of {system} has no display")
        _expect("source" in attributes, f"{code} of {system} has no source")
        yield Concept(normalise_system(system), code, display, kind == "filter", attributes)


def _attributes(entry: Mapping[str, Any]) -> dict[str, str]:
    """Read our extensions of an entry; a flag that is false is left out."""
    attributes = {}
    extensions = entry.get("extension", [])
    _expect(
        isinstance(extensions, list) and all(isinstance(e, dict) for e in extensions),
        "extension is not a list of objects",
    )
    for extension in extensions:
        url = str(extension.get("url", ""))
        key = url.removeprefix(_EXTENSION)
        _expect(url.startswith(_EXTENSION) and key in _ATTRIBUTES, f"unknown extension {url!r}")
        _expect(key not in attributes, f"extension {url!r} is written twice")
        value = extension.get("valueBoolean" if key in _FLAGS else "valueString")
        kind = bool if key in _FLAGS else str
        _expect(
            isinstance(value, kind),
            f"extension {url!r} needs a value{'Boolean' if kind is bool else 'String'}",
        )
        if value is not False:
            attributes[key] = "true" if value is True else str(value)
    return attributes
