"""Charts kept by a run: the same bytes for any workers and after any stop."""

import json
import stat
from pathlib import Path

import pytest

from cds_service.errors import RequestError
from cds_service.gather.snapshot import unpack
from cds_service.present.json_text import to_json
from cds_service.screening.cohort.charts import CHARTS, read_charts
from cds_service.screening.cohort.job import Job, run
from cds_service.screening.cohort.source import ndjson_source
from cds_service.screening.patient import Rules
from tests.cohort.populations import (
    DAY,
    TASK,
    observation,
    prescreened,
    results,
    write,
)
from tests.intake.taken_runs import KEEP, NPC, PATIENTS, files_of


class StopHere(BaseException):
    """The process ends at this point."""


def test_charts_are_those_of_the_disease_in_the_order_of_the_results_and_judged_again_the_same(
    undisturbed: Path, rules: Rules
) -> None:
    told = results(undisturbed)
    charts = list(read_charts(undisturbed))
    assert [one.patient for one in charts] == [name for name in told if told[name]["results"]] != list(told)
    for chart in charts:
        again = rules.judge(unpack(chart.body), rules.library, as_of=DAY, trials=[NPC]).to_json()["results"]
        assert json.loads(to_json(again)) == told[chart.patient]["results"]
    assert stat.S_IMODE((undisturbed / CHARTS).stat().st_mode) == 0o600
    assert json.loads((undisturbed / "manifest.json").read_bytes())["charts"] is True


@pytest.mark.parametrize(("workers", "part_bytes"), [(2, 20_000), (1, 10**6)])
def test_workers_and_parts_change_no_byte(
    workers: int, part_bytes: int, population: Path, undisturbed: Path, tmp_path: Path
) -> None:
    prescreened(ndjson_source(population, part_bytes=part_bytes), tmp_path / "run", task=KEEP, workers=workers)
    assert files_of(tmp_path / "run") == files_of(undisturbed)


def test_stopped_at_every_step_it_goes_on_with_the_same_bytes(
    population: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = ndjson_source(population, part_bytes=60_000)
    steps = limit = stops = 0
    usual = Path.replace

    def stopping(self: Path, target: Path) -> Path:
        nonlocal steps
        steps += 1
        if steps == limit:
            raise StopHere
        return usual(self, target)

    monkeypatch.setattr(Path, "replace", stopping)
    for limit in range(1, 100):
        out, steps = tmp_path / f"run{limit}", 0
        try:
            run(Job(KEEP, source, out), workers=1)
        except StopHere:
            stops += 1
            # What has its name is whole.
            assert not (out / CHARTS).exists() or (out / CHARTS).read_bytes() == (undisturbed / CHARTS).read_bytes()
        steps = -1_000
        run(Job(KEEP, source, out), workers=1)
        assert files_of(out) == files_of(undisturbed)
        if stops < limit:
            break
    assert stops > 10


def test_without_the_option_no_chart_is_kept_and_the_results_are_the_same(
    population: Path, undisturbed: Path, tmp_path: Path
) -> None:
    prescreened(ndjson_source(population), tmp_path / "run")
    assert not (tmp_path / "run" / CHARTS).exists()
    assert "charts" not in json.loads((tmp_path / "run" / "manifest.json").read_bytes())
    assert (tmp_path / "run" / "results.jsonl").read_bytes() == (undisturbed / "results.jsonl").read_bytes()
    for task in (KEEP, TASK):
        other = tmp_path / "run" if task is KEEP else undisturbed
        with pytest.raises(RequestError, match=r"\(charts differ\)"):
            run(Job(task, ndjson_source(population), other), workers=1)


def test_what_is_taken_over_brings_its_chart(population: Path, undisturbed: Path, tmp_path: Path) -> None:
    files = {file.name: list(file.read_text().splitlines()) for file in population.iterdir()}
    files["Observation.ndjson"].append(json.dumps(observation("p5", "new")))
    changed = ndjson_source(write(tmp_path / "changed", files), part_bytes=20_000)
    prescreened(changed, tmp_path / "full", task=KEEP)
    done = prescreened(changed, tmp_path / "reused", task=KEEP, since=undisturbed)
    assert done.kept == PATIENTS  # p5 has a new result
    assert files_of(tmp_path / "reused") == files_of(tmp_path / "full")
    # From a run without charts nothing can be taken over; one without may take over from one with them.
    prescreened(ndjson_source(population), tmp_path / "bare")
    assert prescreened(changed, tmp_path / "again", task=KEEP, since=tmp_path / "bare").kept == 0
    assert files_of(tmp_path / "again") == files_of(tmp_path / "full")
    assert prescreened(changed, tmp_path / "less", since=undisturbed).kept == PATIENTS
    assert not (tmp_path / "less" / CHARTS).exists()
