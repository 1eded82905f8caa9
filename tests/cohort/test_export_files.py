"""The files and the manifest of a bulk export: packed, cut, deleted, or not what they seem."""

import gzip

import pytest
from bulk_server import CONDITIONS, PATIENTS, Said, lines
from exporting import TYPES, fetch, kept, reasons, server, waiting

from cds_service.errors import GatherError

__all__ = ["fetch", "kept", "server", "waiting"]  # fixtures


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
