"""Faults 43 and 44: rules that break, vanish or are half written are not taken; a request ends by those it began by."""

import logging
import re
import shutil
import threading
from dataclasses import replace

import pytest
from door_fakes import hook, needs_data, outcome, services
from rules_copy import PENDING, SIGNED, TRIAL, copy_rules, edit

from cds_service.bootstrap import build, hold_rules
from cds_service.gather.plan import make_plan
from cds_service.screening.held_rules import HeldRules, mark_of
from cds_service.settings import load_settings
from cds_service.web import create_app

URL = "/cds-services/npc-trials-patient-view"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    copy_rules(tmp_path / "rules")
    monkeypatch.setenv("CDS_RULES", str(tmp_path / "rules"))
    return tmp_path / "rules"


@pytest.fixture
def held(folder):
    return hold_rules()


def speaking(held):
    return [trial.id for trial in held.rules.library.trials.values() if trial.speaks]


def test_what_did_not_change_is_not_read_again(held, monkeypatch):
    monkeypatch.setattr(held, "_load", lambda: pytest.fail("read again"))
    first = held.rules
    held.look()
    assert held.rules is first
    assert not held.refused


def test_the_log_counts_complaints_in_english(held, folder, caplog):
    for broken, told in (
        ("revision: one", "serve: 1 complaint\n"),
        ("revision: two\n  fase: 3", "serve: 2 complaints\n"),
    ):
        caplog.clear()
        edit(folder / "trials" / TRIAL / "trial.yaml", "revision: 1", broken)
        held.look()
        assert told in caplog.text
        edit(folder / "trials" / TRIAL / "trial.yaml", broken, "revision: 1")


def test_good_rules_are_taken_whole(held, folder, caplog):
    """Reading and judging never part: what is asked of the EHR changes with what it is judged by."""
    first, file = held.rules, folder / "trials" / TRIAL / "trial.yaml"
    edit(file, PENDING, SIGNED)
    held.look()
    assert held.rules is not first
    assert speaking(held) == [TRIAL]
    assert held.rules.plan.templates != first.plan.templates
    assert held.rules.library.trials[TRIAL].digest in caplog.text
    assert caplog.text.count("prefetch has changed") == 1
    edit(file, "revision: 1", "revision: 2")
    held.look()
    assert held.rules.library.trials[TRIAL].revision == 2
    assert caplog.text.count("prefetch has changed") == 1


def broken(folder):
    edit(folder / "trials" / TRIAL / "trial.yaml", "criteria:", "criteria: [")


def other_limit(folder):
    """Read without complaint; its own cases say that it is another rule."""
    edit(folder / "trials" / TRIAL / "trial.yaml", "[{var: karnofsky}, 80]", "[{var: karnofsky}, 70]")


SPOILS = {
    "broken": broken,
    "a limit that fails its case": other_limit,
    "no trial file": lambda folder: (folder / "trials" / TRIAL / "trial.yaml").unlink(),
    "no cases": lambda folder: (folder / "trials" / TRIAL / "tests.yaml").unlink(),
    "no facts": lambda folder: (folder / "facts.yaml").unlink(),
    "no value set": lambda folder: (folder / "valuesets" / "hemoglobin.json").unlink(),
    "empty": lambda folder: (folder / "trials" / TRIAL / "trial.yaml").write_text(""),
    "not text": lambda folder: (folder / "facts.yaml").write_bytes(b"\xff\xfe\x00"),
    "a folder in its place": lambda folder: (
        (folder / "facts.yaml").unlink(),
        (folder / "facts.yaml").mkdir(),
        (folder / "facts.yaml" / "x").write_text(""),
    ),
    "deleted": shutil.rmtree,
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_worse_ones_are_not_taken_and_told_once(held, folder, spoil, caplog):
    first = held.rules
    kept = shutil.copytree(folder, folder.parent / "kept")
    spoil(folder)
    for _ in range(3):
        held.look()
    assert held.rules is first
    assert held.refused
    assert caplog.text.count("rules not taken") == 1
    assert all(record.levelno == logging.ERROR for record in caplog.records)
    shutil.rmtree(folder, ignore_errors=True)
    kept.rename(folder)
    held.look()
    assert not held.refused
    assert held.rules.library.trials.keys() == first.library.trials.keys()


def test_no_half_written_file_is_taken(held, folder):
    """Cut at many places, those between criteria among them: a shorter file may be valid, but not its cases."""
    first, file = held.rules, folder / "trials" / TRIAL / "trial.yaml"
    whole = file.read_text(encoding="utf-8")
    between = [at for at in range(len(whole)) if whole.startswith("\n  - id:", at)]
    for at in [*between[1::3], *range(0, len(whole) - 1, len(whole) // 8)]:
        file.write_text(whole[:at], encoding="utf-8")
        held.look()
        assert held.rules is first, whole[at - 40 : at]
        assert held.refused


def test_what_changes_while_it_is_read_waits(held, folder, caplog):
    first, load = held.rules, held._load
    file = folder / "trials" / TRIAL / "trial.yaml"
    edit(file, PENDING, SIGNED)

    def while_written():
        rules = load()
        edit(file, "revision: 1", "revision: 2")
        return rules

    held._load = while_written
    held.look()
    assert held.rules is first
    assert not held.refused
    assert caplog.text == ""
    held._load = load
    held.look()
    assert held.rules.library.trials[TRIAL].revision == 2


def test_a_link_led_elsewhere_is_a_change(tmp_path, monkeypatch):
    """How a folder is replaced in one step."""
    for name in ("one", "two"):
        copy_rules(tmp_path / name)
    edit(tmp_path / "two" / "trials" / TRIAL / "trial.yaml", PENDING, SIGNED)
    (tmp_path / "rules").symlink_to("one")
    monkeypatch.setenv("CDS_RULES", str(tmp_path / "rules"))
    held = hold_rules()
    assert speaking(held) == []
    (tmp_path / "new").symlink_to("two")
    (tmp_path / "new").replace(tmp_path / "rules")
    held.look()
    assert speaking(held) == [TRIAL]


def test_the_mark_of_nothing_is_nothing(tmp_path):
    assert mark_of(tmp_path / "nowhere") == frozenset()


def test_a_failure_of_the_reading_itself_ends_nothing(held, folder, caplog):
    edit(folder / "trials" / TRIAL / "trial.yaml", PENDING, SIGNED)

    def gone():
        raise FileNotFoundError("a name")

    held._load = gone
    held.look()
    assert held.refused
    assert "FileNotFoundError" in caplog.text
    assert "a name" not in caplog.text


@pytest.mark.parametrize("error", [TypeError, AttributeError, StopIteration, MemoryError])
def test_no_defect_of_the_reading_ends_the_thread_that_follows(held, folder, caplog, error):
    edit(folder / "trials" / TRIAL / "trial.yaml", PENDING, SIGNED)
    load, looks = held._load, []

    def defective():
        looks.append(1)
        raise error("a value")

    held._load = defective
    held.look()
    assert (held.refused, len(looks)) == (True, 1)
    assert error.__name__ in caplog.text
    assert "a value" not in caplog.text
    held._load = load
    edit(folder / "trials" / TRIAL / "trial.yaml", "revision: 1", "revision: 2")
    held.look()
    assert not held.refused


KNOWN_GIVEN = "given: {problems: [{code: I10}]}"


@pytest.mark.parametrize(
    "slip",
    [
        "{staging: x}",
        "{staging: [{edition: 8}]}",
        "{histology: 5}",
        "{histology: [x]}",
        "{age: []}",
        "{age: old}",
        "{age: 3000}",
        "{problems: x}",
        "{cycles: []}",
        "{karnofsky: {date: 999999999999, value: 80}}",
        "{treatments: [{drug: aspirin, as: drip}]}",
        "{treatments: [{drug: [], date: -3}]}",
        "{fhir: [5]}",
        "{fhir: [{resourceType: 5}]}",
        "{problems: [{code: I10, onset: {}}]}",
        "{karnofsky: {value: []}}",
        "{sex: []}",
    ],
)
def test_a_slip_in_a_case_is_a_complaint_that_names_the_case(held, folder, caplog, slip):
    file = folder / "trials" / TRIAL / "tests.yaml"
    edit(file, KNOWN_GIVEN, f"given: {slip}")
    line = next(at for at, text in enumerate(file.read_text(encoding="utf-8").splitlines(), 1) if slip in text)
    held.look()
    assert held.refused
    assert "cannot be read" not in caplog.text
    assert re.search(rf"tests\.yaml:{line}: cases\[\d+\]\.given\.", caplog.text), caplog.text


def test_readiness_tells_that_newer_rules_were_not_taken(held, folder):
    built = replace(build(load_settings(mode="open"), rules=held.rules), held=held)
    client = create_app(built).test_client()
    assert client.get("/readyz").get_json() == {"status": "ready", "store": "ok", "rules": "current"}
    broken(folder)
    held.look()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.get_json()["rules"]) == (200, "last-good")
    assert client.get("/cds-services").status_code == 200


def test_a_request_ends_by_the_rules_it_began_with():
    begun, go_on = threading.Event(), threading.Event()

    def slowly(record):
        begun.set()
        assert go_on.wait(10)
        return outcome(needs_data())

    built, _ = services(slowly)
    client, answers = create_app(built).test_client(), []
    thread = threading.Thread(target=lambda: answers.append(client.post(URL, json=hook()).get_json()))
    thread.start()
    assert begun.wait(10)
    built.held.rules = replace(built.rules, judge=lambda *_rest, **_named: outcome())
    go_on.set()
    thread.join(10)
    assert len(answers[0]["cards"]) == 1
    assert client.post(URL, json=hook()).get_json()["cards"] == []


def test_discovery_is_of_one_set_of_rules():
    """While the rules are swapped all the time, the services of one answer never ask for different prefetch."""
    built, _ = services()
    one = built.rules
    two = replace(one, plan=make_plan({"Observation": [("http://loinc.org", "2160-0")]}))
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            built.held.rules = two if built.held.rules is one else one

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        client, seen = create_app(built).test_client(), set()
        for _ in range(300):
            offered = client.get("/cds-services").get_json()["services"]
            asked = {service["prefetch"]["observations"] for service in offered}
            assert len(asked) == 1
            seen |= asked
    finally:
        stop.set()
        thread.join()
    assert len(seen) == 2


def test_rules_that_were_given_are_held_for_good():
    held = HeldRules(services()[0].rules)
    first = held.rules
    held.look()
    assert held.rules is first
