"""``facts.yaml``: every fact once, with its name for people, its reader, and what to ask for when missing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cds_service.facts.definitions import Ask, FactDefinition
from cds_service.facts.units import ANALYTES
from cds_service.trials.complaints import Complaints, did_you_mean, quoted
from cds_service.trials.fact_options import check_options, check_references
from cds_service.trials.form import NAME, Part
from cds_service.trials.load import check_format
from cds_service.trials.needs import is_unit_of, usable_units
from cds_service.trials.yaml_text import Document, read_document

FACTS_FILE: Final = "facts.yaml"
TYPES: Final = ("number", "boolean", "string")
# Source: the eligibility contract, section 5 (``ask.kind``).
ASK_KINDS: Final = ("lab", "measurement", "pathology", "imaging", "question", "access")

REQUIRED: Final = ("kind", "type", "label", "ask")
OPTIONAL: Final = ("unit", "options")


@dataclass(frozen=True)
class Known:
    """What a fact may refer to.

    Args:
        kinds: names of the readers that build facts.
        value_sets: names of the value sets, with underscores.
    """

    kinds: Collection[str]
    value_sets: Collection[str]


def load_facts(file: Path, *, kinds: Collection[str], value_sets: Collection[str]) -> dict[str, FactDefinition]:
    """Read ``facts.yaml``.

    Args:
        file: the file.
        kinds: names of the readers that build facts.
        value_sets: names of the value sets that exist.

    Raises:
        RuleError: with every complaint.
    """
    complaints = Complaints()
    facts = read_facts(read_document(file), Known(kinds, value_sets), complaints)
    complaints.raise_any()
    return facts


def read_facts(document: Document, known: Known, complaints: Complaints) -> dict[str, FactDefinition]:
    """Check the document of ``facts.yaml``.

    Returns:
        Every fact that could be named, so that a mistake in one does not make every trial complain of it.
    """
    top = Part.whole(document, complaints).fields(("format", "facts"))
    check_format(top["format"])
    facts: dict[str, FactDefinition] = {}
    for name, entry in top["facts"].entries().items():
        if not NAME.fullmatch(name):
            entry.complain(f"expected a name such as 'npc_primary', found {quoted(name)}")
        facts[name] = _fact(name, entry, known)
    check_references(top["facts"], facts)
    return facts


def _fact(name: str, entry: Part, known: Known) -> FactDefinition:
    fields = entry.fields(REQUIRED, OPTIONAL)
    options = fields["options"].entries()
    for part in options.values():
        _check_value_sets(part, str(part.path[-1]), known.value_sets)
    definition = FactDefinition(
        name=name,
        kind=fields["kind"].choice(known.kinds, "kind"),
        type=fields["type"].choice(TYPES, "type"),
        label=fields["label"].translations(),
        ask=_ask(fields["ask"]),
        unit=fields["unit"].text(),
        options={key: part.data for key, part in options.items()},
        line=entry.line,
    )
    _check_unit(fields["unit"], options.get("analyte"), definition)
    check_options(entry, definition)
    return definition


def _ask(part: Part) -> Ask:
    fields = part.fields(("kind",), ("system", "code", "display"))
    kind = fields["kind"].choice(ASK_KINDS, "kind of request")
    coded = {key: fields[key].text() for key in ("system", "code", "display")}
    if any(coded.values()) and not all(coded.values()):
        part.complain("system, code and display come together: a code alone means nothing")
    return Ask(kind, **coded)


def _check_unit(part: Part, analyte: Part | None, definition: FactDefinition) -> None:
    """Complain of a unit where none belongs, of a missing one, and of one that is not the analyte's."""
    if analyte is not None:
        analyte.choice(ANALYTES, "analyte")
        if definition.type == "number" and not part.present:
            part.complain("a fact with an analyte has a unit")
    if part.present and definition.type in ("boolean", "string"):
        part.complain(f"only a number has a unit, and {definition.name!r} is a {definition.type}", "remove it")
        return
    named = analyte.data if analyte is not None else None
    known = isinstance(named, str) and named in ANALYTES
    if known and definition.unit and not is_unit_of(named, definition.unit):
        hint = did_you_mean(definition.unit, usable_units(definition))
        part.complain(f"{quoted(definition.unit)} is no unit of {named}", hint)


def _check_value_sets(part: Part, key: str, value_sets: Collection[str]) -> None:
    """Complain of value sets that do not exist, under any option whose name says that it names some."""
    if isinstance(part.data, dict):
        for name, inner in part.entries().items():
            _check_value_sets(inner, key if _names_sets(key) else name, value_sets)
    elif isinstance(part.data, list):
        for inner in part.items():
            _check_value_sets(inner, key, value_sets)
    elif _names_sets(key):
        part.choice(value_sets, "value set")


def _names_sets(key: str) -> bool:
    return key.endswith(("value_set", "value_sets"))
