"""The demo, as people run it: three charts, three kinds of answer, and a clinic's worklist."""

import os
import re
import socket
from contextlib import suppress

import pytest
from click.testing import CliRunner

from cds_service.bootstrap import build
from cds_service.cli import main
from cds_service.cli.demo_worklist import PATIENTS, Clinic, fill_worklist
from cds_service.cli.fhir_server import USUAL_PORT
from cds_service.settings import load_settings
from cds_service.store.worklist import Wanted
from cds_service.synth.person import AS_OF
from cds_service.web import create_app


@pytest.fixture
def taken_port():
    """See that somebody has the port that the demo's FHIR server usually has."""
    with socket.socket() as door, suppress(OSError):
        door.bind(("127.0.0.1", USUAL_PORT))
        door.listen()
        yield USUAL_PORT
        return
    yield USUAL_PORT


def stopped(tell):
    """Press Ctrl-C where the demo waits for it."""
    tell()
    raise KeyboardInterrupt


def test_the_demo_shows_the_three_kinds_of_answer_and_where_the_worklist_is(
    fhir_server, tmp_path, taken_port, monkeypatch
):
    monkeypatch.setattr("cds_service.cli.demo._wait", stopped)
    lasting = tmp_path / "lasting.db"
    env = {**os.environ, "COLUMNS": "140", "CDS_STORE": f"sqlite:///{lasting}"}
    result = CliRunner().invoke(main, ["demo"], env=env)
    assert result.exit_code == 0, result.output
    for part in (
        "May be a candidate for NCT07235319",
        "total bilirubin decides",
        "Draft an order: total bilirubin",
        "No card",
    ):
        assert part in result.output
    base = re.search(r"cds-service  (http://127\.0\.0\.1:\d+)/", result.output)[1]
    assert re.search(rf"Eligibility detail: {base}/worklist/entries/[0-9a-f]{{32}}", result.output)
    assert f"Port {taken_port} is taken" in result.output
    *_above, worklist, top, simulator, _, waiting, stop = result.output.rstrip().splitlines()
    assert (waiting, stop) == ("Serving until Ctrl-C.", "Stopped.")
    assert worklist.endswith(f" {base}/worklist/trials/NCT07235319")
    assert re.search(rf" {base}/worklist/entries/[0-9a-f]{{32}}$", top)
    assert f" {base}/simulator " in simulator
    assert not lasting.exists()  # nothing made up comes into a store that lasts


def test_once_prints_no_address_that_is_dead_by_then(fhir_server, monkeypatch):
    monkeypatch.setattr("cds_service.cli.demo._play", lambda *_given: None)
    monkeypatch.setattr("cds_service.cli.demo.fill_worklist", lambda _services: Clinic(2, 1, "NCT0", "e"))
    result = CliRunner().invoke(main, ["demo", "--once"])
    assert (result.exit_code, "2 prescreened, 1 of them" in result.output) == (0, True)
    assert "/worklist/" not in result.output
    assert "/simulator" not in result.output


def test_the_demos_worklist_can_be_opened():
    services = build(load_settings(mode="open"), clock=lambda: AS_OF)
    clinic = fill_worklist(services)
    entries = services.store.worklist.entries(clinic.trial, wanted=Wanted(size=PATIENTS)).entries
    assert len(entries) == clinic.listed > 50
    assert {one.latest.status for one in entries} == {"candidate", "needs-data", "not-now", "excluded"}
    assert (entries[0].id, entries[0].latest.status) == (clinic.first, "candidate")
    assert all(len(one.person.names) == 2 for one in entries)
    client = create_app(services).test_client()
    for path in ("/worklist/", f"/worklist/trials/{clinic.trial}", f"/worklist/entries/{clinic.first}"):
        page = client.get(path)
        assert page.status_code == 200, path
    assert entries[0].person.names[0] in page.text
    services.store.close()
