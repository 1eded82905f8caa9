"""The conformance suite: it passes on a service that keeps the rules, and each planted fault fails its check alone."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from planted_faults import CARD_FAULTS, CLIENT_FAULTS, ENTRY_FAULTS, FLAWS, TOKEN_FLAWS
from toy_service import Toy
from werkzeug.serving import WSGIRequestHandler, make_server

from cds_service.cli.conformance_told import as_text
from cds_service.conformance.catalogue import CATALOGUE
from cds_service.conformance.discovery import template_faults
from cds_service.conformance.findings import Finding, Outcome
from cds_service.conformance.report import as_json, passed
from cds_service.conformance.suite import Run, check
from cds_service.conformance.tokens import Signer
from cds_service.conformance.wire import Host, Reply

KEY = generate_private_key(SECP384R1())
SIGNER = Signer(KEY, "https://ehr.example", "one")
PLAIN_FAULTS = {
    **{name: check for name, (check, _change) in ENTRY_FAULTS.items()},
    **{name: check for name, (check, _change) in CARD_FAULTS.items()},
    **FLAWS,
}
# What only an order hook shows.
OF_ORDERS = {"C10"}
# Without the discovery answer there is nothing left to check.
FATAL = {"D01", "D03"}


class Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        pass


@contextmanager
def serving(app: Any) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run(toy: Toy, **more: Any) -> tuple[Finding, ...]:
    with serving(toy) as base:
        toy.base = base
        return check(Run(base, **more))


def failures(findings: tuple[Finding, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in findings:
        if one.outcome is Outcome.FAIL:
            found.setdefault(one.check.id, []).append(f"{one.service}: {one.sent}: {one.came}: {one.fault}")
    return found


def made(findings: tuple[Finding, ...]) -> set[str]:
    return {one.check.id for one in findings if one.outcome is not Outcome.NOT_APPLICABLE}


def test_a_service_that_keeps_the_rules_passes() -> None:
    findings = run(Toy())
    assert failures(findings) == {}
    assert set(CATALOGUE) - made(findings) == {"D15", "K15", "K16", "E01", "E02", "E03", "E04"} | set(
        TOKEN_FLAWS.values()
    )


@pytest.mark.parametrize("fault", PLAIN_FAULTS)
def test_each_planted_fault_fails_its_check_alone(fault: str) -> None:
    expected = PLAIN_FAULTS[fault]
    services = ("toy-sign",) if expected in OF_ORDERS else ("toy-view",)
    findings = run(Toy([fault]), services=services)
    found = failures(findings)
    assert set(found) == {expected}, found
    if expected not in FATAL:
        assert len(made(findings)) > 50


@pytest.mark.parametrize("fault", CLIENT_FAULTS)
def test_each_fault_for_a_product_fails_its_check_alone(fault: str) -> None:
    client, expected, _change = CLIENT_FAULTS[fault]
    found = failures(run(Toy([fault], suggests=True), client=client, services=("toy-view",)))
    assert set(found) == {expected}, found
    assert failures(run(Toy(suggests=client != "oracle"), client=client, services=("toy-view",))) == {}


def test_a_service_that_asks_for_tokens_passes() -> None:
    findings = run(Toy(key=KEY.public_key()), signer=SIGNER)
    assert failures(findings) == {}
    assert set(TOKEN_FLAWS.values()) <= made(findings)


@pytest.mark.parametrize("fault", TOKEN_FLAWS)
def test_each_fault_of_trust_fails_its_check_alone(fault: str) -> None:
    found = failures(run(Toy([fault], KEY.public_key()), signer=SIGNER, services=("toy-view",)))
    assert set(found) == {TOKEN_FLAWS[fault]}, found


def test_every_check_has_a_fault_that_it_sees() -> None:
    planted = {*PLAIN_FAULTS.values(), *TOKEN_FLAWS.values(), *(check for _client, check, _ in CLIENT_FAULTS.values())}
    # These two have tests of their own.
    assert set(CATALOGUE) - planted == {"D15", "D18"}


def test_a_report_for_people_and_one_for_programs() -> None:
    findings = run(Toy(["no title", "an invented indicator"]), services=("toy-view",))
    text, data = as_text(findings), json.loads(as_json(findings))
    assert not passed(findings)
    assert data["passed"] is False
    assert "fail  K02  M  row 43" in text
    assert "2 failed (1 M, 1 S)" in text
    (shown,) = [one for one in data["findings"] if one["check"] == "K02"]
    assert shown["service"] == "toy-view"
    assert shown["rows"] == [43]
    assert shown["came"] == "200, 1 cards"
    assert passed(run(Toy(["no title"]), services=("toy-view",)))


def test_plain_http_to_another_host_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Host, "exchange", lambda *_given: Reply(404))
    assert "D18" in failures(check(Run("http://cds.invalid", timeout=1)))


def test_a_template_before_the_one_it_depends_on_is_seen() -> None:
    entry = {"id": "a", "hook": "patient-view", "version": "3.0.0", "prefetch": {"b": "Observation?patient={{%a.id}}"}}
    faults = dict(template_faults(entry["prefetch"]["b"], entry, set()))
    assert {check for check, fault in faults.items() if fault} == {"D15"}
    assert not any(fault for _check, fault in template_faults(entry["prefetch"]["b"], entry, {"a"}))


ODD = [None, 5, "text", [], {}, [None], {"services": 5}, {"services": [5, None, {}]}, {"cards": [5, None, []]}]
ODD_ENTRY = {"id": "odd", "hook": "order-select", "description": "x"}
ODD_CARD = {
    "uuid": [],
    "summary": 5,
    "indicator": {},
    "source": {"label": [], "url": "http://[", "topic": [None]},
    "detail": {},
    "links": [None, {"url": 5, "type": []}],
    "suggestions": [None, {"actions": [None, {"resource": 5}, {"type": "delete", "resourceId": []}]}],
    "overrideReasons": {"a": 1},
}


class Nonsense:
    """Answers everything alike, but discovery."""

    def __init__(self, entries: Any, answer: Any, status: int = 200) -> None:
        self.entries, self.answer, self.status = entries, answer, status

    def __call__(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        discovery = environ["PATH_INFO"] == "/cds-services" and environ["REQUEST_METHOD"] == "GET"
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start("200 x" if discovery else f"{self.status} x", [("Content-Type", "application/json")])
        return [json.dumps(self.entries if discovery else self.answer).encode()]


@pytest.mark.parametrize("odd", ODD, ids=json.dumps)
def test_a_discovery_of_nonsense_is_found_wrong(odd: Any) -> None:
    with serving(Nonsense(odd, {})) as base:
        assert not passed(check(Run(base)))


@pytest.mark.parametrize("prefetch", [5, [], {"a": 5}, {"a": "{{"}, {"a": "Patient/{{context.x}}"}, {"a": "Patient/"}])
def test_odd_templates_stop_nothing(prefetch: Any) -> None:
    entry = {**ODD_ENTRY, "prefetch": prefetch}
    with serving(Nonsense({"services": [entry, {**entry, "id": "a b/\u00e9", "hook": "patient-view"}]}, {})) as base:
        assert not passed(check(Run(base, timeout=2)))


@pytest.mark.parametrize("status", [200, 302])
@pytest.mark.parametrize("odd", [*ODD, {"cards": [ODD_CARD]}, {"cards": [], "systemActions": [None]}], ids=json.dumps)
def test_answers_of_nonsense_are_found_wrong(odd: Any, status: int) -> None:
    with serving(
        Nonsense({"services": [{**ODD_ENTRY, "prefetch": {"a": "Patient/{{context.patientId}}"}}]}, odd, status)
    ) as base:
        findings = check(Run(base, client="epic"))
    assert not passed(findings)
    assert len(made(findings)) > 50


def test_a_service_that_falls_silent_is_told() -> None:
    """The time-out bounds every call, and what did not come is said to be so."""

    class Silent(Toy):
        def call(self, raw: bytes, hook: str, kind: str) -> Any:
            if b'"prefetch"' not in raw and b'"fhirServer"' not in raw and b'"hook"' in raw:
                time.sleep(0.8)
            return super().call(raw, hook, kind)

    found = failures(run(Silent(), services=("toy-view",), timeout=0.4))
    assert "no answer within 0.4 s" in found["P01"][0]
