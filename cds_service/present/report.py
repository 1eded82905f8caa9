"""The text report of ``cds-service evaluate --format text``: the same facts as the JSON, for a terminal."""

from __future__ import annotations

from cds_service.evaluation.outcome import CriterionOutcome, PatientOutcome, TrialOutcome, Verdict
from cds_service.facts.fact import Reason
from cds_service.present import wording
from cds_service.present.safe_text import plain
from cds_service.present.summary import labs_until, last_value

_WORD = {Verdict.PASS: "pass   ", Verdict.FAIL: "FAIL   ", Verdict.UNKNOWN: "unknown"}


def write_report(outcome: PatientOutcome) -> str:
    """Write the report, one line per criterion; ends with a line break."""
    lines = [f"{plain(outcome.patient)}, judged as of {wording.day(outcome.as_of)}"]
    for one in outcome.trials:
        lines += ["", *_trial(one, outcome)]
    if outcome.unread:
        unread = [f"{wording.TYPES.get(name, name)} ({plain(why)})" for name, why in outcome.unread.items()]
        lines += ["", f"{wording.UNREAD}: {wording.listed(unread)}."]
    if outcome.set_aside:
        aside = [f"{number} {cause}" for cause, number in outcome.set_aside.items()]
        lines += ["", f"Entries set aside: {', '.join(aside)}."]
    return "\n".join(lines) + "\n"


def _trial(outcome: TrialOutcome, patient: PatientOutcome) -> list[str]:
    trial = outcome.trial
    lines = [
        f"{trial.id}: {wording.STATUS[outcome.status]} ({outcome.status.value})",
        f"  {plain(trial.title.get('en') or '', 400)}",
        f"  {trial.gate(outcome.gate).label}; {outcome.decided} of {len(outcome.criteria)} criteria decided"
        + (f"; {wording.NOT_ENCODED}" if trial.exclusions == "not-published" else ""),
    ]
    if outcome.blocked:
        lines.append(f"  blocked: {', '.join(outcome.blocked)}")
    lines += ["", *(_criterion(one) for one in outcome.criteria)]
    if outcome.decisive:
        lines += ["", f"  {wording.MISSING}:"]
        for one in outcome.decisive:
            unread = one.reason is Reason.NOT_FETCHED
            rest = "the hospital may have it" if unread else last_value(one, patient.as_of)
            about = wording.REASON[one.reason] + (f" ({rest})" if rest else "")
            lines.append(f"    {plain(one.label)}: {about}")
    if outcome.to_confirm:
        lines += ["", f"  {wording.CONFIRM}:"]
        for criterion in map(outcome.of, outcome.to_confirm):
            leans = " (the record leans against it)" if criterion.leaning is Verdict.FAIL else ""
            lines.append(f"    {_named(criterion)}{leans}")
    until = labs_until(outcome)
    if until is not None:
        lines += ["", f"  Present results count until {wording.day(until)}."]
    if outcome.look_again is not None:
        lines += ["", f"  Look again from {wording.day(outcome.look_again)}."]
    return lines


def _criterion(outcome: CriterionOutcome) -> str:
    cited = [one.resource for one in outcome.evidence]
    source = f"  [{plain(', '.join(cited), 160)}]" if cited else ""
    return f"  {_WORD[outcome.verdict]}  {_named(outcome)}{source}"


def _named(outcome: CriterionOutcome) -> str:
    """Return the sentence, with the criterion's name before it unless it begins with it."""
    short, message = plain(outcome.criterion.short), plain(outcome.message)
    return message if message.startswith(short) else f"{short}: {message}"
