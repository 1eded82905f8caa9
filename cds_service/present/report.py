"""The text report of ``cds-service evaluate --format text``: the same facts as the JSON, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cds_service.evaluation.outcome import CriterionOutcome, Decisive, PatientOutcome, TrialOutcome, Verdict
from cds_service.facts.fact import Reason
from cds_service.facts.phrase import Translate, in_language, joined, say, words_of_rules
from cds_service.languages import as_it_is
from cds_service.present import wording
from cds_service.present.lasting import attested_words, lasting
from cds_service.present.safe_text import plain
from cds_service.present.summary import alternatives, last_value

# A column of words: each language fills them up to one width.
_WORD: Final = {
    Verdict.PASS: say("pass   "),
    Verdict.FAIL: say("FAIL   "),
    Verdict.UNKNOWN: say("{unknown}", unknown=say("unknown")),
}


# A sentence is shown whole; only what no honest record holds is cut.
_SENTENCE: Final = 4_000
_CITED: Final = 4


def write_report(outcome: PatientOutcome, translate: Translate = as_it_is) -> str:
    """Write the report, one line per criterion; ends with a line break.

    Args:
        outcome: of the patient.
        translate: into the report's language.
    """
    return Report(outcome, translate).text()


class Report:
    """Says an outcome line by line.

    Args:
        outcome: of the patient.
        translate: into the report's language.
    """

    def __init__(self, outcome: PatientOutcome, translate: Translate) -> None:
        self._outcome, self._translate = outcome, translate

    def text(self) -> str:
        """Write all of it."""
        outcome = self._outcome
        judged = say("{patient}, judged as of {day}", patient=plain(outcome.patient), day=wording.day(outcome.as_of))
        lines = [self._line(judged)]
        for one in outcome.trials:
            lines += ["", *self._trial(one)]
        return "\n".join([*lines, *self.unused()]) + "\n"

    def unused(self) -> list[str]:
        """Say what of the record was not read or not used."""
        outcome, lines = self._outcome, []
        if outcome.unread:
            unread = [
                say("{type} ({why})", type=wording.TYPES.get(name, name), why=self._said(why))
                for name, why in outcome.unread.items()
            ]
            lines += ["", self._line(_told(wording.UNREAD, wording.listed(unread)))]
        if outcome.set_aside:
            aside = [say("{number} {cause}", number=number, cause=cause) for cause, number in outcome.set_aside.items()]
            lines += ["", self._line(_told(say("Entries set aside"), joined(aside, ", ")))]
        return lines

    def head(self, outcome: TrialOutcome) -> Iterable[str]:
        """Say the status, what the trial is, and how much was decided."""
        trial = outcome.trial
        status = say(
            "{trial}: {status} ({code})", trial=trial.id, status=wording.STATUS[outcome.status], code=outcome.status
        )
        yield self._line(status)
        yield "  " + self._said(words_of_rules(trial.title.get("en") or ""))
        total = len(outcome.criteria)
        parts = [
            words_of_rules(trial.gate(outcome.gate).label),
            say("{decided} of {total} criteria decided", decided=outcome.decided, total=total),
            *attested_words(outcome.criteria),
            wording.NOT_ENCODED if trial.exclusions == "not-published" else "",
            say("not all of the record could be read") if self._outcome.unread else "",
        ]
        yield "  " + self._line(joined(parts))
        if outcome.blocked:
            causes = joined((wording.BLOCKED.get(cause, cause) for cause in outcome.blocked), ", ")
            yield "  " + self._line(say("blocked: {causes}", causes=causes))

    def _trial(self, outcome: TrialOutcome) -> Iterable[str]:
        yield from self.head(outcome)
        yield ""
        yield from map(self.criterion, outcome.criteria)
        if outcome.decisive:
            yield from ("", "  " + self._heading(wording.MISSING))
            yield from (f"    {self.missing(one, outcome)}" for one in outcome.decisive)
        if outcome.to_confirm:
            yield from ("", "  " + self._heading(wording.CONFIRM))
            yield from map(self._to_confirm, map(outcome.of, outcome.to_confirm))
        yield from self.days(outcome)

    def days(self, outcome: TrialOutcome) -> Iterable[str]:
        """Say until when the results count, and when to look again."""
        lasts = lasting(outcome)
        if lasts.by_attestation is not None:
            attested = say("What was attested counts until {day}.", day=wording.day(lasts.by_attestation))
            yield from ("", "  " + self._line(attested))
        elif lasts.results is not None:
            until = say("Present results count until {day}.", day=wording.day(lasts.results))
            yield from ("", "  " + self._line(until))
        if outcome.look_again is not None:
            yield from ("", "  " + self._line(say("Look again from {day}.", day=wording.day(outcome.look_again))))

    def criterion(self, outcome: CriterionOutcome) -> str:
        """Say a criterion's verdict, why, and the records behind it."""
        sentence = self._leaning(outcome) if outcome.attested else self.named(outcome)
        return f"  {self._line(_WORD[outcome.verdict])}  {sentence}{self._cited(outcome)}"

    def _cited(self, outcome: CriterionOutcome) -> str:
        """Return the records behind it, the deciding ones first."""
        cited = [plain(one.resource) for one in outcome.evidence]
        listed, more = ", ".join(cited[:_CITED]), len(cited) - _CITED
        if more > 0:
            listed = self._line(say("{listed} and {number} more", listed=listed, number=more))
        return f"  [{listed}]" if listed else ""

    def missing(self, decisive: Decisive, trial: TrialOutcome) -> str:
        """Say what is missing, why, what is on record of it, and what could stand in."""
        unread = decisive.reason is Reason.NOT_FETCHED
        rest = say("the hospital may have it") if unread else last_value(decisive, self._outcome.as_of, self._translate)
        about: str = wording.REASON[decisive.reason]
        if rest:
            about = say("{reason} ({rest})", reason=about, rest=rest)
        if decisive.new_until is not None:
            about = say("{about}; a new one today counts until {day}", about=about, day=wording.day(decisive.new_until))
        if others := alternatives(decisive, trial):
            about = say("{about}; or instead: {others}", about=about, others=joined(others, " or "))
        return self._line(say("{label}: {about}", label=self._said(decisive.label), about=about))

    def _to_confirm(self, outcome: CriterionOutcome) -> str:
        return f"    {self._leaning(outcome)}"

    def _leaning(self, outcome: CriterionOutcome) -> str:
        sentence = self.named(outcome)
        if outcome.against:
            sentence = self._line(say("{sentence} (the record leans against it)", sentence=sentence))
        return sentence

    def named(self, outcome: CriterionOutcome) -> str:
        """Say why, with the criterion's name before it unless the sentence begins with it."""
        short, message = self._said(words_of_rules(outcome.criterion.short)), self._said(outcome.message)
        return message if message.startswith(short) else self._line(say("{label}: {about}", label=short, about=message))

    def _heading(self, words: str) -> str:
        return self._line(say("{heading}:", heading=words))

    def _said(self, text: str, limit: int = _SENTENCE) -> str:
        """Return what may hold words of the record, in the report's language and harmless."""
        return plain(in_language(text, self._translate), limit)

    def _line(self, text: str) -> str:
        return in_language(text, self._translate)


def _told(heading: str, told: str) -> str:
    return say("{heading}: {told}.", heading=heading, told=told)
