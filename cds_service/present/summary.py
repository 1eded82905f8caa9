"""A card's summary: one sentence of at most 139 characters; what does not fit is dropped from the end."""

from __future__ import annotations

from datetime import date

from cds_service.evaluation.outcome import Decisive, PatientOutcome, Status, TrialOutcome, Verdict
from cds_service.facts.fact import Reason
from cds_service.facts.phrase import Translate, in_language, joined, say
from cds_service.present import wording
from cds_service.present.lasting import attested_words, lasting
from cds_service.present.safe_text import fit, plain
from cds_service.present.speaker import ENGLISH, Speaker
from cds_service.present.speaking import leaning_fail


def candidate_summary(best: TrialOutcome, outcome: PatientOutcome, speaker: Speaker = ENGLISH) -> str:
    """Write the summary of a candidate card.

    Args:
        best: the trial the card is about.
        outcome: of the patient.
        speaker: in whose language.
    """
    write = _candidate if best.status is Status.CANDIDATE else _needs_data
    return write(best, outcome, speaker)


def computed(outcome: TrialOutcome) -> tuple[int, int]:
    """Return how many criteria the record meets, and how many there are that it settles: not what was attested."""
    own = [one for one in outcome.criteria if one.attested is None]
    return sum(one.verdict is Verdict.PASS for one in own), len(own) - len(outcome.to_confirm)


def _candidate(outcome: TrialOutcome, patient: PatientOutcome, speaker: Speaker) -> str:
    t = speaker.t
    met, total = computed(outcome)
    head = _head(outcome, speaker)
    if met == total:
        body = t("all {total} computed criteria met", total=total)
    else:
        body = t("{met} of {total} computed criteria met", met=met, total=total)
    confirm = t("{number} to confirm", number=len(outcome.to_confirm)) if outcome.to_confirm else ""
    labs = _until(outcome, speaker)
    # What was not read may hold a newer result than the one that passes.
    unread = t("not all of the record could be read") if patient.unread else ""
    attested = attested_words(outcome.criteria)
    counted = speaker.joined((body, *attested, confirm), ", ")
    body = speaker.joined((body, *attested), ", ")
    rows = [speaker.joined(clauses) for clauses in ((counted, labs, unread), (counted, unread), (body, unread))]
    return fit(
        *(t("{head}: {clauses}", head=head, clauses=row) for row in rows),
        speaker.joined((head, unread)),
        head,
    )


def _until(outcome: TrialOutcome, speaker: Speaker) -> str:
    """Say until when it holds: the laboratory's results, or what was attested where that ends before."""
    lasts = lasting(outcome)
    if lasts.by_attestation is not None:
        return speaker.t("attested until {day}", day=speaker.day(lasts.by_attestation, year=False))
    return speaker.t("labs count until {day}", day=speaker.day(lasts.results, year=False)) if lasts.results else ""


def _head(outcome: TrialOutcome, speaker: Speaker) -> str:
    """Say for which trial the patient may be a candidate, and what stands against it."""
    t, trial = speaker.t, outcome.trial.id
    against = leaning_fail(outcome)
    if not against:
        return t("May be a candidate for {trial}, for review", trial=trial)
    criterion, more = plain(speaker.rules(against[0].criterion.short), 60), len(against) - 1
    if against[0].attested:  # nothing is left to confirm of those, which come first
        return t(
            'May be a candidate for {trial}, for review, though the record leans against "{criterion}"',
            trial=trial,
            criterion=criterion,
        )
    if not more:
        return t(
            'May be a candidate for {trial}, for review, if confirmed: "{criterion}"', trial=trial, criterion=criterion
        )
    return t(
        'May be a candidate for {trial}, for review, if confirmed: "{criterion}" (and {number} more)',
        trial=trial,
        criterion=criterion,
        number=more,
    )


def _needs_data(outcome: TrialOutcome, patient: PatientOutcome, speaker: Speaker) -> str:
    t, trial = speaker.t, outcome.trial.id
    met, total = computed(outcome)
    counts = t("{met} of {total} computed criteria met", met=met, total=total)
    if not outcome.decisive:
        needs = t("{trial} needs data before it can be judged", trial=trial)
        return fit(speaker.joined((needs, counts)), t("{trial} needs data", trial=trial))
    bare, whole = _what_is_missing(outcome, patient, speaker)
    short, long = (t("{label}: {about}", label=trial, about=what) for what in (bare, whole))
    return fit(speaker.joined((long, counts)), long, speaker.joined((short, counts)), short)


def _what_is_missing(outcome: TrialOutcome, patient: PatientOutcome, speaker: Speaker) -> tuple[str, str]:
    """Name what decides: the bare sentence, and the same with what is known of it."""
    t, first = speaker.t, outcome.decisive[0]
    label, others = _inside(first.label, speaker), len(outcome.decisive) - 1
    instead = [_inside(one, speaker) for one in alternatives(first, outcome)]
    # One of them is enough: no plural.
    enough = bool(instead) and len(instead) == others
    if enough:
        label, others = speaker.said(wording.either([label, *instead])), 0
    if first.reason is Reason.NOT_FETCHED:
        what = _unread(patient, speaker)
        if not what:
            what = t("{label} and {number} more", label=label, number=others) if others else label
        bare = t("{what} could not be read", what=what)
        whys = sorted(set(patient.unread.values()))
        if len(whys) != 1:
            return bare, bare
        return bare, t("{what} could not be read ({why})", what=what, why=plain(speaker.said(whys[0]), 60))
    if others:
        bare = t("{label} and {number} more decide", label=label, number=others)
    elif _plural(label):
        bare = t("{labels} decide", labels=label)
    else:
        bare = t("{label} decides", label=label)
    return bare, t("{sentence} ({known})", sentence=bare, known=_known(first, patient.as_of, speaker))


def _inside(label: str, speaker: Speaker) -> str:
    return speaker.inside(plain(speaker.said(label), 60))


def _plural(label: str) -> bool:
    """Say whether an English label is of many things; other languages say both the same way."""
    return label.endswith("s") and not label.endswith(("ss", "is", "us"))


def last_value(decisive: Decisive, as_of: date, translate: Translate, limit: int = 240) -> str:
    """Say what is on record of a missing fact: last value, age, what it would give; "" for nothing.

    Args:
        decisive: the missing fact.
        as_of: the day of the judgement.
        translate: into the reader's language, for what a value is called.
        limit: the most code points of the value.
    """
    last = decisive.last
    if last is None:
        return ""
    leans = wording.LEANING.get(decisive.leaning, "") if decisive.leaning else ""
    value = say("last {value}", value=plain(in_language(wording.amount(last), translate), limit))
    return joined((value, wording.age(last, as_of), leans), ", ")


def alternatives(decisive: Decisive, outcome: TrialOutcome) -> list[str]:
    """Return the labels of what could stand in for a missing fact."""
    labels = {one.fact: one.label for one in outcome.decisive}
    return [labels[fact] for fact in decisive.alternatives if fact in labels]


def _known(decisive: Decisive, as_of: date, speaker: Speaker) -> str:
    last = speaker.said(last_value(decisive, as_of, speaker.translate, 40))
    # "19 days ago" says by itself that a value is too old.
    reason = "" if last and decisive.reason is Reason.STALE else speaker.said(wording.REASON[decisive.reason])
    return speaker.joined((reason, last), ", ")


def _unread(patient: PatientOutcome, speaker: Speaker) -> str:
    """Name what was not read rather than every fact that waits for it."""
    if len(patient.unread) < 3:
        return speaker.said(wording.listed(wording.TYPES.get(name, name) for name in patient.unread))
    return speaker.t("{number} parts of the chart", number=len(patient.unread))
