"""A card's summary: one sentence of at most 139 characters; what does not fit is dropped from the end."""

from __future__ import annotations

from datetime import date

from cds_service.evaluation.outcome import Decisive, PatientOutcome, Status, TrialOutcome, Verdict
from cds_service.facts.fact import Reason
from cds_service.facts.phrase import joined, say
from cds_service.present import wording
from cds_service.present.safe_text import fit, plain
from cds_service.present.speaking import leaning_fail


def candidate_summary(best: TrialOutcome, outcome: PatientOutcome) -> str:
    """Write the summary of a candidate card.

    Args:
        best: the trial the card is about.
        outcome: of the patient.
    """
    return _candidate(best) if best.status is Status.CANDIDATE else _needs_data(best, outcome)


def labs_until(outcome: TrialOutcome) -> date | None:
    """Return the last day on which everything that passes today still counts."""
    passed = [one.until for one in outcome.criteria if one.verdict is Verdict.PASS and one.until is not None]
    return outcome.until or min(passed, default=None)


def computed(outcome: TrialOutcome) -> tuple[int, int]:
    """Return how many criteria pass, and how many there are that a record can settle."""
    met = sum(one.verdict is Verdict.PASS for one in outcome.criteria)
    return met, len(outcome.criteria) - len(outcome.to_confirm)


def _candidate(outcome: TrialOutcome) -> str:
    met, total = computed(outcome)
    head = f"May be a candidate for {outcome.trial.id}, for review"
    against = [one.criterion.short for one in leaning_fail(outcome)]
    if against:
        more = f" (and {len(against) - 1} more)" if len(against) > 1 else ""
        head += f', if confirmed: "{plain(against[0], 60)}"{more}'
    body = f"all {total} computed criteria met" if met == total else f"{met} of {total} computed criteria met"
    confirm = f", {len(outcome.to_confirm)} to confirm" if outcome.to_confirm else ""
    until = labs_until(outcome)
    labs = f"; labs count until {wording.day(until, year=False)}" if until else ""
    return fit(f"{head}: {body}{confirm}{labs}", f"{head}: {body}{confirm}", f"{head}: {body}", head)


def _needs_data(outcome: TrialOutcome, patient: PatientOutcome) -> str:
    met, total = computed(outcome)
    name = outcome.trial.id
    tail = f"; {met} of {total} computed criteria met"
    if not outcome.decisive:
        return fit(f"{name} needs data before it can be judged{tail}", f"{name} needs data")
    first = outcome.decisive[0]
    label = wording.inside(plain(first.label, 60))
    others = len(outcome.decisive) - 1
    more = f" and {others} more" if others else ""
    if first.reason is Reason.NOT_FETCHED:
        bare = f"{_unread(patient) or label + more} could not be read"
        what = bare + _why(patient)
    else:
        plural = others or (label.endswith("s") and not label.endswith(("ss", "is", "us")))
        bare = f"{label}{more} {'decide' if plural else 'decides'}"
        what = f"{bare} ({_known(first, patient.as_of)})"
    return fit(f"{name}: {what}{tail}", f"{name}: {what}", f"{name}: {bare}{tail}", f"{name}: {bare}")


def last_value(decisive: Decisive, as_of: date) -> str:
    """Say what is on record of a missing fact: last value, age, what it would give; "" for nothing."""
    last = next((one for one in decisive.evidence if one.value is not None), None)
    if last is None:
        return ""
    leans = wording.LEANING.get(decisive.leaning, "") if decisive.leaning else ""
    value = say("last {value}", value=plain(wording.amount(last), 40))
    return joined((value, wording.age(last, as_of), leans), ", ")


def _known(decisive: Decisive, as_of: date) -> str:
    last = last_value(decisive, as_of)
    # "19 days ago" says by itself that a value is too old.
    reason = "" if last and decisive.reason is Reason.STALE else wording.REASON[decisive.reason]
    return ", ".join(part for part in (reason, last) if part)


def _unread(patient: PatientOutcome) -> str:
    """Name what was not read rather than every fact that waits for it."""
    names = [wording.TYPES.get(name, name) for name in patient.unread]
    return wording.listed(names) if len(names) < 3 else f"{len(names)} parts of the chart"


def _why(patient: PatientOutcome) -> str:
    whys = sorted(set(patient.unread.values()))
    return f" ({plain(whys[0], 60)})" if len(whys) == 1 else ""
