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
    assert (result.exit_code, result.output) == (0, "1 trial, 1 fact, 1 value set, 3 cases: ok\n")


def test_check_the_folder_in_use(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_RULES", str(folder))
    assert CliRunner().invoke(rules, ["check"]).output == "1 trial, 1 fact, 1 value set, 3 cases: ok\n"


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


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [("trial.yaml", '">="', '">"'), ("tests.yaml", "{blood: unknown}", "{blood: unknown, status: candidate}")],
    ids=["a limit turned", "a case that expects something else"],
)
def test_check_runs_the_cases(folder: Path, name: str, old: str, new: str) -> None:
    change(folder, name, old, new)
    result = run(folder, "check")
    assert result.exit_code == 10
    assert "tests.yaml:5: the case fails: " in result.stderr or "tests.yaml:11: the case fails: " in result.stderr


def test_check_tells_a_mistake_in_the_base_patient_and_nothing_else(folder: Path) -> None:
    change(folder, "tests.yaml", "patient: {hemoglobin:", "patient: {haemoglobin:")
    result = run(folder, "check")
    assert result.exit_code == 10
    assert result.stderr.splitlines() == [
        "trials/NCT00000001/tests.yaml:3: patient.haemoglobin: a patient has no entry 'haemoglobin' "
        "(did you mean 'hemoglobin'?)",
    ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "unit: g/L",
            "unit: mmol/L",
            "13: blood: the limit hemoglobin >= 90 mmol/L lies outside what is possible, 20 to",
        ),
        ("least 90 g/L", "least 100 g/L", "13: blood: the words say 100 g/L, and the logic compares nothing with it"),
        ("hemoglobin}, 90]", 'hemoglobin}, "90"]', "logic.>=[2]: '90' is text here (write it as a number, without qu"),
        ("hemoglobin}, 90]", "hemoglobin}, ９０]", "'９０' is text here (write it as a number, without quotes: 90)"),
    ],
)
def test_check_complains_of_limits_that_make_no_sense(folder: Path, old: str, new: str, told: str) -> None:
    change(folder, "trial.yaml", old, new)
    result = run(folder, "check")
    assert result.exit_code == 10
    (line,) = (line for line in result.stderr.splitlines() if told in line)
    assert line.startswith("trials/NCT00000001/trial.yaml:")


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
    assert "which one" not in result.output, "there is one gate"
    assert "needs hemoglobin: Hemoglobin in g/L, from 14 days before the planned first dose" in result.output


def test_codes(folder: Path) -> None:
    every, unverified = run(folder, "codes").output, run(folder, "codes", "--unverified").output
    assert "hemoglobin\thttp://loinc.org\t718-7\tHemoglobin [Mass/volume] in Blood\t" in every
    assert "718-7" not in unverified
    assert 0 < len(unverified.splitlines()) < len(every.splitlines())
