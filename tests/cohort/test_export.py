"""Bulk exports, with everything that may go wrong on the way, on real sockets."""

import os
import signal
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from bulk_server import CONDITIONS, PATIENTS, TIME, Said, lines
from exporting import TYPES, fetch, kept, reasons, server, waiting

from cds_service.errors import ConfigError, GatherError, RequestError
from cds_service.gather.bulk.export import parted

__all__ = ["fetch", "kept", "server", "waiting"]  # fixtures


def test_an_export_comes_whole_and_is_thrown_away_at_the_server(server, fetch, kept, waiting, tmp_path):
    export = fetch()
    told, files = kept()
    assert (export.lines, reasons(export)) == (5, {})
    assert files == {"Patient": PATIENTS, "Condition": CONDITIONS}
    assert told == {
        "format": 1,
        "transactionTime": TIME,
        "types": ["Condition", "Observation", "Patient"],
        "output": [
            {"type": "Patient", "file": "Patient.0000.ndjson", "count": 2, "lines": 2},
            {"type": "Condition", "file": "Condition.0001.ndjson", "count": 3, "lines": 3},
        ],
        "incomplete": [],
        "deleted": [],
        "issues": {},
    }
    assert server.steps() == ["begin", "status", "Patient", "Condition", "close"]
    first = server.heard[0]
    assert (first.path, first.query) == ("/fhir/Patient/$export", "_type=Patient,Condition,Observation")
    assert (first.headers["prefer"], first.headers["accept"]) == ("respond-async", "application/fhir+json")
    assert waiting.pauses == []
    folder = tmp_path / "export"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert "secret-token" not in "".join(file.read_text() for file in folder.iterdir())
    # Again: it is here.
    assert fetch() == export
    assert len(server.heard) == 5


def test_group_and_system_exports(server, fetch):
    fetch("Group/npc-1/$export")
    assert server.heard[0].path == "/fhir/Group/npc-1/$export"
    with pytest.raises(ConfigError, match=r"another export \(path differ\)"):
        fetch("$export")
    assert parted("https://h/r4/$export") == ("https://h/r4", "$export")
    assert parted("https://h/r4/Patient/$export") == ("https://h/r4", "Patient/$export")


@pytest.mark.parametrize(
    "url", ["https://h/r4", "https://h/r4/$export?_since=2026", "https://h/r4/$exports", "$export"]
)
def test_other_addresses_are_refused(url):
    with pytest.raises(RequestError, match="--export must be"):
        parted(url)


def test_waits_as_the_server_asks(server, fetch, waiting):
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    no_year = f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT"
    server.faults["begin"] = [Said(429, headers={"Retry-After": "7"}), Said(503, headers={"Retry-After": no_year})]
    server.faults["status"] = [
        Said(202, headers={"Retry-After": "20", "X-Progress": "12% of <b>Mr Li</b>"}),
        Said(202, headers={"Retry-After": later, "X-Progress": "Mr Li"}),
        Said(429, headers={"Retry-After": "99999"}),
        Said(202, headers={"Retry-After": "0"}),
        Said(202),
    ]
    server.faults["Patient"] = [Said(429, headers={"Retry-After": "3"})]
    told = []
    assert fetch(tell=told.append).lines == 5
    kick, rest = waiting.pauses[:2], waiting.pauses[2:]
    assert kick == [7, 2]
    assert (rest[0], rest[2], rest[3]) == (20, 300, 1)
    assert 80 < rest[1] <= 90
    assert rest[4:] == [16, 3]
    assert told[:2] == ["The export is being made: 12 %", "The export is being made"]
    assert "Li" not in "".join(told)


# Fault 52.


def test_202_for_ever_ends_and_keeps_the_state(server, fetch, kept, waiting):
    server.faults["status"] = lambda _heard: Said(202, headers={"Retry-After": "120"})
    with pytest.raises(GatherError, match=r"not ready after 2 h\. Run the same command again"):
        fetch(hours=2)
    assert sum(waiting.pauses) == 7200
    assert {one["why"] for one in kept()[0]["incomplete"]} == {"the export is not finished"}
    server.faults.clear()
    assert fetch().lines == 5
    assert server.steps().count("begin") == 1  # the same job


def test_5xx_while_polling_is_lived_through_and_told_in_the_end(server, fetch):
    server.faults["status"] = [Said(500), Said(502), Said(202), Said(500), Said(500), Said(500), Said(500)]
    assert fetch().lines == 5


def test_5xx_for_ever_is_told(server, fetch):
    server.faults["status"] = lambda _heard: Said(500)
    with pytest.raises(GatherError, match=r"could not be had \(HTTP 500\)"):
        fetch()
    assert server.steps().count("status") == 5
    server.faults.clear()
    assert fetch().lines == 5
    assert server.jobs == 1


@pytest.mark.parametrize(
    ("expression", "incomplete"),
    [
        (None, {"Patient", "Condition", "Observation"}),
        (["Observation/7"], {"Observation"}),
        (["Observation.code", "Condition"], {"Observation", "Condition"}),
        (["Observation", "Encounter"], {"Patient", "Condition", "Observation"}),
    ],
)
def test_errors_that_the_server_reports_make_types_incomplete(server, fetch, kept, expression, incomplete):
    issue = {"severity": "error", "code": "exception", "diagnostics": "secret"}
    issues = [issue if expression is None else {**issue, "expression": expression}]
    issues.append({"severity": "warning", "code": "informational"})
    server.files["oops"] = lines({"resourceType": "OperationOutcome", "issue": issues})
    server.manifest["error"] = [{"type": "OperationOutcome", "url": f"{server.root}/files/1/oops"}]
    export = fetch()
    assert reasons(export) == dict.fromkeys(incomplete, "the server could not export all of it")
    assert dict(export.issues) == {"error": 1, "warning": 1}
    assert kept()[0]["issues"] == {"error": 1, "warning": 1}
    assert export.lines == 5


def test_warnings_make_nothing_incomplete_and_nonsense_everything(server, fetch, tmp_path):
    server.manifest["error"] = [{"type": "OperationOutcome", "url": f"{server.root}/files/1/oops"}]
    server.files["oops"] = lines({"resourceType": "OperationOutcome", "issue": [{"severity": "warning"}]})
    assert reasons(fetch()) == {}
    for name in (tmp_path / "export").iterdir():
        name.unlink()
    server.manifest["error"] = [{"type": "OperationOutcome", "url": f"{server.root}/files/2/oops"}]
    server.files["oops"] = b"{broken\n"
    assert set(fetch().incomplete) == set(TYPES)


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_file_that_is_gone_starts_the_export_anew_once(server, fetch, status):
    server.faults["Condition"] = [Said(status)]
    assert reasons(fetch()) == {}
    steps = server.steps()
    assert steps == ["begin", "status", "Patient", "Condition", "close"] * 2


def test_a_file_that_stays_gone_makes_its_type_incomplete(server, fetch, kept):
    server.faults["Condition"] = lambda _heard: Said(404)
    export = fetch()
    assert reasons(export) == {"Condition": "a file of the export could not be fetched (HTTP 404)"}
    assert (server.jobs, set(kept()[1])) == (2, {"Patient"})
    server.faults.clear()
    assert (fetch().lines, server.jobs) == (5, 2)  # once more, the file is there: the same job


def test_nothing_is_fetched_into_a_folder_that_a_run_has_begun_with(server, fetch):
    server.faults["Condition"] = lambda _heard: Said(404)
    export = fetch()
    asked = len(server.heard)
    server.faults.clear()
    assert fetch(fixed=True) == export
    assert len(server.heard) == asked


def test_an_export_that_has_expired_is_started_anew_once(server, fetch):
    server.faults["status"] = [Said(404)]
    assert (fetch().lines, server.jobs) == (5, 2)


def test_an_export_that_is_always_gone_is_told(server, fetch):
    server.faults["status"] = lambda _heard: Said(410)
    with pytest.raises(GatherError, match="no longer knows"):
        fetch()
    assert server.jobs == 2


def test_files_of_a_gone_export_are_not_mixed_with_the_new_ones(server, fetch, kept):
    def gone(_heard):
        server.faults.clear()
        server.files["Patient"] = PATIENTS.replace(b'"a"', b'"z"')
        server.types = {"Condition": "Condition", "Patient": "Patient"}
        server.manifest["transactionTime"] = "2026-03-02T00:00:00Z"
        return Said(404)

    server.faults["Condition"] = gone
    fetch()
    told, files = kept()
    assert files["Patient"] == server.files["Patient"]
    assert told["transactionTime"] == "2026-03-02T00:00:00Z"


def test_files_of_another_moment_do_not_stay(server, fetch, kept, tmp_path):
    server.faults["Condition"] = lambda _heard: Said(404)  # so that the export is not finished
    server.files["Old"] = PATIENTS.replace(b'"a"', b'"old"')
    server.types = {"Condition": "Condition", "Patient": "Patient", "Old": "Patient"}
    fetch()
    assert (tmp_path / "export" / "Patient.0002.ndjson").exists()
    server.faults.clear()
    server.types = {"Condition": "Condition", "Patient": "Patient"}
    server.manifest["transactionTime"] = "2026-03-02T00:00:00Z"
    fetch()
    here = {path.name for path in (tmp_path / "export").glob("*.ndjson")}
    assert here == {one["file"] for one in kept()[0]["output"]} == {"Condition.0000.ndjson", "Patient.0001.ndjson"}


@pytest.mark.parametrize(("said", "has"), [(4, 3), (2, 3)])
def test_a_count_that_does_not_match_makes_the_type_incomplete(server, fetch, kept, said, has):
    manifest = {"type": "Condition", "url": f"{server.root}/files/1/Condition", "count": said}
    server.manifest["output"] = [manifest]
    export = fetch()
    assert reasons(export) == {"Condition": f"a file of the export has {has} lines, its manifest says {said}"}
    assert kept()[0]["output"][0]["lines"] == has


def test_a_broken_line_is_left_for_the_reader_of_the_folder(server, fetch, kept):
    server.files["Condition"] = CONDITIONS[:20] + b"\n\r\n \n" + CONDITIONS[20:-1]  # blank lines; no end of the last
    server.manifest["output"] = [{"type": "Condition", "url": f"{server.root}/files/1/Condition", "count": 4}]
    assert reasons(fetch()) == {}
    assert kept()[1]["Condition"] == server.files["Condition"]


def test_a_refused_kick_off_is_told(server, fetch):
    server.faults["begin"] = lambda _heard: Said(401)
    with pytest.raises(GatherError, match=r"could not be started \(HTTP 401\)"):
        fetch()
    server.faults["begin"] = lambda _heard: Said(204)
    with pytest.raises(GatherError, match=r"could not be started \(HTTP 204\)"):
        fetch()
    server.faults["begin"] = lambda _heard: Said(202)
    with pytest.raises(GatherError, match="does not say where"):
        fetch()


# Stopped.


def test_ctrl_c_cancels_at_the_server_and_leaves_nothing(server, fetch, waiting, tmp_path):
    def interrupted(_seconds):
        raise KeyboardInterrupt

    server.faults["Condition"] = [Said(503)]
    waiting.sleep = interrupted
    with pytest.raises(KeyboardInterrupt):
        fetch()
    assert server.steps() == ["begin", "status", "Patient", "Condition", "close"]
    assert [file.name for file in (tmp_path / "export").iterdir()] == ["export-state.json"]


CHILD = """
import sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from cds_service.gather.bulk.export import fetch_export
from cds_service.gather.bulk.export_http import ExportServer
from cds_service.bootstrap import reach
from cds_service.settings import FhirServer, load_settings
server = ExportServer(reach(FhirServer(base_url=sys.argv[1]), load_settings()))
fetch_export(server, "Patient/$export", Path(sys.argv[2]), types=("Patient", "Condition", "Observation"))
"""


def test_after_a_kill_the_same_export_goes_on_and_whole_files_are_kept(server, fetch, kept, tmp_path):
    folder = tmp_path / "export"
    server.faults["Condition"] = lambda _heard: Said(200, pause=30)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    child = subprocess.Popen([sys.executable, "-c", CHILD, server.base, str(folder), str(Path.cwd())], env=environment)
    until = time.monotonic() + 20
    while "Condition" not in server.steps() and time.monotonic() < until:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait(10)
    (folder / "Condition.0001.ndjson.part").write_bytes(b"half")
    assert {one["why"] for one in kept()[0]["incomplete"]} == {"the export is not finished"}
    server.faults.clear()
    assert fetch().lines == 5
    assert [step for step in server.steps() if step != "status"] == [
        "begin",
        "Patient",
        "Condition",
        "Condition",
        "close",
    ]
    assert not list(folder.glob("*.part"))


def test_a_folder_of_something_else_is_refused(fetch, tmp_path):
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "export-state.json").write_text("{}")
    with pytest.raises(ConfigError, match="cannot be read"):
        fetch()
