"""Everything that the page and the report of one patient and trial show, said in the page's language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from cds_service.evaluation.outcome import PatientOutcome, TrialOutcome
from cds_service.evaluation.seen import Seen
from cds_service.evaluation.what_if import Supposable
from cds_service.present.pages import words
from cds_service.present.pages.differences import Change, ChangeRow, Supposition, change_rows, supposition
from cds_service.present.pages.lab_plot import LabPlot, lab_plot
from cds_service.present.pages.matrix import MatrixRow, matrix
from cds_service.present.pages.open_points import ConfirmRow, MissingRow, confirm_rows, missing_rows, unread_parts
from cds_service.present.pages.sentence import Spoken, spoken
from cds_service.present.pages.timeline_plot import TimelinePlot, timeline_plot
from cds_service.present.pages.values import unit_of
from cds_service.present.safe_text import plain
from cds_service.present.speaker import Speaker
from cds_service.trials.model import Trial

_DIGITS: Final = 12


@dataclass(frozen=True)
class SupposeField:
    """A field of the what-if form.

    Args:
        name: of the form's field.
        label: what is supposed.
        kind: "number", "choice" or "verdict".
        unit: of a number.
        hint: how it may be written.
        choices: value and label of each.
        value: as it was typed.
    """

    name: str
    label: str
    kind: str
    unit: str
    hint: str
    choices: Sequence[tuple[str, str]]
    value: str


@dataclass(frozen=True)
class EntryView:
    """What is shown of one patient for one trial.

    Args:
        trial: registry number.
        title: of the trial.
        gate: the moment of the protocol the patient stands at.
        spoken: the verdict.
        changes: since people looked last.
        missing: what decides and is missing.
        confirm: what a person settles.
        rows: the criteria.
        labs: the tests that have results.
        without: names of tests without any.
        treatment: over time; None when nothing of it is known.
        suppose: fields of the what-if form.
        supposed: what a supposed value would give; None when nothing was supposed.
        unread: parts of the record that were not read whole.
        as_of: the day that the judgement is of.
        of_today: whether that is the day it is read.
        anchor: the planned first dose, "" where none was named.
        rules: name and revision of the rules with the first digits of their digest.
        digest: the whole digest.
        site: the site file, "" for none.
        exclusions_encoded: whether the trial's exclusion criteria are.
        registry: address of the registry's record.
        states: what a person may set, value and words.
    """

    trial: str
    title: str
    gate: str
    spoken: Spoken
    changes: Sequence[ChangeRow]
    missing: Sequence[MissingRow]
    confirm: Sequence[ConfirmRow]
    rows: Sequence[MatrixRow]
    labs: Sequence[LabPlot]
    without: Sequence[str]
    treatment: TimelinePlot | None
    suppose: Sequence[SupposeField]
    supposed: Supposition | None
    unread: Sequence[str]
    as_of: str
    of_today: bool
    anchor: str
    rules: str
    digest: str
    site: str
    exclusions_encoded: bool
    registry: str
    states: Sequence[tuple[str, str]]

    def short_of(self, criterion: str) -> str:
        """Name a criterion; one that is not asked at this moment by its id."""
        return next((row.short for row in self.rows if row.id == criterion), plain(criterion, 120))


def entry_view(
    outcome: TrialOutcome,
    patient: PatientOutcome,
    seen: Seen | None,
    speaker: Speaker,
    *,
    today: date | None = None,
    anchor: date | None = None,
    changes: Sequence[Change] = (),
    supposable: Sequence[Supposable] = (),
    supposed: Mapping[str, str] | None = None,
    if_outcome: TrialOutcome | None = None,
    judged_by: str = "",
) -> EntryView:
    """Say everything.

    Args:
        outcome: of the trial.
        patient: of the patient: the day, and what was not read.
        seen: results and treatment over time; None to leave them out, as the report does.
        speaker: of the page; it must know the rules' words.
        today: the day it is read, from which a proposed attestation counts; None for the day of the judgement.
        anchor: the planned first dose, where one was named.
        changes: since people looked last.
        supposable: what may be supposed.
        supposed: what was, by name, as typed.
        if_outcome: what it would give; None when nothing was supposed.
        judged_by: digest of the rules that the verdicts are of, where it is not that of today's rules.
    """
    trial = outcome.trial
    verdicts = {one.criterion.id: one.verdict.value for one in outcome.criteria}
    plots = [
        lab_plot(
            one, next((verdicts[name] for name in one.criteria if name in verdicts), "unknown"), f"lab-{at}", speaker
        )
        for at, one in enumerate(seen.labs if seen else ())
    ]
    return EntryView(
        trial=plain(trial.id, 60),
        title=plain(speaker.rules(trial.title.get("en") or ""), 400),
        gate=speaker.rules(trial.gate(outcome.gate).label),
        spoken=spoken(outcome, patient, speaker, today=today),
        changes=change_rows(changes, trial, speaker),
        missing=missing_rows(outcome, patient, speaker, today),
        confirm=confirm_rows(outcome, today or patient.as_of, speaker),
        rows=matrix(outcome, speaker, today),
        labs=[one for one in plots if one.rows],
        without=[one.label for one in plots if not one.rows],
        treatment=timeline_plot(seen.timeline, patient.as_of, "treatment", speaker) if seen else None,
        suppose=[_field(one, supposed or {}, speaker) for one in supposable],
        supposed=supposition(if_outcome, outcome, patient, speaker, today) if if_outcome else None,
        unread=unread_parts(patient, speaker),
        as_of=speaker.day(patient.as_of),
        of_today=today in (None, patient.as_of),
        anchor=speaker.day(anchor),
        rules=_rules(trial, judged_by, speaker),
        digest=judged_by or trial.digest,
        site=plain(patient.site, 120),
        exclusions_encoded=trial.exclusions == "encoded",
        registry=trial.url if trial.url.startswith(("https://", "http://")) else "",
        states=[(name, speaker.t(phrase)) for name, phrase in words.STATES.items()],
    )


def _rules(trial: Trial, judged_by: str, speaker: Speaker) -> str:
    """Name the rules; a revision is told only where the rules are those of today."""
    digest = (judged_by or trial.digest).rpartition(":")[2][:_DIGITS]
    if judged_by and judged_by != trial.digest:
        return speaker.t("{trial} ({digest})", trial=trial.id, digest=digest)
    return speaker.t("{trial} rev. {revision} ({digest})", trial=trial.id, revision=trial.revision, digest=digest)


def _field(one: Supposable, supposed: Mapping[str, str], speaker: Speaker) -> SupposeField:
    label = plain(speaker.said(one.label), 200)
    choices = [(value, plain(speaker.said(name), 120)) for value, name in one.choices]
    value = supposed.get(one.name, "")
    return SupposeField(
        one.name,
        label,
        one.kind,
        plain(unit_of(one.unit, speaker), 40),
        plain(speaker.said(one.hint), 200),
        choices,
        value,
    )
