"""A conformance run told on a Chinese terminal: no finding stays English, and what programs read does."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from english_left import english_left

from cds_service.cli import main
from cds_service.cli.conformance_told import as_text
from cds_service.cli.tongue import heard
from cds_service.conformance.catalogue import CATALOGUE
from cds_service.conformance.findings import Finding, Outcome

HAN = re.compile(r"[\u4e00-\u9fff]")
# Words of the wire, and of products.
KNOWN = ("Oracle Health", "Epic", "Sandbox", "JSON", "UUID", "FHIR", "HTML", "SMART", "info", "warning", "critical")
KNOWN += ("code", "system", "display", "label", "icon", "url", "uuid", "hook", "id", "type", "description")
ENTRY = {"id": "odd", "hook": "patient-view", "description": "", "version": "x", "hookVersion": "9", "prefetch": {}}
TEMPLATES = {"a": "http://elsewhere.invalid/x?b=1&b=2", "b": "Observation?x.y={{context.none}}", "c": "Patient/{{%d}}"}
CARD = {
    **{"summary": "", "indicator": "odd", "source": {"topic": {}}, "uuid": 5, "detail": 5, "extension": 5},
    "overrideReasons": [{}],
    "links": [{"autolaunchable": "no"}],
    "suggestions": [
        {"isRecommended": "no", "actionSelectionBehavior": "any", "actions": [{}, {"type": "create", "resource": {}}]}
    ],
}


def answer_all_wrong(method: str, path: str) -> tuple[int, Any]:
    if method == "GET" and path == "/cds-services":
        return 200, {"services": [{**ENTRY, "prefetch": TEMPLATES}, 5, ENTRY, {**ENTRY, "usageRequirements": 5}]}
    return 200, {"cards": [CARD, CARD, 5], "systemActions": [5]}


def answer_no_json(method: str, path: str) -> tuple[int, Any]:
    if method == "GET" and path == "/cds-services":
        return 200, {"services": [{**ENTRY, "description": "d", "title": "t", "prefetch": {"patient": "Patient/1"}}]}
    return 500, "Zqconformancecanary\n  at a.b (c.js:1:2)"


@contextmanager
def service(answer: Callable[[str, str], tuple[int, Any]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = answer(self.command, self.path)
            sent = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    for method in ("GET", "POST", "OPTIONS", "HEAD"):
        setattr(Handler, f"do_{method}", Handler._answer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def key(tmp_path: Any) -> str:
    written = tmp_path / "key.pem"
    private = generate_private_key(SECP384R1())
    written.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(written)


@pytest.mark.parametrize(
    ("answer", "client", "failed"),
    [(answer_all_wrong, "epic", 60), (answer_no_json, "oracle", 40)],
    ids=["all wrong", "no JSON"],
)
def test_every_finding_is_chinese(
    answer: Any, client: str, failed: int, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    with service(answer) as base:
        result = CliRunner().invoke(main, ["conformance", base, "--client", client, "--issuer-key", key])
    assert result.exit_code == 1, result.output
    lines = result.output.splitlines()
    assert sum(line.startswith("不符合  ") for line in lines) > failed
    for line in filter(None, lines):
        assert english_left(line, KNOWN) == []
        assert HAN.search(line), line
    assert re.fullmatch(r"符合 \d+ 项，不符合 \d+ 项（.*），不适用 \d+ 项", lines[-1])


def test_the_json_is_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    with service(answer_no_json) as base:
        result = CliRunner().invoke(main, ["conformance", base, "--format", "json"])
    told = json.loads(result.output)["findings"]
    assert {one["title"] for one in told} == {check.title for check in CATALOGUE.values()}
    assert not HAN.search(result.output)


def test_the_columns_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = [
        Finding(CATALOGUE["K02"], "a", Outcome.FAIL, "full prefetch", "200, 2 cards", "no such indicator"),
        Finding(CATALOGUE["E01"], "", Outcome.NOT_APPLICABLE),
    ]
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert as_text(findings).splitlines() == [
        "fail  K02  M  row 43         indicator: info, warning or critical  [a]",
        "        sent: full prefetch",
        "        came: 200, 2 cards",
        "        no such indicator",
        "n/a   E01  S  row -          Epic: selectionBehavior is any",
        "",
        "0 passed, 1 failed (1 M), 1 not applicable",
    ]
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert as_text(findings).splitlines() == [
        "不符合  K02  M  要求 43         indicator：info、warning 或 critical  [a]",
        "        发送：完整的 prefetch",
        "        收到：200，2 张卡片",
        "        没有此种 indicator",
        "不适用  E01  S  要求 -          Epic：selectionBehavior 为 any",
        "",
        "符合 0 项，不符合 1 项（1 M），不适用 1 项",
    ]


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        (
            "in services[0]: prefetch.a: not a relative read or search",
            "services[0]：prefetch.a：不是相对地址的 read 或 search",
        ),
        ("in services[2]: the entry lacks description", "services[2]：该条目缺少 description"),
        ("context.userId is a number", "context.userId 为数值"),
        ("cards[0].links[0] is null or empty", "cards[0].links[0] 为 null 或空"),
    ],
)
def test_what_is_put_together_is_heard(english: str, chinese: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert heard(english) == chinese
