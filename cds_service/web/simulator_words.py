"""The words that the simulator's scripts say: its page brings them along in the reader's language."""

from __future__ import annotations

from typing import Final

from cds_service.present.speaker import Speaker

# `t("...")` in static/simulator/*.js, and the labels of orders.json; a test holds them together.
TEMPLATES: Final[tuple[str, ...]] = (
    "A medicine, none chosen yet",
    "Accepted: the service was told.",
    "Actions of {label}",
    "Atorvastatin",
    "Born",
    "Cetuximab",
    "Chart",
    "Cisplatin",
    "Comment, no patient data (optional)",
    "Critical",
    "Dismiss",
    "Dismiss this card",
    "Dismiss …",
    "Dismissed.",
    "Dismissed: {reason}.",
    "Error",
    "Error: discovery failed. {why}",
    "Error: no answer.",
    "Error: {line}.",
    "Feedback was not taken: {why}",
    "Gemcitabine",
    "Id",
    "In the service's log: {id}",
    "Information",
    "Name",
    "No answer",
    "No reason given",
    "No reason was given.",
    "Nothing was judged. This says nothing about the patient.",
    "Nothing was sent yet.",
    "On another day its results may be too old.",
    "Radiotherapy to the brain",
    "Radiotherapy to the nasopharynx",
    "Read from a file; it stays in this page until you send it.",
    "Reason",
    "Send again to see what the service makes of it.",
    "Sending …",
    "Sex",
    "Source: {source}",
    "Suggestions",
    "The Bundle holds no Patient.",
    "The answer holds no list of cards.",
    "The answer is not JSON.",
    "The file is not JSON.",
    "The service could not be reached.",
    "The service had nothing to say.",
    "The service judges as of {day}.",
    "The service refused the call (HTTP {status}).",
    "There are no example patients here: open a Bundle file, or run the service from a checkout.",
    "Toripalimab (a PD-1 inhibitor)",
    "Warning",
    "What “{label}” would do",
    "Written for {day}; expected then: {expected}.",
    "an unknown day",
    "none is open",
    "not named",
    "not stated",
    "recommended",
    "the service could not be reached.",
    "{label} (a SMART app; not launched here)",
    "{line}, 1 card.",
    "{line}, no card.",
    "{line}, {number} cards.",
)


def words_of_scripts(speaker: Speaker) -> dict[str, str]:
    """Return the scripts' words by their English; places stay open, and none where the page is English itself.

    Args:
        speaker: in whose language.
    """
    return {} if speaker.language == "en" else {words: speaker.translate(words) for words in TEMPLATES}
