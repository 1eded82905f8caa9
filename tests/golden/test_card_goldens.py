"""Whole answers, kept as files: a change of wording shows in review. UPDATE_GOLDEN=1 writes them anew."""

import json
import os
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from door_fakes import criterion, decisive, needs_data, npc, outcome, spread, trial, trial_outcome

from cds_service.evaluation.outcome import PatientOutcome, Status, Verdict
from cds_service.facts.fact import Reason
from cds_service.facts.phrase import words_of_rules
from cds_service.logic.truth import State
from cds_service.present.cards import make_cards
from cds_service.present.json_text import to_json
from cds_service.present.report import write_report
from cds_service.present.speaker import Speaker, speaker

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


# What rule files and facts would say in Chinese of the made-up trial.
CHINESE = {
    "A trial of things": "某项试验",
    "before induction": "诱导治疗前",
    "Nasopharyngeal carcinoma": "鼻咽癌",
    "Distant metastases": "远处转移",
    "Hemoglobin ≥ 90 g/L": "血红蛋白 ≥ 90 g/L",
    "Total bilirubin ≤ 1.5 x ULN": "总胆红素 ≤ 1.5 x ULN",
    "total bilirubin": "总胆红素",
    "No prior anti-tumour treatment": "既往无抗肿瘤治疗",
    "No earlier surgery": "既往无手术",
    "Labs": "检验",
    "A sentence.": "一句说明。",
    "None found in this record.": "本病历中未发现。",
    "Surgery elsewhere is named in a letter.": "外院手术见于一封信函。",
}


def chinese() -> Speaker:
    """Return who speaks Chinese, with the words of the made-up trial."""
    ours = speaker("zh")
    return replace(ours, translate=lambda template: CHINESE.get(template) or ours.translate(template))


def with_phrases(found: PatientOutcome) -> PatientOutcome:
    """Return the outcome with labels and sentences that remember their templates, as the judge makes them."""
    trials = [
        replace(
            one,
            criteria=tuple(replace(c, message=words_of_rules(c.message)) for c in one.criteria),
            decisive=tuple(replace(d, label=words_of_rules(d.label)) for d in one.decisive),
        )
        for one in found.trials
    ]
    return replace(found, trials=tuple(trials), unread={name: words_of_rules(w) for name, w in found.unread.items()})


def same(path: Path, text: str) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", OUTCOMES)
def test_cards(name):
    kept(name, make_cards(OUTCOMES[name], seed=SEED))


@pytest.mark.parametrize("name", OUTCOMES)
def test_cards_in_chinese(name):
    found = with_phrases(OUTCOMES[name])
    assert make_cards(found, seed=SEED) == make_cards(OUTCOMES[name], seed=SEED)
    kept(f"{name}.zh", make_cards(found, seed=SEED, speaker=chinese()))


def kept(name: str, cards: list[dict[str, Any]]) -> None:
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
