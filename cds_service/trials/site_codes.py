"""The codes and names of a site file, checked against the value sets they join."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from cds_service.facts.codes import NAMES, Concept, ValueSet, ValueSets, normalise_code, normalise_system
from cds_service.facts.codes import spells_hierarchy as has_hierarchy
from cds_service.facts.names import plain
from cds_service.trials.complaints import quoted
from cds_service.trials.form import Part

CODE: Final = ("system", "code", "value_set", "reviewed_by", "reviewed_on")
CODE_OPTIONAL: Final = ("display", "prefix", "property", "value", "stage", "edition", "note")
NAME: Final = ("text", "value_set", "reviewed_by", "reviewed_on")
NAME_OPTIONAL: Final = ("note",)
PROPERTIES: Final = ("mass", "moles")
# What a reader looks up in a concept besides its code.
_MEANINGS: Final = ("value", "stage", "edition")

# Sets of one kind answer one question, so a code is in one of them at most. Further kinds: every set with an
# analyte, every set of drug names, and every set of one drug.
_KINDS: Final = (
    ("npc_primary_site", "npc_primary_site_cn", "npc_primary_site_other_carcinoma", "npc_primary_site_not_carcinoma"),
    ("distant_metastasis", "metastasis_regional"),
    ("distant_metastasis", "metastasis_ambiguous"),
    (
        "npc_histology_nonkeratinizing",
        "npc_histology_keratinizing_or_other",
        "npc_histology_lymphoma",
        "npc_histology_unspecified",
    ),
    ("m_category_type", "n_category_type", "t_category_type", "stage_group_type"),
    ("response_cr", "response_pr", "response_sd", "response_pd", "response_ambiguous"),
    ("chemotherapy", "pd1_inhibitor", "pdl1_inhibitor", "corticosteroid_systemic", "anticoagulant"),
    ("pd1_inhibitor", "pdl1_inhibitor", "treatment_ambiguous"),
    ("radiotherapy", "npc_surgery", "biopsy_not_treatment", "chemotherapy_procedure"),
)


@dataclass
class LocalCodes:
    """Concepts as they are read, and what they must not contradict.

    Args:
        value_sets: the standard sets.
        analytes: by value set, of results with units.
        aliases: the hospital's names of systems.
    """

    value_sets: ValueSets
    analytes: Mapping[str, str]
    aliases: Mapping[str, str]
    concepts: dict[str, list[Concept]] = field(default_factory=dict)
    _lines: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def read_code(self, part: Part, reviewed: str) -> None:
        """Read one entry of ``codes``.

        Args:
            part: the entry.
            reviewed: by whom and when, as the concept's source.
        """
        fields = part.fields(CODE, CODE_OPTIONAL)
        given = normalise_system(fields["system"].text())
        system = self.aliases.get(given, given)
        code = fields["code"].label()
        prefix = fields["prefix"].flag()
        if prefix and system:
            _check_prefix(fields["prefix"], system, code)
        if system == NAMES:
            fields["system"].complain("is ours, for names", "write names under 'names'")
        name = fields["value_set"].choice(self.value_sets, "value set")
        if not (name and system and code):
            return
        if _holds_names(self.value_sets[name]):
            fields["value_set"].complain(f"{name!r} holds names, not codes", "write names under 'names'")
            return
        attributes = {"source": reviewed, **dict(self._meaning(fields, name))}
        self._add(part, name, Concept(system, code, fields["display"].text() or code, prefix, attributes))

    def read_name(self, part: Part, reviewed: str) -> None:
        """Read one entry of ``names``.

        Args:
            part: the entry.
            reviewed: by whom and when.
        """
        fields = part.fields(NAME, NAME_OPTIONAL)
        text = fields["text"].text(most=80)
        if text and len(plain(text)) < (3 if plain(text).isascii() else 2):
            fields["text"].complain(f"{quoted(text)} is too short: it would be found in other words")
        known = [name for name, one in self.value_sets.items() if _holds_names(one)]
        name = fields["value_set"].choice(known, "value set of names")
        if text and name:
            self._add(part, name, Concept(NAMES, text, text, False, {"source": reviewed}))

    def _meaning(self, fields: Mapping[str, Part], name: str) -> Iterator[tuple[str, str]]:
        """Yield what the entry says besides its code; complain of what its value set needs or cannot have."""
        standard = self.value_sets[name].concepts
        if fields["property"].present and name not in self.analytes:
            fields["property"].complain(f"codes of {name!r} measure nothing")
        elif fields["property"].present:
            yield "property", fields["property"].choice(PROPERTIES, "property")
        for key in _MEANINGS:
            said = {one.attributes[key] for one in standard if key in one.attributes}
            if fields[key].present and not said:
                fields[key].complain(f"codes of {name!r} have no {key}")
            elif fields[key].present:
                yield key, fields[key].choice(said, key)
            elif said and all(key in one.attributes for one in standard):
                fields["value_set"].complain(f"a code of {name!r} needs the key {key!r}", f"one of {_joined(said)}")

    def _add(self, part: Part, name: str, concept: Concept) -> None:
        compared = normalise_code(concept.system, concept.code)
        earlier = self._lines.get((name, concept.system, compared))
        if earlier is not None:
            part.complain(f"{quoted(concept.code)} is in {name!r} already, by line {earlier}")
            return
        for other in self._same_kind(name):
            line = self._lines.get((other, concept.system, compared))
            if line is not None:
                part.complain(f"{quoted(concept.code)} is {name!r} here and {other!r} in line {line}: it is one")
            elif self.value_sets[other].find(concept.system, concept.code):
                hint = "mend the value set, if it is wrong"
                part.complain(f"{quoted(concept.code)} is {other!r} by the standard value set", hint)
        self._lines[(name, concept.system, compared)] = part.line
        self.concepts.setdefault(name, []).append(concept)

    def _same_kind(self, name: str) -> list[str]:
        found = {other for kind in _KINDS if name in kind for other in kind}
        if name in self.analytes:
            found |= set(self.analytes)
        if name.startswith("drug_"):
            names = _holds_names(self.value_sets[name])
            found |= {n for n, s in self.value_sets.items() if n.startswith("drug_") and _holds_names(s) is names}
        return sorted(one for one in found if one != name and one in self.value_sets)


def _check_prefix(part: Part, system: str, code: str) -> None:
    if not has_hierarchy(system) or system.endswith("/ops"):
        part.complain(f"{quoted(system)} is neither ICD nor ATC: a longer code may mean anything", "list each code")
    else:
        compared = normalise_code(system, code)
        # C77.0 is regional, C77.9 says nothing, the rest is distant: no beginning has one meaning.
        if "icd" in system.lower() and compared and ("C77".startswith(compared) or compared.startswith("C77")):
            part.complain("C77 never goes by prefix: its codes differ in meaning", "list each code")


def _holds_names(value_set: ValueSet) -> bool:
    return all(one.system == NAMES for one in value_set.concepts)


def _joined(values: set[str]) -> str:
    return ", ".join(sorted(values))
