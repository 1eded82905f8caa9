"""Suggestions: one draft order for each laboratory test that decides."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

from cds_service.evaluation.outcome import Decisive, TrialOutcome
from cds_service.facts.fact import Reason
from cds_service.present.safe_text import plain
from cds_service.present.speaker import ENGLISH, Speaker


def suggestions(outcome: TrialOutcome, patient: str, seed: UUID, speaker: Speaker = ENGLISH) -> list[dict[str, Any]]:
    """Draft one ServiceRequest per decisive laboratory test, the first one recommended.

    A fact that could not be read is never ordered: the hospital may well have it. Facts that one test settles
    share its order. One action per suggestion: Epic takes no more.

    Args:
        outcome: of the trial.
        patient: ``Patient/<id>``.
        seed: the card's id; the suggestions' ids follow from it.
        speaker: in whose language.
    """
    tests: dict[tuple[str, str], Decisive] = {}
    for decisive in outcome.decisive:
        if decisive.ask.kind == "lab" and decisive.ask.code and decisive.reason is not Reason.NOT_FETCHED:
            tests.setdefault((decisive.ask.system, decisive.ask.code), decisive)
    return [
        _suggestion(decisive, _request(decisive, outcome, patient, speaker), uuid5(seed, code), speaker, at == 0)
        for at, ((_system, code), decisive) in enumerate(tests.items())
    ]


def _request(decisive: Decisive, outcome: TrialOutcome, patient: str, speaker: Speaker) -> dict[str, Any]:
    ask = decisive.ask
    # The display is the code system's own.
    coding = {"system": ask.system, "code": ask.code, **({"display": ask.display} if ask.display else {})}
    return {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": "proposal",
        "code": {"coding": [coding], "text": _name(decisive, speaker)},
        "subject": {"reference": patient},
        "reasonCode": [{"text": speaker.t("Decides screening for {trial}", trial=outcome.trial.id)}],
    }


def _suggestion(
    decisive: Decisive, request: dict[str, Any], own: UUID, speaker: Speaker, recommended: bool
) -> dict[str, Any]:
    label = speaker.t("Draft an order: {test}", test=speaker.inside(_name(decisive, speaker)))
    return {
        "label": label,
        "uuid": str(own),
        **({"isRecommended": True} if recommended else {}),
        "actions": [{"type": "create", "description": label, "resource": request}],
    }


def _name(decisive: Decisive, speaker: Speaker) -> str:
    return plain(speaker.said(decisive.label), 80)
