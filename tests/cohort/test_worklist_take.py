"""Charts kept by a run, and a run taken into the worklist: the same bytes always, everybody once."""

import json
import os
import shutil
import stat
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cds_service.bootstrap import load_rules
from cds_service.cli import main
from cds_service.errors import RequestError
from cds_service.evaluation.attested import Attestation
from cds_service.evaluation.outcome import Verdict
from cds_service.facts.record import Read
from cds_service.gather.snapshot import unpack
from cds_service.present.json_text import to_json
from cds_service.screening.cohort.charts import CHARTS, read_charts
from cds_service.screening.cohort.job import Job, run
from cds_service.screening.cohort.source import ndjson_source
from cds_service.screening.patient import Rules
from cds_service.screening.worklist.intake import take_outcome
from cds_service.screening.worklist.run_intake import TakenRun, take_run
from cds_service.store import Store, open_store
from cds_service.store.worklist import EntryState, Wanted
from cds_service.synth.folder import write_population
from tests.cohort.populations import (
    DAY,
    TASK,
    by_type,
    example,
    npc,
    observation,
    person,
    prescreened,
    renamed,
    results,
    write,
)

NPC = "NCT07235319"
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
KEEP = replace(TASK, charts=True)
FILES = ("results.jsonl", CHARTS, "manifest.json", "quarantine.jsonl")
PATIENTS = 8


def files_of(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in FILES}


def lines_of(names: dict[str, str]) -> dict[str, list[Any]]:
    """Return the files of patients who have the records of stories."""
    return by_type([one for name, story in names.items() for one in renamed(example(story), story, name)])


@pytest.fixture(scope="module")
def rules() -> Rules:
    return load_rules()


@pytest.fixture(scope="module")
def population(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight patients of the trial's disease, and two healthy ones."""
    stories = ["candidate", "stale-bilirubin"]
    names = {f"p{n}": stories[n % 2] for n in range(PATIENTS)}
    return write(tmp_path_factory.mktemp("population") / "in", lines_of({**names, "q1": "healthy-person"}))


@pytest.fixture(scope="module")
def undisturbed(population: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    prescreened(ndjson_source(population, part_bytes=20_000), out, task=KEEP)
    return out


@pytest.fixture
def store() -> Any:
    found = open_store("sqlite://")
    yield found
    found.close()


def take(out: Path, store: Store, rules: Rules, source: str = "") -> TakenRun:
    return take_run(out, store.worklist, rules, source=source, now=NOW)


def begun(out: Path, at: datetime | None, **more: str) -> None:
    """Let a run have begun at another time; None for a run that does not say."""
    job = json.loads((out / "job.json").read_bytes())
    job.pop("begun")
    (out / "job.json").write_text(json.dumps({**job, **({"begun": at.isoformat()} if at else {}), **more}))


def listed(store: Store) -> dict[str, Any]:
    return {one.person.reference: one for one in store.worklist.entries(NPC, wanted=Wanted(size=500)).entries}


# charts.jsonl


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


class StopHere(BaseException):
    """The process ends at this point."""


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


# A run taken.


def test_a_run_is_taken_once_however_often(undisturbed: Path, store: Store, rules: Rules) -> None:
    told = results(undisturbed)
    first = take(undisturbed, store, rules)
    assert (first.patients, dict(first.entries), first.left) == (PATIENTS, {(NPC, "new"): PATIENTS}, 0)
    entries = listed(store)
    assert set(entries) == {name for name, one in told.items() if one["results"]}
    for name, entry in entries.items():
        (result,) = told[name]["results"]
        assert (entry.latest.status, entry.latest.gate) == (result["status"], result["gate"])
        assert entry.latest.missing == tuple(one["fact"] for one in result["decisive"])
        lapses = result["valid_until"] if result["status"] == "candidate" else None
        assert entry.latest.lapses == (date.fromisoformat(lapses) if lapses else None)
        assert entry.latest.fingerprint == entry.latest.result["data"]
        assert {k: v for k, v in json.loads(to_json(entry.latest.result)).items() if k in result} == result
        assert entry.person.birth_date
    rows = store.worklist.audit(limit=1000)
    again = take(undisturbed, store, rules)
    assert dict(again.entries) == {(NPC, "unchanged"): PATIENTS}
    assert {name: entry.latest.id for name, entry in listed(store).items()} == {
        name: entry.latest.id for name, entry in entries.items()
    }
    assert store.worklist.audit(limit=1000) == rows


def test_the_runs_funnel_is_kept(undisturbed: Path, store: Store, rules: Rules) -> None:
    take(undisturbed, store, rules)
    take(undisturbed, store, rules)
    (kept,) = store.worklist.runs(NPC)
    assert (kept.as_of, kept.patients, kept.source) == (DAY, PATIENTS + 1, "ndjson")
    (gate, *_none) = kept.funnel["gates"]
    assert gate["statuses"]["candidate"] == PATIENTS // 2
    assert gate["steps"][0] == {"step": "trigger", "pass": PATIENTS, "unknown": 0, "fail": 1}


def test_a_second_run_changes_what_people_looked_at_and_no_decision(
    population: Path, undisturbed: Path, store: Store, rules: Rules, tmp_path: Path
) -> None:
    take(undisturbed, store, rules)
    entries = listed(store)
    for name in ("Patient/p0", "Patient/p2"):
        one = entries[name]
        store.worklist.decide(one.id, one.version, state=EntryState.CONTACTED, who="Li", now=NOW)
    files = {file.name: list(file.read_text().splitlines()) for file in population.iterdir()}
    bad = {"valueQuantity": {"value": 60, "unit": "g/L", "system": "http://unitsofmeasure.org", "code": "g/L"}}
    for name in ("p0", "p4"):
        files["Observation.ndjson"].append(
            json.dumps(observation(name, f"{name}-new", effectiveDateTime="2026-03-01", **bad))
        )
    source = ndjson_source(write(tmp_path / "changed", files))
    prescreened(source, tmp_path / "run", task=KEEP)
    taken = take(tmp_path / "run", store, rules)
    assert dict(taken.entries) == {(NPC, "changed"): 1, (NPC, "unchanged"): PATIENTS - 1}
    after = listed(store)
    assert {name for name, one in after.items() if one.changed} == {"Patient/p0"}
    assert after["Patient/p0"].state is EntryState.CONTACTED
    # Nobody had touched p4: the newer judgement simply stands.
    assert after["Patient/p4"].latest.status == after["Patient/p0"].latest.status == "not-now"
    # The older run, taken again, is the data of then: what was read last stands.
    older = shutil.copytree(undisturbed, tmp_path / "older")
    begun(older, NOW - timedelta(hours=1))
    for again in (older, shutil.copytree(older, tmp_path / "copy", copy_function=shutil.copyfile)):
        assert {status for _trial, status in take(again, store, rules).entries} == {"changed", "unchanged"}
    assert listed(store)["Patient/p0"].changed
    assert listed(store)["Patient/p4"].latest.status == "not-now"


def test_a_run_of_an_earlier_day_does_not_stand(population: Path, store: Store, rules: Rules, tmp_path: Path) -> None:
    earlier = replace(KEEP, as_of=DAY - timedelta(days=1))
    for name, task in (("later", KEEP), ("earlier", earlier)):
        prescreened(ndjson_source(population), tmp_path / name, task=task)
        take(tmp_path / name, store, rules)
    assert {one.latest.as_of for one in listed(store).values()} == {DAY}


def test_patients_whom_somebody_attested_are_judged_again_with_it(
    undisturbed: Path, store: Store, rules: Rules
) -> None:
    take(undisturbed, store, rules)
    entry = listed(store)["Patient/p0"]
    criterion = entry.latest.result["to_confirm"][0]
    said = Attestation(NPC, criterion, entry.latest.gate, Verdict.FAIL, "Dr Li", DAY, DAY + timedelta(days=9))
    store.worklist.attest(entry.id, entry.version, said, now=NOW)
    taken = take(undisturbed, store, rules)
    assert dict(taken.entries) == {(NPC, "changed"): 1, (NPC, "unchanged"): PATIENTS - 1}
    after = listed(store)["Patient/p0"]
    assert after.latest.status == "not-now"
    assert after.latest.attested.startswith("sha256:")
    take(undisturbed, store, rules)
    assert listed(store)["Patient/p0"].latest.id == after.latest.id


def test_who_is_known_elsewhere_is_another_person(undisturbed: Path, store: Store, rules: Rules) -> None:
    take(undisturbed, store, rules)
    taken = take(undisturbed, store, rules, source="https://ehr.example/fhir")
    assert dict(taken.entries) == {(NPC, "new"): PATIENTS}
    assert store.worklist.counts(NPC).total == 2 * PATIENTS


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


def test_one_id_of_two_people_is_left_alone_where_no_server_is_named(
    population: Path, undisturbed: Path, store: Store, rules: Rules, tmp_path: Path
) -> None:
    files = {file.name: list(file.read_text().splitlines()) for file in population.iterdir()}
    patients = [json.loads(line) for line in files["Patient.ndjson"]]
    files["Patient.ndjson"] = [
        json.dumps({**one, "birthDate": "1950-01-02"} if one["id"] == "p3" else one) for one in patients
    ]
    prescreened(ndjson_source(write(tmp_path / "other", files)), tmp_path / "run", task=KEEP)
    for source, alone in (("", 1), ("https://ehr.example/fhir", 0)):
        take(undisturbed, store, rules, source=source)
        before = {one.id: one for one in listed(store).values()}
        taken = take(tmp_path / "run", store, rules, source=source)
        assert (taken.another, taken.patients) == (alone, PATIENTS - alone)
        if alone:
            assert {one.id: one for one in listed(store).values()} == before


def test_names_of_both_scripts_come_along(store: Store, rules: Rules, tmp_path: Path) -> None:
    write_population(tmp_path / "in", patients=12, seed=1, missing=0, named=True)
    prescreened(ndjson_source(tmp_path / "in"), tmp_path / "run", task=KEEP)
    take(tmp_path / "run", store, rules)
    people = [one.person for one in listed(store).values()]
    assert people
    for one in people:
        chinese, latin = one.names
        assert not chinese.isascii()
        assert latin.isascii()


# What cannot be taken.


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda out: (out / CHARTS).unlink(), "kept no charts"),
        (lambda out: (out / "manifest.json").unlink(), "not finished"),
        (lambda out: (out / CHARTS).write_text('{"patient":"Patient/p0","fingerprint":1}\n'), "cannot be read"),
        (lambda out: (out / CHARTS).write_bytes((out / CHARTS).read_bytes() * 2), "does not fit"),
        (
            lambda out: (out / "manifest.json").write_bytes(
                (out / "manifest.json").read_bytes().replace(b'"rules_digest": "sha256:', b'"rules_digest": "sha256:0')
            ),
            "have changed since this run",
        ),
        (
            lambda out: (out / "manifest.json").write_bytes(
                (out / "manifest.json").read_bytes().replace(b'"site": null', b'"site": "another"')
            ),
            "another site file",
        ),
    ],
)
def test_what_cannot_be_taken_is_told(
    spoil: Any, why: str, undisturbed: Path, store: Store, rules: Rules, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    out.mkdir()
    for name in FILES:
        (out / name).write_bytes((undisturbed / name).read_bytes())
    spoil(out)
    with pytest.raises(RequestError, match=why) as told:
        take(out, store, rules)
    assert "p0" not in str(told.value)


def test_a_trigger_that_is_not_known_makes_no_entry(store: Store, rules: Rules, tmp_path: Path) -> None:
    tumour = {**npc("b"), "verificationStatus": {"coding": [{"code": "provisional"}]}}
    tumour["verificationStatus"]["coding"][0]["system"] = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    files = {"Patient.ndjson": [person("a"), person("b")], "Condition.ndjson": [npc("a"), tumour]}
    prescreened(ndjson_source(write(tmp_path / "in", files)), tmp_path / "run", task=KEEP)
    assert {name: bool(one["results"]) for name, one in results(tmp_path / "run").items()} == {
        "Patient/a": True,
        "Patient/b": True,
    }
    assert take(tmp_path / "run", store, rules).patients == 1
    assert set(listed(store)) == {"Patient/a"}


# The commands.


def cds(*given: str | Path, **env: str) -> Any:
    return CliRunner().invoke(main, [*map(str, given)], env={**os.environ, **env})


def test_the_commands(population: Path, tmp_path: Path) -> None:
    out, url = tmp_path / "run", f"sqlite:///{tmp_path}/worklist.db"
    options = ["--ndjson", population, "--out", out, "--as-of", DAY.isoformat(), "--format", "-", "--workers", "1"]
    told = cds("prescreen", *options, "--keep-charts")
    assert told.exit_code == 0, told.output
    told = cds("worklist", "take", out, "--store", url, "--server", "https://EHR.example/fhir/")
    assert told.exit_code == 0, told.output
    assert told.output.splitlines() == [
        f"{PATIENTS} patients taken, as of {DAY}.",
        f"{NPC}: {PATIENTS} new, 0 changed, 0 unchanged",
    ]
    store = open_store(url)
    entry = next(iter(listed(store).values()))
    assert entry.person.source == "https://ehr.example/fhir"
    told = cds("worklist", "list", "--store", url)
    assert f"{NPC}: {PATIENTS} patients, 0 with changed data to look at" in told.output
    assert "4 candidate, 4 needs-data" in told.output
    told = cds("worklist", "forget", entry.id, "--reason", "retention", "--by", "Li", "--store", url)
    assert told.exit_code == 0, told.output
    assert store.worklist.entry(entry.id) is None
    told = cds("worklist", "forget", entry.id, "--reason", "retention", "--by", "Li", "--store", url)
    assert (told.exit_code, "no such entry" in told.output) == (2, True)
    store.close()


@pytest.mark.parametrize(
    ("options", "code", "why"),
    [
        (["--server", "-", "--store", "sqlite://"], 12, "belongs to a running service"),
        (["--server", "ftp://x"], 12, "--server"),
        ([], 2, "--server - where they name none"),
    ],
)
def test_wrong_options_of_take_are_told(
    options: list[str], code: int, why: str, undisturbed: Path, tmp_path: Path
) -> None:
    told = cds("worklist", "take", undisturbed, *options, CDS_STORE=f"sqlite:///{tmp_path}/s.db")
    assert (told.exit_code, why in told.output) == (code, True), told.output


def test_a_run_of_a_server_is_known_by_it(undisturbed: Path, store: Store, tmp_path: Path) -> None:
    out = shutil.copytree(undisturbed, tmp_path / "run")
    begun(out, NOW, server="https://ehr.example/fhir/")
    for options, source in (([], "https://ehr.example/fhir"), (["--server", "-"], "")):
        url = f"sqlite:///{tmp_path}/{len(source)}.db"
        told = cds("worklist", "take", out, "--store", url, *options)
        assert told.exit_code == 0, told.output
        kept = open_store(url)
        assert {one.person.source for one in listed(kept).values()} == {source}
        kept.close()


def test_an_empty_worklist_says_how_it_is_filled(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/worklist.db"
    open_store(url).close()
    assert "prescreen --keep-charts" in cds("worklist", "list", "--store", url).output
