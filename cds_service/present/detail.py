"""A card's detail in GitHub Flavored Markdown: what decides, what to confirm, every criterion's value."""

from __future__ import annotations

from collections.abc import Sequence

from cds_service.evaluation.explanation import remarks
from cds_service.evaluation.outcome import CriterionOutcome, Decisive, PatientOutcome, TrialOutcome, Verdict
from cds_service.facts.fact import Evidence, Reason
from cds_service.present import wording
from cds_service.present.safe_text import markdown, markdown_of_rules
from cds_service.present.summary import alternatives, computed, last_value

_EVIDENCE_SHOWN = 2


def candidate_detail(best: TrialOutcome, others: Sequence[TrialOutcome], outcome: PatientOutcome) -> str:
    """Write the detail of a candidate card.

    Args:
        best: the trial the card is about.
        others: further trials that speak, a line each.
        outcome: of the patient.
    """
    blocks = [
        title_line(best),
        _counts(best),
        what_decides(best, outcome),
        to_confirm(best),
        what_was_unread(outcome),
        _table(best),
        _others(others),
        foot(best, outcome),
    ]
    return "\n\n".join(block for block in blocks if block)


def title_line(outcome: TrialOutcome) -> str:
    """Write the trial's title, phase and the moment the patient stands at."""
    trial = outcome.trial
    phase = f" · phase {markdown_of_rules(trial.phase)}" if trial.phase else ""
    label = markdown_of_rules(trial.gate(outcome.gate).label)
    return f"**{markdown_of_rules(trial.title.get('en') or trial.id)}**{phase} · *{label}*"


def _counts(outcome: TrialOutcome) -> str:
    met, _total = computed(outcome)
    parts = [f"{met} of {len(outcome.criteria)} criteria computed and met"]
    if outcome.to_confirm:
        parts.append(f"{len(outcome.to_confirm)} for you to confirm")
    if outcome.trial.exclusions == "not-published":
        parts.append(wording.NOT_ENCODED)
    if outcome.until is not None:
        parts.append(f"present results count until {wording.day(outcome.until)}")
    return " · ".join(parts)


def what_decides(outcome: TrialOutcome, patient: PatientOutcome) -> str:
    """List the missing facts that decide; "" for none."""
    if not outcome.decisive:
        return ""
    known = [one for one in outcome.decisive if one.reason is not Reason.NOT_FETCHED]
    unread = [markdown_of_rules(one.label) for one in outcome.decisive if one.reason is Reason.NOT_FETCHED]
    lines = [f"- **{markdown_of_rules(one.label)}**: {_missing(one, patient)}{_instead(one, outcome)}" for one in known]
    if unread:
        lines.append(f"- {wording.UNREAD}, though the hospital may have it: {', '.join(unread)}")
    return f"**{wording.MISSING}**\n\n" + "\n".join(lines)


def _missing(decisive: Decisive, patient: PatientOutcome) -> str:
    text = wording.REASON[decisive.reason]
    about = last_value(decisive, patient.as_of)
    until = f"; a new one today counts until {wording.day(decisive.new_until)}" if decisive.new_until else ""
    return f"{text} ({markdown(about)}){until}" if about else f"{text}{until}"


def _instead(decisive: Decisive, outcome: TrialOutcome) -> str:
    others = [markdown_of_rules(wording.inside(label)) for label in alternatives(decisive, outcome)]
    return f"; or {' or '.join(others)} instead" if others else ""


def to_confirm(outcome: TrialOutcome) -> str:
    """List what only a person can settle; "" for nothing."""
    if not outcome.to_confirm:
        return ""
    lines = []
    for one in map(outcome.of, outcome.to_confirm):
        leans = " *(the record leans against it)*" if one.leaning is Verdict.FAIL else ""
        says = [markdown(fact.says) for fact in one.facts.values() if fact.says]
        shown = [_evidence(evidence) for evidence in one.evidence if evidence.value is not None]
        about = "; ".join([*says, *shown[:_EVIDENCE_SHOWN]]) or markdown(one.message)
        lines.append(f"- {markdown_of_rules(one.criterion.short)}: {about}{leans}")
    return f"**{wording.CONFIRM}**\n\n" + "\n".join(lines)


def what_was_unread(outcome: PatientOutcome) -> str:
    """Name the parts of the chart that could not be read; "" for none."""
    parts = [f"{wording.TYPES.get(name, name)} ({markdown(why)})" for name, why in outcome.unread.items()]
    return f"{wording.UNREAD}: {wording.listed(parts)}." if parts else ""


def _table(outcome: TrialOutcome) -> str:
    rows = [
        f"| {wording.MARK[one.verdict]} | {markdown_of_rules(one.criterion.short)} | {_patient_cell(one)} |"
        for one in outcome.criteria
        if one.criterion.id not in outcome.to_confirm  # these are listed above
    ]
    return "\n".join(["| | Criterion | This patient |", "|---|---|---|", *rows])


def _patient_cell(outcome: CriterionOutcome) -> str:
    """Show the deciding values; without any, and for what is unknown, the sentence says more."""
    shown = [one for one in outcome.evidence if one.value is not None][:_EVIDENCE_SHOWN]
    if outcome.reasons and all(missing.reason is Reason.NOT_FETCHED for missing in outcome.reasons):
        return wording.REASON[Reason.NOT_FETCHED]
    if not shown or outcome.verdict is Verdict.UNKNOWN:
        return markdown(outcome.message)
    noted = [markdown(remark) for fact in outcome.facts.values() for remark in remarks(fact)]
    values = [f"{_test(one, outcome)}{_evidence(one)}" for one in shown]
    return "; ".join([*values, *dict.fromkeys(noted)])


def _test(evidence: Evidence, outcome: CriterionOutcome) -> str:
    """Name the test of a value where a criterion reads several and the unit does not tell ("1.03 INR" does)."""
    if len(outcome.tests) < 2:
        return ""
    names = (outcome.tests.get(fact.name, "") for fact in outcome.facts.values() if evidence in fact.evidence)
    name = next(names, "")
    return f"{markdown_of_rules(name)} " if name and name not in wording.amount(evidence) else ""


def _evidence(evidence: Evidence) -> str:
    when = f" · {wording.day(evidence.date)}" if evidence.date else ""
    note = "" if evidence.instead else wording.noted(evidence.note)
    return markdown(f"{wording.amount(evidence)}{note}{when}")


def _others(others: Sequence[TrialOutcome]) -> str:
    return "\n".join(
        f"- Also {markdown_of_rules(one.trial.id)}: {wording.STATUS[one.status]} "
        f"({one.decided} of {len(one.criteria)} criteria decided)"
        for one in others
    )


def foot(outcome: TrialOutcome, patient: PatientOutcome) -> str:
    """Write the last line: for review, by which rules, on which day."""
    trial = outcome.trial
    digest = trial.digest.rpartition(":")[2][:6]
    version = f"Rules {markdown_of_rules(trial.id)} rev. {trial.revision} ({markdown_of_rules(digest)})"
    site = f", site file {markdown_of_rules(patient.site)}" if patient.site else ""
    return f"*For review. {version}{site}, data as of {wording.day(patient.as_of)}.*"
