"""What a site file changes in a judgement, and what it must not change."""

from __future__ import annotations

import copy
import json
import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cds_service.evaluation.judge import judge, needed_codes
from cds_service.evaluation.outcome import CriterionOutcome, PatientOutcome
from cds_service.facts.fact import Reason
from cds_service.gather.bundle import read_bundle
from cds_service.gather.plan import make_plan
from cds_service.present.detail import candidate_detail
from cds_service.present.report import write_report
from cds_service.trials.library import load_library
from cds_service.trials.model import Library

ROOT = Path(__file__).resolve().parents[2]
PLAIN = load_library(ROOT / "rules")
SITE = load_library(ROOT / "rules", site="example")
CANDIDATE = json.loads(
    (ROOT / "fhir_examples" / "patients" / "candidate" / "bundle.json").read_text(encoding="utf-8"),
    parse_float=Decimal,
)
LIS = "http://example.org/lis"


def outcome(bundle: dict[str, Any], library: Library) -> PatientOutcome:
    return judge(read_bundle(bundle), library, as_of=date(2026, 3, 1))


def criterion(bundle: dict[str, Any], library: Library, name: str) -> CriterionOutcome:
    return outcome(bundle, library).trials[0].of(name)


def resource(bundle: dict[str, Any], name: str) -> dict[str, Any]:
    return next(entry["resource"] for entry in bundle["entry"] if entry["resource"].get("id") == f"candidate-{name}")


def changed(name: str = "crea", **fields: Any) -> dict[str, Any]:
    bundle = copy.deepcopy(CANDIDATE)
    one = resource(bundle, name)
    for key, value in fields.items():
        one.pop(key) if value is None else one.update({key: value})
    return bundle


def local(code: str, system: str | None = LIS) -> dict[str, Any]:
    return {"coding": [{"code": code, **({"system": system} if system else {})}], "text": "x"}


def person(bundle: dict[str, Any], **fields: Any) -> dict[str, Any]:
    one = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
    for key, value in fields.items():
        one.pop(key, None) if value is None else one.update({key: value})
    return bundle


def test_a_local_laboratory_code_is_judged_and_without_the_site_is_no_record():
    bundle = changed("hb", code=local("HGB"))
    with_site, without = criterion(bundle, SITE, "hemoglobin"), criterion(bundle, PLAIN, "hemoglobin")
    assert with_site.verdict == "pass"
    assert with_site.evidence[0].resource.endswith("candidate-hb")
    assert [missing.reason for missing in without.reasons] == [Reason.NO_RECORD]
    assert outcome(bundle, PLAIN).set_aside["results with codes that nothing maps"] == 1
    assert "results with codes that nothing maps" not in outcome(bundle, SITE).set_aside


@pytest.mark.parametrize("code", [local("HGB", None), local("HGB", "http://elsewhere.example/lis"), local("hgb")])
def test_a_bare_or_foreign_code_never_is(code):
    found = criterion(changed("hb", code=code), SITE, "hemoglobin")
    assert [missing.reason for missing in found.reasons] == [Reason.NO_RECORD]


def test_a_moles_code_with_a_mass_unit_is_a_slip():
    amount = {"value": Decimal("0.9"), "unit": "mg/dL"}
    found = criterion(changed(code=local("CREA"), valueQuantity=amount, referenceRange=None), SITE, "renal")
    assert Reason.UNIT_UNUSABLE in {missing.reason for missing in found.reasons}


def test_a_local_unit_is_understood_for_its_analyte_only():
    amount = {"value": 78, "unit": "微摩每升"}
    bundle = changed(valueQuantity=amount)
    assert criterion(bundle, SITE, "renal").verdict == "pass"
    assert criterion(bundle, SITE, "renal").evidence[0].unit == "微摩每升"
    assert Reason.UNIT_UNUSABLE in {missing.reason for missing in criterion(bundle, PLAIN, "renal").reasons}
    other = criterion(changed("bili", valueQuantity=amount), SITE, "bilirubin")
    assert [missing.reason for missing in other.reasons] == [Reason.UNIT_UNUSABLE]


def test_the_unit_of_a_range_is_understood_too():
    high = {"value": 97, "unit": "微摩每升"}
    found = criterion(changed(referenceRange=[{"high": high}]), SITE, "renal")
    assert "upper limit 97 µmol/L" in found.evidence[0].note


def crea_over(**fields: Any) -> dict[str, Any]:
    """A creatinine of 150, which 1.5 x 111 allows and 1.5 x 97 does not; nothing else about the kidneys."""
    return changed(valueQuantity={"value": 150, "unit": "umol/L"}, **{"referenceRange": None, **fields})


def creatinine(bundle: dict[str, Any], library: Library = SITE) -> tuple[str, tuple[str, ...]]:
    found = criterion(bundle, library, "renal")
    note = next(e.note for e in found.evidence if e.resource.endswith("candidate-crea"))
    return note, found.notes


def test_the_site_limit_stands_in_for_a_range_and_says_so():
    bundle = person(crea_over(), gender="male")
    note, notes = creatinine(bundle)
    assert note.endswith("× ULN; site limit 111 µmol/L")
    assert "site-upper-limit" in notes
    assert criterion(bundle, SITE, "renal").verdict == "pass"
    assert "site-upper-limit" not in criterion(bundle, PLAIN, "renal").notes
    assert Reason.NO_REFERENCE_RANGE in {missing.reason for missing in criterion(bundle, PLAIN, "renal").reasons}
    assert "site limit 111 µmol/L" in write_report(outcome(bundle, SITE)) + str(outcome(bundle, SITE).to_json())


@pytest.mark.parametrize(
    "own",
    [
        {"high": {"value": 97, "unit": "umol/L"}},
        {"high": {"value": 97, "unit": "furlong"}},
        {"high": {"value": 97, "unit": "umol/L"}, "appliesTo": [{"text": "female"}]},
        {"text": "see the form"},
    ],
)
def test_a_result_with_a_range_of_its_own_never_uses_the_site_limit(own):
    bundle = person(crea_over(referenceRange=[own]), gender="male")
    assert "site-upper-limit" not in criterion(bundle, SITE, "renal").notes
    assert criterion(bundle, SITE, "renal").verdict == criterion(bundle, PLAIN, "renal").verdict


def test_a_range_of_another_kind_is_no_range_of_its_own():
    own = {"high": {"value": 300, "unit": "umol/L"}, "type": {"coding": [{"code": "therapeutic"}]}}
    assert "site-upper-limit" in creatinine(person(crea_over(referenceRange=[own]), gender="male"))[1]


def test_the_site_limit_is_the_sex_s_own():
    note, _ = creatinine(person(crea_over(), gender="female"))
    assert "site limit 81 µmol/L" in note
    both, notes = creatinine(person(changed(referenceRange=None), gender=None))
    assert "site limit 111 or 81 µmol/L" in both
    assert "site-upper-limit" in notes


@pytest.mark.parametrize("birth", ["2010-01-01", "2008", None])
def test_the_site_limit_needs_an_age_that_certainly_fits(birth):
    bundle = person(crea_over(), gender="male", birthDate=birth)
    found = criterion(bundle, SITE, "renal")
    assert "site-upper-limit" not in found.notes
    assert found.reasons == criterion(bundle, PLAIN, "renal").reasons


def test_an_alias_of_a_system_is_followed_everywhere():
    code = {"coding": [{"system": "urn:oid:2.16.156.example.icd", "code": "C11.900"}], "text": "x"}
    bundle = changed("npc", code=code)
    assert criterion(bundle, SITE, "npc-primary").verdict == "pass"
    assert criterion(bundle, PLAIN, "npc-primary").verdict != "pass"
    assert resource(bundle, "npc")["code"] == code


@pytest.mark.parametrize(
    ("record", "name", "system", "code"),
    [
        ("ecog", "ecog", "http://example.org/onco", "PS1"),
        ("histology", "histology", "http://example.org/pathology", "NKC-U"),
    ],
)
def test_a_coded_answer_of_the_hospital(record, name, system, code):
    answer = {"coding": [{"system": system, "code": code}]}
    values = {key: None for key in resource(CANDIDATE, record) if key.startswith("value")}
    bundle = changed(record, **{**values, "valueCodeableConcept": answer})
    assert criterion(bundle, SITE, name).verdict == "pass"
    assert criterion(bundle, PLAIN, name).verdict == "unknown"


def drug(text: str) -> dict[str, Any]:
    bundle = copy.deepcopy(CANDIDATE)
    given = {
        "resourceType": "MedicationAdministration",
        "id": "given",
        "status": "completed",
        "medicationCodeableConcept": {"text": text},
        "subject": {"reference": "Patient/candidate"},
        "effectiveDateTime": "2026-02-20",
    }
    bundle["entry"].append({"resource": given})
    return bundle


def test_a_name_only_leans(tmp_path):
    folder = tmp_path / "rules"
    shutil.copytree(ROOT / "rules", folder)
    entry = "{text: 院内三号, value_set: drug_text_cisplatin, reviewed_by: [a, b], reviewed_on: 2026-01-04}"
    text = f"format: 1\nsite: s\nversion: 2026-01-05\nnames: [{entry}]\n"
    (folder / "sites" / "s.yaml").write_text(text, encoding="utf-8")
    site, bundle = load_library(folder, site="s"), drug("院内三号注射液")
    before = criterion(bundle, PLAIN, "no-prior-treatment")
    after = criterion(bundle, site, "no-prior-treatment")
    assert before.leaning == "pass"
    assert after.verdict == "unknown"
    assert after.leaning == "fail"
    assert {missing.reason for missing in after.reasons} == {Reason.CLINICIAN}
    assert outcome(bundle, site).trials[0].gate == "screening"


def test_results_and_cards_name_the_site():
    found, without = outcome(CANDIDATE, SITE), outcome(CANDIDATE, PLAIN)
    assert found.to_json()["site"] == "example-hospital 2026-01-05"
    assert without.to_json()["site"] is None
    assert "site file example-hospital 2026-01-05" in candidate_detail(found.trials[0], (), found).replace("\\", "")
    assert "site file" not in candidate_detail(without.trials[0], (), without)


def test_a_site_that_has_nothing_to_say_of_a_chart_changes_no_verdict():
    with_site, without = outcome(CANDIDATE, SITE).to_json(), outcome(CANDIDATE, PLAIN).to_json()
    for one in (with_site, without):
        one.pop("site")
        for result in one["results"]:
            result.pop("rules_digest")
    assert with_site == without


def test_local_codes_and_systems_are_searched_for():
    plan = make_plan(needed_codes(SITE)).templates["observations"]
    assert "http://example.org/lis|CREA" in plan
    assert "http://example.org/lis|CREA" not in make_plan(needed_codes(PLAIN)).templates["observations"]


def test_an_aliased_system_is_searched_for_by_both_names(tmp_path):
    folder = tmp_path / "rules"
    shutil.copytree(ROOT / "rules", folder)
    text = 'format: 1\nsite: s\nversion: 2026-01-05\nsystem_aliases: {"urn:lab": "http://loinc.org"}\n'
    (folder / "sites" / "s.yaml").write_text(text, encoding="utf-8")
    codes = needed_codes(load_library(folder, site="s"))["Observation"]
    assert {("urn:lab", "718-7"), ("http://loinc.org", "718-7")} <= set(codes)
