"""The commands that explain, compare and begin rule files, and what `rules check` refuses beyond their form."""

import dataclasses
import json
import shutil
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cds_service.cli import main
from cds_service.evaluation.trace import in_words, walk
from cds_service.logic.expression import compile_logic
from cds_service.logic.values import ANY_CHOICE, ANY_NUMBER, Choices, Interval, Numbers, Value
from cds_service.trials import compare
from cds_service.trials.model import Criterion, Gate, Trial
from cds_service.trials.skeleton import skeleton

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "fhir_examples" / "patients"
ID = "NCT07235319"
DAY = ("--as-of", "2026-03-01")


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["rules", *(str(word) for word in words)])


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    shutil.copytree(ROOT / "rules", folder)
    for other in (folder / "trials").iterdir():
        if other.name != ID:
            shutil.rmtree(other)
    return folder


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def trial_of(rules: Path) -> Path:
    return rules / "trials" / ID / "trial.yaml"


# explain


def test_explain_says_everything_of_a_criterion() -> None:
    result = run("explain", ID, "transaminases")
    assert result.exit_code == 0, result.output
    for said in (
        "AST and ALT at most 2.5 × ULN, or at most 5 × ULN when there are liver metastases",
        "line 9f: AST and ALT at most 2.5 × ULN",
        "((ast ≤ 2.5) or (liver_metastasis and (ast ≤ 5))) and ((alt ≤ 2.5) or (liver_metastasis and (alt ≤ 5)))",
        "ast: AST, in multiples of the upper limit of normal that the result brings",
        "from 14 days before the planned first dose (else the day of judgement) up to it, both included",
        "missing-uln: The upper limit of normal comes from the result's own reference range",
        "no-reference-range: ast, alt\n",
        "clinician: liver_metastasis\n",
        "it accepts ast of exactly 2.5 × ULN",
        "(stale)",
    ):
        assert said in result.output
    assert "edition-unknown" not in result.output


def test_explain_says_what_can_never_be() -> None:
    output = run("explain", ID, "life-expectancy").output
    assert "pass: never, no record holds it" in output
    assert "May be unknown\n  clinician: life_expectancy" in output


def test_explain_names_the_rule_of_a_fact_and_the_day_a_window_ends() -> None:
    assert "from 28 days before the day of judgement up to it" in run("explain", ID, "ecog").output


@pytest.mark.parametrize(
    ("criterion", "words"),
    [
        (
            "transaminases",
            [
                "at the gate screening",
                "pass, can change: ",
                "  ast: now 4; later any number",
                "    evidence: Observation/liver-metastasis-ast-4x-ast, 160 U/L, 2026-02-27, 4.00 × ULN",
                "      ast ≤ 2.5: false, can change",
                "        liver_metastasis: true, can change",
            ],
        ),
        ("npc-primary", ["pass for good: ", "  npc_primary: now true; later true"]),
        (
            "no-prior-treatment",
            [
                "unknown: ",
                "  not prior_treatment: unknown",
                "would give: false",
                "Leaning: pass",
                "Decisive: prior_treatment",
            ],
        ),
    ],
)
def test_explain_shows_how_a_verdict_came_about(criterion: str, words: list[str]) -> None:
    result = run("explain", ID, criterion, EXAMPLES / "liver-metastasis-ast-4x" / "bundle.json", *DAY)
    assert result.exit_code == 0, result.output
    for word in words:
        assert word in result.output


def test_explain_says_that_a_criterion_is_not_asked_at_the_patients_gate() -> None:
    result = run("explain", ID, "response", EXAMPLES / "candidate" / "bundle.json", *DAY)
    assert result.exit_code == 0
    assert "Not asked at this gate; it belongs to randomisation." in result.output


def test_explain_makes_words_of_a_record_harmless(tmp_path: Path) -> None:
    bundle = json.loads((EXAMPLES / "candidate" / "bundle.json").read_text(encoding="utf-8"))
    for entry in bundle["entry"]:
        if entry["resource"]["resourceType"] == "Condition":
            entry["resource"]["code"]["text"] = "a\u202eb\x1b[31mc\nd"
            entry["resource"]["code"].get("coding", [{}])[0].pop("display", None)
    file = tmp_path / "bundle.json"
    file.write_text(json.dumps(bundle), encoding="utf-8")
    output = run("explain", ID, "npc-primary", file, *DAY).output
    assert "\x1b" not in output
    assert "\u202e" not in output


def test_explain_refuses_what_is_not_there() -> None:
    unknown = run("explain", ID, "hemoglobn")
    assert unknown.exit_code == 2
    assert "did you mean 'hemoglobin'?" in unknown.stderr
    assert run("explain", "NCT07235318", "age").exit_code == 2
    assert run("explain", ID, "age", "nowhere.json", *DAY).exit_code == 2
    assert run("explain", ID, "age", EXAMPLES / "candidate" / "bundle.json", "--as-of", "soon").exit_code == 2


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (Numbers((Interval(),)), "any number"),
        (ANY_NUMBER, "any number"),
        (Numbers((Interval(low_open=True),)), "any number"),
        (ANY_CHOICE, "any code"),
        (Choices.of("IVB", "IVA"), "IVB or IVA"),
        (Choices.of(False), "false"),
    ],
)
def test_values_in_words(values: Numbers | Choices, words: str) -> None:
    assert in_words(values) == words


def test_a_logic_that_gives_a_code_is_walked_too() -> None:
    logic = compile_logic({"if": [{"var": "a"}, "x", "y"]}, {"a": "boolean"}, returns="code")
    lines = list(walk(logic.tree, {"a": Value.fixed(Choices.of(True))}))
    assert lines == ["x if a, else y: x", "  a: true for good"]


# show


def test_show_has_lines_and_conventions_in_both_languages() -> None:
    shown = run("show", ID).output
    assert "published, line 9a: Hemoglobin at least 90 g/L.\n    in Chinese: 血红蛋白 ≥ 90 g/L。\n" in shown
    assert "convention stage-by-m: Stage IV of the 9th edition is M1, so the M category decides; a group" in shown
    assert "    in Chinese: 第 9 版的 IV 期即 M1，故由 M 分期判定；分期组别仅在注明版本时采用。\n" in shown


# diff


def test_diff_of_the_same_rules_is_silent(rules: Path) -> None:
    result = run("diff", rules, rules, "--examples", EXAMPLES)
    assert (result.exit_code, result.output) == (0, "20 example patients, 0 changed\n")


def test_diff_names_what_changed_and_whom_it_moves(rules: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(rules, old)
    change(trial_of(old), "{var: hemoglobin}, 90]", "{var: hemoglobin}, 120]")
    result = run("diff", old, rules, "--examples", EXAMPLES)
    assert result.exit_code == 1
    assert f"{ID}: hemoglobin: logic: hemoglobin ≥ 120 -> hemoglobin ≥ 90\n" in result.output
    assert f"inr-on-warfarin: {ID}: status: not-now -> candidate\n" in result.output
    assert f"inr-on-warfarin: {ID}: hemoglobin: fail -> pass: Hemoglobin ≥ 90 g/L: met (116 g/L" in result.output
    assert "candidate: " not in result.output.replace("-> candidate", "").replace("candidate-", "")


def test_diff_ends_with_0_when_only_words_change(rules: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(rules, old)
    change(trial_of(old), "text: Aged 18 to 70.", "text: From 18 to 70.")
    change(trial_of(old), "needs: {hemoglobin: {unit: g/L, within: 14 d}}", "needs: {hemoglobin: {unit: g/L}}")
    change(trial_of(old), "zh: 年龄 18 至 70 岁，性别不限。", "zh: 18 至 70 岁，性别不限。")
    result = run("diff", old, rules, "--examples", EXAMPLES)
    assert result.exit_code == 0
    assert f"{ID}: age: text: From 18 to 70. -> Aged 18 to 70.\n" in result.output
    assert f"{ID}: lines_zh 1: 18 至 70 岁，性别不限。 -> 年龄 18 至 70 岁，性别不限。\n" in result.output
    assert "need hemoglobin: hemoglobin, g/L, the fact's own window, up to anchor -> hemoglobin, g/L, within 14 d" in (
        result.output
    )


def test_diff_of_two_files_takes_a_copy_from_anywhere(rules: Path, tmp_path: Path) -> None:
    lone = tmp_path / "old.yaml"
    shutil.copy(trial_of(rules), lone)
    change(lone, "  - id: aptt\n", "  - id: partial-time\n")
    result = run("diff", lone, trial_of(rules), "--examples", EXAMPLES, "--rules", rules)
    assert result.exit_code == 1
    assert f"{ID}: partial-time: removed (aPTT at most" in result.output
    assert f"{ID}: aptt: added (aPTT at most" in result.output
    assert f"candidate: {ID}: partial-time: pass -> not asked: " in result.output
    assert f"candidate: {ID}: aptt: not asked -> pass: " in result.output


def test_diff_sees_facts_value_sets_and_whole_trials(rules: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(rules, old)
    change(old / "facts.yaml", "any_lesion_mm: 15", "any_lesion_mm: 40")
    change(old / "valuesets" / "albumin.json", '"code": "1751-7"', '"code": "1751-8"')
    (old / "trials" / "NCT00000001").mkdir()
    for name, text in zip(("trial.yaml", "tests.yaml"), skeleton("NCT00000001", date(2026, 3, 1)), strict=True):
        (old / "trials" / "NCT00000001" / name).write_text(text, encoding="utf-8")
    result = run("diff", old, rules, "--examples", EXAMPLES)
    assert result.exit_code == 1
    assert "fact measurable_lesion: changed (options.any_lesion_mm)\n" in result.output
    assert "value set albumin: 1 added, 1 removed\n" in result.output
    assert "NCT00000001: removed\n" in result.output
    assert f": {ID}: measurable-lesion: unknown -> pass: " in result.output


def test_diff_refuses_rules_that_are_wrong(rules: Path, tmp_path: Path) -> None:
    lone = tmp_path / "old.yaml"
    shutil.copy(trial_of(rules), lone)
    change(lone, "phase:", "fase:")
    result = run("diff", lone, trial_of(rules), "--examples", EXAMPLES)
    assert result.exit_code == 10
    assert "unknown key 'fase'" in result.stderr


@pytest.mark.parametrize(
    ("kind", "beside"),
    [
        (Criterion, {"id", "line", "needs", "logic"}),
        (
            Trial,
            {"id", "digest", "gates", "gate_choice", "gate_needs", "criteria", *compare._TEXTS},
        ),
    ],
)
def test_diff_compares_every_field(kind: type, beside: set[str]) -> None:
    compared = set(compare._PLAIN) | set(compare._LISTS) if kind is Criterion else set(compare._HEAD)
    assert {field.name for field in dataclasses.fields(kind)} == compared | beside


# new


@pytest.mark.parametrize("identity", ["NCT00000001", "ChiCTR2000012345"])
def test_new_writes_what_checks_and_passes(rules: Path, identity: str) -> None:
    result = run("new", identity, "--rules", rules)
    assert result.exit_code == 0, result.output
    assert "fill every place marked 'FILL IN'" in result.output
    checked = run("check", "--rules", rules)
    assert checked.exit_code == 0, checked.output
    assert "2 trials" in checked.output
    tested = run("test", identity, "--rules", rules)
    assert (tested.exit_code, tested.output) == (0, "7 cases, 0 failed\n")
    assert "review: pending" in run("show", identity, "--rules", rules).output


def test_new_overwrites_nothing(rules: Path) -> None:
    before = trial_of(rules).read_text(encoding="utf-8")
    result = run("new", ID, "--rules", rules)
    assert result.exit_code == 2
    assert "is there already; nothing was written" in result.stderr
    assert trial_of(rules).read_text(encoding="utf-8") == before


@pytest.mark.parametrize("identity", ["../x", "my-trial", "NCT1", ""])
def test_new_asks_for_a_number_of_a_registry(rules: Path, identity: str) -> None:
    result = run("new", identity, "--rules", rules)
    assert result.exit_code == 2
    assert [path.name for path in (rules / "trials").iterdir()] == [ID]


def test_what_is_not_filled_in_cannot_be_signed_off(rules: Path) -> None:
    run("new", "NCT00000001", "--rules", rules)
    change(rules / "trials" / "NCT00000001" / "trial.yaml", "review: pending", "review: signed-off")
    result = run("check", "--rules", rules)
    assert result.exit_code == 10
    assert "NCT00000001/trial.yaml:9: trial.sponsor: 'FILL IN' still stands here" in result.stderr


# check


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        (
            "trial",
            "  lab-window:\n",
            "  lone: A choice.\n  lab-window:\n",
            "conventions.lone: no criterion applies this convention",
        ),
        (
            "trial",
            "needs: {npc_primary: {}}",
            "needs: {npc_primary: {within: 14 d}}",
            "needs.npc_primary.within: 'npc_primary' is of kind 'primary_cancer', which has no window",
        ),
        (
            "trial",
            "needs: {stage: {}}",
            "needs: {stage: {anchor: as_of}}",
            "needs.stage.anchor: 'stage' is of kind 'metastatic_stage', which has no window",
        ),
        (
            "facts",
            "{value_set: hemoglobin, analyte: hemoglobin}",
            "{value_sets: [hemoglobin], analyte: hemoglobin}",
            "facts.hemoglobin.options: the option 'value_set' is missing: a fact of kind 'lab' needs it "
            "(did you mean 'value_sets'?)",
        ),
        (
            "facts",
            "        supports_from: 70",
            "        support_from: 70",
            "facts.ecog.options: the option 'karnofsky.supports_from' is missing",
        ),
        ("facts", "{class: pd1}", "{class: pd-1}", "options.class: unknown class of treatment 'pd-1'"),
        ("facts", "other_half: pd1_inhibitor_seen", "other_half: hemoglobin", "is no fact of kind 'treatment_seen'"),
        ("facts", "weight: body_weight", "weight: body_wait", "'body_wait' is no fact of kind 'lab'"),
        (
            "facts",
            "asked_value_sets: [npc_histology_nonkeratinizing]",
            "asked_value_sets: npc_histology_nonkeratinizing",
            "options.asked_value_sets: expected a list of value sets",
        ),
        ("facts", "    kind: primary_cancer", "    kind: judgement", "no fact is of kind 'primary_cancer'"),
    ],
)
def test_check_refuses(rules: Path, file: str, old: str, new: str, complaint: str) -> None:
    change(trial_of(rules) if file == "trial" else rules / "facts.yaml", old, new)
    result = run("check", "--rules", rules)
    assert result.exit_code == 10
    assert complaint in result.stderr


def test_check_asks_for_a_case_on_each_limit_and_beyond(rules: Path) -> None:
    change(trial_of(rules), '{"<=": [18, {var: age}, 70]}', '{"<=": [17, {var: age}, 90]}')
    result = run("check", "--rules", rules)
    assert result.exit_code == 10
    assert "no case of 'age' stands exactly on its limit age <= 90" in result.stderr
    assert "no case of 'age' stands beyond its limit age <= 90" in result.stderr
    assert "no case of 'age' stands beyond its limit age >= 17" in result.stderr


def test_gates_are_compared_whole() -> None:
    assert {field.name for field in dataclasses.fields(Gate)} == {"id", "label", "anchored_by_caller", "zh"}
