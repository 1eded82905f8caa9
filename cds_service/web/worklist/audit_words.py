"""What a row of the audit says besides who, when and what: its detail in words, ids and codes as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from cds_service.evaluation.outcome import Verdict
from cds_service.facts.phrase import Phrase, say
from cds_service.present.pages.words import STATES
from cds_service.present.speaker import Speaker
from cds_service.present.wording import VERDICT

_NAMES: Final[Mapping[str, Phrase]] = {
    "as_of": say("as of"),
    "attestation": say("attestation no."),
    "before": say("before no."),
    "by_name": say("searched by name"),
    "criterion": say("criterion"),
    "entries": say("entries"),
    "event": say("event no."),
    "format": say("format"),
    "gate": say("gate"),
    "names": say("names"),
    "number": say("number"),
    "patients": say("patients"),
    "query": say("query"),
    "reason": say("reason"),
    "run": say("run"),
    "screening": say("judgement no."),
    "state": say("decision"),
    "until": say("until"),
    "verdict": say("verdict"),
    "was": say("until then"),
}
_STATES: Final = ("state", "was")


def in_words(detail: Mapping[str, str | int], spoken: Speaker) -> Iterator[tuple[str, str | int]]:
    """Yield what a row holds with its name; what is empty or zero is left out.

    Args:
        detail: of the row.
        spoken: in whose language.
    """
    for name, value in detail.items():
        if value not in ("", 0):
            yield spoken.said(_NAMES.get(name, name)), _value(name, value, spoken)


def _value(name: str, value: str | int, spoken: Speaker) -> str | int:
    if name in _STATES and value in STATES:
        return spoken.said(STATES[str(value)])
    if name == "verdict" and value in tuple(Verdict):
        return spoken.said(VERDICT[Verdict(str(value))])
    return value
