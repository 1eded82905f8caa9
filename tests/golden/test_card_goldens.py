"""Whole answers, kept as files: a change of wording shows in review. UPDATE_GOLDEN=1 writes them anew."""

import json
import os
from datetime import date
from pathlib import Path
from uuid import UUID

import pytest
from door_fakes import criterion, decisive, needs_data, npc, outcome, spread, trial, trial_outcome

from cds_service.evaluation.outcome import Status, Verdict
from cds_service.facts.fact import Reason
from cds_service.logic.truth import State
from cds_service.present.cards import make_cards
from cds_service.present.json_text import to_json
from cds_service.present.report import write_report

HERE = Path(__file__).resolve().parent
SEED = UUID("d1577c69-dfbe-44ad-ba6d-3e05e953b2ea")
AGAINST = criterion(
    "surgery",
    State.UNKNOWN,
    short="No earlier surgery",
    reasons=[Reason.CLINICIAN],
    leaning=Verdict.FAIL,
    message="Surgery elsewhere is named in a letter.",
)
OUTCOMES = {
    "candidate": outcome(trial_outcome(until=date(2026, 3, 12))),
    "candidate-with-doubt": outcome(trial_outcome(criteria=[npc(), spread(), AGAINST]), needs_data(of=trial("NCT2"))),
    "needs-data": outcome(needs_data()),
    "unread": outcome(
        trial_outcome(
            Status.NEEDS_DATA,
            [npc(), spread(), criterion("labs", State.UNKNOWN, short="Labs", reasons=[Reason.NOT_FETCHED])],
            missing=[decisive(reason=Reason.NOT_FETCHED, kind="access", code="", evidence=())],
        ),
        unread={"Observation": "time-out"},
    ),
    "not-checked": outcome(
        trial_outcome(Status.NEEDS_DATA, [npc(State.UNKNOWN, Reason.NOT_FETCHED)]), unread={"Condition": "HTTP 403"}
    ),
}


def same(path: Path, text: str) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", OUTCOMES)
def test_cards(name):
    cards = make_cards(OUTCOMES[name], seed=SEED)
    same(HERE / f"{name}.card.json", to_json(cards, indent=2) + "\n")
    detail = "\n\n".join(f"> {card['summary']}\n\n{card['detail']}" for card in cards)
    same(HERE / f"{name}.card.md", detail + "\n")


@pytest.mark.parametrize("name", ["candidate", "needs-data", "unread"])
def test_reports(name):
    same(HERE / f"{name}.report.txt", write_report(OUTCOMES[name]))


@pytest.mark.parametrize("name", ["candidate", "needs-data", "unread"])
def test_the_contract(name):
    text = to_json(OUTCOMES[name].to_json(), indent=2)
    same(HERE / f"{name}.contract.json", text + "\n")
    assert list(json.loads(text))[:3] == ["patient", "as_of", "site"]
