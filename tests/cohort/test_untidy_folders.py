"""What real NDJSON folders hold besides tidy lines: each is told, costs no more than it must, and is counted once."""

import gzip
import json
from pathlib import Path

import pytest

from cds_service.errors import RequestError
from cds_service.screening.cohort.source import bundle_source
from tests.cohort.populations import (
    example,
    incomplete,
    npc,
    observation,
    person,
    prescreened,
    quarantine,
    results,
    run_of,
    unread,
    write,
)

PATIENTS = [person("p1"), person("p2")]
CONDITIONS = [npc("p1"), npc("p2", "c2")]
GOOD = json.dumps(observation("p1"))


def folder_with(tmp_path: Path, observations: list[str | bytes], **files: list[str | bytes]) -> Path:
    named = {f"{name}.ndjson": lines for name, lines in files.items()}
    return write(
        tmp_path / "in",
        {"Patient.ndjson": PATIENTS, "Condition.ndjson": CONDITIONS, "Observation.ndjson": observations, **named},
    )


def evidence(out: Path, patient: str) -> list[str]:
    found = results(out)[f"Patient/{patient}"]["results"][0]["criteria"]
    return [one["resource"] for criterion in found for one in criterion["evidence"]]


BROKEN_OF_P1 = {
    "cut at its end": GOOD[:-20],
    "a comma too many": GOOD.replace('"status":', ',"status":'),
    "a number that is none": GOOD.replace("120", "1.2.0"),
    "NaN": GOOD.replace("120", "NaN"),
    "a key twice": GOOD.replace('"status":', '"id": "again", "status":'),
    "half a surrogate pair": GOOD.replace("final", "\\ud83d"),
    "nested deeply": GOOD[:-1] + ',"extension":' + "[" * 5_000 + "]" * 5_000 + "}",
    "invalid UTF-8": GOOD.encode().replace(b"final", b"fin\xff\xfeal"),
    "a number of a thousand digits": GOOD.replace("120", "1" * 1_000),
}


@pytest.mark.parametrize("broken", BROKEN_OF_P1)
def test_a_broken_line_costs_its_patient_that_type(broken: str, tmp_path: Path) -> None:
    folder = folder_with(tmp_path, [json.dumps(observation("p2", "o2")), "", BROKEN_OF_P1[broken]])
    done = run_of(folder, tmp_path / "run")
    assert quarantine(tmp_path / "run") == [("Observation.ndjson", 3)]
    assert incomplete(done) == set()
    assert unread(tmp_path / "run", "p1") == {"Observation"}
    assert unread(tmp_path / "run", "p2") == set()
    assert not done.whole
    assert "Observation/o2" in evidence(tmp_path / "run", "p2")


BROKEN_OF_NOBODY = {
    "no JSON": "%PDF-1.7",
    "no object": "[1]",
    "a word": "null",
    "NUL bytes": b"\0" * 200,
    "two records in one line": GOOD[:-20] + json.dumps(observation("p1", "o2")),
    "another patient in it": GOOD[:-1] + ', "performer": [{"reference": "Patient/p2"}]',
    "two subjects": GOOD[:-1] + ', "patient": {"reference": "Patient/p1"}',
    "the subject is cut off": GOOD[: GOOD.index("Patient/p1") + 3],
    "the type is not first": GOOD.replace('"resourceType": "Observation", "id": "o1"', '"id": "o1"')[:-5],
    "an escaped key": GOOD.replace('"subject"', '"\\u0073ubject"')[:-5],
    "UTF-16": GOOD.encode("utf-16"),
}


@pytest.mark.parametrize("broken", BROKEN_OF_NOBODY)
def test_where_nothing_tells_whose_a_line_is_the_type_is_incomplete_for_everybody(broken: str, tmp_path: Path) -> None:
    folder = folder_with(tmp_path, [json.dumps(observation("p2", "o2")), BROKEN_OF_NOBODY[broken]])
    done = run_of(folder, tmp_path / "run")
    lines = {line for _file, line in quarantine(tmp_path / "run")}
    assert 2 in lines
    assert incomplete(done) == {"Observation"}
    assert unread(tmp_path / "run", "p1") == unread(tmp_path / "run", "p2") == {"Observation"}


def test_a_broken_line_in_a_file_of_no_type_makes_every_type_incomplete(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", {"all.ndjson": [*PATIENTS, *CONDITIONS, "oops"]})
    done = run_of(folder, tmp_path / "run")
    assert incomplete(done) == {"*"}
    assert len(unread(tmp_path / "run", "p1")) == 6


def test_a_broken_line_of_a_type_that_no_rule_reads_costs_nothing(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, [GOOD], Encounter=["oops", '{"resourceType":"Encounter",'])
    done = run_of(folder, tmp_path / "run")
    assert quarantine(tmp_path / "run") == [("Encounter.ndjson", 1)]
    assert done.manifest["counts"]["not_needed"] == 1
    assert incomplete(done) == set()


def test_a_patient_that_cannot_be_read_is_not_lost(tmp_path: Path) -> None:
    broken = '{"resourceType":"Patient","id":"p3","birthDate":'
    folder = write(tmp_path / "in", {"Patient.ndjson": [*PATIENTS, broken], "Condition.ndjson": [npc("p3", "c3")]})
    done = run_of(folder, tmp_path / "run")
    lost = results(tmp_path / "run")["Patient/p3"]
    assert lost["results"] == lost["others"] == []
    assert set(lost["unread"]) == {"Patient"}
    assert (done.manifest["counts"]["patients"], done.manifest["counts"]["judged"]) == (3, 2)
    assert not done.whole


def test_two_patients_of_one_id(tmp_path: Path) -> None:
    first, second, third = person("p1"), {**person("p1"), "birthDate": "1990-01-01"}, person("p2")
    newer = {**third, "birthDate": "1991-01-01", "meta": {"versionId": "2"}}
    folder = write(
        tmp_path / "in",
        {
            "Patient.ndjson": [
                first,
                second,
                {**third, "meta": {"versionId": "1"}},
                newer,
                newer,
                person("p3"),
                person("p3"),
            ]
        },
    )
    done = run_of(folder, tmp_path / "run")
    assert set(results(tmp_path / "run")["Patient/p1"]["unread"]) == {"Patient"}  # nothing tells which is the newer
    assert not unread(tmp_path / "run", "p2")
    assert not unread(tmp_path / "run", "p3")
    assert done.manifest["counts"]["judged"] == 2


def test_copies_are_one_record(tmp_path: Path) -> None:
    lines = [line for line in example("candidate")]
    once = write(tmp_path / "in", {"all.ndjson": lines})
    twice = write(tmp_path / "in2", {"all.ndjson": [*lines, *lines]})
    run_of(once, tmp_path / "run")
    run_of(twice, tmp_path / "run2")
    assert (
        results(tmp_path / "run")["Patient/candidate"]["results"]
        == results(tmp_path / "run2")["Patient/candidate"]["results"]
    )


def test_subjects_that_are_no_patient_of_the_source(tmp_path: Path) -> None:
    group = observation("p1", "g", subject={"reference": "Group/g1"})
    nobody = observation("p1", "n")
    del nobody["subject"]
    inside = observation("p1", "i", contained=[{"resourceType": "Specimen", "subject": {"reference": "Patient/p1"}}])
    del inside["subject"]
    stranger = observation("p9", "s")
    elsewhere = observation("p1", "e", subject={"reference": "https://other.example/fhir/Patient/p1"})
    version = observation("p1", "v", subject={"reference": "Patient/p1/_history/3"})
    lines = [json.dumps(one) for one in (group, nobody, inside, stranger, elsewhere, version)]
    done = run_of(folder_with(tmp_path, [*lines]), tmp_path / "run")
    counts = done.manifest["counts"]
    assert (counts["unassigned"], counts["without_patient"]) == (3, 1)
    assert done.whole  # they are told by count, and cost nothing
    assert counts["used"] == 2 + 2 + 2


def test_links_between_patients_are_not_followed(tmp_path: Path) -> None:
    old = {**person("old"), "active": False, "link": [{"other": {"reference": "Patient/new"}, "type": "replaced-by"}]}
    new = {**person("new"), "link": [{"other": {"reference": "Patient/old"}, "type": "replaces"}]}
    folder = write(tmp_path / "in", {"Patient.ndjson": [old, new], "Condition.ndjson": [npc("old")]})
    run_of(folder, tmp_path / "run")
    found = results(tmp_path / "run")
    assert found["Patient/old"]["results"]
    assert found["Patient/new"]["results"][0]["criteria"][0]["verdict"] == "unknown"  # its own list is empty


def test_a_line_of_another_type_is_used_but_makes_no_type_read(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "in",
        {"Patient.ndjson": PATIENTS, "Condition.ndjson": [*CONDITIONS, GOOD]},
        every_type=False,
    )
    done = run_of(folder, tmp_path / "run")
    assert "Observation/o1" in evidence(tmp_path / "run", "p1")
    assert "Observation" in incomplete(done)


def test_types_without_a_file_are_not_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", {"Patient.ndjson": PATIENTS, "Condition.ndjson": []}, every_type=False)
    done = run_of(folder, tmp_path / "run")
    assert incomplete(done) == {
        *("Observation", "Procedure", "MedicationStatement", "MedicationRequest", "MedicationAdministration")
    }
    assert not done.whole


@pytest.mark.parametrize("asked", [{}, {"request": "https://x/$export?_type=Patient,Condition", "output": []}])
def test_a_folder_without_patients_is_no_empty_clinic(asked: dict[str, object], tmp_path: Path) -> None:
    folder = folder_with(tmp_path, [GOOD])
    (folder / "Patient.ndjson").unlink()
    if asked:
        manifest(folder, **asked)
    done = run_of(folder, tmp_path / "run")
    assert {"type": "Patient", "why": "no file of it is in the source"} in done.manifest["incomplete"]
    assert not done.whole


@pytest.mark.parametrize(
    ("ending", "begin"), [(b"\r\n", b""), (b"\n", b"\xef\xbb\xbf"), (b"\n\n \t\n", b""), (b"\n", b"\n\n")]
)
def test_line_ends_blank_lines_and_byte_order_marks(ending: bytes, begin: bytes, tmp_path: Path) -> None:
    folder = folder_with(tmp_path, [])
    lines = [observation("p1"), observation("p2", "o2")]
    (folder / "Observation.ndjson").write_bytes(begin + ending.join(json.dumps(one).encode() for one in lines))
    done = run_of(folder, tmp_path / "run")
    assert done.whole
    assert done.manifest["source"]["files"][5]["lines"] == 2
    assert "Observation/o2" in evidence(tmp_path / "run", "p2")


def test_a_line_of_20_megabytes(tmp_path: Path) -> None:
    large = json.dumps(observation("p1", note=[{"text": "x" * 20_000_000}]))
    done = run_of(folder_with(tmp_path, [large]), tmp_path / "run")
    assert done.whole
    assert "Observation/o1" in evidence(tmp_path / "run", "p1")


def test_a_line_larger_than_any_resource(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.gather.bulk.pieces.Lines.__init__.__defaults__", (10_000,))
    large = json.dumps(observation("p1", note=[{"text": "x" * 3_000_000}]))
    image = '{"resourceType":"DocumentReference","x":"' + "x" * 3_000_000 + '"}'
    folder = folder_with(tmp_path, [large, json.dumps(observation("p2", "o2"))], DocumentReference=[image])
    done = run_of(folder, tmp_path / "run")
    assert quarantine(tmp_path / "run") == [("Observation.ndjson", 1)]
    assert incomplete(done) == {"Observation"}
    assert "Observation/o2" in evidence(tmp_path / "run", "p2")


def test_an_archive_that_breaks_off(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, [])
    (folder / "Observation.ndjson").unlink()
    whole = gzip.compress("\n".join(json.dumps(observation("p1", f"o{n}")) for n in range(50)).encode())
    (folder / "Observation.ndjson.gz").write_bytes(whole[: len(whole) // 2])
    done = run_of(folder, tmp_path / "run")
    assert {file for file, _line in quarantine(tmp_path / "run")} == {"Observation.ndjson.gz"}
    assert incomplete(done) == {"Observation"}


def test_an_archive_of_no_bytes_is_a_broken_download(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, [])
    (folder / "Observation.ndjson").unlink()
    (folder / "Observation.ndjson.gz").write_bytes(b"")
    done = run_of(folder, tmp_path / "run")
    assert quarantine(tmp_path / "run") == [("Observation.ndjson.gz", 1)]
    assert incomplete(done) == {"Observation"}
    (folder / "Observation.ndjson.gz").write_bytes(gzip.compress(b""))
    assert run_of(folder, tmp_path / "run2").whole


def test_lines_are_numbered_through_the_ranges_of_a_large_file(tmp_path: Path) -> None:
    from cds_service.gather.bulk.folder import ndjson_folder
    from cds_service.screening.cohort.source import FolderSource

    lines: list[str | bytes] = [json.dumps(observation("p1", f"o{n}")) for n in range(40)]
    lines[33] = "oops"
    lines[7] = ""
    folder = folder_with(tmp_path, lines)
    wanted = run_of(folder, tmp_path / "run").manifest
    source = FolderSource("ndjson", ndjson_folder(folder), part_bytes=1_000, piece_bytes=777)
    assert source.parts > 1
    assert len(source.pieces) > 10
    again = prescreened(source, tmp_path / "run2")
    assert quarantine(tmp_path / "run2") == [("Observation.ndjson", 34)]
    assert again.manifest == wanted
    assert (tmp_path / "run2" / "results.jsonl").read_bytes() == (tmp_path / "run" / "results.jsonl").read_bytes()


def drug(name: str) -> dict[str, object]:
    return {
        "resourceType": "Medication",
        "id": name,
        "code": {"coding": [{"system": "http://www.whocc.no/atc", "code": "L01XA01", "display": "cisplatin"}]},
    }


def statement(patient: str, reference: str) -> dict[str, object]:
    return {
        "resourceType": "MedicationStatement",
        "id": f"m-{patient}",
        "status": "completed",
        "subject": {"reference": f"Patient/{patient}"},
        "medicationReference": {"reference": reference},
        "effectiveDateTime": "2026-02-20",
    }


def test_drugs_that_records_point_to(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "in",
        {
            "Patient.ndjson": PATIENTS,
            "Condition.ndjson": CONDITIONS,
            "MedicationStatement.ndjson": [
                json.dumps(statement("p1", "Medication/m1")).replace("Medication/m1", "Medication\\u002fm1"),
                statement("p2", "Medication/gone"),
            ],
            "Medication.ndjson": [drug("m1"), drug("m2")],
        },
    )
    done = run_of(folder, tmp_path / "run")
    counts = done.manifest["counts"]
    assert (counts["used"], counts["not_needed"]) == (7, 1)  # nobody takes m2
    assert not unread(tmp_path / "run", "p1")
    assert unread(tmp_path / "run", "p2") == {"MedicationStatement"}
    assert results(tmp_path / "run")["Patient/p1"]["results"][0]["gate"] == "randomisation"


# Bulk manifests.


def manifest(folder: Path, **body: object) -> None:
    (folder / "manifest.json").write_text(json.dumps({"transactionTime": "2026-03-01T00:00:00Z", **body}))


def test_counts_of_an_export_that_do_not_match(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, [GOOD])
    files = [{"type": "Observation", "url": "https://x/a/Observation.ndjson?sig=1", "count": 2}]
    manifest(folder, output=files, request="https://x/$export")
    done = run_of(folder, tmp_path / "run")
    assert incomplete(done) == {"Observation"}
    assert unread(tmp_path / "run", "p1") == {"Observation"}
    manifest(folder, output=[{**files[0], "count": 1}], request="https://x/$export")
    assert run_of(folder, tmp_path / "run2").whole


def test_types_that_an_export_was_asked_for_are_read_without_a_file(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", {"Patient.ndjson": PATIENTS, "Condition.ndjson": CONDITIONS}, every_type=False)
    output = [{"type": kind, "url": f"https://x/{kind}.ndjson"} for kind in ("Patient", "Condition")]
    manifest(folder, output=output, request="https://x/$export?_type=Patient,Condition,Procedure")
    done = run_of(folder, tmp_path / "run")
    assert "Procedure" not in incomplete(done)
    assert "Observation" in incomplete(done)


def test_files_that_an_export_names_and_that_are_not_here(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, [GOOD])
    output = [{"type": "Condition", "url": "https://x/Condition.2.ndjson"}]
    manifest(folder, output=output, request="https://x/$export")
    assert incomplete(run_of(folder, tmp_path / "run")) == {"Condition"}


def test_a_request_without_types_says_nothing_of_them(tmp_path: Path) -> None:
    """As one by POST, whose parameters no manifest repeats."""
    folder = write(tmp_path / "in", {"Patient.ndjson": PATIENTS, "Condition.ndjson": CONDITIONS}, every_type=False)
    output = [{"type": kind, "url": f"https://x/{kind}.ndjson"} for kind in ("Patient", "Condition")]
    manifest(folder, output=output, request="https://x/Patient/$export")
    assert {"Observation", "Procedure"} <= incomplete(run_of(folder, tmp_path / "run"))
    assert "Condition" not in unread(tmp_path / "run", "p1")


@pytest.mark.parametrize(
    "partial",
    [
        {"request": "https://x/$export?_since=2026-01-01T00:00:00Z"},
        {"request": "https://x/$export?_type=Observation&_typeFilter=Observation%3Fcode%3D718-7"},
        {"request": "https://x/$export?_elements=id"},
        {"request": "https://x/$export?something-new=1"},
        {"request": "https://x/$export", "link": [{"relation": "next", "url": "https://x/2"}]},
    ],
    ids=["since", "type filter", "elements", "unknown", "next"],
)
def test_an_export_of_a_part_is_never_the_whole(partial: dict[str, object], tmp_path: Path) -> None:
    folder = folder_with(tmp_path, [GOOD])
    manifest(folder, output=[], **partial)
    done = run_of(folder, tmp_path / "run")
    assert "*" in incomplete(done)
    assert len(unread(tmp_path / "run", "p1")) == 6


def test_parameters_that_leave_nothing_out(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, [GOOD])
    request = (
        "https://x/$export?_outputFormat=application/fhir%2Bndjson&includeAssociatedData=LatestProvenanceResources"
    )
    manifest(folder, output=[], request=request, link=[{"relation": "self", "url": "https://x/1"}])
    assert run_of(folder, tmp_path / "run").whole


def test_errors_of_an_export_make_everything_incomplete(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, [GOOD])
    (folder / "err.ndjson").write_text('{"resourceType":"OperationOutcome"}\n')
    manifest(folder, output=[], error=[{"type": "OperationOutcome", "url": "https://x/err.ndjson"}])
    assert "*" in incomplete(run_of(folder, tmp_path / "run"))


def test_our_own_export_says_what_is_missing(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, [GOOD])
    body = {
        "types": ["Patient", "Condition", "Observation", "Procedure"],
        "output": [{"type": "Observation", "file": "Observation.ndjson", "count": None, "lines": 1}],
        "incomplete": [{"type": "Condition", "why": "HTTP 404"}],
    }
    (folder / "export.json").write_text(json.dumps(body))
    found = incomplete(run_of(folder, tmp_path / "run"))
    assert found == {"Condition", "MedicationStatement", "MedicationRequest", "MedicationAdministration"}


@pytest.mark.parametrize("text", ["{", "[]", '{"output": 1}', '{"output": [{"type": "Patient"}]}', '{"output": [3]}'])
def test_a_manifest_that_cannot_be_read_is_refused(text: str, tmp_path: Path) -> None:
    folder = folder_with(tmp_path, [GOOD])
    (folder / "manifest.json").write_text(text)
    with pytest.raises(RequestError, match="manifest"):
        run_of(folder, tmp_path / "run")


# Bundles.


def test_bundles_that_cannot_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    entries = [{"resource": person("p1")}, {"resource": npc("p1")}, {"resource": observation("p9")}, {"resource": 3}]
    entries.append({"resource": {"resourceType": "Encounter", "id": "e"}})
    (folder / "a.json").write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    (folder / "b.json").write_text(json.dumps({"resourceType": "Bundle", "entry": [{"resource": person("p4")}]}))
    (folder / "c.json").write_text("{")
    (folder / "d.json").write_text(json.dumps({"resourceType": "Bundle", "entry": [{"resource": npc("p1")}]}))
    two = {"resourceType": "Bundle", "entry": [{"resource": person("p1")}, {"resource": person("p2")}]}
    (folder / "e.json").write_text(json.dumps(two))
    nameless = {**person("x"), "id": None}
    urn = {"resourceType": "Bundle", "entry": [{"fullUrl": "urn:uuid:1", "resource": nameless}]}
    (folder / "f.json").write_text(json.dumps(urn))
    done = prescreened(bundle_source(folder), tmp_path / "run")
    assert sorted(quarantine(tmp_path / "run")) == [("a.json", 1), ("c.json", 1), ("d.json", 1), ("e.json", 1)]
    assert set(results(tmp_path / "run")) == {"Patient/p1", "Patient/p4", "urn:uuid:1"}
    assert incomplete(done) == {"Patient"}
    counts = done.manifest["counts"]
    assert (counts["used"], counts["unassigned"], counts["not_needed"]) == (4, 1, 1)
    assert len(unread(tmp_path / "run", "p1")) == 6  # an entry of the first could not be read


def test_two_bundles_of_one_patient_are_not_put_together(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()

    def bundle(name: str, *resources: object) -> None:
        entries = [{"resource": one} for one in resources]
        (folder / f"{name}.json").write_text(json.dumps({"resourceType": "Bundle", "entry": entries}))

    bundle("a", person("p1"), npc("p1"))
    bundle("b", person("p1"), observation("p1"))
    bundle("c", person("p2"), npc("p2"))
    bundle("d", person("p2"), npc("p2"))  # the same file again
    done = prescreened(bundle_source(folder), tmp_path / "run")
    lost = results(tmp_path / "run")["Patient/p1"]
    assert (lost["results"], lost["others"]) == ([], [])
    assert lost["unread"] == {"Patient": "two Bundles of one id"}
    assert results(tmp_path / "run")["Patient/p2"]["results"]
    assert (done.manifest["counts"]["patients"], done.manifest["counts"]["judged"]) == (2, 1)
    assert not done.whole


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError):
        bundle_source(tmp_path)
    with pytest.raises(RequestError):
        run_of(tmp_path, tmp_path / "run")
    with pytest.raises(RequestError):
        run_of(tmp_path / "none", tmp_path / "run")
