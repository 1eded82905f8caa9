"""What is open: the missing data that decide, and what only a person can settle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from cds_service.evaluation.outcome import CriterionOutcome, Decisive, PatientOutcome, TrialOutcome
from cds_service.facts.fact import Reason
from cds_service.facts.phrase import joined, say, words_of_rules
from cds_service.present.pages import words
from cds_service.present.pages.matrix import sentence, test_of
from cds_service.present.pages.values import how_old, in_one_line, shown_value
from cds_service.present.safe_text import plain
from cds_service.present.speaker import Speaker
from cds_service.present.wording import LEANING, REASON, TYPES
from cds_service.trials.model import Kind

_VALUES: Final = 3
# How long an answer is proposed to count, where the person says nothing else: a month of visits.
ATTESTED_DAYS: Final = 28


@dataclass(frozen=True)
class MissingRow:
    """A missing fact that decides.

    Args:
        label: its name.
        why: why it is missing.
        last: what is on record of it, with how old it is; "" for nothing.
        gives: what that would give, "" when it leans nowhere; ``leaning`` is its class.
        leaning: "pass", "fail" or "".
        settled_by: what would settle it.
        until: until when a result of the day of the judgement would count, "" when none would, that day
            has passed, or time does not matter.
        instead: what could stand in.
        criteria: the criteria that wait for it.
    """

    label: str
    why: str
    last: str
    gives: str
    leaning: str
    settled_by: str
    until: str
    instead: str
    criteria: str


@dataclass(frozen=True)
class ConfirmRow:
    """A criterion that a person settles, or has settled.

    Args:
        id: of the criterion.
        short: in short.
        about: what the record says.
        against: whether the record leans against it.
        exclusion: whether it rules out.
        attested: by whom, when and until when; "" when nobody did.
        verdict: what was attested, "pass" or "fail"; "" when nobody did.
        word: the same in words.
        until: proposed last day of an answer, ISO 8601.
    """

    id: str
    short: str
    about: str
    against: bool
    exclusion: bool
    attested: str
    verdict: str
    word: str
    until: str


def missing_rows(
    outcome: TrialOutcome, patient: PatientOutcome, speaker: Speaker, today: date | None = None
) -> tuple[MissingRow, ...]:
    """Return the missing facts that decide, the cheapest to settle first.

    Args:
        outcome: of the trial.
        patient: of the patient, for its day.
        speaker: of the page.
        today: the day it is read; None for the day of the judgement.
    """
    return tuple(_missing(one, outcome, patient.as_of, speaker, today) for one in outcome.decisive)


def _missing(one: Decisive, outcome: TrialOutcome, as_of: date, speaker: Speaker, today: date | None) -> MissingRow:
    last = ""
    if one.last is not None:
        value = in_one_line(shown_value(one.last, speaker), speaker)
        last = speaker.joined([value, how_old(one.last, as_of, speaker, today)], ", ")
    labels = {other.fact: other.label for other in outcome.decisive}
    instead = [words_of_rules(labels[fact]) for fact in one.alternatives if fact in labels]
    criteria = [words_of_rules(outcome.of(name).criterion.short) for name in one.criteria]
    return MissingRow(
        label=plain(speaker.said(one.label), 200),
        why=speaker.t(REASON[one.reason]),
        last=last,
        gives=speaker.t(LEANING[one.leaning]) if one.leaning and one.last else "",
        leaning=one.leaning.value if one.leaning and one.last else "",
        settled_by=speaker.t(words.SETTLED_BY[one.ask.kind]),
        until=speaker.day(one.new_until) if _counts(one, today or as_of) else "",
        instead=speaker.said(joined(instead, " or ")),
        criteria=speaker.joined(criteria, ", "),
    )


def _counts(one: Decisive, today: date) -> bool:
    """Say whether a result of the day of the judgement would still count: of one long ago it is no use to know."""
    return one.new_until is not None and one.new_until >= today and one.reason is not Reason.NOT_FETCHED


def confirm_rows(outcome: TrialOutcome, as_of: date, speaker: Speaker) -> tuple[ConfirmRow, ...]:
    """Return what a person settles: the open ones, those leaning fail first, then what was attested.

    Args:
        outcome: of the trial.
        as_of: the day from which a proposed answer counts.
        speaker: of the page.
    """
    still = [outcome.of(name) for name in outcome.to_confirm]
    # A trigger that a person must settle is not among to_confirm, and may be attested all the same.
    asked = [one for one in outcome.criteria if one.for_a_person and one not in still]
    settled = [one for one in outcome.criteria if one.attested]
    return tuple(_confirm(one, as_of, speaker) for one in (*still, *asked, *settled))


def _confirm(one: CriterionOutcome, as_of: date, speaker: Speaker) -> ConfirmRow:
    said = [plain(speaker.said(fact.says)) for fact in one.facts.values() if fact.says]
    recorded = [evidence for evidence in one.evidence if evidence.value is not None][:_VALUES]
    values = [in_one_line(shown_value(each, speaker, test_of(each, one, speaker)), speaker) for each in recorded]
    given = one.attested
    attested = ""
    if given is not None:
        attested = speaker.t(
            "attested by {who} on {day}, until {until}", who=plain(given.by, 120), day=given.on, until=given.until
        )
        if given.reason:
            attested = speaker.t("{attested}: {reason}", attested=attested, reason=plain(given.reason, 400))
    return ConfirmRow(
        id=one.criterion.id,
        short=plain(speaker.rules(one.criterion.short), 400),
        about=speaker.joined([*said, *values]) or ("" if given else sentence(one, speaker)),
        against=one.against,
        exclusion=one.criterion.kind is Kind.EXCLUSION,
        attested=attested,
        verdict=one.verdict.value if given else "",
        word=speaker.t(words.VERDICT[one.verdict]) if given else "",
        until=(as_of + timedelta(days=ATTESTED_DAYS)).isoformat(),
    )


def unread_parts(patient: PatientOutcome, speaker: Speaker) -> Sequence[str]:
    """Name the parts of the record that could not be read whole, with why."""
    return [
        speaker.t(say("{type} ({why})", type=TYPES.get(name, plain(name, 60)), why=plain(speaker.said(why))))
        for name, why in patient.unread.items()
    ]
