"""Why a patient is no candidate, in text: each criterion that is not passed, its evidence, and what would change it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cds_service.errors import RequestError
from cds_service.evaluation.outcome import CriterionOutcome, PatientOutcome, TrialOutcome, Verdict
from cds_service.facts.fact import Missing, Reason
from cds_service.facts.phrase import Translate, in_language, joined, say, words_of_rules
from cds_service.languages import translator
from cds_service.present import wording
from cds_service.present.cohort.lists import others_of
from cds_service.present.cohort.read_back import fact_label, patient_outcome, trials_of
from cds_service.present.cohort.run_folder import RunFolder, open_run
from cds_service.present.report import Report
from cds_service.present.safe_text import plain
from cds_service.trials.model import Library, Trial


def why_not_in_run(folder: Path, patient: str, trial: str, library: Library, language: str = "en") -> str:
    """Explain a patient of a run.

    Args:
        folder: a finished run.
        patient: ``Patient/<id>``, or the id alone.
        trial: registry number.
        library: the rules that the run was judged by.
        language: of the text, "en" or "zh".

    Raises:
        RequestError: the run cannot be read, or it holds no such patient or trial.
    """
    translate = translator(language, library)
    run = open_run(folder)
    trials = trials_of(run.manifest, library)
    if trial not in trials:
        raise RequestError(f"the run has no such trial; it has: {', '.join(trials)}", field="TRIAL")
    reference = patient if "/" in patient or ":" in patient else f"Patient/{patient}"
    line = _find(run, reference)
    outcome = patient_outcome(line, library, language, {trial: trials[trial]})
    if outcome.trials:
        return why_not(outcome, library, translate)
    if not others_of(line):
        return _unjudged(outcome, translate)
    return _without_trigger(outcome, trials[trial], translate)


def why_not(outcome: PatientOutcome, library: Library, translate: Translate) -> str:
    """Explain a patient, for the one trial that the outcome holds; ends with a line break.

    Args:
        outcome: of the patient for the trial.
        library: the rules.
        translate: into the reader's language.
    """
    return "\n".join(_Explained(outcome, library, translate).lines()) + "\n"


def _find(run: RunFolder, reference: str) -> dict[str, Any]:
    found = next((line for _offset, line in run.lines() if line["patient"] == reference), None)
    if found is None:
        raise RequestError("the run has no such patient", field="PATIENT")
    return found


def _without_trigger(outcome: PatientOutcome, trial: Trial, translate: Translate) -> str:
    """Say that the trigger fails: the run keeps no more of such a patient than that."""
    trigger = joined((words_of_rules(one.short) for one in trial.criteria if one.trigger), ", ")
    fails = say("{trial}: the trigger fails ({trigger}). The run did not go further.", trial=trial.id, trigger=trigger)
    more = say("To see every criterion, give the patient's Bundle: --bundle FILE.")
    return _text(outcome, translate, fails, more)


def _unjudged(outcome: PatientOutcome, translate: Translate) -> str:
    why = joined((plain(why) for why in outcome.unread.values()), "; ")
    return _text(outcome, translate, say("The patient could not be judged: {why}", why=why))


def _text(outcome: PatientOutcome, translate: Translate, *told: str) -> str:
    lines = [_head(outcome), "", *told]
    return "\n".join(in_language(one, translate) for one in lines) + "\n"


def _head(outcome: PatientOutcome) -> str:
    return say("{patient}, judged as of {day}", patient=plain(outcome.patient), day=wording.day(outcome.as_of))


class _Explained:
    def __init__(self, outcome: PatientOutcome, library: Library, translate: Translate) -> None:
        self._patient, self._library, self._translate = outcome, library, translate
        self._report = Report(outcome, translate)
        (self._outcome,) = outcome.trials

    def lines(self) -> Iterator[str]:
        """Yield the text line by line."""
        outcome = self._outcome
        yield from (self._line(_head(self._patient)), "")
        yield from self._report.head(outcome)
        if any(one.criterion.trigger and one.verdict is Verdict.FAIL for one in outcome.criteria):
            yield "  " + self._line(say("The trigger fails: the patient is not of the kind that the trial is about."))
        open_ones = [one for one in outcome.criteria if one.verdict is not Verdict.PASS]
        for one in sorted(open_ones, key=_heaviest_first):
            yield ""
            yield self._report.criterion(one)
            yield "    " + self._line(say("The protocol: {text}", text=words_of_rules(one.criterion.text)))
            yield from (f"    {self._line(change)}" for change in self._changes(one, outcome))
        if not open_ones:
            yield from ("", "  " + self._line(say("Every criterion passes.")))
        yield from self._report.days(outcome)
        yield from self._report.unused()

    def _changes(self, one: CriterionOutcome, outcome: TrialOutcome) -> Iterator[str]:
        """Say what would change a verdict."""
        if one.verdict is Verdict.FAIL:
            if one.state.can_change:
                yield say("Later data or time can still change this.")
            else:
                yield say("For good: only a correction of the record behind it would change this.")
            return
        if one.for_a_person:
            yield say("A person must confirm or judge this; no further record is waited for.")
            return
        decisive = {missing.fact: missing for missing in outcome.decisive}
        for missing in one.reasons:
            told = (
                self._report.missing(decisive[missing.fact], outcome)
                if missing.fact in decisive
                else self._missing(missing)
            )
            yield say("Would decide: {missing}", missing=told)

    def _missing(self, missing: Missing) -> str:
        """Say what is missing where the contract lists no decisive facts: another criterion settles the status."""
        about: str = wording.REASON[missing.reason]
        if missing.reason is Reason.NOT_FETCHED:
            about = say("{reason} ({rest})", reason=about, rest=say("the hospital may have it"))
        return self._line(say("{label}: {about}", label=fact_label(missing.fact, self._library), about=about))

    def _line(self, text: str) -> str:
        return in_language(text, self._translate)


def _heaviest_first(one: CriterionOutcome) -> tuple[int, bool]:
    """Sort what fails for good first, then what fails, then what is unknown, what waits for a person last."""
    return one.state.value, one.for_a_person
