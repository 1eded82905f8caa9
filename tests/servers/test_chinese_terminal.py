"""The demo and the doctor on a Chinese terminal: no English sentence is left in what they print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from english_left import english_left, words_of_record

from cds_service.cli import main

EXAMPLES = Path(__file__).resolve().parents[2] / "fhir_examples" / "patients"


@pytest.fixture(autouse=True)
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    monkeypatch.setenv("COLUMNS", "600")  # no word of the record is broken over two lines


def shown(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, list(arguments), prog_name="cds-service")
    assert result.exit_code == code, result.output
    return result.output


def test_the_demo(fhir_server, monkeypatch):
    monkeypatch.setattr("cds_service.cli.demo._wait", lambda tell: tell())
    told = shown("demo")
    assert "可能为 NCT07235319 的候选受试者" in told
    assert english_left(told, words_of_record(*EXAMPLES.glob("*/bundle.json"))) == []


def test_the_doctor(fhir_server):
    fhir_server.load(json.loads((EXAMPLES / "stale-bilirubin" / "bundle.json").read_text(encoding="utf-8")))
    for arguments, code in (((), 0), (("--patient", "stale-bilirubin"), 0), (("--patient", "nobody"), 1)):
        told = shown("doctor", fhir_server.base_url, *arguments, code=code)
        assert "检查项" in told
        assert english_left(told) == []
    nowhere = shown("doctor", "http://127.0.0.1:9", code=1)
    assert "无法连接" in nowhere
    assert english_left(nowhere) == []
