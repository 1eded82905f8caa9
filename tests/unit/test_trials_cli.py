"""The commands on rule files: what they print and how they end."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cds_service.cli.rules import rules

VALUE_SETS = Path(__file__).resolve().parents[2] / "rules" / "valuesets"
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
CASES = """\
trial: NCT00000001
as_of: 2026-03-01
patient: {hemoglobin: {value: 90, unit: g/L, date: 2026-02-26}}
cases:
  - it: takes exactly 90 g/L
    expect: {blood: pass}
    on_limit: true
  - it: turns 89.9 away
    given: {hemoglobin: {value: 89.9, unit: g/L, date: 2026-02-26}}
    expect: {blood: fail}
  - it: asks for what is not there
    without: [hemoglobin]
    expect: {blood: unknown}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "valuesets").mkdir()
    shutil.copy(VALUE_SETS / "hemoglobin.json", tmp_path / "valuesets")
    trial = tmp_path / "trials" / "NCT00000001"
    trial.mkdir(parents=True)
    (tmp_path / "facts.yaml").write_text(FACTS, encoding="utf-8")
    (trial / "trial.yaml").write_text(TRIAL, encoding="utf-8")
    (trial / "tests.yaml").write_text(CASES, encoding="utf-8")
    return tmp_path


def run(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(rules, [*words, "--rules", str(folder)])


def change(folder: Path, name: str, old: str, new: str) -> None:
    file = folder / "trials" / "NCT00000001" / name
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_check(folder: Path) -> None:
    result = run(folder, "check")
    assert (result.exit_code, result.output) == (0, "1 trial, 1 fact, 1 value set: ok\n")


def test_check_the_folder_in_use(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_RULES", str(folder))
    assert CliRunner().invoke(rules, ["check"]).output == "1 trial, 1 fact, 1 value set: ok\n"


def test_check_complains_of_rules(folder: Path) -> None:
    change(folder, "trial.yaml", "phase:", "fase:")
    result = run(folder, "check")
    assert result.exit_code == 10
    assert result.stderr.splitlines() == [
        "trials/NCT00000001/trial.yaml:5: trial.fase: unknown key 'fase' (did you mean 'phase'?)",
        "trials/NCT00000001/trial.yaml:2: trial: the key 'phase' is missing",
    ]


def test_check_complains_of_cases_and_of_what_they_do_not_show(folder: Path) -> None:
    change(folder, "tests.yaml", "{blood: fail}", "{blood: pass}")
    result = run(folder, "check")
    assert result.exit_code == 10
    assert "no case expects 'blood' to fail" in result.stderr
    change(folder, "tests.yaml", "{blood: pass}", "{blod: pass}")
    assert "tests.yaml:6: cases[1].expect.blod: unknown criterion 'blod'" in run(folder, "check").stderr
    (folder / "trials" / "NCT00000001" / "tests.yaml").unlink()
    assert "tests.yaml: cannot be read" in run(folder, "check").stderr


def test_test(folder: Path) -> None:
    change(folder, "tests.yaml", "{blood: fail}", "{blood: pass}")
    result = run(folder, "test")
    assert result.exit_code == 10
    assert result.output.splitlines() == [
        "trials/NCT00000001/tests.yaml:8: turns 89.9 away",
        "    blood: expected pass, got fail: Hemoglobin: not met (89.9 g/L on 26 Feb 2026).",
        "3 cases, 1 failed",
    ]


def test_test_one_trial(folder: Path) -> None:
    result = run(folder, "test", "NCT00000001")
    assert (result.exit_code, result.output) == (0, "3 cases, 0 failed\n")


def test_an_unknown_trial(folder: Path) -> None:
    result = run(folder, "test", "NCT00000002")
    assert result.exit_code == 2
    assert "did you mean 'NCT00000001'?" in result.stderr


def test_test_stops_on_a_bad_case_file(folder: Path) -> None:
    change(folder, "tests.yaml", "as_of: 2026-03-01", "as_of: today")
    result = run(folder, "test")
    assert result.exit_code == 10
    assert "tests.yaml:2: as_of: expected a day" in result.stderr


def test_show(folder: Path) -> None:
    result = run(folder, "show", "NCT00000001")
    assert result.exit_code == 0
    assert "logic: hemoglobin ≥ 90" in result.output
    assert "needs hemoglobin: Hemoglobin in g/L, from 14 days before the planned first dose" in result.output


def test_codes(folder: Path) -> None:
    every, unverified = run(folder, "codes").output, run(folder, "codes", "--unverified").output
    assert "hemoglobin\thttp://loinc.org\t718-7\tHemoglobin [Mass/volume] in Blood\t" in every
    assert "718-7" not in unverified
    assert 0 < len(unverified.splitlines()) < len(every.splitlines())
