"""The tables that a slip of the hand could change: units, spellings, required options, codes asked for.

``UPDATE_GOLDEN=1 pytest tests/golden`` writes them anew; the change then shows in the diff, line by line.
"""

import copy
import os
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from cds_service.errors import RuleError
from cds_service.evaluation.judge import needed_codes
from cds_service.facts.chart import FACT_KINDS
from cds_service.facts.units import _SPELLINGS, ANALYTES, convert, normalise_unit, unit_property, within_bounds
from cds_service.gather.plan import make_plan
from cds_service.trials.complaints import Complaints
from cds_service.trials.facts_file import Known, read_facts
from cds_service.trials.library import load_library
from cds_service.trials.yaml_text import Document, read_document

HERE = Path(__file__).parent
RULES = HERE.parents[1] / "rules"


def kept(name: str, lines: list[str]) -> list[str]:
    file = HERE / name
    if os.environ.get("UPDATE_GOLDEN") == "1":
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file.read_text(encoding="utf-8").splitlines()


def factors() -> Iterator[str]:
    for name, analyte in ANALYTES.items():
        yield f"{name} | {analyte.canonical} | plausible {analyte.low} to {analyte.high}"
        for unit in analyte.units:
            factor = convert(name, Decimal(1), unit)
            yield f"{name} | {unit or '(none)'} | {factor} | {unit_property(name, unit) or '-'}"


def test_every_unit_of_every_analyte() -> None:
    assert kept("units.txt", list(factors())) == list(factors())


def test_every_spelling() -> None:
    lines = [f"{spelling} | {normalise_unit(spelling)}" for others in _SPELLINGS.values() for spelling in others]
    assert kept("spellings.txt", lines) == lines


@pytest.mark.parametrize("line", (HERE / "spellings.txt").read_text(encoding="utf-8").splitlines())
def test_a_spelling_is_read_whatever_the_table(line: str) -> None:
    spelling, _, unit = line.partition(" | ")
    assert normalise_unit(spelling) == unit


@pytest.mark.parametrize(
    "line", [line for line in (HERE / "units.txt").read_text(encoding="utf-8").splitlines() if "plausible" in line]
)
def test_both_bounds_are_plausible_and_nothing_beyond(line: str) -> None:
    name, _, bounds = line.split(" | ")
    low, high = (Decimal(part) for part in bounds.removeprefix("plausible ").split(" to "))
    step = Decimal("0.001")
    assert [within_bounds(name, one) for one in (low - step, low, high, high + step)] == [False, True, True, False]


def needed_options() -> Iterator[str]:
    """Take each option away from the first fact of its kind; say whether the file is then refused."""
    document = read_document(RULES / "facts.yaml")
    facts = document.data
    sets = [file.stem for file in (RULES / "valuesets").glob("*.json")]
    first: dict[str, str] = {}
    for name, entry in facts["facts"].items():
        first.setdefault(entry["kind"], name)
    for kind, name in sorted(first.items()):
        options = facts["facts"][name].get("options") or {}
        paths = [(key,) for key in options] + [("karnofsky", key) for key in options.get("karnofsky") or {}]
        for path in paths:
            less = {**facts, "facts": {name: copy.deepcopy(facts["facts"][name])}}
            place = less["facts"][name]["options"]
            for key in path[:-1]:
                place = place[key]
            del place[path[-1]]
            needed = refused(replace(document, data=less), sets, path)
            yield f"{kind} | {'.'.join(path)} | {'needed' if needed else 'has a default'}"


def refused(document: Document, sets: list[str], path: tuple[str, ...]) -> bool:
    complaints = Complaints()
    read_facts(document, Known(FACT_KINDS, sets), complaints)
    try:
        complaints.raise_any()
    except RuleError as error:
        return f"the option {'.'.join(path)!r} is missing" in str(error)
    return False


def test_every_option_that_a_reader_needs() -> None:
    lines = list(needed_options())
    assert kept("options.txt", lines) == lines


def test_what_an_ehr_is_asked_for() -> None:
    """A code that leaves the templates is never read again, and nobody would notice."""
    library = load_library(RULES)
    lines = []
    for key, template in make_plan(needed_codes(library)).templates.items():
        address, _, codes = template.partition("&code=")
        lines += [f"{key} | {address}", *(f"{key} | {code}" for code in codes.split(",") if code)]
    assert kept("prefetch.txt", lines) == lines
