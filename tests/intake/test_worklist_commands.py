"""The commands that fill, count and empty the worklist."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from cds_service.store import Store, open_store
from tests.cohort.populations import (
    DAY,
)
from tests.intake.taken_runs import NOW, NPC, PATIENTS, begun, cds, listed


def test_the_commands(population: Path, tmp_path: Path) -> None:
    out, url = tmp_path / "run", f"sqlite:///{tmp_path}/worklist.db"
    options = ["--ndjson", population, "--out", out, "--as-of", DAY.isoformat(), "--format", "-", "--workers", "1"]
    told = cds("prescreen", *options, "--keep-charts")
    assert told.exit_code == 0, told.output
    told = cds("worklist", "take", out, "--store", url, "--server", "https://EHR.example/fhir/")
    assert told.exit_code == 0, told.output
    assert told.output.splitlines() == [
        f"{PATIENTS} patients taken, as of {DAY}.",
        f"{NPC}: {PATIENTS} new, 0 with another status, 0 with the same; 0 to look at",
    ]
    store = open_store(url)
    entry = next(iter(listed(store).values()))
    assert entry.person.source == "https://ehr.example/fhir"
    told = cds("worklist", "list", "--store", url)
    assert f"{NPC}: {PATIENTS} patients, 0 with changed data to look at" in told.output
    assert "4 candidate, 4 needs-data" in told.output
    for reason, who in (("Mr Wang asked", "Li"), ("", "Li"), ("retention", " ")):
        told = cds("worklist", "forget", entry.id, "--reason", reason, "--by", who, "--store", url)
        assert told.exit_code == 2, told.output
        assert store.worklist.entry(entry.id) is not None
    told = cds("worklist", "forget", entry.id, "--reason", "retention", "--by", "Li", "--store", url)
    assert told.exit_code == 0, told.output
    assert store.worklist.entry(entry.id) is None
    assert [(one.who, one.detail) for one in store.worklist.audit(limit=1)] == [("Li", {"reason": "retention"})]
    told = cds("worklist", "forget", entry.id, "--reason", "retention", "--by", "Li", "--store", url)
    assert (told.exit_code, "no such entry" in told.output) == (2, True)
    store.close()


def test_a_later_run_says_how_many_have_another_status(population: Path, undisturbed: Path, tmp_path: Path) -> None:
    """Whose results lapse meanwhile is counted, though nobody had acted and so nothing is to be looked at."""
    url = f"sqlite:///{tmp_path}/worklist.db"
    assert cds("worklist", "take", undisturbed, "--server", "-", "--store", url).exit_code == 0
    later = (DAY + timedelta(days=60)).isoformat()
    options = ["--ndjson", population, "--out", tmp_path / "later", "--as-of", later, "--format", "-", "--workers", "1"]
    assert cds("prescreen", *options, "--keep-charts").exit_code == 0
    told = cds("worklist", "take", tmp_path / "later", "--server", "-", "--store", url)
    assert told.output.splitlines()[1:] == [
        f"{NPC}: 0 new, 4 with another status, 4 with the same; 0 to look at",
        "  4 from candidate to needs-data",
    ]


def test_a_taking_that_is_stopped_says_how_to_go_on(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_given: object, **_named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cds_service.cli.worklist.take_run", stopped)
    told = cds("worklist", "take", undisturbed, "--server", "-", "--store", f"sqlite:///{tmp_path}/s.db")
    assert (told.exit_code, "give the same command again" in told.stderr) == (130, True)


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
