"""The list a site file is written from: codes, names and counts, and nothing of the patient."""

import json
from collections import Counter

import pytest
from click.testing import CliRunner
from door_fakes import PATIENT, bundle

from cds_service.cli import main
from cds_service.facts.chart import read_entries
from cds_service.facts.unmapped import Unmapped, find_unmapped, listed, unmapped_results
from cds_service.gather.bundle import read_bundle
from cds_service.rules_folder import rules_folder
from cds_service.trials.library import load_library

PLAIN = load_library(rules_folder())
SITE = load_library(rules_folder(), site="example")
LIS = "http://example.org/lis"
LOINC = "http://loinc.org"
MEDICATION = "MedicationStatement.medication"


@pytest.fixture(autouse=True)
def no_site(monkeypatch):
    monkeypatch.delenv("CDS_SITE", raising=False)


def concept(*codings, text=""):
    return {"coding": [dict(zip(("system", "code", "display"), one, strict=False)) for one in codings], "text": text}


def resource(kind, name, **fields):
    return {"resourceType": kind, "id": name, "subject": {"reference": "Patient/p1"}, "status": "final", **fields}


def lab(name, code, **fields):
    return resource("Observation", name, code=code, effectiveDateTime="2026-02-20", **fields)


def entries(*resources, library=PLAIN):
    record = read_bundle(bundle(PATIENT, *resources))
    return read_entries(library.site.localised(record) if library.site else record)


def found(*resources, library=PLAIN, every=False):
    read = entries(*resources, library=library)
    return find_unmapped(read, library.value_sets, library.facts, library.site, every=every)


def test_a_local_code_is_listed_with_its_system_until_the_site_maps_it():
    one = lab("1", concept((LIS, "CREA", "肌酐")), valueQuantity={"value": 90, "unit": "umol/L"})
    assert found(one) == {
        Unmapped("Observation.code", LIS, "CREA", "肌酐"): 1,
        Unmapped("system", LIS, "", ""): 1,
    }
    assert found(one, library=SITE) == {}


def test_a_bare_code_is_listed_without_a_system():
    assert found(lab("1", {"coding": [{"code": "718-7"}]})) == {Unmapped("Observation.code", "", "718-7", ""): 1}


def test_codes_of_known_systems_only_on_demand():
    one = lab("1", concept((LOINC, "2823-3", "Potassium"), (LIS, "K", "钾")))
    assert found(one) == {}
    assert found(one, every=True) == {
        Unmapped("Observation.code", LOINC, "2823-3", "Potassium"): 1,
        Unmapped("Observation.code", LIS, "K", "钾"): 1,
        Unmapped("system", LIS, "", ""): 1,
    }
    mapped = lab("2", concept((LOINC, "718-7"), (LIS, "HB")))
    assert found(mapped, every=True) == {}


def test_every_element_is_looked_at():
    local = concept(("http://example.org/x", "1", "one"))
    drug = {"medicationCodeableConcept": local}
    rows = found(
        resource("Condition", "c", code=local),
        resource("Procedure", "p", code=local),
        resource("MedicationRequest", "m", **drug),
        resource("MedicationStatement", "s", **drug),
        resource("MedicationAdministration", "a", **drug),
    )
    assert {one.element for one in rows} == {
        "Condition.code",
        "Procedure.code",
        "MedicationRequest.medication",
        "MedicationStatement.medication",
        "MedicationAdministration.medication",
        "system",
    }
    assert rows[Unmapped("system", "http://example.org/x", "", "")] == 5


def test_a_known_name_is_not_listed_but_its_local_code_is():
    def drug(code):
        return resource("MedicationStatement", "s", medicationCodeableConcept=code)

    assert found(drug({"text": "信迪利单抗注射液"})) == {}
    assert found(drug({"text": "某药 100 mg"})) == {Unmapped(MEDICATION, "", "", "某药 ### mg"): 1}
    coded = found(drug(concept((LIS, "D1"), text="信迪利单抗注射液")))
    assert Unmapped("MedicationStatement.medication", LIS, "D1", "信迪利单抗注射液") in coded


def test_units_that_do_not_convert():
    crea, high = concept((LOINC, "14682-9")), {"value": 100, "unit": "smoot"}
    rows = found(
        lab("1", crea, valueQuantity={"value": 90, "unit": "微摩每升"}),
        lab("2", crea, valueQuantity={"value": 90}),
        lab("3", crea, valueString="90 a secret"),
        lab("4", crea, valueQuantity={"value": 90, "unit": "umol/L"}, referenceRange=[{"high": high}]),
    )
    units = {one.code for one in rows}
    assert {one.element for one in rows} == {"unit of creatinine"}
    assert units == {"微摩每升", "(none)", "(written into the value)", "smoot"}
    assert found(lab("1", crea, valueQuantity={"value": 90, "unit": "微摩每升"}), library=SITE) == {}


def test_an_alias_of_a_system_is_no_unknown_system():
    one = resource("Condition", "c", code=concept(("urn:oid:2.16.156.example.icd", "I10.x00")))
    assert Unmapped("system", "urn:oid:2.16.156.example.icd", "", "") in found(one)
    assert found(one, library=SITE) == {}


def test_results_that_nothing_maps_are_counted():
    read = entries(
        lab("1", concept((LIS, "CREA"))),
        lab("2", concept((LOINC, "2823-3"))),
        lab("3", {"text": "肌酐"}),
        lab("4", {"coding": [{"code": "718-7"}]}),
    )
    assert unmapped_results(read, PLAIN.value_sets) == 2


def test_rows_are_merged_by_code_and_sorted_by_count():
    rows = Counter(
        {
            Unmapped("Observation.code", LIS, "A", "x"): 1,
            Unmapped("Observation.code", LIS, "A", "y"): 2,
            Unmapped("Observation.code", "", "", "p"): 4,
            Unmapped("Observation.code", "", "", "q"): 1,
        }
    )
    assert [(one.code, one.text, count) for one, count in listed(rows)] == [("", "p", 4), ("A", "y", 3), ("", "q", 1)]


def test_the_command_prints_no_value_and_no_patient(tmp_path):
    one = lab("secret-id", concept((LIS, "CREA", "肌酐 13912345678")), valueQuantity={"value": 987, "unit": "umol/L"})
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps(bundle(PATIENT, one)), encoding="utf-8")
    files = [str(tmp_path / "a.json"), str(tmp_path / "b.json")]
    text = CliRunner().invoke(main, ["sites", "unmapped", *files])
    assert text.exit_code == 0
    assert text.output.splitlines() == [
        f"2\tObservation.code\t{LIS}\tCREA\t肌酐 ###########",
        f"2\tsystem\t{LIS}\t-\t-",
    ]
    body = json.loads(CliRunner().invoke(main, ["sites", "unmapped", "--format", "json", *files]).output)
    assert (body["site"], body["bundles"]) == (None, 2)
    assert body["unmapped"][0] == {
        "element": "Observation.code",
        "system": LIS,
        "code": "CREA",
        "text": "肌酐 ###########",
        "count": 2,
    }
    mapped = CliRunner().invoke(main, ["sites", "unmapped", "--site", "example", *files])
    assert mapped.output == "nothing unmapped\n"


def test_the_command_names_what_is_wrong(tmp_path):
    (tmp_path / "a.json").write_text("{", encoding="utf-8")
    bad = CliRunner().invoke(main, ["sites", "unmapped", str(tmp_path / "a.json")])
    assert bad.exit_code == 2
    assert "a.json" in bad.stderr
    assert CliRunner().invoke(main, ["sites", "unmapped", str(tmp_path / "none.json")]).exit_code == 2
    assert CliRunner().invoke(main, ["sites", "unmapped"]).exit_code == 2
    unknown = CliRunner().invoke(main, ["sites", "unmapped", "--site", "none", str(tmp_path / "a.json")])
    assert unknown.exit_code == 10
