"""A card's link to the patient's page on the trial's worklist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cds_service.evaluation.outcome import PatientOutcome
from cds_service.present.cards import topic_code
from cds_service.present.speaker import ENGLISH, Speaker


def with_entry_links(
    cards: Sequence[Mapping[str, Any]], outcome: PatientOutcome, pages: Mapping[str, str], speaker: Speaker = ENGLISH
) -> list[dict[str, Any]]:
    """Return the cards, each with a link to its trial's page of this patient, before its other links.

    Args:
        cards: as written.
        outcome: that they are about.
        pages: address of the page, by trial; a card about another trial stays as it is.
        speaker: the card's language.
    """
    by_topic = {topic_code(one.trial): pages[one.trial.id] for one in outcome.trials if one.trial.id in pages}
    found: list[dict[str, Any]] = []
    for card in cards:
        url = by_topic.get(card["source"].get("topic", {}).get("code", ""))
        link = [{"label": speaker.t("Eligibility detail"), "url": url, "type": "absolute"}]
        found.append({**card, "links": [*link, *card.get("links", ())]} if url else dict(card))
    return found
