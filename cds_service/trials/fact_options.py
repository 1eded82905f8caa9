"""The options of a fact, checked against what its reader needs: a gap is found at load, not at the first patient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cds_service.facts.definitions import FactDefinition
from cds_service.facts.options import (
    AXES,
    FACT_OPTIONS,
    GIVEN_CLASSES,
    NEED_DISEASE,
    REQUIRED_OPTIONS,
    TREATMENT_CLASSES,
)
from cds_service.trials.complaints import did_you_mean, quoted
from cds_service.trials.form import Part

_DISEASE_KIND: Final = "primary_cancer"


def check_options(entry: Part, definition: FactDefinition) -> None:
    """Complain of options that the reader of this kind needs and the entry lacks.

    Args:
        entry: the fact in ``facts.yaml``.
        definition: the same, as read; a kind without a table (an unknown one) needs nothing.
    """
    for path in REQUIRED_OPTIONS.get(definition.kind, ()):
        if _at(definition.options, path) is None:
            place = entry.inside("options")
            hint = did_you_mean(path.rpartition(".")[2], _keys_beside(definition.options, path))
            message = f"the option {path!r} is missing: a fact of kind {definition.kind!r} needs it"
            (place if place.present else entry).complain(message, hint if hint.startswith("did") else "")
    if definition.kind == "treatment_seen" and "class" in definition.options:
        entry.inside("options").inside("class").choice(TREATMENT_CLASSES, "class of treatment")
    if definition.kind in AXES and "axis" in definition.options:
        entry.inside("options").inside("axis").choice(AXES[definition.kind], "axis")
    if "classes" in definition.options:
        entry.inside("options").inside("classes").different(GIVEN_CLASSES, "class of treatment")
    if "history_years" in definition.options:
        entry.inside("options").inside("history_years").whole_number(1, 99, default=1)
    for key, value in definition.options.items():
        _check_shape(entry.inside("options").inside(key), key, value)


def check_references(top: Part, facts: Mapping[str, FactDefinition]) -> None:
    """Complain of options that name a fact which is not there or of the wrong kind, and of a missing disease.

    Args:
        top: the mapping of all facts.
        facts: every definition that could be read.
    """
    for name, definition in facts.items():
        options = top.inside(name).inside("options")
        for key, kind in FACT_OPTIONS.get(definition.kind, {}).items():
            named = options.inside(key)
            fitting = [other.name for other in facts.values() if other.kind == kind]
            if named.present and named.text() and named.text() not in fitting:
                hint = did_you_mean(named.text(), fitting)
                named.complain(f"{quoted(named.text())} is no fact of kind {kind!r}", hint)
    dependent = [one for one in facts.values() if one.kind in NEED_DISEASE]
    if dependent and not any(one.kind == _DISEASE_KIND for one in facts.values()):
        first = dependent[0]
        message = f"a fact of kind {first.kind!r} is judged in the frame of a disease"
        top.complain(f"{message}, and no fact is of kind {_DISEASE_KIND!r}", at=(first.name,))


def _check_shape(part: Part, key: str, value: Any) -> None:
    """Complain of one name where a list belongs, or a list where one name does."""
    if key.endswith("value_sets") and not isinstance(value, list):
        part.expected("a list of value sets")
    elif key.endswith("value_set") and isinstance(value, list):
        part.expected("one value set")
    elif isinstance(value, dict):
        for inner, its_value in value.items():
            _check_shape(part.inside(inner), inner, its_value)


def _at(options: Mapping[str, Any], path: str) -> Any:
    found: Any = options
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _keys_beside(options: Mapping[str, Any], path: str) -> list[str]:
    parent = path.rpartition(".")[0]
    found = _at(options, parent) if parent else options
    return [str(key) for key in found] if isinstance(found, Mapping) else []
