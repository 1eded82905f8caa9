"""The codes by which a FHIR server is asked for a trial's patients: those that make its trigger pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from cds_service.facts.codes import Concept
from cds_service.trials.model import Library

# Options of facts that name the conditions a patient must have.
_OF_THE_DISEASE: Final = ("site_value_sets", "value_sets", "value_set")


def trigger_codes(library: Library, trials: Iterable[str]) -> tuple[str, ...]:
    """Return ``system|code`` of each code that a trigger looks for, the site's own among them, sorted.

    A code that stands for all that begin with it (ICD) is asked for as it is, with and without its point: longer codes
    that no value set and no site file lists are not found.
    """
    needs = [
        need.fact
        for name in trials
        for criterion in library.trials[name].criteria
        if criterion.trigger
        for need in criterion.needs.values()
    ]
    sets = [
        name
        for fact in dict.fromkeys(needs)
        for key in _OF_THE_DISEASE
        for name in _names(library.facts[fact].options.get(key))
        if name in library.value_sets
    ]
    pairs = [pair for name in dict.fromkeys(sets) for one in library.value_sets[name].concepts for pair in _spelt(one)]
    asked = library.site.searched(pairs) if library.site else pairs
    return tuple(sorted({f"{system}|{code}" for system, code in asked if not set("|,$\\") & set(code)}))


def _names(value: object) -> list[str]:
    return [value] if isinstance(value, str) else list(value) if isinstance(value, (list, tuple)) else []


def _spelt(concept: Concept) -> Iterator[tuple[str, str]]:
    yield concept.system, concept.code
    if concept.prefix and "." in concept.code:
        yield concept.system, concept.code.replace(".", "")
