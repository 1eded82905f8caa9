"""Bulk exports, with everything that may go wrong on the way, on real sockets."""

import gzip
import json
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
from bulk_server import CONDITIONS, PATIENTS, TIME, Said, bulk_server, lines

from cds_service.errors import ConfigError, GatherError, RequestError
from cds_service.gather.access import Grant
from cds_service.gather.bulk.export import fetch_export, parted
from cds_service.gather.bulk.export_http import ExportServer
from cds_service.gather.bulk.export_poll import Patience
from cds_service.gather.client import FhirClient
from cds_service.gather.deadline import Deadline
from cds_service.gather.origin import Origin
from cds_service.gather.transport import Transport, make_session

TYPES = ("Patient", "Condition", "Observation")
SAID = lines({"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]})


class Waiting:
    """A clock that goes on only by sleeping, and remembers how long."""

    def __init__(self):
        self.pauses = []

    def sleep(self, seconds):
        self.pauses.append(seconds)

    def clock(self):
        return float(sum(self.pauses))


@pytest.fixture
def server():
    with bulk_server() as running:
        yield running


@pytest.fixture
def waiting():
    return Waiting()


@pytest.fixture
def fetch(server, waiting, tmp_path):
    """Fetch the export into the same folder each time."""
    session = make_session()

    def fetched(
        path="Patient/$export",
        *,
        token="secret-token",
        access=None,
        hours=12.0,
        tell=None,
        aliases=(),
        fixed=False,
        folder="export",
        **more,
    ):
        def connect(seconds):
            transport = Transport(session, Deadline.after(min(seconds, 10)), 2**20)
            return FhirClient(Origin.of(server.base), transport, token, access=access, aliases=aliases)

        return fetch_export(
            ExportServer(connect, **more),
            path,
            tmp_path / folder,
            types=TYPES,
            fixed=fixed,
            patience=Patience(hours * 3600, waiting.sleep, waiting.clock),
            tell=tell or (lambda _line: None),
        )

    return fetched


@pytest.fixture
def kept(tmp_path):
    """What the folder holds: export.json, and the files by type."""

    def read():
        folder = tmp_path / "export"
        told = json.loads((folder / "export.json").read_text())
        return told, {one["type"]: (folder / one["file"]).read_bytes() for one in told["output"]}

    return read


def reasons(export):
    return dict(export.incomplete)


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


# Files.


def test_files_come_packed_or_not(server, fetch, kept):
    encoded = {"Content-Encoding": "gzip"}
    two = gzip.compress(PATIENTS[:10]) + gzip.compress(PATIENTS[10:])
    server.packed = {"Patient": lambda _data: (two, encoded), "Condition": lambda data: (gzip.compress(data), {})}
    assert reasons(fetch()) == {}
    assert kept()[1] == {"Patient": PATIENTS, "Condition": CONDITIONS}


def test_a_file_packed_twice(server, fetch, kept):
    server.packed = {"Patient": lambda data: (gzip.compress(gzip.compress(data)), {"Content-Encoding": "gzip"})}
    assert reasons(fetch()) == {}
    assert kept()[1]["Patient"] == PATIENTS


def test_a_large_packed_file(server, fetch, kept):
    server.files["Patient"] = PATIENTS * 40_000
    server.packed = {"Patient": lambda data: (gzip.compress(data, 1), {"Content-Encoding": "gzip"})}
    assert fetch().lines == 80_003
    assert kept()[1]["Patient"] == server.files["Patient"]


@pytest.mark.parametrize("packing", ["cut", "short gzip", "no gzip", "brotli", "bomb"])
def test_files_that_do_not_come_whole_are_tried_again_and_told(server, fetch, kept, packing):
    encoded = {"Content-Encoding": "gzip"}
    half = {
        "cut": lambda: Said(200, CONDITIONS[:60], cut=True),
        "short gzip": lambda: Said(200, gzip.compress(CONDITIONS)[:-6], encoded),
        "no gzip": lambda: Said(200, CONDITIONS, encoded),
        "brotli": lambda: Said(200, CONDITIONS, {"Content-Encoding": "br"}),
        "bomb": lambda: Said(200, gzip.compress(b" " * 2_000_000)),
    }[packing]
    server.faults["Condition"] = lambda _heard: half()
    export = fetch(max_file_bytes=1_000_000)
    assert set(export.incomplete) == {"Condition"}
    tries = 1 if packing in ("brotli", "bomb") else 5
    assert server.steps().count("Condition") == tries
    assert set(kept()[1]) == {"Patient"}
    # What is here stays; the rest is fetched by the next run, and only then is the job closed.
    assert "close" not in server.steps()
    server.faults.clear()
    assert fetch(max_file_bytes=1_000_000).lines == 5
    assert server.steps()[-3:] == ["status", "Condition", "close"]


def test_types_that_are_not_needed_are_left_there(server, fetch):
    server.types["Encounter"] = "Encounter"
    server.files["Encounter"] = b"{}\n"
    assert fetch().lines == 5
    assert "Encounter" not in server.steps()


def test_a_server_that_takes_no_type_parameter(server, fetch):
    server.faults["begin"] = [Said(400)]
    assert fetch().lines == 5
    assert [one.query for one in server.heard[:2]] == ["_type=Patient,Condition,Observation", ""]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"output": [{"type": "Patient"}]}, "cannot be read"),
        ({"output": [{"type": "../../etc", "url": "http://127.0.0.1/x"}]}, "cannot be read"),
        ({"output": [7]}, "cannot be read"),
        ({"error": {"url": "x"}}, "cannot be read"),
        ({"link": [{"relation": "next", "url": "https://elsewhere"}]}, "goes on elsewhere"),
        ({"output": [{"url": "http://127.0.0.1/x"}]}, "without its type"),
    ],
)
def test_a_manifest_that_may_hide_files_makes_all_incomplete(server, fetch, change, why, tmp_path):
    server.manifest.update(change)
    export = fetch()
    assert set(export.incomplete) == set(TYPES)
    assert all(why in one for one in export.incomplete.values())
    names = {file.name for file in (tmp_path / "export").iterdir()}
    assert all(name.startswith(("export", "Patient.", "Condition.")) for name in names)


@pytest.mark.parametrize("body", [b"[]", b"<html>", b'{"resourceType": "OperationOutcome"}', b'{"output": 7}'])
def test_no_manifest_at_all_is_told(server, fetch, body):
    server.faults["status"] = lambda _heard: Said(200, body)
    with pytest.raises(GatherError, match="could not be had"):
        fetch()


def test_a_time_that_is_none_is_not_repeated(server, fetch):
    server.manifest["transactionTime"] = "<script>"
    assert fetch().transaction_time == ""


def test_deleted_records_are_taken_out(server, fetch, kept):
    entries = [{"request": {"method": "DELETE", "url": f"Condition/{name}"}} for name in ("c2", "c1", "not-there")]
    server.files["gone"] = lines({"resourceType": "Bundle", "type": "transaction", "entry": entries})
    server.manifest["deleted"] = [{"type": "Bundle", "url": f"{server.root}/files/1/gone", "count": 1}]
    assert (fetch().lines, reasons(fetch())) == (3, {})
    told, files = kept()
    assert told["deleted"] == ["Condition/c1", "Condition/c2", "Condition/not-there"]
    assert (files["Condition"], files["Patient"]) == (CONDITIONS.splitlines(keepends=True)[0], PATIENTS)
    assert told["output"][1] == {"type": "Condition", "file": "Condition.0001.ndjson", "count": 1, "lines": 1}


@pytest.mark.parametrize(
    "line", [b"[]", b"{", b'{"entry": [{}]}', b'{"entry": [{"request": {"url": "Condition/c1"}}]}']
)
def test_deletions_that_cannot_be_read_make_all_incomplete(server, fetch, line):
    server.files["gone"] = line
    server.manifest["deleted"] = [{"type": "Bundle", "url": f"{server.root}/files/1/gone"}]
    assert set(fetch().incomplete) == set(TYPES)


# Where the token goes.


def test_no_token_where_none_is_asked_for(server, fetch):
    server.manifest["requiresAccessToken"] = False
    fetch()
    tokens = {step: one.headers.get("authorization") for step, one in zip(server.steps(), server.heard, strict=True)}
    assert tokens == {
        "begin": "Bearer secret-token",
        "status": "Bearer secret-token",
        "Patient": None,
        "Condition": None,
        "close": "Bearer secret-token",
    }


def test_files_elsewhere_are_not_asked_for_unless_allowed_and_never_with_a_token(server, fetch):
    with bulk_server() as store:
        store.files, store.jobs = server.files, 1
        server.file_host = store.root
        export = fetch()
        assert set(export.incomplete) == {"Patient", "Condition"}
        assert "another host" in export.incomplete["Patient"]
        assert store.heard == []
        assert fetch(file_origins=(Origin.of(store.root),)).lines == 5
        assert [one.headers.get("authorization") for one in store.heard] == [None, None]


def test_a_job_elsewhere_is_not_asked_for(server, fetch):
    with bulk_server() as other:
        server.faults["begin"] = [Said(202, headers={"Content-Location": f"{other.root}/jobs/1"})]
        with pytest.raises(GatherError, match="another host"):
            fetch()
        assert other.heard == []


def test_the_inner_name_of_a_gateway_is_read_as_the_server(server, fetch):
    inner = "http://inner.invalid:8080/fhir"
    output = [{"type": "Patient", "url": f"{inner}/files/Patient"}]
    server.manifest["output"] = output
    server.faults["Patient"] = [Said(200, PATIENTS)]
    assert fetch(aliases=(Origin.of(inner),)).lines == 2


def test_redirects_are_not_followed(server, fetch):
    server.faults["Condition"] = lambda _heard: Said(302, headers={"Location": f"{server.root}/files/1/Patient"})
    assert "HTTP 302, a redirect" in fetch().incomplete["Condition"]


class Access:
    """Leave for some types; each token is good for so many calls."""

    def __init__(self, *kinds):
        self.kinds, self.number = kinds, 1

    def grant(self, kind, transport):
        return Grant(f"token-{self.number}") if kind in self.kinds else Grant(why=f"no leave to read {kind}")

    def renewed(self, kind, refused, transport):
        self.number += 1
        return self.grant(kind, transport)


def test_types_without_leave_are_not_asked_for_and_told(server, fetch):
    export = fetch(access=Access("Patient", "Condition"))
    assert server.heard[0].query == "_type=Patient,Condition"
    assert reasons(export) == {"Observation": "no leave to read Observation"}


def test_a_token_that_ran_out_is_renewed_once(server, fetch):
    server.faults["status"] = [Said(401)]
    server.faults["Condition"] = [Said(401)]
    assert fetch(access=Access(*TYPES)).lines == 5
    assert server.heard[-1].headers["authorization"] == "Bearer token-3"


def test_an_authorization_server_that_fails_on_the_way_is_asked_again(server, fetch, waiting):
    access = Access(*TYPES)
    honest, failures = access.grant, [""] * 5 + ["HTTP 503"] * 3  # leave for the types, the start; then the status
    access.grant = lambda *asked: Grant(why=why) if (why := failures.pop(0) if failures else "") else honest(*asked)
    assert fetch(access=access).lines == 5
    assert waiting.pauses == [1, 2, 4]
    access.grant = lambda *_asked: Grant(why="no access token")
    with pytest.raises(GatherError, match="no access token"):
        fetch("$export", access=access, folder="other")
    assert waiting.pauses == [1, 2, 4]


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
