"""The sheet for EHR analysts: everything of discovery stands in it, and what the settings say of who may call."""

import re

import pytest
from click.testing import CliRunner
from english_left import english_left
from markdown_it import MarkdownIt

from cds_service.bootstrap import build, load_rules
from cds_service.cli import main
from cds_service.gather.plan import PATIENT_TOKEN
from cds_service.present.speaker import speaker
from cds_service.settings import load_settings
from cds_service.web import create_app
from cds_service.web.ehr_sheet import write_sheet

PRODUCTS = ("epic", "oracle", "generic")
BASE = "https://cds.hospital.example"
EPIC = {
    "issuer": "https://epic.hospital.example/fhir",
    "jwks_url": "https://epic.hospital.example/jwks.json",
    "fhir_servers": ["https://epic.hospital.example/api/FHIR/R4"],
    "profile": "epic",
}
OTHER = {
    "issuer": "https://other.hospital.example",
    "jwks_file": "/nowhere/keys.json",
    "tenant": "ward-7",
    "profile": "oracle",
}


def settings_of(mode, **more):
    if mode == "open":
        return load_settings(mode="open", **more)
    return load_settings(mode="verified", public_base_url=BASE, clients=[EPIC, OTHER], store="sqlite:////x.db", **more)


@pytest.fixture(scope="module")
def rules():
    return load_rules()


@pytest.fixture(scope="module")
def discovered():
    return create_app(build(load_settings(mode="open"))).test_client().get("/cds-services").get_json()["services"]


@pytest.mark.parametrize("mode", ["open", "verified"])
@pytest.mark.parametrize("product", PRODUCTS)
def test_every_service_and_template_stands_in_it(product, mode, rules, discovered):
    sheet = write_sheet(settings_of(mode), rules, product)
    base = BASE if mode == "verified" else "http://127.0.0.1:8000"
    blocks = re.findall(r"^`(\w+)`\n\n```\n(.*)\n```$", sheet, re.MULTILINE)
    assert dict(blocks) == discovered[0]["prefetch"]
    for service in discovered:
        assert f"POST `{base}/cds-services/{service['id']}`" in sheet
        assert f"`{base}/cds-services/{service['id']}/feedback`" in sheet
        assert f"| {service['hook']} | userId, patientId" in sheet
        assert service["prefetch"] == dict(blocks)
    for _key, template in blocks:
        names = [part.partition("=")[0] for part in template.partition("?")[2].split("&")]
        assert len(set(names)) == len(names)
        assert template.count(PATIENT_TOKEN) == 1


@pytest.mark.parametrize("product", PRODUCTS)
def test_scopes_name_what_the_queries_read(product, rules):
    sheet = write_sheet(settings_of("open"), rules, product)
    kinds = {template.partition("?")[0].partition("/")[0] for template in rules.plan.templates.values()}
    for kind in kinds | {"Medication"}:
        assert f"patient/{kind}.rs" in sheet
        assert f"patient/{kind}.read" in sheet
    assert "patient/*" not in sheet


def test_verified_mode_names_keys_in_both_directions_and_aud(rules, tmp_path):
    sheet = write_sheet(settings_of("verified", keys=tmp_path), rules, "epic")
    assert (
        "`iss` `https://epic.hospital.example/fhir`, no `tenant`: `jku` `https://epic.hospital.example/jwks.json`"
        in sheet
    )
    assert "https://epic.hospital.example/api/FHIR/R4" in sheet
    assert f"{BASE}/.well-known/jwks.json" in sheet
    assert f"| order-sign | `{BASE}/cds-services/npc-trials-order-sign` |" in sheet
    assert "other.hospital.example" not in sheet
    both = write_sheet(settings_of("verified"), rules, "generic")
    assert "`iss` `https://other.hospital.example`, `tenant` `ward-7`: keys in a file" in both
    assert "/nowhere" not in both
    assert "epic.hospital.example" in both
    assert "signs nothing yet" in both


def test_each_product_has_its_cards_and_limits(rules):
    sheets = {product: write_sheet(settings_of("open"), rules, product) for product in PRODUCTS}
    assert "always `any`" in sheets["epic"]
    assert "MAX_TOKEN_SECONDS=900" in sheets["epic"]
    assert "**no suggestions**" in sheets["oracle"]
    assert "encounter-start (not a hook of Epic" in sheets["epic"]
    assert "order-sign (not a hook of Oracle Health" in sheets["oracle"]
    for sheet in sheets.values():
        assert "https://clinicaltrials.gov/study/NCT07235319" in sheet
        assert "ligible" not in sheet
        assert "What is stored" in sheet


def test_it_is_markdown_with_tables(rules):
    page = (
        MarkdownIt("commonmark", {"html": False})
        .enable("table")
        .render(write_sheet(settings_of("verified"), rules, "epic"))
    )
    assert page.count("<table>") == 3
    assert page.count("<h2>") == 9


def test_it_follows_the_settings(rules):
    sheet = write_sheet(
        load_settings(mode="open", port=8765, gather_seconds=2.5, max_hook_bytes=4096), rules, "generic"
    )
    assert "http://127.0.0.1:8765/cds-services" in sheet
    assert "after 2.5 s" in sheet
    assert "at least 3.5 s" in sheet
    assert "4,096 bytes" in sheet


def test_the_command_writes_it(monkeypatch):
    monkeypatch.setenv("CDS_PUBLIC_BASE_URL", BASE)
    result = CliRunner().invoke(main, ["ehr-sheet", "--client", "oracle"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("# Connecting cds-service to Oracle Health\n")
    assert f"{BASE}/cds-services" in result.output
    assert CliRunner().invoke(main, ["ehr-sheet", "--client", "another"]).exit_code == 2


CODE = re.compile(r"```\n.*?\n```|`[^`\n]+`|https?://[^\s`）)]+", re.DOTALL)
MARK = re.compile(r"#* ?-? ?\|?")
# Names that Chinese hospitals use as they are.
KNOWN = ("CDS Hooks", "Oracle Health", "Epic", "FHIR", "SMART", "OpenAPI", "preference list")


@pytest.mark.parametrize("mode", ["open", "verified"])
@pytest.mark.parametrize("product", PRODUCTS)
def test_the_chinese_sheet_names_the_same_things(product, mode, rules):
    english, chinese = (write_sheet(settings_of(mode), rules, product, speaker(language)) for language in ("en", "zh"))
    assert sorted(CODE.findall(chinese)) == sorted(CODE.findall(english))
    assert len(chinese.splitlines()) == len(english.splitlines())
    for one, other in zip(english.splitlines(), chinese.splitlines(), strict=True):
        assert MARK.match(one)[0] == MARK.match(other)[0]
        assert sorted(re.findall(r"[0-9]+", one)) == sorted(re.findall(r"[0-9]+", other))
    # A context's fields are names.
    said = "\n".join(line for line in chinese.splitlines() if "| userId, " not in line)
    assert english_left(said, KNOWN) == []
    assert len(english_left(english, KNOWN)) > 20


def test_the_terminal_or_the_option_chooses_the_language(monkeypatch):
    def begun(*arguments):
        result = CliRunner().invoke(main, ["ehr-sheet", *arguments])
        assert result.exit_code == 0, result.output
        return result.output.splitlines()[0]

    english, chinese = "# Connecting cds-service to any EHR", "# 将 cds-service 接入任意电子病历系统"
    assert begun() == begun("--language", "en") == english
    assert begun("--language", "zh") == chinese
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert begun() == chinese
    assert begun("--language", "en") == english
    assert CliRunner().invoke(main, ["ehr-sheet", "--language", "tlh"]).exit_code == 2
