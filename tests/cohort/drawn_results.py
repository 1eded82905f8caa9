"""Drawn results: contract lines for the first trial, whose status is told by a plain reading of the contract."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st
from run_maker import AS_OF, NPC

from cds_service.trials.model import Trial

STATES = {
    "pass!": ("pass", False),
    "pass": ("pass", True),
    "unknown": ("unknown", True),
    "clinician": ("unknown", True),
    "fail": ("fail", True),
    "fail!": ("fail", False),
}
# A patient who passes all of it is rare otherwise.
LIKELY = ["pass"] * 10 + ["pass!"] * 10 + ["unknown", "clinician", "clinician", "fail", "fail!"]
ASKS = ["access", "lab", "measurement", "question", "pathology", "imaging"]


@st.composite
def lines(draw: st.DrawFn, trial: Trial, most: int = 10) -> list[dict[str, Any]]:
    """Draw the lines of a run; every patient once."""
    numbers = draw(st.lists(st.integers(0, 40), max_size=most, unique=True))
    return [draw(_line(trial, f"Patient/p{number}")) for number in numbers]


def _line(trial: Trial, patient: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda gate, states, alive, asks, day, leanings: line(trial, patient, gate, states, alive, asks, day, leanings),
        st.sampled_from(["screening", "randomisation"]),
        st.lists(st.sampled_from(LIKELY), min_size=18, max_size=18),
        st.sampled_from(["alive", "alive", "alive", "alive", "dead", "not known"]),
        st.lists(st.sampled_from(ASKS), min_size=18, max_size=18),
        st.none() | st.integers(0, 20).map(lambda days: AS_OF + timedelta(days)),
        st.lists(st.sampled_from(["pass", "fail", None]), min_size=18, max_size=18),
    )


def line(
    trial: Trial,
    patient: str,
    gate: str,
    states: list[str],
    alive: str,
    asks: list[str],
    day: date | None,
    leanings: list[str | None],
) -> dict[str, Any]:
    """Write one line. The trigger is the first criterion; for it "clinician" is as good as unknown."""
    criteria = trial.at(gate)
    told = dict(zip((one.id for one in criteria), states, strict=False))
    trigger = criteria[0].id
    rest = [state for name, state in told.items() if state != "clinician" or name == trigger]
    status = _status(rest, alive)
    head = {"patient": patient, "as_of": AS_OF.isoformat(), "site": None, "data": "sha256:0", "unread": {}}
    if told[trigger].startswith("fail"):
        other = {"trial": NPC, "gate": gate, "status": status, "trigger": "fail"}
        return {**head, "results": [], "others": [other]}
    waiting = [name for name, state in told.items() if state == "unknown" or (state == "clinician" and name == trigger)]
    decisive = [_decisive(fact, ask, [name]) for name, ask, fact in zip(waiting, asks, FACTS, strict=False)]
    if alive == "not known":
        decisive.append(_decisive("deceased", "question", []))
    confirm = [name for name, state in told.items() if state == "clinician" and name != trigger]
    leans = dict(zip(told, leanings, strict=False))
    confirm.sort(key=lambda name: leans[name] != "fail")
    result = {
        "trial": NPC,
        "rules_digest": trial.digest,
        "gate": gate,
        "status": status,
        "blocked": ["deceased"] if alive == "dead" else [],
        "exclusions": "not-published",
        "coverage": {"decided": sum("pass" in one or "fail" in one for one in told.values()), "total": len(told)},
        "to_confirm": confirm,
        "criteria": [_criterion(name, state, leans[name]) for name, state in told.items()],
        "decisive": decisive if status == "needs-data" else [],
        "valid_until": day.isoformat() if day else None,
        "look_again": day.isoformat() if day and status == "not-now" else None,
    }
    return {**head, "results": [result], "others": []}


FACTS = ["hemoglobin", "neutrophils", "platelets", "bilirubin_total", "ast", "alt", "inr", "aptt"] * 3


def _status(states: list[str], alive: str) -> str:
    if alive == "dead" or "fail!" in states:
        return "excluded"
    if "fail" in states:
        return "not-now"
    return "needs-data" if alive == "not known" or {"unknown", "clinician"} & set(states) else "candidate"


def _criterion(name: str, state: str, leaning: str | None) -> dict[str, Any]:
    verdict, can_change = STATES[state]
    missing = {"unknown": "stale", "clinician": "clinician"}.get(state)
    return {
        "id": name,
        "kind": "inclusion",
        "verdict": verdict,
        "can_change": can_change,
        "leaning": leaning if missing else None,
        "reasons": [{"fact": "hemoglobin", "reason": missing}] if missing else [],
        "evidence": [],
        "notes": [],
        "message": "A sentence.",
        "message_zh": "一句话。",
        "valid_until": None,
    }


def _decisive(fact: str, ask: str, criteria: list[str]) -> dict[str, Any]:
    return {
        "fact": fact,
        "reason": "stale",
        "leaning": None,
        "criteria": criteria,
        "alternatives": [],
        "last": None,
        "new_until": None,
        "ask": {"kind": ask},
    }
