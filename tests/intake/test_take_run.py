"""A run taken into the worklist: everybody once, and no decision changed."""

import json
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from cds_service.errors import RequestError
from cds_service.evaluation.attested import Attestation
from cds_service.evaluation.outcome import Verdict
from cds_service.present.json_text import to_json
from cds_service.screening.cohort.charts import CHARTS
from cds_service.screening.cohort.source import ndjson_source
from cds_service.screening.patient import Rules
from cds_service.store import Store
from cds_service.store.worklist import EntryState
from cds_service.synth.folder import write_population
from tests.cohort.populations import (
    DAY,
    npc,
    observation,
    person,
    prescreened,
    results,
    write,
)
from tests.intake.taken_runs import FILES, KEEP, NOW, NPC, PATIENTS, begun, listed, take


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
        kept = store.worklist.result(entry.id, entry.latest.id)
        assert kept is not None
        assert entry.latest.fingerprint == kept["data"]
        assert {k: v for k, v in json.loads(to_json(kept)).items() if k in result} == result
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
    assert dict(taken.moved) == {(NPC, "candidate", "not-now"): 2}
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
    criterion = entry.latest.brief["to_confirm"][0]
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
