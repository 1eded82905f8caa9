"""Cards: at most one about a candidacy, and one that says what was not checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from cds_service.evaluation.outcome import PatientOutcome, TrialOutcome
from cds_service.facts.phrase import say
from cds_service.present import wording
from cds_service.present.detail import candidate_detail
from cds_service.present.orders import suggestions
from cds_service.present.overrides import override_reasons
from cds_service.present.safe_text import fit, markdown, plain
from cds_service.present.speaker import ENGLISH, Speaker
from cds_service.present.speaking import Speaking, who_speaks
from cds_service.present.summary import candidate_summary
from cds_service.trials.model import Trial

TOPICS: Final = "https://clinicaltrials.gov"


def make_cards(
    outcome: PatientOutcome, *, seed: UUID, silent: frozenset[str] = frozenset(), speaker: Speaker = ENGLISH
) -> list[dict[str, Any]]:
    """Write the cards of a hook's answer; none when there is nothing to say.

    Args:
        outcome: of all trials for the patient.
        seed: unique to the call and its patient; the cards' ids follow from it, in every language the same.
        silent: ids of trials that are to say nothing about this patient.
        speaker: in whose language.

    Returns:
        CDS Hooks cards as JSON objects.
    """
    speaking = who_speaks(replace(outcome, trials=tuple(t for t in outcome.trials if t.trial.id not in silent)))
    cards = []
    if speaking.candidates:
        cards.append(_candidate(speaking, outcome, seed, speaker))
    if speaking.unchecked:
        cards.append(unchecked_card(speaking.unchecked, outcome, seed, speaker))
    return cards


def _candidate(speaking: Speaking, outcome: PatientOutcome, seed: UUID, speaker: Speaker) -> dict[str, Any]:
    best, *others = speaking.candidates
    own = uuid5(seed, f"candidate {best.trial.id}")
    drafts = suggestions(best, outcome.patient, own, speaker)
    return {
        **frame(best, own, speaker),
        "summary": candidate_summary(best, outcome, speaker),
        "detail": candidate_detail(best, others, outcome, speaker),
        **({"suggestions": drafts, "selectionBehavior": "any"} if drafts else {}),
        "overrideReasons": override_reasons(best, speaker),
        **links(best, speaker),
    }


def unchecked_card(
    unchecked: Sequence[TrialOutcome], outcome: PatientOutcome, seed: UUID, speaker: Speaker
) -> dict[str, Any]:
    """Say which trials were not checked, and why.

    Args:
        unchecked: trials whose trigger could not be read; at least one.
        outcome: of the patient.
        seed: unique to the call.
        speaker: in whose language.
    """
    t, (first, *others) = speaker.t, unchecked
    lists = {name: why for name, why in outcome.unread.items() if name == "Condition"} or dict(outcome.unread)
    named = [(wording.TYPES.get(name, name), why) for name, why in lists.items()]
    whys = speaker.said(wording.listed(say("{type} ({why})", type=name, why=why) for name, why in named))
    why = speaker.said(
        wording.listed(say("{what} could not be read ({why})", what=name, why=why) for name, why in named)
    )
    ids = [one.trial.id for one in unchecked]
    if others:
        some = t("{label} and {number} more", label=ids[0], number=len(others))
        choices = [
            t("{trials} were not checked: {why}", trials=wording.listed(ids), why=why),
            t("{trials} were not checked: {why}", trials=some, why=why),
            t("{trials} were not checked", trials=some),
        ]
    else:
        choices = [
            t("{trial} was not checked: {why}", trial=ids[0], why=why),
            t("{trial} was not checked", trial=ids[0]),
        ]
    unread = t("{heading}: {told}.", heading=wording.UNREAD, told=markdown(whys))
    return {
        **frame(first, uuid5(seed, f"unchecked {first.trial.id}"), speaker),
        "summary": fit(*choices),
        "detail": f"{unread}\n\n{speaker.said(wording.NOTHING_SAID)}",
        **links(first, speaker),
    }


def frame(outcome: TrialOutcome, own: UUID, speaker: Speaker, indicator: str = "info") -> dict[str, Any]:
    """Write what every card has; a trial's topic never changes, since overrides are remembered by it."""
    trial = outcome.trial
    return {
        "uuid": str(own),
        "indicator": indicator,
        "source": {
            "label": speaker.t("Trial rules {trial}", trial=plain(trial.id, 40)),
            **({"url": trial.url} if _absolute(trial.url) else {}),
            "topic": {
                "system": TOPICS,
                "code": topic_code(trial),
                "display": plain(speaker.rules(trial.title.get("en") or trial.id), 200),
            },
        },
    }


def topic_code(trial: Trial) -> str:
    """Return the code of a trial's topic: letters and digits, as Epic takes it, and always the same."""
    return re.sub(r"[^A-Za-z0-9]", "", trial.id)[:100]


def links(outcome: TrialOutcome, speaker: Speaker) -> dict[str, Any]:
    """Write the card's links: the registry record, where the trial's contacts are."""
    url = outcome.trial.url
    label = speaker.said(wording.REGISTRY)
    return {"links": [{"label": label, "url": url, "type": "absolute"}]} if _absolute(url) else {}


def _absolute(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.netloc)
