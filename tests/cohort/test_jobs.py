"""A job: the same bytes whoever does it, one run in a folder, and never another's."""

import errno
import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cds_service.errors import RequestError, UnavailableError
from cds_service.screening.cohort import job as jobs
from cds_service.screening.cohort.job import Job, run
from cds_service.screening.cohort.judged import Task
from cds_service.screening.cohort.source import ndjson_source
from tests.cohort.populations import DAY, TASK, by_type, example, observation, prescreened, renamed, results, write

CLI = [str(Path(sys.executable).with_name("cds-service"))]


def files_of(run_folder: Path) -> dict[str, bytes]:
    return {name: (run_folder / name).read_bytes() for name in ("results.jsonl", "manifest.json", "quarantine.jsonl")}


@pytest.fixture(scope="module")
def population(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten patients, and something to set aside."""
    lines = [one for n in range(10) for one in renamed(example("stale-bilirubin"), "stale-bilirubin", f"p{n}")]
    files: dict[str, list[Any]] = dict(by_type(lines))
    files["Observation.ndjson"] += ["oops", observation("p9")]
    return write(tmp_path_factory.mktemp("population") / "in", files)


@pytest.fixture(scope="module")
def undisturbed(population: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    prescreened(ndjson_source(population, part_bytes=20_000), out)
    return files_of(out)


@pytest.mark.parametrize("workers", [2, 8])
def test_the_number_of_workers_changes_no_byte(
    workers: int, population: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    source = ndjson_source(population, part_bytes=20_000)
    assert source.parts > 4
    prescreened(source, tmp_path / "run", workers=workers)
    assert files_of(tmp_path / "run") == undisturbed


def test_the_size_of_parts_changes_no_byte(population: Path, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    prescreened(ndjson_source(population), tmp_path / "run")
    assert files_of(tmp_path / "run") == undisturbed


def test_nobody_else_may_read_the_run(population: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir(mode=0o755)
    prescreened(ndjson_source(population), out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in out.iterdir()} == {0o600}
    assert not (out / "work").exists()


class StopHere(BaseException):
    """The process ends at this point."""


@pytest.mark.parametrize("after", [False, True])
def test_stopped_at_every_step_it_goes_on_with_the_same_bytes(
    after: bool, population: Path, undisturbed: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stop before, or after, each file gets its name, one step further each time, until a run comes to its end."""
    source = ndjson_source(population, part_bytes=60_000)
    steps, usual = 0, Path.replace
    limit = 0

    def stopping(self: Path, target: Path) -> Path:
        nonlocal steps
        steps += 1
        if after:
            usual(self, target)
        if steps == limit:
            raise StopHere
        return Path(target) if after else usual(self, target)

    monkeypatch.setattr(Path, "replace", stopping)
    stops = 0
    for limit in range(1, 100):
        out, steps = tmp_path / f"run{limit}", 0
        try:
            run(Job(TASK, source, out), workers=1)
        except StopHere:
            stops += 1
        steps = -1_000
        run(Job(TASK, source, out), workers=1)
        assert files_of(out) == undisturbed
        assert not list(out.rglob("*.draft"))
        if stops < limit:
            break
    assert stops > 10


def test_a_finished_run_is_not_done_again(population: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prescreened(ndjson_source(population), tmp_path / "run")
    monkeypatch.setattr(jobs, "_Run", None)
    again = run(Job(TASK, ndjson_source(population), tmp_path / "run"), workers=1)
    assert again.already
    assert again.manifest == first.manifest


def test_another_run_is_refused_and_what_differs_is_named(population: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    prescreened(ndjson_source(population), out)
    other = Task(None, DAY + timedelta(1), DAY + timedelta(2), ("NCT04557020",))
    with pytest.raises(RequestError, match=r"\(as_of, anchor, trials differ\)"):
        run(Job(other, ndjson_source(population), out), workers=1)
    with pytest.raises(RequestError, match=r"\(as_of differ\)"):
        run(Job(replace(TASK, as_of=date(2026, 3, 2)), ndjson_source(population), out), workers=1)
    elsewhere = write(tmp_path / "other", by_type(example("candidate")))
    with pytest.raises(RequestError, match=r"\(source differ\)"):
        run(Job(TASK, ndjson_source(elsewhere), out), workers=1)


def test_a_folder_that_holds_something_else_is_refused(population: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("chapter 1")
    with pytest.raises(RequestError, match="something else"):
        run(Job(TASK, ndjson_source(population), tmp_path), workers=1)
    (tmp_path / "file").touch()
    with pytest.raises(RequestError, match="must be a folder"):
        run(Job(TASK, ndjson_source(population), tmp_path / "file"), workers=1)
    assert (tmp_path / "thesis.txt").read_text() == "chapter 1"


def test_two_runs_in_one_folder_are_refused(population: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with (tmp_path / "run" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RequestError, match="Another run"):
            run(Job(TASK, ndjson_source(population), tmp_path / "run"), workers=1)


def test_a_source_that_changes_meanwhile_is_told(
    population: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "in", by_type(example("candidate")))
    usual = jobs.make_plan

    def touched(*given: Any) -> Any:
        (folder / "Patient.ndjson").write_text((folder / "Patient.ndjson").read_text() + "\n")
        return usual(*given)

    monkeypatch.setattr(jobs, "make_plan", touched)
    with pytest.raises(UnavailableError, match="changed while"):
        run(Job(TASK, ndjson_source(folder), tmp_path / "run"), workers=1)
    assert not (tmp_path / "run" / "manifest.json").exists()


@pytest.mark.parametrize("write_number", [1, 3, 6, 9])
def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_room(
    write_number: int,
    population: Path,
    undisturbed: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, out = ndjson_source(population, part_bytes=20_000), tmp_path / "run"
    calls, usual = 0, os.fsync

    def full(file: int) -> None:
        nonlocal calls
        calls += 1
        if calls >= write_number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        usual(file)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(UnavailableError, match=r"No space left on device.*What is done is kept"):
            run(Job(TASK, source, out), workers=1)
    run(Job(TASK, source, out), workers=1)
    assert files_of(out) == undisturbed


# --since


def test_only_patients_whose_data_changed_are_judged_again(
    population: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    before = tmp_path / "before"
    prescreened(ndjson_source(population), before)
    lines: dict[str, list[Any]] = {}
    for file in population.iterdir():
        lines[file.name] = [line for line in file.read_text().splitlines() if '"p3' not in line and "/p3" not in line]
    lines["Observation.ndjson"].append(observation("p5", "new"))
    lines["Patient.ndjson"] += [
        line for line in renamed(example("candidate"), "candidate", "p77") if '"Patient","' in line
    ]
    changed = write(tmp_path / "changed", lines)
    full, reused = tmp_path / "full", tmp_path / "reused"
    prescreened(ndjson_source(changed, part_bytes=20_000), full)
    done = prescreened(ndjson_source(changed), reused, since=before)
    assert files_of(reused) == files_of(full)
    assert done.kept == 10 - 2  # p3 is gone and p5 has a new result


@pytest.mark.parametrize("field", ["as_of", "anchor", "trials"])
def test_nothing_is_taken_over_where_the_question_was_another(field: str, population: Path, tmp_path: Path) -> None:
    other = {"as_of": date(2026, 3, 2), "anchor": date(2026, 3, 8), "trials": ("NCT07235319", "NCT04557020")}
    prescreened(ndjson_source(population), tmp_path / "before", task=replace(TASK, **{field: other[field]}))
    done = prescreened(ndjson_source(population), tmp_path / "run", since=tmp_path / "before")
    assert done.kept == 0


def test_since_must_be_a_finished_run(population: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="--since"):
        run(Job(TASK, ndjson_source(population), tmp_path / "run", tmp_path), workers=1)


# The command.


def prescreen(*more: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*CLI, "prescreen", *map(str, more)], capture_output=True, text=True, timeout=120)


def test_the_command(population: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    told = prescreen("--ndjson", population, "--out", out, "--as-of", "2026-03-01", "--workers", "1", "--format", "csv")
    assert told.returncode == 6  # a line could not be read
    assert told.stderr == ""  # no terminal, no bar
    assert "10 patients, 10 judged" in told.stdout
    assert "exclusion criteria not encoded" in told.stdout
    assert "eligible" not in told.stdout
    assert "Patient/" not in told.stdout
    assert "Not complete: Observation" in told.stdout
    assert (out / "NCT07235319.csv").exists()
    # Without --as-of it is the same run, on whatever day it is given again.
    again = prescreen("--ndjson", population, "--out", out, "--format", "-", "--quiet")
    assert (again.returncode, again.stdout, again.stderr) == (6, "", "")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ([], "Give one source"),
        (["--ndjson", "IN", "--bundles", "IN"], "Give one source"),
        (["--ndjson", "IN", "--all"], "--fhir"),
        (["--ndjson", "IN", "--trial", "NCT00000000"], "no such trial"),
        (["--ndjson", "IN", "--anchor", "2020-01-01"], "anchor"),
        (["--ndjson", "PARENT"], "--out must not lie in the source"),
        (["--fhir", "http://hospital.example/fhir"], "https"),
    ],
)
def test_wrong_options_are_told(options: list[str], why: str, population: Path, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from cds_service.cli import main

    (tmp_path / "a.ndjson").touch()
    named = [{"IN": str(population), "PARENT": str(tmp_path)}.get(one, one) for one in options]
    told = CliRunner().invoke(main, ["prescreen", *named, "--out", str(tmp_path / "run")])
    assert told.exit_code == 2
    assert why in told.stderr


def test_today_is_the_day_on_the_wall(population: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from cds_service.cli import main

    utc = datetime.now(UTC)
    monkeypatch.setenv("TZ", "<-12>12" if utc.hour < 11 else "<+14>-14")  # where it is another day than in UTC
    time.tzset()
    try:
        given = ["prescreen", "--ndjson", str(population), "--out", str(tmp_path / "run"), "--workers", "1"]
        done = CliRunner().invoke(main, [*given, "--format", "-"])
        today = date.today()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert done.exit_code in (0, 6)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_bytes())
    assert manifest["as_of"] == today.isoformat() != utc.date().isoformat()


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_ctrl_c_stops_it_cleanly_and_says_how_to_go_on(
    population: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    lines = [one for n in range(200) for one in renamed(example("stale-bilirubin"), "stale-bilirubin", f"p{n}")]
    folder, out = write(tmp_path / "in", by_type(lines)), tmp_path / "run"
    options = ["--ndjson", str(folder), "--out", str(out), "--as-of", "2026-03-01", "--workers", "2", "--format", "-"]
    process = subprocess.Popen(
        [*CLI, "prescreen", *options],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    )
    until = time.monotonic() + 60
    while not list(out.glob("work/part-*.json")) and time.monotonic() < until:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _none, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.strip() == "Stopped. What is done is kept: give the same command again to go on."
    until = time.monotonic() + 20
    while _alive(process.pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _alive(process.pid)
    assert not (out / "manifest.json").exists()
    kept = {path.name: path.stat().st_mtime_ns for path in out.glob("work/part-*.json")}
    assert kept
    assert prescreen(*options).returncode == 0
    assert len(results(out)) == 200
    assert json.loads((out / "manifest.json").read_bytes())["counts"]["judged"] == 200
