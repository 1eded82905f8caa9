"""Runs night after night: unchanged patients add nothing, and a first dose that was planned stays."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from cds_service.screening.cohort.source import ndjson_source
from cds_service.screening.patient import Rules
from cds_service.store import Store
from tests.cohort.populations import DAY, prescreened
from tests.intake.taken_runs import KEEP, NOW, NPC, PATIENTS, begun, listed, take


def test_a_run_that_names_no_first_dose_keeps_the_one_that_was_planned(
    population: Path, undisturbed: Path, store: Store, rules: Rules, tmp_path: Path
) -> None:
    planned = DAY + timedelta(days=5)
    prescreened(ndjson_source(population), tmp_path / "planned", task=replace(KEEP, anchor=planned))
    take(tmp_path / "planned", store, rules)
    before = listed(store)
    assert {one.latest.anchor for one in before.values()} == {planned}
    take(undisturbed, store, rules)  # of the same day, read later, without one
    assert listed(store) == before
    for days, anchor, judged in ((1, planned, 1), (6, None, 2)):  # until its day has passed
        out = tmp_path / f"after-{days}"
        day = DAY + timedelta(days=days)
        prescreened(ndjson_source(population), out, task=replace(KEEP, as_of=day))
        begun(out, NOW + timedelta(days=days))
        take(out, store, rules, days=days)
        for one in listed(store).values():
            assert (one.latest.anchor, one.latest.as_of) == (anchor, day)
            assert len(store.worklist.screenings(one.id)) <= judged + (days > 1)
    # A run that names another day goes before.
    other = DAY + timedelta(days=20)
    prescreened(ndjson_source(population), tmp_path / "moved", task=replace(KEEP, as_of=day, anchor=other))
    begun(tmp_path / "moved", NOW + timedelta(days=7))
    take(tmp_path / "moved", store, rules, days=7)
    assert {one.latest.anchor for one in listed(store).values()} == {other}


def test_a_nightly_run_of_unchanged_patients_adds_no_row(
    population: Path, store: Store, rules: Rules, tmp_path: Path
) -> None:
    def rows() -> list[int]:
        with store._engine.connect() as connection:
            return [
                connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
                for table in ("screenings", "results", "charts", "missing_facts", "events")
            ]

    counts = []
    for days in range(4):
        day, now = DAY + timedelta(days=days), NOW + timedelta(days=days)
        prescreened(ndjson_source(population), tmp_path / str(days), task=replace(KEEP, as_of=day))
        begun(tmp_path / str(days), now)
        taken = take(tmp_path / str(days), store, rules, days=days)
        assert set(taken.entries) == {(NPC, "unchanged" if days else "new")}
        counts.append(rows())
    assert counts[0][0] == PATIENTS
    assert counts == [counts[0]] * 4
    for one in listed(store).values():
        assert (one.latest.since, one.latest.as_of, one.latest.days) == (DAY, DAY + timedelta(days=3), 4)
    assert [one.what for one in store.worklist.audit(limit=3)] == ["took-run"] * 3
