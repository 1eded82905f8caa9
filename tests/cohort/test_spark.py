"""Spark and the local engine: the same bytes from every source; and what is told when Spark is not there."""

import gzip
import json
import shutil
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds_service.cli import main
from cds_service.engines import spark as engine
from cds_service.engines.spark import ASIDE, Spark
from cds_service.errors import ConfigError, UnavailableError
from cds_service.gather.bulk.export import parted
from cds_service.gather.bulk.folder import ndjson_folder
from cds_service.screening.cohort.job import Job, run
from cds_service.screening.cohort.judged import Task
from cds_service.screening.cohort.source import FolderSource, bundle_source

HERE = "local[2]"
STORIES = Path(__file__).parents[2] / "fhir_examples" / "patients"
TASK = Task(None, date(2026, 3, 1), charts=True)


@pytest.fixture(scope="module")
def installed():
    try:
        engine._needed()
    except ConfigError as missing:
        pytest.skip(f"install: make spark ({missing})")  # an error in CI


@pytest.fixture
def both(installed, tmp_path):
    """Run a job on both engines and return the folder of each."""

    def ran(source):
        folders = {}
        for name, cluster in (("local", None), ("spark", HERE)):
            folders[name] = tmp_path / name
            run(Job(TASK, source, folders[name]), workers=1, cluster=cluster)
        return folders["local"], folders["spark"]

    return ran


def assert_same(local, spark):
    for name in ("results.jsonl", "charts.jsonl", "manifest.json", "quarantine.jsonl"):
        assert (spark / name).read_bytes() == (local / name).read_bytes(), name
    assert not (spark / "work").exists()


def test_the_stories_as_bundles_and_as_parquet(both):
    local, spark = both(bundle_source(STORIES, part_bytes=150_000))
    assert_same(local, spark)
    parquet = pytest.importorskip("pyarrow.parquet", reason="extra: dev")
    rows = parquet.read_table(spark / "results.parquet").to_pylist()
    lines = [json.loads(line) for line in (local / "results.jsonl").read_bytes().splitlines()]
    told = [(one["patient"], each["status"]) for one in lines for each in (*one["results"], *one["others"])]
    assert sorted((row["patient"], row["status"]) for row in rows) == sorted(told)
    judged = next(one for one in lines if one["patient"] == rows[0]["patient"])
    assert json.loads(rows[0]["result"]) == judged["results"][0]
    assert (spark / "results.parquet").stat().st_mode & 0o077 == 0


def test_a_drawn_population_with_faults(both, tmp_path):
    """Ranges of files, compressed files, broken and strange lines: set aside with the same file and line."""
    source = tmp_path / "source"
    drawn = CliRunner().invoke(main, ["synth", "--patients", "60", "--seed", "8", "--out", str(source)])
    assert drawn.exit_code == 0, drawn.output
    (source / "manifest.json").unlink()  # lines are added below
    observations = next(source.glob("Observation*.ndjson"))
    lines = observations.read_bytes().splitlines(keepends=True)
    broken, odd = len(lines) // 3, len(lines) // 2
    lines[broken] = b'{"resourceType":"Observation","broken\n'
    lines[odd:odd] = [b"\n", b"\r\n", b"\xff\xfe\n", b"[]\n"]
    observations.write_bytes(b"".join(lines))
    conditions = next(source.glob("Condition*.ndjson"))
    (source / f"{conditions.name}.gz").write_bytes(gzip.compress(conditions.read_bytes()))
    conditions.unlink()
    local, spark = both(FolderSource("ndjson", ndjson_folder(source), part_bytes=300_000, piece_bytes=300_000))
    assert_same(local, spark)
    manifest = json.loads((spark / "manifest.json").read_text())
    assert manifest["counts"]["patients"] == 60
    aside = [json.loads(line) for line in (spark / "quarantine.jsonl").read_bytes().splitlines()]
    places = {(one["file"], one["line"]) for one in aside}
    assert {(observations.name, number) for number in (broken + 1, odd + 3, odd + 4)} <= places


class Stopped:
    """As Spark, on this machine's own feet, and stopped when everything has been read."""

    def __init__(self, *_):
        self.made = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def spread(self, items, put):
        self.made = [pair for item in items for pair in put(item)]
        return self

    def aside(self):
        return [value for part, value in self.made if part == ASIDE]

    def by_part(self, *_):
        raise UnavailableError("stopped")


def test_an_engine_does_not_go_on_with_the_work_of_the_other(monkeypatch, tmp_path):
    """What Spark leaves behind when it is killed is nothing that the local engine would take for its own."""
    source = bundle_source(STORIES)
    monkeypatch.setattr("cds_service.screening.cohort.job.Spark", Stopped)
    with pytest.raises(UnavailableError, match="stopped"):
        run(Job(TASK, source, tmp_path / "out"), workers=1, cluster=HERE)
    assert (tmp_path / "out" / "work" / "spark" / "plan.json").exists()
    for name in ("out", "whole"):
        run(Job(TASK, source, tmp_path / name), workers=1)
    assert_same(tmp_path / "whole", tmp_path / "out")


def test_a_task_that_fails_tells_no_patient(installed, tmp_path, capfd):
    with Spark(HERE, tmp_path / "scratch") as spark:
        for put, why in ((int, "ValueError in a task."), (parted, "--export must be")):
            with pytest.raises(UnavailableError) as failure:
                spark.spread(["Mr Li"], put).aside()
            assert str(failure.value).startswith(f"The Spark job failed: {why}")
    out, err = capfd.readouterr()
    assert "Mr Li" not in out + err
    assert not (tmp_path / "scratch").exists()


def test_without_spark_or_java_the_message_says_what_to_install(monkeypatch, tmp_path):
    real = engine.find_spec
    monkeypatch.setattr(engine, "find_spec", lambda name: None if name == "pyspark" else real(name))
    with pytest.raises(ConfigError, match=r"pip install 'cds-service\[spark\]'"):
        Spark(HERE, tmp_path / "scratch").__enter__()
    monkeypatch.setattr(engine, "find_spec", lambda _name: True)
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(ConfigError, match="Java 17"):
        Spark(HERE, tmp_path / "scratch").__enter__()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--master", HERE], "--master goes with --engine spark"),
        (["--engine", "spark", "--since", "earlier"], "are for the local engine"),
    ],
)
def test_options_that_do_not_go_together(tmp_path, options, why):
    command = ["prescreen", "--bundles", str(STORIES), "--out", str(tmp_path / "out"), *options]
    refused = CliRunner().invoke(main, command)
    assert refused.exit_code == 2
    assert why in refused.output
