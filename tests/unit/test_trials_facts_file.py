"""facts.yaml is read whole, and each mistake in it is told with its line and a hint."""

from decimal import Decimal
from pathlib import Path

import pytest

from cds_service.errors import RuleError
from cds_service.facts.definitions import Ask, FactDefinition
from cds_service.trials.facts_file import load_facts

GOOD = """\
format: 1
facts:
  hemoglobin:
    kind: lab
    type: number
    label: {en: Hemoglobin, zh: 血红蛋白}
    unit: g/L
    ask: {kind: lab, system: "http://loinc.org", code: 718-7, display: Hemoglobin}
    options: {value_set: hemoglobin, analyte: hemoglobin, factor: 1.50}
  treated:
    kind: seen
    type: boolean
    label: {en: Treated}
    ask: {kind: question}
    options:
      drug_value_sets: [platinum]
      table: {a: {value_set: platinum}}
"""
KINDS = ("lab", "seen")
SETS = ("hemoglobin", "platinum")


def load(tmp_path: Path, text: str) -> dict[str, FactDefinition]:
    file = tmp_path / "facts.yaml"
    file.write_text(text, encoding="utf-8")
    return load_facts(file, kinds=KINDS, value_sets=SETS)


def test_a_good_file(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD) == {
        "hemoglobin": FactDefinition(
            name="hemoglobin",
            kind="lab",
            type="number",
            label={"en": "Hemoglobin", "zh": "血红蛋白"},
            ask=Ask("lab", "http://loinc.org", "718-7", "Hemoglobin"),
            unit="g/L",
            options={"value_set": "hemoglobin", "analyte": "hemoglobin", "factor": Decimal("1.50")},
            line=3,
        ),
        "treated": FactDefinition(
            name="treated",
            kind="seen",
            type="boolean",
            label={"en": "Treated"},
            ask=Ask("question"),
            options={"drug_value_sets": ["platinum"], "table": {"a": {"value_set": "platinum"}}},
            line=10,
        ),
    }


BAD = [
    ("format: 1", "format: 3", "format", "expected format 1"),
    ("facts:\n", "fact:\n", "fact:", "unknown key 'fact' (did you mean 'facts'?)"),
    ("  hemoglobin:", "  Hemoglobin:", "  Hemo", "expected a name such as 'npc_primary', found 'Hemoglobin'"),
    ("  treated:", "  hemoglobin:", "  hemoglobin:\n    kind: seen", "stands twice, first on line 3"),
    ("kind: lab\n", "kind: labs\n", "kind: labs", "unknown kind 'labs' (did you mean 'lab'?)"),
    ("    kind: lab\n", "", "  hemo", "facts.hemoglobin: the key 'kind' is missing"),
    ("type: number", "type: float", "type: fl", "unknown type 'float' (known: boolean, number, string)"),
    ("{en: Treated}", "Treated", "label: Tr", "expected a mapping with en, found the text 'Treated'"),
    ("{en: Treated}", "{zh: 是}", "label: {zh: 是", "the key 'en' is missing"),
    ("unit: g/L", "unit: U/L", "unit: U/L", "'U/L' is no unit of hemoglobin"),
    ("unit: g/L", "unit: 1", "unit: 1", "expected text, found the number 1"),
    ("    unit: g/L\n", "", "  hemo", "a fact with an analyte has a unit"),
    (
        "    ask: {kind: question}",
        "    unit: g\n    ask: {kind: question}",
        "unit: g\n",
        "only a number has a unit",
    ),
    ("{kind: question}", "{kind: ask}", "ask: {kind: ask", "unknown kind of request 'ask'"),
    (
        "{kind: question}",
        "{kind: lab, code: '1'}",
        "ask: {kind: lab, code",
        "system, code and display come together",
    ),
    ("{kind: question}", "{}", "ask: {}", "the key 'kind' is missing"),
    (
        "value_set: hemoglobin",
        "value_set: haemoglobin",
        "options:",
        "unknown value set 'haemoglobin' (did you mean",
    ),
    (
        "value_set: hemoglobin",
        "value_set: [hemoglobn]",
        "options:",
        "unknown value set 'hemoglobn' (did you mean",
    ),
    (
        "[platinum]",
        "[platinum, gold]",
        "drug_value",
        "unknown value set 'gold' (known: hemoglobin, platinum)",
    ),
    ("[platinum]", "platinums", "drug_value", "unknown value set 'platinums'"),
    ("[platinum]", "{a: platin}", "drug_value", "unknown value set 'platin'"),
    ("{value_set: platinum}", "{value_set: silver}", "table", "unknown value set 'silver'"),
    (
        "analyte: hemoglobin",
        "analyte: hemoglobine",
        "options:",
        "unknown analyte 'hemoglobine' (did you mean",
    ),
    ("analyte: hemoglobin", "analyte: [x]", "options:", "expected text, found a list"),
    ("    options: {value_set", "    option: {value_set", "    option:", "did you mean 'options'?"),
]


@pytest.mark.parametrize(("old", "new", "place", "words"), BAD)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, old: str, new: str, place: str, words: str) -> None:
    assert GOOD.count(old) >= 1
    text = GOOD.replace(old, new, 1)
    line = text.count("\n", 0, text.index(place)) + 1
    with pytest.raises(RuleError) as caught:
        load(tmp_path, text)
    found = [str(complaint) for complaint in caught.value.complaints]
    here = [complaint for complaint in found if complaint.partition("facts.yaml:")[2].startswith(f"{line}: ")]
    assert any(words in complaint for complaint in here), (line, found)


@pytest.mark.parametrize("text", ["", "[]", "facts: 1", "format: 1\nfacts: {a: 1, b: []}"])
def test_a_file_that_is_no_facts_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(RuleError):
        load(tmp_path, text)
