"""The command line in Chinese: help, what commands print, errors; what programs read stays as it is."""

from __future__ import annotations

import ast
import gettext
import json
import os
import re
import shutil
from pathlib import Path
from string import Formatter

import pytest
import terminal_sentences
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from click.testing import CliRunner, Result

from cds_service.cli import main
from cds_service.cli.tongue import CHINESE, TERMINAL, heard, terminal_language
from cds_service.cli.wide import columns, folded
from cds_service.facts.phrase import say
from cds_service.languages import FOLDER
from cds_service.rules_folder import rules_folder

ROOT = Path(__file__).resolve().parents[2]
STORY = ROOT / "fhir_examples" / "patients" / "stale-bilirubin" / "bundle.json"
CATALOGUE = FOLDER / CHINESE / "LC_MESSAGES"
TRIAL = "NCT07235319"
AS_OF = ("--as-of", "2026-03-01")

HAN = re.compile(r"[\u4e00-\u9fff]")
LATIN = re.compile(r"[A-Za-z][A-Za-z-]*")
# What is no sentence: metavars, choices and other names; addresses, file names, options, code between backticks.
NAMES = re.compile(
    r"`[^`]*`|\[base\]\S*|<\w+>\S*|--[a-z-]+|/\S+|\S+\.(?:json|ya?ml|lines|gz|pem)\b|\[[^\]]*\]|\b[A-Z][A-Z_]+\b"
)
# Words that the Chinese help leaves in Latin letters: products, formats, fields, and names of commands and settings.
KEPT = {
    *("Bundle", "Bundles", "FHIR", "Bulk", "Data", "Markdown", "Backend", "Services", "CDS", "Hooks", "PostgreSQL"),
    *("discovery", "hook", "id", "kid", "bearer", "client", "origin", "issuer", "tenant", "iss", "prefetch", "scope"),
    *("cds-service", "backup", "prescreen", "synth", "facts", "valuesets", "trials", "store", "fhir", "servers"),
    *(
        "manifest",
        "retention",
        "shell",
        "pg",
        "dump",
        "csv",
        "xlsx",
        "parquet",
        "html",
        "engine",
        "spark",
        "R",
        "M",
        "SMART",
    ),
    *(
        "YYYY-MM-DD",
        "Ctrl-C",
        "COMMAND",
        "ARGS",
        "OPTIONS",
        "x",
        "as",
        "of",
        "NUMBER",
        "DIGEST",
        "verified",
        "http",
        "local",
    ),
    *("request", "court", "error", "other"),
    *("API", "ES", "RS", "P-", "gz", "BASE", "URL", "INTEGER", "RANGE", "FLOAT", "TEXT"),
}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Give a Chinese terminal."""
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    return CliRunner()


def catalogue() -> Catalog:
    with (CATALOGUE / f"{TERMINAL}.po").open("rb") as file:
        return read_po(file)


def places(template: str) -> set[str]:
    return {name for _text, name, _format, _conversion in Formatter().parse(template) if name is not None}


def said(result: Result) -> str:
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.output


# The catalogue.


def test_the_catalogue_holds_all_help_all_errors_and_words_of_click() -> None:
    needed = terminal_sentences.sentences().keys() | terminal_sentences.help_texts()
    single, plural = terminal_sentences.words_of_click()
    found = {message.id for message in catalogue() if isinstance(message.id, str) and message.id}
    assert sorted(needed - found) == []
    assert sorted(found - needed - single) == []
    assert {message.id[0] for message in catalogue() if isinstance(message.id, tuple)} <= plural
    assert {"Usage:", "Options", "Commands", "Error: {message}", "Missing option", "No such option {name!r}."} <= found


def test_every_translation_is_there_with_the_same_places() -> None:
    helps = terminal_sentences.help_texts()
    for message in catalogue():
        if isinstance(message.id, str) and message.id and message.id not in helps:
            assert message.string, message.id
            assert places(message.string) <= places(message.id), message.id
            # click says what is not there by its kind and its name; the name is enough.
            assert places(message.id) - places(message.string) <= {"name"}, message.id
    assert not catalogue().obsolete


def test_the_compiled_catalogue_is_of_this_one() -> None:
    with (CATALOGUE / f"{TERMINAL}.mo").open("rb") as file:
        compiled = vars(gettext.GNUTranslations(file))["_catalog"]
    written: dict[object, str] = {}
    for message in catalogue():
        if isinstance(message.id, tuple):
            written[message.id[0], 0] = message.string[0]
        elif message.id:
            written[message.id] = message.string
    assert {key: text for key, text in compiled.items() if key} == written, "run: make languages"


# Which language.


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ({"LC_ALL": "zh_CN.UTF-8"}, "zh"),
        ({"LC_ALL": "zh"}, "zh"),
        ({"LANG": "zh_TW.UTF-8"}, "zh"),
        ({"LC_MESSAGES": "en_US.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_MESSAGES": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, "zh"),
        ({"LC_ALL": "C.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_ALL": "zha_CN"}, "en"),
        ({"LC_ALL": "", "LANG": "zh_CN"}, "zh"),
        ({}, "en"),
        ({"LC_ALL": "zh_CN.UTF-8", "CDS_LANGUAGE": "en"}, "en"),
        ({"LC_ALL": "C", "CDS_LANGUAGE": "zh"}, "zh"),
        ({"LC_ALL": "zh_CN.UTF-8", "CDS_LANGUAGE": "tlh"}, "zh"),
    ],
)
def test_the_setting_wins_over_the_locale(
    locale: dict[str, str], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "CDS_LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in locale.items():
        monkeypatch.setenv(name, value)
    assert terminal_language() == language


def test_the_settings_file_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "cds.toml"
    file.write_text('language = "zh"\n', encoding="utf-8")
    monkeypatch.setenv("CDS_CONFIG", str(file))
    assert terminal_language() == "zh"
    monkeypatch.setenv("CDS_LANGUAGE", "en")
    assert terminal_language() == "en"
    monkeypatch.delenv("CDS_LANGUAGE")
    file.write_text("language = [", encoding="utf-8")
    assert terminal_language() == "en"


# Help.


@pytest.mark.parametrize("path", [path for path, _command in terminal_sentences.commands()], ids=" ".join)
def test_no_help_holds_an_english_sentence(path: tuple[str, ...], run: CliRunner) -> None:
    shown = said(run.invoke(main, [*path, "--help"], prog_name="cds-service"))
    assert HAN.search(shown)
    assert all(columns(line) <= 80 for line in shown.splitlines()), shown
    options = [line for line in shown.splitlines() if not line.startswith("用法")]
    words = set(LATIN.findall(NAMES.sub(" ", "\n".join(re.sub(r"^  \S.{0,28}?  ", " ", line) for line in options))))
    assert words <= KEPT, words - KEPT


def test_help_is_english_again_afterwards(run: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["prescreen", "--help"]
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    before = said(run.invoke(main, arguments))
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    said(run.invoke(main, arguments))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert said(run.invoke(main, arguments)) == before
    assert not HAN.search(before)
    assert "LANGUAGE" not in os.environ
    assert gettext.textdomain() == "messages"


def test_lines_break_between_characters_but_not_before_punctuation() -> None:
    text = "导出，或 FHIR 服务器（见 docs/doctor.md）；其余。"
    for width in range(14, 40):
        lines = folded(text, width)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        assert all(columns(line) <= width + 4 and line[0] not in "，。；）" for line in lines)


# Errors.


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["evaluate", "gone.json"], 2, "cds-service: BUNDLE：没有此文件。\n"),
        (["evaluate", str(STORY), "--as-of", "soon"], 2, "cds-service: --as-of 必须是日期，YYYY-MM-DD。\n"),
        (["doctor", "http://ehr.invalid"], 2, "cds-service: BASE_URL 必须以 https:// 开头；http 仅用于本机。\n"),
        (["doctor", "https://a b"], 2, "cds-service: BASE_URL：URL 不得含空格、反斜杠或控制字符。\n"),
        (["prescreen", "--out", "x"], 2, "请给出一个数据来源：--bundles、--ndjson、--fhir 或 --export。\n"),
        (["why-not", "p1", TRIAL, "--run", "gone"], 2, "cds-service: RUN_DIR: 其中没有 manifest.json"),
        (["rules", "show", "NCT0723531"], 2, "TRIAL 的值无效：没有试验 'NCT0723531'（是否指 'NCT07235319'？）\n"),
        (["keys", "list"], 12, "cds-service: 设置 keys：请指明密钥文件夹（CDS_KEYS）。\n"),
        (["prescreen"], 2, "错误：缺少选项 '--out'.\n"),
        (["evaluate", "a", "b"], 2, "错误：多余的参数（b）\n"),
        (["evaluat"], 2, "错误：没有命令 'evaluat'。"),
        (["prescreen", "--out", "x", "--workers", "0"], 2, "'--workers' 的值无效：0 不在范围 1<=x<=256 之内。\n"),
        (["evaluate", "--format", "xml", "a"], 2, "'xml' 不是 'json', 'text' 之一。\n"),
    ],
)
def test_errors(arguments: list[str], code: int, expected: str, run: CliRunner) -> None:
    result = run.invoke(main, arguments)
    assert result.exit_code == code
    assert expected in result.output


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("CDS_PORT", "many", "设置 port：须为 整数，所给文本无法读作整数。"),
        ("CDS_MODE", "shut", "设置 mode：须为 'open' 或 'verified'。"),
        ("CDS_POTR", "1", "CDS_POTR 不是设置项；是否指 CDS_PORT？"),
        ("CDS_CONFIG", "/gone.toml", "CDS_CONFIG 所写的文件不存在。"),
        ("CDS_MAX_PAGES", "0", "设置 max_pages：须为 不小于 1 的数值。"),
    ],
)
def test_wrong_settings(name: str, value: str, expected: str, run: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    result = run.invoke(main, ["serve"])
    assert result.exit_code == 12
    assert result.output == f"cds-service: {expected}\n"


def test_rule_messages(run: CliRunner, tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    shutil.copytree(rules_folder(), folder)
    trial = folder / "trials" / TRIAL / "trial.yaml"
    trial.write_text(trial.read_text(encoding="utf-8").replace("gates: [", "gaets: [", 1), encoding="utf-8")
    for arguments in (["rules", "check"], ["rules", "test", TRIAL], ["rules", "show", TRIAL]):
        result = run.invoke(main, [*arguments, "--rules", str(folder)])
        assert result.exit_code == 10
        first = next(line for line in result.output.splitlines() if "gaets" in line)
        assert re.fullmatch(r".*/trial\.yaml:\d+：criteria\[1\]\.gaets：未知的键 'gaets'（是否指 'gates'？）", first)
        assert not [line for line in result.output.splitlines() if not HAN.search(line)]


def test_what_is_heard(run: CliRunner) -> None:
    assert heard(say("time-out")) == "超时"
    assert heard("The Patient could not be read (time-out).") == "无法读取 Patient（超时）。"
    assert heard("The Patient could not be read (HTTP 302, a redirect).") == "无法读取 Patient（HTTP 302（重定向））。"
    assert heard("BUNDLE: x.json cannot be read (Permission denied).") == "BUNDLE：无法读取 x.json（权限不足）。"
    assert heard("nobody translated this") == "nobody translated this"
    assert heard("") == ""


# What commands print.


def test_reports_are_chinese_unless_the_command_says_otherwise(run: CliRunner) -> None:
    arguments = ["evaluate", str(STORY), *AS_OF, "--format", "text"]
    chinese = said(run.invoke(main, arguments))
    assert HAN.search(chinese)
    assert chinese == said(run.invoke(main, [*arguments, "--language", "zh"]))
    assert "judged as of 1 Mar 2026" in said(run.invoke(main, [*arguments, "--language", "en"]))
    why = said(run.invoke(main, ["why-not", TRIAL, "--bundle", str(STORY), *AS_OF]))
    assert HAN.search(why)


def test_json_is_the_same(run: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["evaluate", str(STORY), *AS_OF]
    chinese = said(run.invoke(main, arguments))
    json.loads(chinese)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert said(run.invoke(main, arguments)) == chinese


def test_a_run_and_its_lists(run: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundles, out = tmp_path / "bundles", tmp_path / "run"
    bundles.mkdir()
    shutil.copy(STORY, bundles / "one.json")
    told = said(run.invoke(main, ["prescreen", "--bundles", str(bundles), "--out", str(out), "--workers", "1", *AS_OF]))
    assert "1 位患者，已判定 1 位（判定日期 2026-03-01）。" in told
    assert f"{TRIAL}：1 资料不足" in told
    assert f"{TRIAL}：排除标准未编码；候选者须由人员审核。" in told
    page = next(out.glob("*.html")).read_text(encoding="utf-8")
    assert '<html lang="zh-Hans">' in page
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert not HAN.search(json.dumps(manifest, ensure_ascii=False))
    again = said(
        run.invoke(main, ["prescreen", "--bundles", str(bundles), "--out", str(out), "--workers", "1", *AS_OF])
    )
    assert "该运行此前已完成；没有重新读取。" in again


def test_sites_and_a_new_trial(run: CliRunner, tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    shutil.copytree(rules_folder(), folder)
    shutil.rmtree(folder / "sites")
    assert said(run.invoke(main, ["sites", "check", "--rules", str(folder)])) == "没有中心配置文件\n"
    begun = said(run.invoke(main, ["rules", "new", "NCT00000001", "--rules", str(folder)]))
    assert begun.startswith("已写入 ")
    assert "cds-service rules test NCT00000001" in begun
    again = run.invoke(main, ["rules", "new", "NCT00000001", "--rules", str(folder)])
    assert again.exit_code == 2
    assert again.output.endswith("NCT00000001 已存在；没有写入任何内容\n")


def test_the_store(run: CliRunner, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'store.db'}"
    assert "没有此名称的文件" in run.invoke(main, ["worklist", "list", "--store", store]).output
    assert "属于正在运行的服务" in run.invoke(main, ["audit", "verify"]).output


def test_the_doctor_keeps_its_columns(run: CliRunner) -> None:
    result = run.invoke(main, ["doctor", "http://127.0.0.1:9"])
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[0] == "FHIR 服务器 http://127.0.0.1:9"
    head, row = lines[2], lines[3]
    assert row.startswith("可否连接")
    assert "无法连接" in row
    assert columns(head[: head.index("结果")]) == columns(row[: row.index("有误")]) == 32
    assert columns(head[: head.index("所得内容")]) == columns(row[: row.index("无法连接")])
    assert lines[4].startswith("    -> 请检查主机名和端口")
    assert lines[-1] == "有误 1 项，需留意 0 项。"


def test_every_command_prints_through_the_terminal() -> None:
    """A literal sentence that a command echoes is one that nobody translates."""
    for path in sorted((ROOT / "cds_service" / "cli").glob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(call, ast.Call)
                and ast.unparse(call.func) in ("click.echo", "self.console.print")
                and call.args
            ):
                first = call.args[0]
                parts = first.values if isinstance(first, ast.JoinedStr) else [first]
                literal = " ".join(
                    one.value for one in parts if isinstance(one, ast.Constant) and isinstance(one.value, str)
                )
                assert not re.search(r"[A-Za-z]{3}", literal.replace("UTC", "")), f"{path.name}:{call.lineno}"
