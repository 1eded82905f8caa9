"""The library is loaded whole, refused whole, and has one digest for what it says."""

import json
import re
import shutil
from pathlib import Path

import pytest

from cds_service.errors import RuleError
from cds_service.trials.digest import rules_digest
from cds_service.trials.library import load_library
from cds_service.trials.model import Library

VALUE_SETS = Path(__file__).resolve().parents[2] / "rules" / "valuesets"
KINDS = frozenset(("lab",))
FACTS = """\
format: 1
facts:
  hemoglobin:
    kind: lab
    type: number
    label: {en: Hemoglobin}
    unit: g/L
    ask: {kind: lab}
    options: {value_set: hemoglobin, analyte: hemoglobin}
"""
TRIAL = """\
format: 1
trial:
  id: NCT00000001
  title: {en: A trial}
  phase: "3"
  sponsor: A university
  source: {url: "https://clinicaltrials.gov/study/NCT00000001", as_of: 2025-11-19}
  exclusions: encoded
  review: signed-off
  gates: [{id: screening, label: before}]
lines: {1: blood}
criteria:
  - id: blood
    kind: inclusion
    gates: [screening]
    trigger: true
    text: Hemoglobin at least 90 g/L.
    short: Hemoglobin
    source: [1]
    needs: {hemoglobin: {unit: g/L, within: 14 d}}
    logic: {">=": [{var: hemoglobin}, 90]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "valuesets").mkdir()
    for name in ("hemoglobin", "platelets"):
        shutil.copy(VALUE_SETS / f"{name}.json", tmp_path / "valuesets")
    (tmp_path / "facts.yaml").write_text(FACTS, encoding="utf-8")
    write(tmp_path / "trials", TRIAL)
    return tmp_path


def write(trials: Path, text: str, name: str = "NCT00000001") -> Path:
    (trials / name).mkdir(parents=True, exist_ok=True)
    (trials / name / "trial.yaml").write_text(text.replace("NCT00000001", name), encoding="utf-8")
    return trials / name


def load(folder: Path) -> Library:
    return load_library(folder, kinds=KINDS)


def digest(folder: Path) -> str:
    return load(folder).trials["NCT00000001"].digest


def test_a_good_folder(folder: Path) -> None:
    library = load(folder)
    assert list(library.trials) == ["NCT00000001"]
    assert list(library.facts) == ["hemoglobin"]
    assert list(library.value_sets) == ["hemoglobin", "platelets"]
    assert re.fullmatch("sha256:[0-9a-f]{64}", digest(folder))


def test_further_trials(folder: Path, tmp_path: Path) -> None:
    extra = write(tmp_path / "elsewhere", TRIAL, "NCT00000002")
    library = load_library(folder, [extra], kinds=KINDS)
    assert list(library.trials) == ["NCT00000001", "NCT00000002"]
    assert library.trials["NCT00000001"].digest != library.trials["NCT00000002"].digest


def test_one_trial_is_not_loaded_twice(folder: Path, tmp_path: Path) -> None:
    extra = write(tmp_path / "elsewhere", TRIAL)
    with pytest.raises(RuleError, match="NCT00000001 is loaded already, from another folder"):
        load_library(folder, [extra], kinds=KINDS)


def test_the_digest_does_not_see_spelling(folder: Path) -> None:
    before = digest(folder)
    text = TRIAL.replace("format: 1\n", "") + "# a comment\nformat: 1\n"
    write(folder / "trials", text.replace("90]", "90.0]").replace('"3"', "'3'"))
    file = folder / "valuesets" / "platelets.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(dict(reversed(data.items()))), encoding="utf-8")
    assert digest(folder) == before


def test_the_digest_sees_every_meaning(folder: Path) -> None:
    seen = {digest(folder)}
    write(folder / "trials", TRIAL.replace("90]", "91]"))
    seen.add(digest(folder))
    write(folder / "trials", TRIAL.replace("at least 90", "of at least 90"))
    seen.add(digest(folder))
    (folder / "facts.yaml").write_text(FACTS.replace("{en: Hemoglobin}", "{en: Hb}"), encoding="utf-8")
    seen.add(digest(folder))
    file = folder / "valuesets" / "platelets.json"
    file.write_text(file.read_text(encoding="utf-8").replace("Platelets", "Thrombocytes", 1), encoding="utf-8")
    seen.add(digest(folder))
    file.unlink()
    seen.add(digest(folder))
    assert len(seen) == 6


def test_the_digest_tells_numbers_from_text() -> None:
    assert rules_digest({"a": 90}, {}, {}) != rules_digest({"a": "90"}, {}, {})
    assert rules_digest({"a": 1}, {}, {}) != rules_digest({"a": True}, {}, {})
    assert rules_digest({"a": 90}, {}, {}) != rules_digest({"a": ["number", "90"]}, {}, {})


def test_all_files_complain_at_once(folder: Path) -> None:
    (folder / "facts.yaml").write_text(FACTS.replace("kind: lab\n", "kind: laboratory\n", 1), encoding="utf-8")
    write(folder / "trials", TRIAL.replace("phase:", "fase:"))
    write(folder / "trials", TRIAL.replace("90]", "ninety]"), "NCT00000002")
    (folder / "trials" / "NCT00000003").mkdir()
    with pytest.raises(RuleError) as caught:
        load(folder)
    where = [Path(complaint.where.partition(".yaml")[0]) for complaint in caught.value.complaints]
    assert [path.parent.name if path.name == "trial" else path.name for path in where] == [
        "facts",
        "NCT00000001",
        "NCT00000001",
        "NCT00000002",
        "NCT00000003",
    ]


def test_value_sets_and_facts_complain_together(folder: Path) -> None:
    (folder / "valuesets" / "platelets.json").write_text("{", encoding="utf-8")
    (folder / "facts.yaml").write_text("a: &x 1", encoding="utf-8")
    with pytest.raises(RuleError) as caught:
        load(folder)
    first, second = map(str, caught.value.complaints)
    assert "platelets.json: " in first
    assert "facts.yaml:1: anchor &x" in second


@pytest.mark.parametrize(("gone", "words"), [("facts.yaml", "cannot be read"), ("trials", "no trial here")])
def test_what_is_missing(folder: Path, gone: str, words: str) -> None:
    path = folder / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(RuleError, match=words):
        load(folder)


def test_no_value_sets(folder: Path) -> None:
    shutil.rmtree(folder / "valuesets")
    with pytest.raises(RuleError, match="no value sets"):
        load(folder)
