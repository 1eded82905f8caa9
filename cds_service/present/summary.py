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
    return _candidate(best, outcome) if best.status is Status.CANDIDATE else _needs_data(best, outcome)


def computed(outcome: TrialOutcome) -> tuple[int, int]:
    """Return how many criteria pass, and how many there are that a record can settle."""
    met = sum(one.verdict is Verdict.PASS for one in outcome.criteria)
    return met, len(outcome.criteria) - len(outcome.to_confirm)


def _candidate(outcome: TrialOutcome, patient: PatientOutcome) -> str:
    met, total = computed(outcome)
    head = f"May be a candidate for {outcome.trial.id}, for review"
    against = [one.criterion.short for one in leaning_fail(outcome)]
    if against:
        more = f" (and {len(against) - 1} more)" if len(against) > 1 else ""
        head += f', if confirmed: "{plain(against[0], 60)}"{more}'
    body = f"all {total} computed criteria met" if met == total else f"{met} of {total} computed criteria met"
    confirm = f", {len(outcome.to_confirm)} to confirm" if outcome.to_confirm else ""
    until = outcome.until
    labs = f"; labs count until {wording.day(until, year=False)}" if until else ""
    # What was not read may hold a newer result than the one that passes.
    unread = "; not all of the record could be read" if patient.unread else ""
    heads = (f"{head}: {body}{confirm}{unread}", f"{head}: {body}{unread}", f"{head}{unread}", head)
    return fit(f"{head}: {body}{confirm}{labs}{unread}", *heads)


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
    instead = [wording.inside(plain(one, 60)) for one in alternatives(first, outcome)]
    if instead and len(instead) == others:
        # One of them is enough: no plural.
        label, more, others = " or ".join([label, *instead]), "", 0
    if first.reason is Reason.NOT_FETCHED:
        bare = f"{_unread(patient) or label + more} could not be read"
        what = bare + _why(patient)
    else:
        plural = others or (label.endswith("s") and not label.endswith(("ss", "is", "us")))
        bare = f"{label}{more} {'decide' if plural else 'decides'}"
        what = f"{bare} ({_known(first, patient.as_of)})"
    return fit(f"{name}: {what}{tail}", f"{name}: {what}", f"{name}: {bare}{tail}", f"{name}: {bare}")


def last_value(decisive: Decisive, as_of: date, limit: int = 240) -> str:
    """Say what is on record of a missing fact: last value, age, what it would give; "" for nothing.

    Args:
        decisive: the missing fact.
        as_of: the day of the judgement.
        limit: the most code points of the value.
    """
    last = decisive.last
    if last is None:
        return ""
    leans = wording.LEANING.get(decisive.leaning, "") if decisive.leaning else ""
    value = say("last {value}", value=plain(wording.amount(last), limit))
    return joined((value, wording.age(last, as_of), leans), ", ")


def alternatives(decisive: Decisive, outcome: TrialOutcome) -> list[str]:
    """Return the labels of what could stand in for a missing fact."""
    labels = {one.fact: one.label for one in outcome.decisive}
    return [labels[fact] for fact in decisive.alternatives if fact in labels]


def _known(decisive: Decisive, as_of: date) -> str:
    last = last_value(decisive, as_of, 40)
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
