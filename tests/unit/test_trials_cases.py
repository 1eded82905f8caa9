"""Test cases are read strictly, and what they do not show is told."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from cds_service.errors import RuleError
from cds_service.facts.definitions import Ask, FactDefinition
from cds_service.trials.cases import Case, CaseFile, load_cases
from cds_service.trials.coverage import missing_coverage
from cds_service.trials.load import load_trial
from cds_service.trials.model import Trial

FACTS = {
    "hemoglobin": FactDefinition("hemoglobin", "lab", "number", {"en": "Hemoglobin"}, Ask("lab"), "g/L"),
    "npc": FactDefinition("npc", "primary_cancer", "boolean", {"en": "NPC"}, Ask("question")),
}
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
lines: {1: blood, 2: cancer}
criteria:
  - id: blood
    kind: inclusion
    gates: [screening]
    text: Hemoglobin at least 90 g/L.
    short: Hemoglobin
    source: [1]
    needs: {hemoglobin: {unit: g/L, within: 14 d}}
    logic: {">=": [{var: hemoglobin}, 90]}
  - id: npc-primary
    kind: inclusion
    gates: [screening]
    trigger: true
    text: Nasopharyngeal carcinoma.
    short: NPC
    source: [2]
    needs: {npc: {}}
    logic: {var: npc}
"""
GOOD = """\
trial: NCT00000001
as_of: 2026-03-01
patient: {problems: [{code: C11.9}], hemoglobin: {value: 121.0, unit: g/L, date: 2026-02-26}}
cannot:
  npc-primary: {fail: the list is never complete}
cases:
  - it: takes the base patient
    expect: {status: candidate, gate: screening, to_confirm: [], npc-primary: pass}
  - it: takes exactly 90 g/L
    given: {hemoglobin: {value: 90, unit: g/L, date: 2026-02-26}}
    expect: {blood: pass}
    on_limit: true
  - it: turns 89.9 away
    given: {hemoglobin: {value: 89.9, unit: g/L, date: 2026-02-26}}
    as_of: 2026-03-02
    anchor: 2026-03-05
    expect: {blood: fail, status: not-now, can_change: {blood: true}}
  - it: asks for what is not there
    without: [hemoglobin, problems]
    expect: {blood: unknown, npc-primary: unknown, decisive: [npc, hemoglobin]}
    why: {blood: no-record, npc-primary: not-fetched}
    leaning: {blood: null, npc-primary: pass}
"""


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    folder = tmp_path / "NCT00000001"
    folder.mkdir()
    (folder / "trial.yaml").write_text(TRIAL, encoding="utf-8")
    return load_trial(folder / "trial.yaml", FACTS)


def load(trial: Trial, tmp_path: Path, text: str) -> CaseFile:
    file = tmp_path / "tests.yaml"
    file.write_text(text, encoding="utf-8")
    return load_cases(file, trial, FACTS)


def test_a_good_file(trial: Trial, tmp_path: Path) -> None:
    case_file = load(trial, tmp_path, GOOD)
    assert (case_file.trial, case_file.as_of) == ("NCT00000001", date(2026, 3, 1))
    assert case_file.path == tmp_path / "tests.yaml"
    assert case_file.cannot == {"npc-primary": {"fail": "the list is never complete"}}
    assert case_file.patient["hemoglobin"] == {"value": Decimal("121.0"), "unit": "g/L", "date": "2026-02-26"}
    base, limit, below, absent = case_file.cases
    assert (base.status, base.gate, base.to_confirm, base.decisive) == ("candidate", "screening", (), None)
    assert base.verdicts == {"npc-primary": "pass"}
    assert (limit.verdicts, limit.on_limit, limit.status) == ({"blood": "pass"}, True, None)
    assert below == Case(
        it="turns 89.9 away",
        given={"hemoglobin": {"value": Decimal("89.9"), "unit": "g/L", "date": "2026-02-26"}},
        without=(),
        as_of=date(2026, 3, 2),
        anchor=date(2026, 3, 5),
        verdicts={"blood": "fail"},
        status="not-now",
        gate=None,
        can_change={"blood": True},
        to_confirm=None,
        decisive=None,
        why={},
        leaning={},
        on_limit=False,
        line=13,
    )
    assert (absent.without, absent.decisive) == (("hemoglobin", "problems"), ("npc", "hemoglobin"))
    assert absent.why == {"blood": "no-record", "npc-primary": "not-fetched"}
    assert absent.leaning == {"blood": None, "npc-primary": "pass"}


BAD = [
    ("trial: NCT00000001", "trial: NCT00000002", "trial:", "is not the trial beside this file, NCT00000001"),
    ("trial: NCT00000001", "format: 2\ntrial: NCT00000001", "format", "expected format 1"),
    ("as_of: 2026-03-01", "as_of: 1 March", "as_of: 1", "expected a day such as 2026-03-01"),
    ("as_of: 2026-03-01\n", "", "trial:", "the key 'as_of' is missing"),
    ("patient: {", "patients: {", "patients:", "did you mean 'patient'?"),
    ("  npc-primary: {fail", "  npc: {fail", "  npc: {fail", "unknown criterion 'npc' (known: "),
    (
        "{fail: the list",
        "{fails: the list",
        "  npc-primary: {",
        "unknown verdict 'fails' (did you mean 'fail'?)",
    ),
    ("{fail: the list is never complete}", "[fail]", "  npc-primary: [", "expected a mapping, found a list"),
    ("{fail: the list is never complete}", "{fail: }", "  npc-primary: {", "expected text, found nothing"),
    (
        "it: turns 89.9 away",
        "it: takes the base patient",
        "- it: takes the base patient\n    given",
        "is the name of the case on line 7 too",
    ),
    ("- it: turns 89.9 away", "- it:", "- it:\n", "expected text, found nothing"),
    ("expect: {blood: pass}", "expect: {}", "expect: {}", "the case expects nothing"),
    ("    expect: {blood: pass}\n", "", "- it: takes exactly", "the key 'expect' is missing"),
    (
        "expect: {blood: pass}",
        "expect: {blod: pass}",
        "expect: {blod",
        "unknown criterion 'blod' (did you mean 'blood'?)",
    ),
    ("expect: {blood: pass}", "expect: {stats: pass}", "expect: {stats", "did you mean 'status'?"),
    (
        "expect: {blood: pass}",
        "expect: {blood: passes}",
        "expect: {blood: passes",
        "unknown verdict 'passes' (did you mean",
    ),
    ("expect: {blood: pass}", "expect: {blood: true}", "expect: {blood: true", "expected text, found true"),
    (
        "expect: {blood: pass}",
        "expect: {status: candidate}",
        "on_limit",
        "a case on a limit says the verdict",
    ),
    ("status: not-now", "status: eligible", "expect: {blood: fail", "unknown status 'eligible'"),
    (
        "gate: screening",
        "gate: screen",
        "expect: {status",
        "unknown gate 'screen' (did you mean 'screening'?)",
    ),
    (
        "{blood: true}}",
        "{blood: yes}}",
        "expect: {blood: fail",
        "expected true or false, found the text 'yes'",
    ),
    ("{blood: true}}", "{bloood: true}}", "expect: {blood: fail", "unknown criterion 'bloood'"),
    ("{blood: true}}", "[blood]}", "expect: {blood: fail", "expected a mapping, found a list"),
    ("to_confirm: []", "to_confirm: [blod]", "expect: {status", "unknown criterion 'blod'"),
    ("decisive: [npc, hemoglobin]", "decisive: [blood]", "expect: {blood: unk", "unknown fact 'blood'"),
    (
        "decisive: [npc, hemoglobin]",
        "decisive: [npc, npc]",
        "expect: {blood: unk",
        "stands twice in the list",
    ),
    (
        "without: [hemoglobin, problems]",
        "without: [hemglobin]",
        "without",
        "unknown entry of the patient 'hemglobin'",
    ),
    (
        "    without: [h",
        "    given: {problems: []}\n    without: [h",
        "without",
        "'problems' is given and left out at once",
    ),
    ("given: {hemoglobin: {value: 90,", "give: {hemoglobin: {value: 90,", "give:", "did you mean 'given'?"),
    ("anchor: 2026-03-05", "anchor: 2026-02-30", "anchor", "expected a day"),
    (
        "{blood: no-record,",
        "{blood: norecord,",
        "why",
        "unknown reason 'norecord' (did you mean 'no-record'?)",
    ),
    ("{blood: no-record,", "{blud: no-record,", "why", "unknown criterion 'blud'"),
    ("{blood: unknown,", "{blood: fail,", "why", "only an unknown has a why"),
    ("{blood: unknown,", "{blood: fail,", "leaning", "only an unknown has a leaning"),
    ("{blood: null, npc-primary: pass}", "{blood: unknown}", "leaning", "unknown leaning 'unknown'"),
    ("{blood: null, npc-primary: pass}", "{blod: null}", "leaning", "unknown criterion 'blod'"),
    ("on_limit: true", "on_limit: 1", "on_limit", "expected true or false, found the number 1"),
    ("cases:\n", "cases: []\nmore:\n", "cases:", "the list is empty"),
]


@pytest.mark.parametrize(("old", "new", "place", "words"), BAD)
def test_a_mistake_is_told_with_its_line(
    trial: Trial, tmp_path: Path, old: str, new: str, place: str, words: str
) -> None:
    assert GOOD.count(old) >= 1
    text = GOOD.replace(old, new, 1)
    line = text.count("\n", 0, text.index(place)) + 1
    with pytest.raises(RuleError) as caught:
        load(trial, tmp_path, text)
    found = [str(complaint) for complaint in caught.value.complaints]
    here = [complaint for complaint in found if complaint.partition("tests.yaml:")[2].startswith(f"{line}: ")]
    assert any(words in complaint for complaint in here), (line, found)


@pytest.mark.parametrize("text", ["", "[]", "cases: [1, {}, []]", "trial: {}\ncases: {}\ncannot: 1"])
def test_a_file_of_no_cases(trial: Trial, tmp_path: Path, text: str) -> None:
    with pytest.raises(RuleError):
        load(trial, tmp_path, text)


def missing(trial: Trial, tmp_path: Path, text: str) -> list[str]:
    found = missing_coverage(trial, load(trial, tmp_path, text))
    return [str(complaint).rpartition("tests.yaml")[2].lstrip(": ") for complaint in found]


def test_a_file_that_shows_everything(trial: Trial, tmp_path: Path) -> None:
    assert missing(trial, tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "{blood: fail, status",
            "{status",
            "no case expects 'blood' to fail (add one, or the reason: cannot:",
        ),
        ("    on_limit: true\n", "", "no case stands exactly on a limit of 'blood'"),
        (
            "{blood: unknown, npc-primary: unknown, ",
            "{blood: unknown, ",
            "no case expects 'npc-primary' to be unknown",
        ),
        (
            "cannot:\n  npc-primary: {fail: the list is never complete}\n",
            "",
            "no case expects 'npc-primary' to fail",
        ),
        (
            "{fail: the",
            "{fail: so, pass: the",
            "7: 'npc-primary' is expected to pass here, and cannot says it never does",
        ),
    ],
)
def test_what_is_not_shown(trial: Trial, tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in GOOD
    (found,) = missing(trial, tmp_path, GOOD.replace(old, new, 1))
    assert found.startswith(words)
