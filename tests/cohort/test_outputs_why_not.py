"""``why-not``: each criterion that is not passed, why, what would change it; the same from a run and from a Bundle."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from run_maker import AS_OF, NPC, ROOT, line_of, rules, story_outcomes, write_run

from cds_service.cli import main
from cds_service.evaluation.outcome import Verdict
from cds_service.languages import translator
from cds_service.present.cohort.why_not import why_not, why_not_in_run

RULES = rules()
LIBRARY = RULES.library
OUTCOMES = {one.patient.removeprefix("Patient/"): one for one in story_outcomes(RULES)}
GOLDEN = Path(__file__).resolve().parent / "golden"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines = [line_of(one) for one in OUTCOMES.values()]
    gone = {
        **lines[0],
        "patient": "Patient/gone",
        "results": [],
        "others": [],
        "unread": {"Patient": "no such patient"},
    }
    return write_run(tmp_path_factory.mktemp("why") / "run", [*lines, gone], LIBRARY)


def ask(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["why-not", *map(str, arguments)])


def bundle(story: str) -> Path:
    return ROOT / "fhir_examples" / "patients" / story / "bundle.json"


@pytest.mark.parametrize(
    "story", ["stale-bilirubin", "prior-radiotherapy", "in-induction", "deceased", "empty-problem-list"]
)
def test_the_text(run, story):
    text = why_not_in_run(run, story, NPC, LIBRARY)
    golden = GOLDEN / f"{story}.why-not.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("story", [name for name, one in OUTCOMES.items() if line_of(one)["results"]])
def test_a_run_says_what_the_bundle_says(run, story):
    from_run = why_not_in_run(run, f"Patient/{story}", NPC, LIBRARY)
    assert from_run == why_not(OUTCOMES[story], LIBRARY, translator("en"))
    chinese = translator("zh", LIBRARY)
    assert why_not_in_run(run, story, NPC, LIBRARY, "zh").count("\n") == why_not(
        OUTCOMES[story], LIBRARY, chinese
    ).count("\n")


@pytest.mark.parametrize("others", [None, {"trial": NPC}, ["secret"], [{"trial": NPC}]])
def test_a_spoilt_line_is_refused_without_its_content(tmp_path, others):
    line = {**line_of(OUTCOMES["candidate"]), "results": [], "others": others}
    run = write_run(tmp_path / "run", [line if others else {k: v for k, v in line.items() if k != "others"}], LIBRARY)
    said = ask("candidate", NPC, "--run", run)
    assert (said.exit_code, said.stderr.count("\n")) == (2, 1), said.output
    assert "results.jsonl does not fit the rules" in said.stderr
    assert "secret" not in said.stderr


def test_the_command_with_a_bundle(run):
    from_bundle = ask(NPC, "--bundle", bundle("stale-bilirubin"), "--as-of", AS_OF)
    assert from_bundle.exit_code == 0, from_bundle.output
    assert from_bundle.output == ask("stale-bilirubin", NPC, "--run", run).output


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("story", ["stale-bilirubin", "stage-iva-8th"])
def test_every_criterion_that_is_not_passed_and_no_other(run, story, language):
    text = why_not_in_run(run, story, NPC, LIBRARY, language)
    heads = [line.replace("：", ": ").split(": ")[0] for line in text.splitlines() if line.startswith("  ")]
    for one in OUTCOMES[story].trials[0].criteria:
        short = one.criterion.zh["short"] if language == "zh" else one.criterion.short
        named = [head for head in heads if not head.startswith("    ") and head.endswith(f"  {short}")]
        assert len(named) == (one.verdict is not Verdict.PASS), (one.criterion.id, text)


def test_a_trigger_that_fails(run):
    said = ask("healthy-person", NPC, "--run", run)
    assert "NCT07235319: the trigger fails (Nasopharyngeal carcinoma)." in said.output
    whole = ask(NPC, "--bundle", bundle("healthy-person"), "--as-of", AS_OF)
    assert "The trigger fails: the patient is not of the kind that the trial is about." in whole.output
    assert "触发条件不符合（鼻咽癌）" in why_not_in_run(run, "healthy-person", NPC, LIBRARY, "zh")


def test_a_patient_who_could_not_be_judged(run):
    text = why_not_in_run(run, "gone", NPC, LIBRARY)
    assert "The patient could not be judged: no such patient" in text


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["secret", NPC, "--run", "RUN"], "no such patient"),
        (["candidate", "NCT00000000", "--run", "RUN"], "TRIAL"),
        (["candidate", "--run", "RUN"], "PATIENT TRIAL --run DIR"),
        (["candidate", NPC, "--bundle", bundle("candidate")], "TRIAL --bundle FILE"),
        (["candidate", NPC], "either --run DIR or --bundle FILE"),
        (["candidate", NPC, "--run", "RUN", "--bundle", "x"], "either --run DIR or --bundle FILE"),
        (["candidate", NPC, "--run", "RUN", "--as-of", "2026-03-01"], "--as-of"),
        (["candidate", NPC, "--run", "nowhere"], "not finished"),
        ([NPC, "--bundle", "nowhere"], "no such file"),
        ([NPC, "--bundle", bundle("candidate"), "--language", "tlh"], "one of en, zh"),
    ],
)
def test_what_is_wrong_is_named(run, arguments, word):
    said = ask(*(run if one == "RUN" else one for one in arguments))
    assert said.exit_code == 2, said.output
    assert said.stdout == ""
    assert word in said.stderr
    assert "secret" not in said.stderr
    assert said.stderr.count("\n") == 1
