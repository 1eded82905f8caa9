"""One chart opened in the real service, while its FHIR server plays a fault: what came of it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from fault_chart import Chart
from fault_plays import Script
from fault_server import FaultServer

from cds_service.bootstrap import build, load_rules
from cds_service.evaluation.outcome import PatientOutcome, Verdict
from cds_service.facts.fact import Reason
from cds_service.screening.patient import Rules
from cds_service.settings import load_settings
from cds_service.web import create_app

ROOT = Path(__file__).resolve().parents[2]
AS_OF = date(2026, 3, 1)
TOKEN = "secret-token-of-this-call"
PATIENT = "candidate"
TRIAL = "NCT07235319"


@cache
def example(name: str = PATIENT) -> dict[str, Any]:
    path = ROOT / "fhir_examples" / "patients" / name / "bundle.json"
    return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


@cache
def rules() -> Rules:
    return load_rules()


@dataclass(frozen=True)
class Run:
    """What came of a call.

    Args:
        status: of HTTP.
        says: what the clinician sees: the card's summary, the 412's words, or "no card".
        outcome: the judgement; None when there was none.
        log: warnings and worse.
        asked: how often each type was asked for.
        seconds: how long it took.
        strays: requests that reached the trap, or went elsewhere with a token.
        body: of the answer, as text.
    """

    status: int
    says: str
    outcome: PatientOutcome | None
    log: tuple[str, ...]
    asked: Mapping[str, int]
    seconds: float
    strays: int
    body: str

    def verdicts(self) -> dict[str, tuple[str, bool]]:
        """Each criterion of the trial, with whether it can change."""
        return {one.criterion.id: (one.verdict.value, one.state.can_change) for one in self._criteria()}

    def unread(self) -> frozenset[str]:
        """The criteria that are unknown because something was not read."""
        return frozenset(
            one.criterion.id
            for one in self._criteria()
            if one.verdict is Verdict.UNKNOWN and any(m.reason is Reason.NOT_FETCHED for m in one.reasons)
        )

    def reasons(self, criterion_id: str) -> list[str]:
        return [m.reason.value for one in self._criteria() if one.criterion.id == criterion_id for m in one.reasons]

    def _criteria(self) -> Any:
        return next(one for one in self.outcome.trials if one.trial.id == TRIAL).criteria if self.outcome else ()


@contextmanager
def warnings_of(logger: str = "cds_service") -> Iterator[list[str]]:
    """Collect what the service logs as a warning or worse."""
    lines: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    handler = Collector(logging.WARNING)
    logging.getLogger(logger).addHandler(handler)
    try:
        yield lines
    finally:
        logging.getLogger(logger).removeHandler(handler)


def open_chart(
    base: str, *, prefetch: Mapping[str, Any] | None = None, token: str | None = TOKEN, **chosen: Any
) -> Run:
    """Post a hook to the service, which reads from a FHIR base what ``prefetch`` does not bring.

    Args:
        base: the FHIR server.
        prefetch: what comes with the call.
        token: for the server.
        chosen: settings.
    """
    seen: list[PatientOutcome] = []

    def judge(*rest: Any, **named: Any) -> PatientOutcome:
        seen.append(rules().judge(*rest, **named))
        return seen[-1]

    settings = load_settings(
        mode="open", **{"gather_seconds": 4.0, "max_answer_bytes": 2**20, "max_pages": 6, **chosen}
    )
    services = build(settings, clock=lambda: AS_OF, rules=Rules(rules().library, rules().plan, judge))
    client = create_app(services).test_client()
    granted = {"access_token": token, "token_type": "Bearer", "expires_in": 300, "scope": "s", "subject": "c"}
    call = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/example", "patientId": PATIENT},
        "fhirServer": base,
        **({"fhirAuthorization": granted} if token else {}),
        **({"prefetch": prefetch} if prefetch is not None else {}),
    }
    with warnings_of() as lines:
        started = time.monotonic()
        answer = client.post("/cds-services/npc-trials-patient-view", json=call)
        seconds = time.monotonic() - started
    outcome = seen[0] if seen else None
    return Run(answer.status_code, _says(answer.get_json()), outcome, tuple(lines), {}, seconds, 0, answer.text)


def _says(body: Mapping[str, Any]) -> str:
    if "cards" in body:
        return " / ".join(card["summary"] for card in body["cards"]) or "no card"
    return str(body["issue"][0]["diagnostics"])


@cache
def fault_free() -> Run:
    """The answer that every fault is compared with."""
    with FaultServer(Chart(example()).script) as server:
        return open_chart(server.base)


def scripted(script: Script, **chosen: Any) -> Run:
    """Open the chart while one server plays a script, and say what it was asked."""
    with FaultServer(script) as server:
        run = open_chart(server.base, **chosen)
        strays = sum(one.token is not None and not one.target.startswith("/fhir") for one in server.asked)
        return Run(**{**vars(run), "asked": server.counts(), "strays": strays})
