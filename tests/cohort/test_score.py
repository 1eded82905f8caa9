"""A run scored against the truth: a right run passes, and every planted fault is found."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cds_service.cli import main
from cds_service.screening.cohort.judged import PatientInput, Task, judge_of
from cds_service.synth.folder import TRUTH, write_population
from cds_service.synth.person import AS_OF, TRIAL
from cds_service.synth.record import make_up
from cds_service.synth.score import score_run, to_mapping
from cds_service.synth.written_drugs import medications

PATIENTS, SEED, MISSING = 60, 9, 0.06
Line = dict[str, Any]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that holds a population and a right run over it."""
    folder = tmp_path_factory.mktemp("scored")
    write_population(folder / "synth", patients=PATIENTS, seed=SEED, missing=MISSING)
    judge = judge_of(Task(None, AS_OF, None, (TRIAL,)))
    drugs = tuple(text.encode() for _kind, text in medications())
    run = folder / "run"
    run.mkdir()
    with (run / "results.jsonl").open("w", encoding="utf-8") as file:
        for number in range(PATIENTS, 0, -1):  # the order is no matter
            one = make_up(SEED, number, MISSING)
            # A relative's record is routed to nobody, as the source does.
            own = (text for _kind, text in one.lines if f"Patient/{one.person.id}-relative" not in text)
            file.write(judge(PatientInput(one.person.id, tuple(text.encode() for text in own), drugs)) + "\n")
    (run / "manifest.json").write_text(json.dumps({"as_of": str(AS_OF), "trials": [{"trial": TRIAL}]}))
    return folder


def score(folder: Path, *options: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["score", str(folder / "run"), str(folder / "synth"), *options])
    return done.exit_code, done.output


def test_a_right_run_has_nothing_wrong(judged):
    code, text = score(judged)
    assert (code, text.splitlines()[-1]) == (0, "nothing wrong")
    code, text = score(judged, "--format", "json")
    told = json.loads(text)
    assert code == told["wrong"] == 0
    assert told["patients"] == PATIENTS == sum(sum(row.values()) for row in told["statuses"].values())
    assert 0 < told["whole"] == told["whole_right"] < PATIENTS
    assert told["candidates"]["true"] >= told["candidates"]["found"] > 0
    for name, one in told["criteria"].items():
        assert one["exact"] == one["intact"] > 0, name
    assert sum(one["unknown"] for one in told["criteria"].values()) > 0


def results_of(line: Line) -> list[Line]:
    return [one for result in line["results"] for one in result["criteria"]]


def flip(line: Line, name: str) -> bool:
    for one in results_of(line):
        if one["id"] == name and one["verdict"] in ("pass", "fail"):
            one["verdict"] = {"pass": "fail", "fail": "pass"}[one["verdict"]]
            return True
    return False


def now_unknown(line: Line) -> bool:
    for one in results_of(line):
        if one["id"] == "age" and one["verdict"] == "pass":
            one |= {"verdict": "unknown", "can_change": True}
            return True
    return False


def for_good(line: Line) -> bool:
    for one in results_of(line):
        if one["id"] == "age" and one["verdict"] == "pass":
            one["can_change"] = False
            return True
    return False


def without_a_criterion(line: Line) -> bool:
    for result in line["results"]:
        result["criteria"] = [one for one in result["criteria"] if one["id"] != "age"]
        return True
    return False


def trigger_passes(line: Line) -> bool:
    for one in line["others"]:
        one["trigger"] = "pass"
        return True
    return False


def no_trial(line: Line) -> bool:
    line |= {"results": [], "others": []}
    return True


def another_patient(line: Line) -> bool:
    line["patient"] = "Patient/s9999999"
    return True


FAULTS: list[tuple[str, Callable[[Line], bool]]] = [
    *((f": {name} is ", lambda line, name=name: flip(line, name)) for name in ("hemoglobin", "metastasis", "renal")),
    ("age is not exactly", now_unknown),
    ("age is not exactly", for_good),
    ("age is not exactly", without_a_criterion),
    ("npc-primary is pass, in truth fail", trigger_passes),
    ("not judged exactly once", no_trial),
    ("not in the results", another_patient),
]


@pytest.mark.parametrize(("told", "plant"), FAULTS)
def test_a_planted_fault_is_found(judged, tmp_path, told, plant):
    shutil.copytree(judged, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "run" / "results.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    whole = {name for name, known in truths(tmp_path).items() if known}
    # In one patient of whom nothing was left out, so that every kind of fault shows.
    assert any(plant(line) for line in lines if line["patient"] in whole)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    code, text = score(tmp_path)
    assert code == 1
    assert told in text


def truths(folder: Path) -> dict[str, bool]:
    lines = [json.loads(line) for line in (folder / "synth" / TRUTH).read_text().splitlines()[1:]]
    return {line["patient"]: not line["spoilt"] for line in lines}


@pytest.mark.parametrize("key", ["status", "gate"])
def test_a_wrong_status_or_gate_is_found_where_nothing_was_left_out(judged, tmp_path, key):
    shutil.copytree(judged, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "run" / "results.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    whole = {name for name, known in truths(tmp_path).items() if known}
    line = next(line for line in lines if line["patient"] in whole)
    (line["results"] or line["others"])[0][key] = "something"
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    tally = score_run(tmp_path / "run", tmp_path / "synth")
    # Wrong by the truth, and by itself: no verdicts give the status, and the trial has no such gate.
    assert (tally.wrong, tally.whole - tally.whole_right) == (2, 1)
    assert to_mapping(tally)["faults"][0]["patient"] == line["patient"]


def status_of_none(line: Line) -> bool:
    for one in line["results"]:
        one["status"] = "excluded" if one["status"] == "candidate" else "candidate"
        return True
    return False


def brief_candidate(line: Line) -> bool:
    for one in line["others"]:
        one["status"] = "candidate"
        return True
    return False


def fourth_verdict(line: Line) -> bool:
    for one in results_of(line):
        if one["id"] == "life-expectancy":
            one["verdict"] = "perhaps"
            return True
    return False


def no_such_gate(line: Line) -> bool:
    for one in line["results"]:
        one["gate"] = "follow-up"
        return True
    return False


@pytest.mark.parametrize(
    ("told", "plant"),
    [
        ("age is not there", without_a_criterion),
        ("life-expectancy is not there, or its verdict is none of three", fourth_verdict),
        ("status does not follow", status_of_none),
        ("status does not follow", brief_candidate),
        ("gate is none of the trial's", no_such_gate),
    ],
)
def test_a_fault_is_found_in_a_patient_who_is_not_whole(judged, tmp_path, told, plant):
    shutil.copytree(judged, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "run" / "results.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    whole = truths(tmp_path)
    line = next(line for line in lines if not whole[line["patient"]] and plant(line))
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    faults = to_mapping(score_run(tmp_path / "run", tmp_path / "synth"))["faults"]
    assert {one["patient"] for one in faults} == {line["patient"]}
    assert any(one["what"].startswith(told) for one in faults)


def test_a_patient_twice_is_found(judged, tmp_path):
    shutil.copytree(judged, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "run" / "results.jsonl"
    first = path.read_text().splitlines()[0]
    path.write_text(path.read_text() + first + "\n")
    assert score(tmp_path)[0] == 1
    path.write_text(first + "\n")
    assert score_run(tmp_path / "run", tmp_path / "synth").wrong == PATIENTS - 1


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        (None, "no finished run"),
        ("[]", "another day"),
        ("{", "cannot be read"),
        ('{"as_of": "2026-03-02", "trials": [{"trial": "NCT07235319"}]}', "another day"),
        ('{"as_of": "2026-03-01", "trials": []}', "does not judge"),
    ],
)
def test_a_run_of_something_else_is_refused(judged, tmp_path, manifest, says):
    shutil.copytree(judged, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "run" / "manifest.json"
    path.unlink()
    if manifest is not None:
        path.write_text(manifest)
    code, text = score(tmp_path)
    assert code == 2
    assert says in text


def test_a_run_of_the_command_is_right(tmp_path):
    out, run = str(tmp_path / "synth"), str(tmp_path / "run")
    runner = CliRunner()
    made = ["synth", "--patients", "40", "--seed", "4", "--missing", "0.1", "--out", out, "--grouped"]
    assert runner.invoke(main, made).exit_code == 0
    options = ["--as-of", str(AS_OF), "--workers", "1", "--format", "-", "--quiet"]
    done = runner.invoke(main, ["prescreen", "--ndjson", out, "--out", run, *options])
    assert done.exit_code == 0, done.output
    done = runner.invoke(main, ["score", run, out])
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "nothing wrong")
    other = str(tmp_path / "other")
    assert runner.invoke(main, [*made[:3], "--seed", "5", *made[5:7], "--out", other, "--grouped"]).exit_code == 0
    done = runner.invoke(main, ["score", run, other])
    assert (done.exit_code, "another population" in done.output) == (2, True)
