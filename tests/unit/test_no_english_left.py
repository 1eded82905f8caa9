"""Each command is run on a Chinese terminal, and no English sentence is left in what it prints.

Left out here: `conformance` and `ehr-sheet` (tests of their own), `serve` (its log is English), `rules codes` and the
rows of `sites unmapped` (names of code systems), and everything as JSON. `demo` and `doctor`: tests/servers.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner
from english_left import english_left, names_of, names_of_cases, words_of_record

from cds_service.bootstrap import load_rules
from cds_service.cli import main, rule_files
from cds_service.present.speaker import Speaker, speaker
from cds_service.rules_folder import rules_folder
from cds_service.trials.library import load_library
from cds_service.trials.model import Library

EXAMPLES = Path(__file__).resolve().parents[2] / "fhir_examples" / "patients"
STORY, CANDIDATE, LIVER = (
    EXAMPLES / name / "bundle.json" for name in ("stale-bilirubin", "candidate", "liver-metastasis-ast-4x")
)
TRIAL = "NCT07235319"
AS_OF = ("--as-of", "2026-03-01")
RULES = load_rules().library
KEPT = names_of(RULES) | names_of_cases(rules_folder(), RULES)
RECORD = words_of_record(STORY, CANDIDATE, LIVER)
Run = Callable[..., str]


@cache
def _loaded(folder: Path, site: str | None = None) -> Library:
    return load_library(folder, site=site)


@pytest.fixture(params=["zh", "en"])
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Give what runs a command in Chinese and looks through what it prints.

    In English the same looks must find sentences: else what is stated to stay swallows them, and it proves nothing.
    """
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8" if request.param == "zh" else "C.UTF-8")
    monkeypatch.setattr(rule_files, "load_library", _loaded)

    def run(*arguments: object, code: int = 0, stays: set[str] = frozenset(), terse: bool = False) -> str:  # type: ignore[assignment]
        result = CliRunner().invoke(main, [str(one) for one in arguments], input="p1\n", prog_name="cds-service")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert result.exit_code == code, result.output
        left = english_left(result.output, stays)
        if request.param == "zh":
            assert left == []
        else:
            assert left or terse, "says nothing that the looks would see"
        return result.output

    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a population, a run over it with charts, and one in which something is wrong."""
    folder = tmp_path_factory.mktemp("chinese")
    runner = CliRunner()
    made = ["synth", "--patients", "25", "--seed", "4", "--out", str(folder / "synth"), "--grouped"]
    assert runner.invoke(main, made).exit_code == 0
    told = ["prescreen", "--ndjson", str(folder / "synth"), "--out", str(folder / "run"), *AS_OF]
    assert runner.invoke(main, [*told, "--workers", "1", "--keep-charts", "--quiet"]).exit_code == 0
    shutil.copytree(folder / "run", folder / "wrong")
    lines = (folder / "wrong" / "results.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    lines = [line.replace('"verdict":"pass"', '"verdict":"fail"').replace('"pass"', '"fail"') for line in lines[1:]]
    (folder / "wrong" / "results.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


# The looks themselves.


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("3 patients were judged", ["patients were judged"]),
        ("判定 patients were judged 了", ["patients were judged"]),
        ("one, two; three.", ["one, two; three."]),
        ("the fact's own-window", ["the fact's own-window"]),
        ("nothing wrong", []),
        ("npc_primary or liver_metastasis and ast", []),
        ("英文：The patient has it.", []),
        ("见 https://a.example/the/way it goes --as-of `as it was said`", []),
        ("cds-service keys list shows all of them", ["shows all of them"]),
        ("words of a record here", ["words of a record here"]),
    ],
)
def test_what_counts_as_left_over(text: str, left: list[str]) -> None:
    assert english_left(text) == left
    assert english_left(text, {"words of a record"}) == ([] if text.startswith("words of") else left)


@pytest.mark.parametrize(
    "template",
    [
        "  The exclusion criteria are not published and not encoded.",
        "{what}, from {days} days before the planned first dose",
        "those of ({parts}) that can be judged agree on it",
    ],
)
def test_one_sentence_that_nobody_translated_is_found(template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = speaker("zh", RULES)

    def without(_library: Library | None = None) -> Speaker:
        return Speaker("zh", lambda text: text if text == template else whole.translate(text))

    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    monkeypatch.setattr("cds_service.cli.rules.terminal", without)
    output = CliRunner().invoke(main, ["rules", "show", TRIAL], prog_name="cds-service").output
    assert english_left(output, KEPT)


# The commands.


@pytest.mark.parametrize("trial", RULES.trials)
def test_rules_show(trial: str, run: Run) -> None:
    run("rules", "show", trial, stays=KEPT)


@pytest.mark.parametrize("trial", RULES.trials)
def test_rules_explain(trial: str, run: Run) -> None:
    for criterion in RULES.trials[trial].criteria[::4]:
        run("rules", "explain", trial, criterion.id, stays=KEPT)


@pytest.mark.parametrize("bundle", [STORY, CANDIDATE, LIVER], ids=lambda file: file.parent.name)
def test_rules_explain_a_verdict(bundle: Path, run: Run) -> None:
    for criterion in ("stage", "no-prior-treatment", "renal", "bilirubin", "transaminases"):
        run("rules", "explain", TRIAL, criterion, bundle, *AS_OF, stays=KEPT | RECORD, terse=True)
    run("rules", "explain", "NCT04557020", "recurrent-or-metastatic", bundle, *AS_OF, stays=KEPT | RECORD)


def test_rules_explain_a_criterion_of_the_other_gate(run: Run) -> None:
    run("rules", "explain", TRIAL, "response", STORY, *AS_OF)


def test_rules_diff(run: Run, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(rules_folder(), old)
    shutil.rmtree(old / "trials" / "NCT04557020")
    file, facts = old / "trials" / TRIAL / "trial.yaml", old / "facts.yaml"
    text = file.read_text(encoding="utf-8")
    first, *rest = text.split("  - id: ")
    last = rest.pop(-1)
    for before, after in (
        ("{var: hemoglobin}, 90]", "{var: hemoglobin}, 120]"),
        ("text: Aged 18 to 70.", "text: From 18 to 70."),
        ("needs: {hemoglobin: {unit: g/L, within: 14 d}}", "needs: {hemoglobin: {unit: g/L}}"),
        ("- id: aptt\n", "- id: partial-time\n"),
        ("label: before induction", "label: just before any induction"),
    ):
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    assert first
    assert last
    file.write_text(text, encoding="utf-8")
    told = facts.read_text(encoding="utf-8")
    assert told.count("any_lesion_mm: 15") == 1
    facts.write_text(told.replace("any_lesion_mm: 15", "any_lesion_mm: 40"), encoding="utf-8")
    codes = old / "valuesets" / "albumin.json"
    codes.write_text(
        codes.read_text(encoding="utf-8").replace('"code": "1751-7"', '"code": "1751-8"'), encoding="utf-8"
    )
    files = {"From 18 to 70.", "Aged 18 to 70.", "just before any induction"}
    few = tmp_path / "few"
    for one in (STORY, CANDIDATE, LIVER):
        shutil.copytree(one.parent, few / one.parent.name)
    arguments = ("rules", "diff", old, rules_folder(), "--examples", few)
    told = run(*arguments, code=1, stays=KEPT | RECORD | files)
    for part in ("partial-time", "any_lesion_mm", "albumin", "NCT04557020", "120"):
        assert part in told


@pytest.mark.parametrize(
    "arguments",
    [
        ("rules", "check"),
        ("rules", "explain", TRIAL, "bilirubn"),
        ("sites", "check"),
        ("sites", "unmapped", STORY),
        ("keys", "list"),
        ("audit", "verify"),
        ("feedback", "report"),
        ("worklist", "list"),
        ("restore", "nowhere.db"),
        ("backup", "nowhere.db"),
        ("evaluate", "nowhere.json"),
        ("doctor",),
        ("prescreen", "--out", "nowhere"),
        ("score", "nowhere", "nowhere"),
        ("outputs", "nowhere"),
        ("why-not", TRIAL),
    ],
    ids=lambda arguments: " ".join(map(str, arguments[:2])),
)
def test_what_is_short_or_refused(arguments: tuple[object, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    output = CliRunner().invoke(main, [str(one) for one in arguments], prog_name="cds-service").output
    assert output
    assert english_left(output) == []


def test_rules_that_are_wrong_and_new_ones(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    shutil.copytree(rules_folder(), folder)
    run("rules", "new", "NCT00000001", "--rules", folder)
    cases = folder / "trials" / TRIAL / "tests.yaml"
    text = cases.read_text(encoding="utf-8")
    cases.write_text(text.replace("expect: {hemoglobin: pass", "expect: {hemoglobin: fail"), encoding="utf-8")
    trial = folder / "trials" / TRIAL / "trial.yaml"
    trial.write_text(trial.read_text(encoding="utf-8").replace("{var: hemoglobin}, 90]", "{var: hemoglobin}, 80]"))
    run("rules", "test", TRIAL, "--rules", folder, code=10, stays=KEPT)


def test_one_patient(run: Run) -> None:
    run("evaluate", STORY, *AS_OF, "--format", "text", stays=RECORD)
    run("why-not", TRIAL, "--bundle", LIVER, *AS_OF, stays=RECORD)
    run("why-not", "NCT04557020", "--bundle", STORY, *AS_OF, stays=RECORD)


def test_a_population_and_its_score(made: Path, run: Run, tmp_path: Path) -> None:
    run("synth", "--patients", "15", "--seed", "2", "--out", tmp_path / "synth", terse=True)
    told = ("--ndjson", made / "synth", "--out", tmp_path / "run", *AS_OF, "--workers", "1")
    run("prescreen", *told)
    run("prescreen", *told)
    run("outputs", made / "run", "--format", "csv", terse=True)
    run("score", made / "run", made / "synth")
    told = run("score", made / "wrong", made / "synth", code=1)
    assert "s0000" in told


def test_why_not_in_a_run(made: Path, run: Run) -> None:
    record = words_of_record(*(made / "synth").glob("*.ndjson"))
    for number in (1, 2):
        run("why-not", f"s{number:07}", TRIAL, "--run", made / "run", stays=record)


def test_the_store(made: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, copy = tmp_path / "kept.db", tmp_path / "copy.db"
    monkeypatch.setenv("CDS_STORE", f"sqlite:///{kept}")
    run("worklist", "take", made / "run", code=2)
    run("worklist", "take", made / "run", "--server", "-")
    run("worklist", "take", made / "run", "--server", "-")
    run("worklist", "list")
    run("audit", "verify")
    run("audit", "verify", "--last", "1:abc", code=1)
    run("backup", copy)
    run("backup", copy, code=12)
    run("restore", copy, code=12)
    run("restore", copy, "--replace")
    run("feedback", "report")
    run("feedback", "revoke", TRIAL)
    run("worklist", "forget", "x", "--reason", "retention", "--by", "me", code=2)


def test_keys(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_KEYS", str(tmp_path))
    run("keys", "list")
    run("keys", "new", terse=True)
    run("keys", "new", terse=True)
    run("keys", "list")
    kid = next(tmp_path.iterdir()).stem
    run("keys", "retire", "nobody", code=12)
    run("keys", "retire", kid, "--compromised", terse=True)
