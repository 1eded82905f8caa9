"""Codes match by system and code together, in the spellings that hospitals really send."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from cds_service.errors import ConfigError
from cds_service.facts.codes import (
    ATC,
    ICD_9_CM,
    ICD_10,
    ICD_10_CM,
    ICD_O_3,
    LOINC,
    NAMES,
    SNOMED,
    UICC,
    ValueSets,
    normalise_code,
    normalise_system,
)

FOLDER = Path(__file__).resolve().parents[2] / "rules" / "valuesets"
CHINESE = "http://example.org/fhir/CodeSystem/icd-10-cn-clinical"


@pytest.fixture(scope="module")
def sets() -> ValueSets:
    return ValueSets.load(FOLDER)


@pytest.mark.parametrize(
    ("name", "system", "code", "found"),
    [
        ("npc_primary_site", ICD_10, "C11.9", "C11.9"),
        ("npc_primary_site", ICD_10, "C119", "C11.9"),
        ("npc_primary_site", ICD_10, "c11.9", "C11.9"),
        ("npc_primary_site", ICD_10, "Ｃ１１．９", "C11.9"),
        ("npc_primary_site", ICD_10, "C11.9†", "C11.9"),
        ("npc_primary_site", ICD_10, "C11.9+", "C11.9"),
        ("npc_primary_site", ICD_10, "C11.900", "C11.9"),
        ("npc_primary_site", ICD_10, "C11.9x001", "C11.9"),
        ("npc_primary_site", ICD_10, "C11.7", "C11"),
        ("npc_primary_site", "urn:oid:2.16.840.1.113883.6.3", "C11.9", "C11.9"),
        ("npc_primary_site", ICD_10_CM, "C11", "C11"),
        ("npc_primary_site", SNOMED + "/", " 449248000 ", "449248000"),
        ("npc_primary_site", ICD_10, "C1", None),
        ("npc_primary_site", ICD_10, "C12", None),
        ("npc_primary_site", ICD_10, "Z85.818", None),
        ("npc_primary_site", SNOMED, "4492480001", None),
        ("npc_primary_site", SNOMED, "C11.9", None),
        ("npc_primary_site", CHINESE, "C11.900", None),
        ("npc_primary_site_cn", CHINESE, "C11.900", "C11.900"),
        ("npc_primary_site_cn", CHINESE, "Ｃ１１．９００", "C11.900"),
        ("npc_primary_site_cn", CHINESE, "C11.902", "C11.9"),
        ("npc_primary_site_cn", ICD_10, "C11.900", None),
        ("distant_metastasis", ICD_10, "C77.0", None),
        ("distant_metastasis", ICD_10, "C77.9", None),
        ("distant_metastasis", ICD_10, "C77", None),
        ("distant_metastasis", ICD_10, "C79.9", None),
        ("distant_metastasis", ICD_10, "C77.1", "C77.1"),
        ("distant_metastasis", ICD_10, "C78.700", "C78.7"),
        ("metastasis_ambiguous", ICD_10, "C77.0", "C77.0"),
        ("metastasis_ambiguous", ICD_10, "C77.001", "C77.0"),
        ("stage_group_value", SNOMED, "1228882005", None),
        ("t_category_value", SNOMED, "1228882005", "1228882005"),
        ("npc_histology_nonkeratinizing", ICD_O_3, "M8072/3", "8072/3"),
        ("npc_histology_nonkeratinizing", "http://hl7.org/fhir/sid/icd-o-3", "M-8072/3", "8072/3"),
        ("npc_histology_nonkeratinizing", ICD_O_3, "８０７２／３", "8072/3"),
        ("npc_histology_nonkeratinizing", ICD_O_3, "8072/6", None),
        ("npc_histology_nonkeratinizing", ICD_O_3, "8072/31", None),
        ("primary_or_neck_site", ICD_O_3, "C11.3", "C11"),
        ("primary_or_neck_site", ICD_O_3, "C77.0", "C77.0"),
        ("primary_or_neck_site", ICD_O_3, "C77.1", None),
        ("chemotherapy", ATC, "l01xa01", "L01XA"),
        ("antineoplastic_any", ATC, "L01FF13", "L01"),
        ("treatment_ambiguous", ATC, "L01FF", "L01FF"),
        ("treatment_ambiguous", ATC, "L01FF13", None),
        ("corticosteroid_systemic", ATC, "H02AB02", "H02AB02"),
        ("corticosteroid_systemic", ATC, "H02AB10", "H02AB"),
        ("anticoagulant", ATC, "B01AC06", None),
        ("radiotherapy", ICD_9_CM, "92.2900x001", "92.2"),
        ("radiotherapy", ICD_9_CM, "922.0", None),
        ("radiotherapy", "http://fhir.de/CodeSystem/bfarm/ops", "8-522.90", "8-52"),
        ("drug_text_gemcitabine", NAMES, "Gemcitabine", "gemcitabine"),
        ("drug_text_cisplatin", NAMES, "顺铂", "顺铂"),
    ],
)
def test_finds(sets: ValueSets, name: str, system: str, code: str, found: str | None) -> None:
    concept = sets[name].find(system, code)
    assert (concept.code if concept else None) == found


@pytest.mark.parametrize("system", [None, "", "  ", "/"])
def test_bare_code_never_matches(sets: ValueSets, system: str | None) -> None:
    for value_set in sets.values():
        for concept in value_set.concepts:
            assert value_set.find(system, concept.code) is None


@pytest.mark.parametrize("code", [None, "", "  ", "."])
def test_no_code_never_matches(sets: ValueSets, code: str | None) -> None:
    for value_set in sets.values():
        for system in {concept.system for concept in value_set.concepts}:
            assert value_set.find(system, code) is None


def test_every_concept_finds_itself(sets: ValueSets) -> None:
    for value_set in sets.values():
        for concept in value_set.concepts:
            assert value_set.find(concept.system, concept.code) is concept


def test_longest_prefix_wins(sets: ValueSets) -> None:
    found = sets["npc_primary_site"].find(ICD_10, "C11.80")
    assert found is not None
    assert (found.code, found.prefix) == ("C11.8", True)


def test_attributes(sets: ValueSets) -> None:
    def attributes(name: str, system: str, code: str) -> dict[str, str]:
        concept = sets[name].find(system, code)
        assert concept is not None
        return dict(concept.attributes)

    assert attributes("ecog_value", LOINC, "LA9622-7")["value"] == "0"
    assert attributes("stage_group_value", SNOMED, "1222838008")["stage"] == "IVA"
    assert attributes("staging_method", SNOMED, "1269566009")["edition"] == "9"
    assert attributes("creatinine", LOINC, "14682-9")["property"] == "moles"
    assert attributes("creatinine_clearance", LOINC, "35592-5")["unit"] == "mL/min/{1.73_m2}"
    assert attributes("hemoglobin", LOINC, "59260-0")["unverified"] == "true"
    assert "unverified" not in attributes("hemoglobin", LOINC, "718-7")
    assert attributes("npc_primary_site_cn", CHINESE, "C11.9")["placeholder-system"] == "true"
    assert attributes("radiotherapy", SNOMED, "448168006")["site"] == "primary"
    assert "site" not in attributes("radiotherapy", SNOMED, "441799006")
    ncit = {c.code: c.attributes["edition"] for c in sets["stage_condition_codes_ncit"].concepts}
    assert ncit == {
        "C90529": "6",
        "C90530": "7",
        "C132248": "8",
        "C177555": "8",
        "C177556": "8",
        "C180901": "9",
    }


def test_an_adenocarcinoma_is_a_carcinoma_of_the_site_with_a_failing_histology(sets: ValueSets) -> None:
    for code in ("423106003", "1010603001", "1010633008"):
        assert sets["npc_primary_site_not_carcinoma"].find(SNOMED, code) is None
        assert sets["npc_primary_site_other_carcinoma"].find(SNOMED, code)
        assert sets["npc_histology_keratinizing_or_other"].find(SNOMED, code)


def test_a_lymphoma_is_no_carcinoma_of_the_site(sets: ValueSets) -> None:
    lymphoma = {concept.code for concept in sets["npc_histology_lymphoma"].concepts}
    others = {concept.code for concept in sets["npc_primary_site_not_carcinoma"].concepts}
    assert others - lymphoma == {"1010624006"}
    assert len([code for code in lymphoma if len(code) > 3]) == 3


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://snomed.info/sct", SNOMED),
        ("urn:oid:2.16.840.1.113883.6.96", SNOMED),
        ("https://loinc.org/", LOINC),
        ("urn:oid:2.16.840.1.113883.6.1", LOINC),
        ("urn:oid:2.16.840.1.113883.6.90", ICD_10_CM),
        ("urn:oid:2.16.840.1.113883.6.88", "http://www.nlm.nih.gov/research/umls/rxnorm"),
        ("urn:oid:2.16.840.1.113883.6.73", ATC),
        ("urn:oid:2.16.840.1.113883.6.43.1", ICD_O_3),
        ("http://hl7.org/fhir/sid/icd-o-3", ICD_O_3),
        ("http://www.uicc.org/resources/tnm", UICC),
        ("https://cancerstaging.org", "http://cancerstaging.org"),
        ("https://www.whocc.no/atc", ATC),
        (CHINESE, CHINESE),
        ("https://hospital.example/lis", "https://hospital.example/lis"),
        ("", ""),
    ],
)
def test_systems_have_one_spelling(written: str, meant: str) -> None:
    assert normalise_system(written) == meant
    assert normalise_system(meant) == meant


def test_a_dot_tells_an_icd_9_procedure_from_a_diagnosis() -> None:
    assert normalise_code(ICD_9_CM, "92.29") != normalise_code(ICD_9_CM, "922.9")


def test_known_systems(sets: ValueSets) -> None:
    for system in (SNOMED, ICD_10, ICD_10_CM, ICD_O_3, LOINC, ATC, "http://cancerstaging.org", UICC, CHINESE):
        assert sets.is_known_system(system)
    assert sets.is_known_system("http://hl7.org/fhir/sid/icd-10-us")
    assert sets.is_known_system("http://www.uicc.org/resources/tnm")
    assert not sets.is_known_system("http://hospital.example/lis")
    assert not sets.is_known_system("")
    assert not sets.is_known_system(None)


def test_sets_travel_to_other_processes(sets: ValueSets) -> None:
    again = pickle.loads(pickle.dumps(sets))
    assert set(again) == set(sets)
    assert again["npc_primary_site"].find(ICD_10, "C11.900") == sets["npc_primary_site"].find(ICD_10, "C11.900")


def _resource(**changes: Any) -> dict[str, Any]:
    source = {"url": "urn:cds-service:source", "valueString": "a book"}
    concept = {"extension": [source], "code": "1", "display": "One"}
    return {
        "resourceType": "ValueSet",
        "id": "one",
        "compose": {"include": [{"system": "http://loinc.org", "concept": [concept]}]},
    } | changes


def _include(**members: Any) -> dict[str, Any]:
    return {"compose": {"include": [members]}}


SOURCE = {"url": "urn:cds-service:source", "valueString": "a book"}
SHOWN = {"url": "urn:cds-service:display", "valueString": "One"}
IS_A = {"extension": [SOURCE, SHOWN], "property": "concept", "op": "is-a", "value": "C11"}
UNCERTAIN = {"url": "urn:cds-service:unverified", "valueString": "true"}
ONE = {"extension": [SOURCE], "code": "C11", "display": "One"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"resourceType": "CodeSystem"}, "not a FHIR ValueSet"),
        ({"id": "two"}, "id must be"),
        ({"compose": None}, "compose is missing"),
        ({"compose": {"include": []}}, "empty"),
        ({"compose": {"include": ["C11"]}}, "not an object"),
        ({"compose": {"include": [{"system": ICD_10, "filter": [IS_A]}], "exclude": []}}, "include only"),
        (_include(concept=[ONE]), "no system"),
        (_include(system=ICD_10), "either concept or filter"),
        (_include(system=ICD_10, concept=[ONE], filter=[IS_A]), "either concept or filter"),
        (_include(system=ICD_10, concept=[]), "empty concept"),
        (_include(system=ICD_10, concept=["C11"]), "not an object"),
        (_include(system=ICD_10, filter=[IS_A, IS_A | {"value": "C12"}]), "several filters"),
        (_include(system=ICD_10, filter=[IS_A | {"op": "regex"}]), "concept is-a"),
        (_include(system=SNOMED, filter=[IS_A]), "is-a is understood"),
        (_include(system=ICD_10, concept=[ONE, ONE | {"code": "c11"}]), "listed twice"),
        (_include(system=ICD_10, concept=[ONE | {"code": " "}]), "no code"),
        (_include(system=ICD_10, concept=[ONE | {"code": 11}]), "no code"),
        (_include(system=ICD_10, concept=[ONE | {"display": ""}]), "no display"),
        (_include(system=ICD_10, filter=[IS_A | {"extension": [SOURCE]}]), "no display"),
        (_include(system=ICD_10, concept=[ONE | {"extension": []}]), "no source"),
        (_include(system=ICD_10, concept=[ONE | {"extension": "x"}]), "not a list"),
        (_include(system=ICD_10, concept=[ONE | {"extension": [SOURCE, SOURCE]}]), "written twice"),
        (
            _include(system=ICD_10, concept=[ONE | {"extension": [{"url": "urn:cds-service:stagee"}]}]),
            "stagee",
        ),
        (_include(system=ICD_10, concept=[ONE | {"extension": [{"url": SOURCE["url"]}]}]), "valueString"),
        (_include(system=ICD_10, concept=[ONE | {"extension": [SOURCE, UNCERTAIN]}]), "valueBoolean"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    (tmp_path / "one.json").write_text(json.dumps(_resource(**changes)), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        ValueSets.load(tmp_path)
    assert str(tmp_path / "one.json") in str(caught.value)
    assert problem in str(caught.value)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b'{"id": "one", "id": "two"}', b"[" * 100_000, b"[]"])
def test_what_is_no_json_object_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "one.json").write_bytes(content)
    with pytest.raises(ConfigError, match=r"one\.json"):
        ValueSets.load(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no value sets"):
        ValueSets.load(tmp_path)


def test_a_good_file_loads(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(_resource()), encoding="utf-8")
    sets = ValueSets.load(tmp_path)
    assert list(sets) == ["one"]
    assert repr(sets["one"]) == "ValueSet('one', 1 concepts)"
