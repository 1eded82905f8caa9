"""What is wrong with a setting, an option or a folder is told by its own name, with what was probably meant."""

import os

import pytest
from click.testing import CliRunner

from cds_service.cli import main
from cds_service.errors import ConfigError
from cds_service.settings import load_settings

EHR = "[[clients]]\nissuer = 'https://ehr.invalid'\njwks_file = 'keys.json'\n"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in [name for name in os.environ if name.startswith("CDS_")]:
        monkeypatch.delenv(name)


def told(*arguments, **env):
    done = CliRunner().invoke(main, [str(one) for one in arguments], env=env)
    return done.exit_code, done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mdoe = 'open'", "mdoe is not a setting; did you mean mode?"),
        ("CDS_MODE = 'open'", "CDS_MODE is not a setting; did you mean mode?"),
        (f"{EHR}isuer = 'x'", "clients.0.isuer is not a setting; did you mean issuer?"),
        ("[[fhir_servers]]\nbase_ulr = 'x'", "fhir_servers.0.base_ulr is not a setting; did you mean base_url?"),
        ("[[services]]\nhok = 'x'", "services.0.hok is not a setting; did you mean hook?"),
    ],
)
def test_a_mistyped_key_of_the_file_is_told_with_the_nearest(monkeypatch, tmp_path, text, said):
    file = tmp_path / "service.toml"
    file.write_text(text)
    monkeypatch.setenv("CDS_CONFIG", str(file))
    with pytest.raises(ConfigError) as refused:
        load_settings()
    assert str(refused.value) == said


def test_where_nothing_is_near_nothing_is_guessed(monkeypatch, tmp_path):
    monkeypatch.setenv("CDS_FOO", "1")
    with pytest.raises(ConfigError, match=r"^CDS_FOO is not a setting; known: CDS_API, .*CDS_TIME_ZONE\.$"):
        load_settings()
    monkeypatch.delenv("CDS_FOO")
    (tmp_path / "service.toml").write_text("zzz = 1")
    monkeypatch.setenv("CDS_CONFIG", str(tmp_path / "service.toml"))
    with pytest.raises(ConfigError, match=r"^zzz is not a setting; known: api, .*time_zone\.$"):
        load_settings()


@pytest.mark.parametrize(("name", "meant"), [("CDS_MDOE", "CDS_MODE"), ("CDS_TIMEZONE", "CDS_TIME_ZONE")])
def test_a_mistyped_variable_is_told_with_the_nearest(monkeypatch, name, meant):
    monkeypatch.setenv(name, "1")
    with pytest.raises(ConfigError, match=f"{name} is not a setting; did you mean {meant}\\?"):
        load_settings()


def test_a_host_is_told_as_what_named_it():
    code, line = told("serve", "--port", "0", CDS_HOST="0.0.0.0")
    assert (code, line.partition(": open mode")[0]) == (12, "cds-service: Setting host")
    _code, line = told("serve", "--port", "0", CDS_HOST="0.0.0.0", CDS_LANGUAGE="zh")
    assert line.startswith("cds-service: 设置 host：开放模式不向调用者索取令牌")
    code, line = told("serve", "--port", "0", "--host", "0.0.0.0")
    assert (code, line.partition(": open mode")[0]) == (12, "cds-service: --host")


@pytest.mark.parametrize("command", [("evaluate", "-"), ("rules", "check"), ("serve", "--port", "0")])
def test_a_rules_folder_that_is_not_there_is_named_by_its_setting(tmp_path, command):
    named = {"CDS_RULES": str(tmp_path / "secret")}
    assert told(*command, **named) == (12, "cds-service: CDS_RULES names a folder that is not there.\n")
    assert told(*command, **named, CDS_LANGUAGE="zh") == (12, "cds-service: CDS_RULES 所写的文件夹不存在。\n")


@pytest.mark.parametrize("option", ["--bundles", "--ndjson"])
def test_a_missing_folder_is_told_by_its_option(tmp_path, option):
    given = ("prescreen", option, tmp_path / "nowhere", "--out", tmp_path / "run")
    assert told(*given) == (2, f"cds-service: {option}: There is no such folder.\n")
    assert told(*given, CDS_LANGUAGE="zh") == (2, f"cds-service: {option}: 没有此文件夹。\n")


def test_where_nobody_answers_conformance_says_so_in_one_line():
    code, line = told("conformance", "http://127.0.0.1:9")
    assert code == 3
    assert line.startswith("cds-service: Nothing was checked: nobody answers at this address (no answer (")
    assert line.count("\n") == 1
    assert "该地址无应答" in told("conformance", "http://127.0.0.1:9", CDS_LANGUAGE="zh")[1]
