"""Cards: at most one about a candidacy, and one that says what was not checked."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from cds_service.evaluation.outcome import PatientOutcome, TrialOutcome
from cds_service.present import wording
from cds_service.present.detail import candidate_detail
from cds_service.present.orders import suggestions
from cds_service.present.safe_text import fit, markdown, plain
from cds_service.present.speaking import Speaking, who_speaks
from cds_service.present.summary import candidate_summary

TOPICS: Final = "https://clinicaltrials.gov"


def make_cards(outcome: PatientOutcome, *, seed: UUID) -> list[dict[str, Any]]:
    """Write the cards of a hook's answer; none when there is nothing to say.

    Args:
        outcome: of all trials for the patient.
        seed: unique to the call (its ``hookInstance``); the cards' ids follow from it.

    Returns:
        CDS Hooks cards as JSON objects.
    """
    speaking = who_speaks(outcome)
    cards = []
    if speaking.candidates:
        cards.append(_candidate(speaking, outcome, seed))
    if speaking.unchecked:
        cards.append(_unchecked(speaking, outcome, seed))
    return cards


def _candidate(speaking: Speaking, outcome: PatientOutcome, seed: UUID) -> dict[str, Any]:
    best, *others = speaking.candidates
    own = uuid5(seed, f"candidate {best.trial.id}")
    drafts = suggestions(best, outcome.patient, own)
    return {
        **_frame(best, own),
        "summary": candidate_summary(best, outcome),
        "detail": candidate_detail(best, others, outcome),
        **({"suggestions": drafts, "selectionBehavior": "any"} if drafts else {}),
        **_links(best),
    }


def _unchecked(speaking: Speaking, outcome: PatientOutcome, seed: UUID) -> dict[str, Any]:
    first, *others = speaking.unchecked
    ids = wording.listed([one.trial.id for one in speaking.unchecked])
    verb = "were" if others else "was"
    lists = {name: why for name, why in outcome.unread.items() if name == "Condition"} or dict(outcome.unread)
    whys = [f"{wording.TYPES.get(name, name)} ({why})" for name, why in lists.items()]
    why = wording.listed([f"{wording.TYPES.get(name, name)} could not be read ({why})" for name, why in lists.items()])
    some = f"{first.trial.id} and {len(others)} more" if others else first.trial.id
    return {
        **_frame(first, uuid5(seed, f"unchecked {first.trial.id}")),
        "summary": fit(
            f"{ids} {verb} not checked: {why}",
            f"{some} {verb} not checked: {why}",
            f"{some} {verb} not checked",
        ),
        "detail": f"{wording.UNREAD}: {markdown(wording.listed(whys))}.\n\n{wording.NOTHING_SAID}",
        **_links(first),
    }


def _frame(outcome: TrialOutcome, own: UUID) -> dict[str, Any]:
    """Write what every card has; a trial's topic never changes, since overrides are remembered by it."""
    trial = outcome.trial
    return {
        "uuid": str(own),
        "indicator": "info",
        "source": {
            "label": f"Trial rules {plain(trial.id, 40)}",
            **({"url": trial.url} if _absolute(trial.url) else {}),
            "topic": {
                "system": TOPICS,
                "code": re.sub(r"[^A-Za-z0-9]", "", trial.id)[:100],
                "display": plain(trial.title.get("en") or trial.id, 200),
            },
        },
    }


def _links(outcome: TrialOutcome) -> dict[str, Any]:
    url = outcome.trial.url
    return {"links": [{"label": wording.REGISTRY, "url": url, "type": "absolute"}]} if _absolute(url) else {}


def _absolute(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.netloc)
