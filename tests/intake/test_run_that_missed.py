"""Who is on a list and not found by a run: flagged where the run looked, and is newer."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from cds_service.evaluation.attested import Attestation
from cds_service.evaluation.outcome import Verdict
from cds_service.facts.record import Read
from cds_service.gather.snapshot import unpack
from cds_service.present.json_text import to_json
from cds_service.screening.cohort.charts import CHARTS, read_charts
from cds_service.screening.cohort.source import ndjson_source
from cds_service.screening.patient import Rules
from cds_service.screening.worklist.intake import take_outcome
from cds_service.store import Store, open_store
from tests.cohort.populations import (
    DAY,
    prescreened,
    write,
)
from tests.intake.taken_runs import KEEP, NOW, NPC, PATIENTS, begun, listed, take


def test_who_has_the_disease_no_more_stays_and_is_counted(
    population: Path, undisturbed: Path, store: Store, rules: Rules, tmp_path: Path
) -> None:
    take(undisturbed, store, rules)
    files = {file.name: list(file.read_text().splitlines()) for file in population.iterdir()}
    files["Condition.ndjson"] = [line for line in files["Condition.ndjson"] if "Patient/p3" not in line]
    prescreened(ndjson_source(write(tmp_path / "changed", files)), tmp_path / "run", task=KEEP)
    taken = take(tmp_path / "run", store, rules)
    assert (taken.patients, taken.left, taken.entries[NPC, "not found"]) == (PATIENTS - 1, 1, 1)
    after = listed(store)
    assert {name for name, one in after.items() if one.changed} == {"Patient/p3"}
    entry, worklist = after["Patient/p3"], store.worklist
    (event,) = (one for one in worklist.history(entry.id) if one.what == "not-found")
    assert event.detail["as_of"] == DAY.isoformat()
    assert worklist.missed(entry.id) == event
    # Once seen it stays seen, however often the run is taken; a run that began before all that tells nothing.
    worklist.acknowledge(entry.id, entry.version, screening=entry.latest.id, who="Li", now=NOW)
    take(tmp_path / "run", store, rules)
    begun(tmp_path / "run", NOW - timedelta(hours=1))
    take(tmp_path / "run", store, rules)
    assert not listed(store)["Patient/p3"].changed
    assert worklist.missed(entry.id) is None
    assert [one.what for one in worklist.history(entry.id)].count("not-found") == 1


def test_an_older_run_does_not_miss_who_came_since(
    population: Path, undisturbed: Path, store: Store, rules: Rules, tmp_path: Path
) -> None:
    files = {file.name: list(file.read_text().splitlines()) for file in population.iterdir()}
    files["Condition.ndjson"] = [line for line in files["Condition.ndjson"] if "Patient/p3" not in line]
    prescreened(ndjson_source(write(tmp_path / "without", files)), tmp_path / "run", task=KEEP)
    begun(tmp_path / "run", NOW - timedelta(hours=1))
    take(undisturbed, store, rules)
    assert take(tmp_path / "run", store, rules).entries[NPC, "not found"] == 0
    assert not listed(store)["Patient/p3"].changed


def test_whose_disease_could_not_be_read_is_not_missed(
    undisturbed: Path, store: Store, rules: Rules, tmp_path: Path
) -> None:
    take(undisturbed, store, rules)
    out = shutil.copytree(undisturbed, tmp_path / "run")
    chart = next(one for one in read_charts(out) if one.patient == "Patient/p3")
    record = unpack(chart.body)
    record = replace(
        record,
        resources={**record.resources, "Condition": ()},
        reads={**record.reads, "Condition": Read.failed("HTTP 503")},
    )
    judged = rules.judge(record, rules.library, as_of=DAY, trials=[NPC]).to_json()
    lines = [json.loads(line, parse_float=Decimal) for line in (out / "results.jsonl").read_text().splitlines()]
    lines = [{**one, **judged} if one["patient"] == "Patient/p3" else one for one in lines]
    (out / "results.jsonl").write_text("".join(f"{to_json(one)}\n" for one in lines))
    kept = [line for line in (out / CHARTS).read_text().splitlines() if '"Patient/p3"' not in line]
    (out / CHARTS).write_text("".join(f"{line}\n" for line in kept))
    taken = take(out, store, rules)
    assert (taken.left, taken.entries[NPC, "not found"]) == (1, 0)
    assert not listed(store)["Patient/p3"].changed


def test_a_run_that_does_not_say_when_it_began_is_older_than_any_hook_of_its_day(
    population: Path, store: Store, rules: Rules, tmp_path: Path
) -> None:
    prescreened(ndjson_source(population), tmp_path / "run", task=KEEP)
    take(tmp_path / "run", store, rules)
    chart = next(one for one in read_charts(tmp_path / "run") if one.patient == "Patient/p0")
    record = unpack(chart.body)
    record = replace(record, resources={**record.resources, "Procedure": ()})
    outcome = rules.judge(record, rules.library, as_of=DAY, trials=[NPC])
    morning = datetime(2026, 2, 28, 11, tzinfo=UTC)  # the first of March, one in the morning, where a day begins first
    other = open_store("sqlite://")
    begun(tmp_path / "run", None)
    attested = Attestation(NPC, "life-expectancy", "screening", Verdict.PASS, "Li", DAY, DAY)
    outcome = rules.judge(record, rules.library, as_of=DAY, trials=[NPC], attested=[attested])
    take_outcome(other.worklist, record, outcome, source="", now=morning, today=DAY, attested=[attested])
    latest = listed(other)["Patient/p0"].latest
    take(tmp_path / "run", other, rules)
    assert listed(other)["Patient/p0"].latest == latest
    other.close()
