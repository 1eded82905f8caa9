"""One sentence per criterion and outcome: the value, its unit and date, the limit, and why it is unknown.

Sentences are phrases: English text that can be said again in another language (``cds_service/facts/phrase.py``).
Words of the record may stand in them: whoever shows a sentence escapes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from cds_service.facts import shown
from cds_service.facts.fact import Evidence, Fact, Missing, Reason
from cds_service.facts.labs import LAB_WINDOW_DAYS
from cds_service.facts.need import Need
from cds_service.facts.phrase import Phrase, joined, say, words_of_rules
from cds_service.logic.truth import State
from cds_service.trials.model import Kind

if TYPE_CHECKING:
    from cds_service.evaluation.outcome import Verdict
    from cds_service.facts.chart import Chart
    from cds_service.trials.model import Criterion

_REASONS: Final[Mapping[Reason, str]] = {
    Reason.NOT_FETCHED: "{label} could not be read{why}.",
    Reason.NO_RECORD: "{label} is not on record.",
    Reason.STALE: "{label}{shown} is {days} days old; the protocol wants one within {window} days.",
    Reason.NOT_FINAL: "{label}{shown} is not final.",
    Reason.NO_VALUE: "{label} has a record without a usable value.",
    Reason.UNIT_UNUSABLE: "{label}{shown}: the unit is missing, does not fit, or makes the value implausible.",
    Reason.NO_REFERENCE_RANGE: "{label}{shown} comes without a usable reference range.",
    Reason.COMPARATOR: "{label}{shown} does not say on which side of the limit it is.",
    Reason.IMPRECISE_DATE: "{label}{shown} is not dated exactly enough.",
    Reason.CONFLICT: "{label}: the records contradict each other.",
    Reason.EDITION_UNKNOWN: "{label}: the staging edition is not recorded, and it matters.",
    Reason.NOT_SPECIFIC: "{label}{shown} is recorded too generally to tell.",
    Reason.UNMAPPED_CODE: "{label}{shown} is recorded in a way that is not recognised.",
    Reason.CLINICIAN: "{label}: {says}a person must confirm.",
}
_LEANS: Final[Mapping[str, str]] = {
    "pass": "What is on record would pass.",
    "fail": "What is on record would fail.",
}
_TOO_OLD: Final = "{label}{shown} is too old; the protocol wants one within {window} days."
_REMARKS: Final[Mapping[str, str]] = {
    "newer-result-not-final": "a newer result is not final",
    "newest-has-no-value": "a newer record has no value",
    "dated-by-report": "dated by its report",
    "range-from-text": "the range is read from text",
    "status-not-stated": "whether it is confirmed is not stated",
    "t-or-n-against-group": "T or N does not fit the stage group in its edition",
    "t-or-n-differ": "T or N categories at diagnosis differ",
}
# Every template that a person may read, for the translators' catalogue.
TEMPLATES: Final = (*_REASONS.values(), *_LEANS.values(), *_REMARKS.values(), _TOO_OLD)


def explain(
    criterion: Criterion,
    state: State,
    reasons: Sequence[Missing],
    leaning: Verdict | None,
    facts: Mapping[str, Fact],
    chart: Chart,
    alternatives: Sequence[str] = (),
) -> str:
    """Return the sentence for one criterion.

    Args:
        criterion: what is asked.
        state: the answer.
        reasons: for an unknown, what is missing.
        leaning: for an unknown, what the evidence at hand would give.
        facts: by variable name.
        chart: the record.
        alternatives: missing facts any one of which could make it pass.
    """
    if state is State.UNKNOWN:
        sentences = [_missing_sentence(missing, criterion, facts, chart) for missing in reasons]
        said = [fact.says for fact in facts.values() if _names(fact, reasons) and not _for_a_person(fact)]
        lean = say(_LEANS[leaning.value]) if leaning else ""
        choice = _choice([missing for missing in reasons if missing.fact in alternatives], chart)
        noted = [remark for fact in facts.values() for remark in remarks(fact)]
        clauses = [say("{Clause}.", Clause=clause) for clause in (*said, *noted) if clause]
        return joined([*sentences, *clauses, choice, lean], " ")
    short = words_of_rules(criterion.short)
    values = joined(_value(fact) for fact in facts.values())
    about = say(" ({values})", values=values) if values else ""
    if criterion.kind is Kind.EXCLUSION:
        if state > State.UNKNOWN:
            return say("{criterion}: does not apply{shown}.", criterion=short, shown=about)
        return say("{criterion}: applies, and excludes{shown}.", criterion=short, shown=about)
    if state > State.UNKNOWN:
        return say("{criterion}: met{shown}.", criterion=short, shown=about)
    return say("{criterion}: not met{shown}.", criterion=short, shown=about)


def _choice(pieces: Sequence[Missing], chart: Chart) -> str:
    """Return the sentence that names alternatives; "" for none."""
    if not pieces:
        return ""
    return say("One of these may be enough: {pieces}.", pieces=joined((_piece(one, chart) for one in pieces), " or "))


def _piece(missing: Missing, chart: Chart) -> str:
    label = _label(missing, chart)
    return say("{label} with a reference range", label=label) if missing.reason is Reason.NO_REFERENCE_RANGE else label


def _label(missing: Missing, chart: Chart) -> str:
    definition = chart.definitions.get(missing.fact)
    return words_of_rules(definition.label["en"] if definition else missing.fact)


def _for_a_person(fact: Fact) -> bool:
    """Say whether the fact's own clause already stands in the sentence that asks a person."""
    return Missing(fact.name, Reason.CLINICIAN) in fact.missing


def _names(fact: Fact, reasons: Sequence[Missing]) -> bool:
    return any(missing in reasons for missing in fact.missing)


def _missing_sentence(missing: Missing, criterion: Criterion, facts: Mapping[str, Fact], chart: Chart) -> str:
    # A fact that another one is made of (the weight of a clearance) is read as of the day.
    need = next((n for n in criterion.needs.values() if n.fact == missing.fact), Need(missing.fact, anchor="as_of"))
    fact = next((one for one in facts.values() if one.name == missing.fact), None)
    if fact is None and missing.fact in chart.definitions:
        fact = chart.fact(need)
    evidence = fact.evidence[0] if fact is not None and fact.evidence else None
    reads = sorted(chart.entries.reads.items())
    unread = joined(say("{type}: {why}", type=kind, why=read.why) for kind, read in reads if not read.complete)
    value = _shown(evidence) if evidence else ""
    days = _age(evidence, chart.moment.anchor if need.anchor == "anchor" else chart.moment.as_of)
    return Phrase(
        _TOO_OLD if missing.reason is Reason.STALE and days is None else _REASONS[missing.reason],
        {
            "label": _label(missing, chart),
            "shown": say(" {shown}", shown=value) if value else "",
            "says": say("{clause}; ", clause=fact.says) if fact is not None and fact.says else "",
            "why": say(" ({unread})", unread=unread) if unread else "",
            "days": days,
            "window": _window(need, chart),
        },
    )


def _window(need: Need, chart: Chart) -> int:
    if need.within_days is not None:
        return need.within_days
    definition = chart.definitions.get(need.fact)
    return int(definition.options.get("within_days", LAB_WINDOW_DAYS)) if definition else LAB_WINDOW_DAYS


def _age(evidence: Evidence | None, until: date) -> int | None:
    """Return the days since a record; None when its day is not known."""
    try:
        return (until - date.fromisoformat((evidence.date or "") if evidence else "")).days
    except ValueError:
        return None


def remarks(fact: Fact) -> tuple[str, ...]:
    """Return what a person should know beside a fact's value: its annotations in words."""
    return tuple(say(_REMARKS[note]) for note in fact.notes if note in _REMARKS)


def remark(note: str) -> str:
    """Return one annotation in words; "" for one that people need not know."""
    return say(_REMARKS[note]) if note in _REMARKS else ""


def _value(fact: Fact) -> str:
    """Return a fact as a person reads it, with what was passed over."""
    return joined([_plain_value(fact), *remarks(fact)])


def _plain_value(fact: Fact) -> str:
    return fact.says or (_shown(fact.evidence[0]) if fact.evidence else "")


def _shown(evidence: Evidence) -> str:
    """Return a record as a person reads it: value, unit, what was made of it, day."""
    value = shown.plain_number(evidence.value) if isinstance(evidence.value, Decimal) else evidence.value or ""
    amount = " ".join(part for part in (value, shown.unit(evidence.unit)) if part)
    body = evidence.instead or joined([amount, evidence.note], ", ")
    return say("{value} on {day}", value=body, day=shown.day(evidence.date)) if body and evidence.date else body
