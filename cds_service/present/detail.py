"""A card's detail in GitHub Flavored Markdown: what decides, what to confirm, every criterion's value."""

from __future__ import annotations

from collections.abc import Sequence

from cds_service.evaluation.explanation import remarks
from cds_service.evaluation.outcome import CriterionOutcome, Decisive, PatientOutcome, TrialOutcome, Verdict
from cds_service.facts.fact import Evidence, Reason
from cds_service.facts.phrase import say
from cds_service.present import wording
from cds_service.present.lasting import attested_words, lasting
from cds_service.present.safe_text import markdown, markdown_of_rules
from cds_service.present.speaker import ENGLISH, Speaker
from cds_service.present.summary import alternatives, computed, last_value

_EVIDENCE_SHOWN = 2


def candidate_detail(
    best: TrialOutcome, others: Sequence[TrialOutcome], outcome: PatientOutcome, speaker: Speaker = ENGLISH
) -> str:
    """Write the detail of a candidate card.

    Args:
        best: the trial the card is about.
        others: further trials that speak, a line each.
        outcome: of the patient.
        speaker: in whose language.
    """
    detail = Detail(outcome, speaker)
    blocks = [
        detail.title_line(best),
        detail.counts(best),
        detail.what_decides(best),
        detail.to_confirm(best),
        detail.what_was_unread(),
        detail.table(best),
        "\n".join(f"- {speaker.t('Also {trial}', trial=detail.in_a_line(one))}" for one in others),
        detail.foot(best),
    ]
    return "\n\n".join(block for block in blocks if block)


class Detail:
    """Writes the parts of details.

    Args:
        patient: whose outcomes they tell.
        speaker: in whose language.
    """

    def __init__(self, patient: PatientOutcome, speaker: Speaker) -> None:
        self._patient, self._speaker = patient, speaker

    def title_line(self, outcome: TrialOutcome) -> str:
        """Write the trial's title, phase and the moment the patient stands at."""
        trial = outcome.trial
        phase = self._speaker.t("phase {phase}", phase=markdown_of_rules(trial.phase)) if trial.phase else ""
        title = f"**{self._rules(trial.title.get('en') or trial.id)}**"
        return " · ".join(part for part in (title, phase, f"*{self._rules(trial.gate(outcome.gate).label)}*") if part)

    def counts(self, outcome: TrialOutcome) -> str:
        """Say how many criteria are met, how many wait for a person, and until when that holds."""
        t, (met, _total) = self._speaker.t, computed(outcome)
        parts = [
            t("{met} of {total} criteria computed and met", met=met, total=len(outcome.criteria)),
            *map(self._speaker.said, attested_words(outcome.criteria)),
            t("{number} for you to confirm", number=len(outcome.to_confirm)) if outcome.to_confirm else "",
            self.not_encoded(outcome),
            self._until(outcome),
        ]
        return " · ".join(part for part in parts if part)

    def _until(self, outcome: TrialOutcome) -> str:
        lasts = lasting(outcome)
        if lasts.by_attestation is not None:
            return self._speaker.t("attested until {day}", day=lasts.by_attestation)
        return self._speaker.t("present results count until {day}", day=lasts.results) if lasts.results else ""

    def not_encoded(self, outcome: TrialOutcome) -> str:
        """Say that the exclusion criteria are not there to be judged; "" where they are."""
        return self._speaker.said(wording.NOT_ENCODED) if outcome.trial.exclusions == "not-published" else ""

    def decided(self, outcome: TrialOutcome) -> str:
        """Say how many criteria were decided."""
        return self._speaker.t(
            "{decided} of {total} criteria decided", decided=outcome.decided, total=len(outcome.criteria)
        )

    def in_a_line(self, outcome: TrialOutcome) -> str:
        """Tell of another trial what fits a line."""
        return self._speaker.t(
            "{trial}: {status} ({decided})",
            trial=markdown_of_rules(outcome.trial.id),
            status=wording.STATUS[outcome.status],
            decided=self.decided(outcome),
        )

    def heading(self, words: str) -> str:
        """Write a heading as a line of its own."""
        return f"**{self._speaker.said(words)}**"

    def what_decides(self, outcome: TrialOutcome) -> str:
        """List the missing facts that decide; "" for none."""
        if not outcome.decisive:
            return ""
        known = [one for one in outcome.decisive if one.reason is not Reason.NOT_FETCHED]
        unread = [self._label(one.label) for one in outcome.decisive if one.reason is Reason.NOT_FETCHED]
        lines = [
            self._told(f"**{self._label(one.label)}**", self._instead(one, outcome, self._missing(one)))
            for one in known
        ]
        if unread:
            labels = wording.enumerated(unread)
            lines.append(self._speaker.t("Could not be read, though the hospital may have it: {labels}", labels=labels))
        return f"{self.heading(wording.MISSING)}\n\n" + "\n".join(f"- {line}" for line in lines)

    def _missing(self, decisive: Decisive) -> str:
        t = self._speaker.t
        about = self._speaker.said(wording.REASON[decisive.reason])
        if last := last_value(decisive, self._patient.as_of, self._speaker.translate):
            about = t("{reason} ({rest})", reason=about, rest=self._markdown(last))
        if decisive.new_until:
            about = t("{about}; a new one today counts until {day}", about=about, day=decisive.new_until)
        return about

    def _instead(self, decisive: Decisive, outcome: TrialOutcome, about: str) -> str:
        others = [
            markdown_of_rules(self._speaker.inside(self._speaker.said(label)))
            for label in alternatives(decisive, outcome)
        ]
        if not others:
            return about
        return self._speaker.t("{about}; or {others} instead", about=about, others=wording.either(others))

    def to_confirm(self, outcome: TrialOutcome) -> str:
        """List what only a person can settle; "" for nothing."""
        if not outcome.to_confirm:
            return ""
        lines = [f"- {self._for_a_person(outcome.of(one))}" for one in outcome.to_confirm]
        return f"{self.heading(wording.CONFIRM)}\n\n" + "\n".join(lines)

    def _for_a_person(self, one: CriterionOutcome) -> str:
        says = [self._markdown(fact.says) for fact in one.facts.values() if fact.says]
        shown = [self._evidence(evidence) for evidence in one.evidence if evidence.value is not None]
        about = self._speaker.joined([*says, *shown[:_EVIDENCE_SHOWN]]) or self._markdown(one.message)
        line = self._told(self._rules(one.criterion.short), about)
        if one.leaning is not Verdict.FAIL:
            return line
        return self._speaker.t("{sentence} *(the record leans against it)*", sentence=line)

    def what_was_unread(self) -> str:
        """Name the parts of the chart that could not be read; "" for none."""
        parts = [
            self._speaker.t("{type} ({why})", type=wording.TYPES.get(name, name), why=self._markdown(why))
            for name, why in self._patient.unread.items()
        ]
        return self._sentence(wording.UNREAD, wording.listed(parts)) if parts else ""

    def table(self, outcome: TrialOutcome) -> str:
        """Write a row for each criterion that a record can settle."""
        rows = [
            f"| {wording.MARK[one.verdict]} | {self._rules(one.criterion.short)} | {self._patient_cell(one)} |"
            for one in outcome.criteria
            if one.criterion.id not in outcome.to_confirm  # these are listed above
        ]
        head = f"| | {self._speaker.t('Criterion')} | {self._speaker.t('This patient')} |"
        return "\n".join([head, "|---|---|---|", *rows])

    def _patient_cell(self, outcome: CriterionOutcome) -> str:
        """Show the deciding values; without any, and for what is unknown, the sentence says more."""
        shown = [one for one in outcome.evidence if one.value is not None][:_EVIDENCE_SHOWN]
        if outcome.attested and outcome.against:
            told = self._markdown(outcome.message)
            return self._speaker.t("{sentence} *(the record leans against it)*", sentence=told)
        if outcome.reasons and all(missing.reason is Reason.NOT_FETCHED for missing in outcome.reasons):
            return self._speaker.said(wording.REASON[Reason.NOT_FETCHED])
        # What a person said stands before what the record has beside it.
        if not shown or outcome.verdict is Verdict.UNKNOWN or outcome.attested is not None:
            return self._markdown(outcome.message)
        noted = [self._markdown(remark) for fact in outcome.facts.values() for remark in remarks(fact)]
        values = [f"{self._test(one, outcome)}{self._evidence(one)}" for one in shown]
        return self._speaker.joined([*values, *dict.fromkeys(noted)])

    def _test(self, evidence: Evidence, outcome: CriterionOutcome) -> str:
        """Name the test of a value where a criterion reads several and the unit does not tell ("1.03 INR" does)."""
        if len(outcome.tests) < 2:
            return ""
        names = (outcome.tests.get(fact.name, "") for fact in outcome.facts.values() if evidence in fact.evidence)
        name = next(names, "")
        return f"{self._label(name)} " if name and name not in wording.amount(evidence) else ""

    def _evidence(self, evidence: Evidence) -> str:
        shown = self._speaker.said(wording.amount(evidence))
        note = "" if evidence.instead else self._speaker.said(evidence.note)
        if note.startswith("="):
            shown = f"{shown} {note}"
        elif note:
            shown = self._speaker.t("{value} ({note})", value=shown, note=note)
        return markdown(f"{shown} · {self._speaker.day(evidence.date)}" if evidence.date else shown)

    def foot(self, outcome: TrialOutcome) -> str:
        """Write the last line: for review, by which rules, on which day."""
        t, trial = self._speaker.t, outcome.trial
        rules = t(
            "Rules {trial} rev. {revision} ({digest})",
            trial=markdown_of_rules(trial.id),
            revision=trial.revision,
            digest=markdown_of_rules(trial.digest.rpartition(":")[2][:6]),
        )
        if self._patient.site:
            rules = t("{rules}, site file {site}", rules=rules, site=markdown_of_rules(self._patient.site))
        return f"*{t('For review. {rules}, data as of {day}.', rules=rules, day=self._patient.as_of)}*"

    def _sentence(self, heading: str, told: str) -> str:
        return self._speaker.said(say("{heading}: {told}.", heading=heading, told=told))

    def _told(self, label: str, about: str) -> str:
        return self._speaker.t("{label}: {about}", label=label, about=about)

    def _markdown(self, text: str) -> str:
        return markdown(self._speaker.said(text))

    def _label(self, label: str) -> str:
        return markdown_of_rules(self._speaker.said(label))

    def _rules(self, text: str) -> str:
        return markdown_of_rules(self._speaker.rules(text))
