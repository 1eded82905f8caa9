"""A site file is read whole, and each mistake in it is told with its line; a good one joins the rules."""

import json
import pickle
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds_service.cli import main
from cds_service.errors import RuleError
from cds_service.facts.codes import NAMES, ValueSets
from cds_service.facts.definitions import analytes_of
from cds_service.settings import load_settings
from cds_service.trials import site_codes, site_file
from cds_service.trials.library import load_library
from cds_service.trials.model import Library

RULES = Path(__file__).resolve().parents[2] / "rules"
PLAIN = load_library(RULES)
BY = "reviewed_by: [a, b], reviewed_on: 2026-01-04"
HEAD = "format: 1\nsite: example-hospital\nversion: 2026-01-05\n"
LIS = "http://example.org/lis"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    copy = tmp_path_factory.mktemp("site") / "rules"
    shutil.copytree(RULES, copy)
    return copy


def load(folder: Path, text: str) -> Library:
    (folder / "sites" / "here.yaml").write_text(text, encoding="utf-8")
    return load_library(folder, site="here")


def complaints(folder: Path, text: str) -> list[str]:
    with pytest.raises(RuleError) as caught:
        load(folder, text)
    return [re.sub(r"^.*/(?=here\.yaml)", "", str(one)) for one in caught.value.complaints]


def code(**changes: str) -> str:
    fields = {"system": f'"{LIS}"', "code": "CREA", "value_set": "creatinine", **changes}
    return "  - {" + ", ".join(f"{key}: {value}" for key, value in fields.items()) + f", {BY}}}\n"


def test_the_example_loads():
    library = load_library(RULES, site="example")
    site = library.site
    assert site is not None
    assert site.label == "example-hospital 2026-01-05"
    found = library.value_sets["creatinine"].find(LIS, "CREA")
    assert found is not None
    assert found.attributes == {"source": "site file, reviewed by a and b on 2026-01-04", "property": "moles"}
    assert library.value_sets["creatinine"].find(None, "CREA") is None
    assert PLAIN.value_sets["creatinine"].find(LIS, "CREA") is None
    assert not library.value_sets.is_known_system(LIS)
    assert pickle.loads(pickle.dumps(library.site)) == site


def test_a_file_may_say_nothing(folder):
    site = load(folder, HEAD).site
    assert site is not None
    assert (site.concepts, site.aliases, site.units, site.limits) == ({}, {}, {}, {})


def test_the_digest_covers_the_file(folder):
    def digest(library: Library) -> str:
        return library.trials["NCT07235319"].digest

    bare, mapped = digest(load(folder, HEAD)), digest(load(folder, HEAD + "codes:\n" + code()))
    assert len({digest(PLAIN), bare, mapped}) == 3
    assert digest(load(folder, "# a comment\n" + HEAD)) == bare


def test_an_entry_wins_over_the_same_code_of_its_value_set(folder):
    entry = code(system='"http://loinc.org"', code="2160-0", property="moles")
    found = load(folder, HEAD + "codes:\n" + entry).value_sets["creatinine"].find("http://loinc.org", "2160-0")
    assert found is not None
    assert found.attributes["property"] == "moles"


def test_a_prefix_of_icd_and_an_alias(folder):
    text = HEAD + (
        'system_aliases: {"urn:oid:1.2.3": "http://hl7.org/fhir/sid/icd-10"}\ncodes:\n'
        + code(system='"urn:oid:1.2.3"', code="C11.Z", value_set="npc_primary_site", prefix="true")
    )
    found = load(folder, text).value_sets["npc_primary_site"].find("http://hl7.org/fhir/sid/icd-10", "C11.Z9")
    assert found is not None
    assert found.code == "C11.Z"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("format: 2\nsite: a\nversion: 2026-01-05\n", "here.yaml:1: format: expected format 1, the only one there is"),
        ("format: 1\nsite: A b\nversion: 2026-01-05\n", "here.yaml:2: site: expected a name such as"),
        ("format: 1\nsite: a\nversion: today\n", "here.yaml:3: version: expected a day such as 2026-03-01"),
        ("format: 1\nsite: a\n", "here.yaml:1: the key 'version' is missing"),
        (HEAD + "code: []\n", "here.yaml:4: code: unknown key 'code' (did you mean 'codes'?)"),
        (HEAD + "codes: {}\n", "here.yaml:4: codes: expected a list, found a mapping"),
        (
            HEAD + 'system_aliases: {"urn:x": "http://loinc.com"}\n',
            "here.yaml:4: system_aliases.urn:x: 'http://loinc.com' is no system of the value sets (did you mean",
        ),
        (
            HEAD + 'system_aliases: {"http://loinc.org": "http://snomed.info/sct"}\n',
            "'http://loinc.org' is known already and needs no other name",
        ),
        (
            HEAD + 'system_aliases:\n  "urn:x": "http://loinc.org"\n  "urn:x/": "http://loinc.org"\n',
            "here.yaml:6: system_aliases.urn:x/: 'urn:x/' stands twice, in two spellings",
        ),
    ],
)
def test_mistakes_at_the_top(folder, text, complaint):
    assert any(complaint in one for one in complaints(folder, text)), complaints(folder, text)


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        (code(system='""'), "[1].system: expected text, found an empty text"),
        (code(value_set="creatinin"), "unknown value set 'creatinin' (did you mean 'creatinine'?)"),
        (code(prefix="true"), "is neither ICD nor ATC: a longer code may mean anything (list each code)"),
        (
            code(system='"http://fhir.de/CodeSystem/bfarm/ops"', code="8-52", value_set="radiotherapy", prefix="true"),
            "is neither ICD nor ATC",
        ),
        (
            code(system='"http://example.org/icd-10"', code="C77.2", value_set="distant_metastasis", prefix="true"),
            "C77 never goes by prefix",
        ),
        (
            code(system='"http://example.org/icd-10"', code="C7", value_set="distant_metastasis", prefix="true"),
            "C77 never goes by prefix",
        ),
        (code(property="weight"), "unknown property 'weight'"),
        (code(value_set="radiotherapy", property="mass"), "codes of 'radiotherapy' measure nothing"),
        (code(value='"1"'), "codes of 'creatinine' have no value"),
        (code(value_set="ecog_value"), "a code of 'ecog_value' needs the key 'value' (one of 0, 1, 2, 3, 4, 5)"),
        (code(value_set="ecog_value", value='"7"'), "unknown value '7'"),
        (code(value_set="stage_group_value"), "a code of 'stage_group_value' needs the key 'stage'"),
        (code(value_set="drug_text_sintilimab"), "'drug_text_sintilimab' holds names, not codes"),
        (code(system=f'"{NAMES}"'), "is ours, for names (write names under 'names')"),
        (
            code(system='"http://loinc.org"', code="2160-0", value_set="egfr"),
            "'2160-0' is 'creatinine' by the standard value set",
        ),
        (
            code(system='"http://hl7.org/fhir/sid/icd-10"', code="C77.0", value_set="distant_metastasis"),
            "'C77.0' is 'metastasis_ambiguous' by the standard value set",
        ),
        (
            code(system='"http://www.whocc.no/atc"', code="L01FF13", value_set="pdl1_inhibitor"),
            "'L01FF13' is 'pd1_inhibitor' by the standard value set",
        ),
        (code() + code(), "here.yaml:6: codes[2]: 'CREA' is in 'creatinine' already, by line 5"),
        (code() + code(value_set="egfr"), "here.yaml:6: codes[2]: 'CREA' is 'egfr' here and 'creatinine' in line 5"),
        (code().replace("[a, b]", "[a]"), "here.yaml:5: codes[1].reviewed_by: an entry has at least 2 reviewers"),
        (code().replace("[a, b]", "[a, a]"), "'a' stands twice in the list"),
        (code().replace("[a, b]", "[]"), "reviewed_by: the list is empty"),
        (code().replace("reviewed_by: [a, b], ", ""), "here.yaml:5: codes[1]: the key 'reviewed_by' is missing"),
        (code().replace(", reviewed_on: 2026-01-04", ""), "the key 'reviewed_on' is missing"),
        (code().replace("01-04", "13-04"), "codes[1].reviewed_on: expected a day such as"),
        (code().replace("01-04", "01-06"), "reviewed after this version of the file (2026-01-05) (raise the version)"),
        ("  - CREA\n", "here.yaml:5: codes[1]: expected a mapping"),
    ],
)
def test_mistakes_in_codes(folder, entry, complaint):
    found = complaints(folder, HEAD + "codes:\n" + entry)
    assert any(complaint in one for one in found), found
    assert all(one.startswith("here.yaml:") for one in found)


@pytest.mark.parametrize(
    ("key", "entries", "complaint"),
    [
        ("units", "{text: x, analyte: creatinin, unit: umol/L}", "unknown analyte 'creatinin' (did you mean"),
        ("units", "{text: x, analyte: creatinine, unit: U/L}", "'U/L' is no unit of creatinine (its unit is umol/L)"),
        ("units", "{text: mg/dl, analyte: creatinine, unit: umol/L}", "is a unit of creatinine already, and another"),
        ("units", "{text: 微, analyte: creatinine, unit: umol/L}\n*", "here.yaml:6: units[2]: a second entry for '微'"),
        ("upper_limits", "{value_set: anc_, value: 1, unit: U/L}", "unknown value set of results 'anc_'"),
        ("upper_limits", "{value_set: ast, value: 0, unit: U/L}", "value: expected a number above 0"),
        ("upper_limits", '{value_set: ast, value: "40", unit: U/L}', "value: expected a number above 0"),
        ("upper_limits", "{value_set: ast, value: 40, unit: umol/L}", "'umol/L' is no unit of ast"),
        ("upper_limits", "{value_set: ast, value: 90000, unit: U/L}", "90000 U/L is no plausible ast"),
        ("upper_limits", "{value_set: ast, sex: m, value: 40, unit: U/L}", "unknown sex 'm'"),
        ("upper_limits", "{value_set: ast, min_age: -1, value: 40, unit: U/L}", "a whole number from 0 to 150"),
        ("upper_limits", "{value_set: ast, min_age: 9, max_age: 8, value: 40, unit: U/L}", "no age is from 9 to 8"),
        (
            "upper_limits",
            "{value_set: ast, value: 40, unit: U/L}\n*",
            "here.yaml:6: upper_limits[2]: a patient may",
        ),
        ("names", "{text: 信迪, value_set: pd1_inhibitor}", "unknown value set of names 'pd1_inhibitor'"),
        ("names", "{text: 单, value_set: drug_text_sintilimab}", "'单' is too short: it would be found in other words"),
        ("names", "{text: 5f, value_set: drug_text_fluorouracil}", "'5f' is too short"),
        ("names", "{text: 达伯舒, value_set: drug_text_nivolumab}", "is 'drug_text_sintilimab' by the standard value"),
        ("names", "{text: 信迪, value_set: drug_text_sintilimab}\n*", "here.yaml:6: names[2]: '信迪' is in"),
    ],
)
def test_mistakes_in_units_limits_and_names(folder, key, entries, complaint):
    entry = entries.split("\n")[0].replace("}", f", {BY}}}")
    lines = [entry for _ in entries.split("\n")]
    found = complaints(folder, HEAD + f"{key}:\n" + "".join(f"  - {line}\n" for line in lines))
    assert any(complaint in one for one in found), found
    assert len(found) == 1


def test_limits_parted_by_sex_or_age_do_not_clash(folder):
    limits = ("sex: male, max_age: 17", "sex: male, min_age: 18", "sex: female")
    text = "".join(f"  - {{value_set: ast, {one}, value: 40, unit: U/L, {BY}}}\n" for one in limits)
    site = load(folder, HEAD + "upper_limits:\n" + text).site
    assert site is not None
    assert len(site.limits["ast"]) == 3


@pytest.mark.parametrize("name", ["nowhere", "../facts", "", "example.yaml"])
def test_a_site_without_a_file_refuses_to_start(name):
    with pytest.raises(RuleError, match="no site file for"):
        load_library(RULES, site=name)


def test_kinds_hold_for_the_standard_value_sets():
    sets = ValueSets.load(RULES / "valuesets")
    names = set(sets)
    for kind in (*site_codes._KINDS, tuple(analytes_of(PLAIN.facts))):
        assert set(kind) <= names
        for one in kind:
            for other in kind:
                both = [c.code for c in sets[one].concepts if other != one and sets[other].find(c.system, c.code)]
                assert both == [], (one, other)


@pytest.mark.parametrize(
    ("part", "required", "optional"),
    [
        ("", site_file.TOP, site_file.TOP_OPTIONAL),
        ("code", site_codes.CODE, site_codes.CODE_OPTIONAL),
        ("name", site_codes.NAME, site_codes.NAME_OPTIONAL),
        ("unit", site_file.UNIT, site_file.UNIT_OPTIONAL),
        ("limit", site_file.LIMIT, site_file.LIMIT_OPTIONAL),
    ],
)
def test_editors_are_told_the_same_keys(part, required, optional):
    schema = json.loads((RULES / "site.schema.json").read_text(encoding="utf-8"))
    here = schema["$defs"][part] if part else schema
    assert here["additionalProperties"] is False
    assert (set(here["required"]), set(here["properties"])) == (set(required), {*required, *optional})


def test_the_setting_names_the_site(monkeypatch):
    monkeypatch.setenv("CDS_SITE", "example")
    assert load_settings().site == "example"


def test_the_command_checks_one_or_all(folder):
    good = CliRunner().invoke(main, ["sites", "check"])
    assert (good.exit_code, good.output) == (
        0,
        "example-hospital 2026-01-05: 1 system, 4 codes, 1 name, 1 unit, 2 limits: ok\n",
    )
    (folder / "sites" / "here.yaml").write_text(HEAD + "codes:\n" + code(prefix="true"), encoding="utf-8")
    bad = CliRunner().invoke(main, ["sites", "check", "--rules", str(folder)])
    assert bad.exit_code == 10
    assert "here.yaml:5: codes[1].prefix: " in bad.stderr
    assert CliRunner().invoke(main, ["sites", "check", "example", "--rules", str(folder)]).exit_code == 0
    none = CliRunner().invoke(main, ["sites", "check", "exampel"])
    assert none.exit_code == 10
    assert "did you mean 'example'?" in none.stderr


def test_a_bad_site_file_refuses_every_command(monkeypatch):
    monkeypatch.setenv("CDS_SITE", "nowhere")
    bundle = RULES.parent / "fhir_examples" / "patients" / "candidate" / "bundle.json"
    result = CliRunner().invoke(main, ["evaluate", str(bundle), "--as-of", "2026-03-01"])
    assert result.exit_code == 10
    assert "no site file for 'nowhere'" in result.stderr
