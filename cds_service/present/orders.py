"""Suggestions: one draft order for each laboratory test that decides."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

from cds_service.evaluation.outcome import Decisive, TrialOutcome
from cds_service.facts.fact import Reason
from cds_service.present import wording
from cds_service.present.safe_text import plain


def suggestions(outcome: TrialOutcome, patient: str, seed: UUID) -> list[dict[str, Any]]:
    """Draft one ServiceRequest per decisive laboratory test, the first one recommended.

    A fact that could not be read is never ordered: the hospital may well have it. Facts that one test settles
    share its order. One action per suggestion: Epic takes no more.

    Args:
        outcome: of the trial.
        patient: ``Patient/<id>``.
        seed: the card's id; the suggestions' ids follow from it.
    """
    tests: dict[tuple[str, str], Decisive] = {}
    for decisive in outcome.decisive:
        if decisive.ask.kind == "lab" and decisive.ask.code and decisive.reason is not Reason.NOT_FETCHED:
            tests.setdefault((decisive.ask.system, decisive.ask.code), decisive)
    return [
        _suggestion(decisive, outcome, patient, uuid5(seed, code), recommended=at == 0)
        for at, ((_system, code), decisive) in enumerate(tests.items())
    ]


def _suggestion(
    decisive: Decisive, outcome: TrialOutcome, patient: str, own: UUID, *, recommended: bool
) -> dict[str, Any]:
    ask = decisive.ask
    name = plain(decisive.label, 80)
    label = f"Draft an order: {wording.inside(name)}"
    coding = {"system": ask.system, "code": ask.code, **({"display": ask.display} if ask.display else {})}
    request = {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": "proposal",
        "code": {"coding": [coding], "text": name},
        "subject": {"reference": patient},
        "reasonCode": [{"text": f"Decides screening for {outcome.trial.id}"}],
    }
    return {
        "label": label,
        "uuid": str(own),
        **({"isRecommended": True} if recommended else {}),
        "actions": [{"type": "create", "description": label, "resource": request}],
    }
