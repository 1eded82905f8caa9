"""One sentence per criterion and outcome: the value, its unit and date, the limit, and why it is unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Final

from cds_service.facts.fact import Evidence, Fact, Missing, Reason
from cds_service.facts.labs import LAB_WINDOW_DAYS
from cds_service.logic.truth import State

if TYPE_CHECKING:
    from cds_service.evaluation.outcome import Verdict
    from cds_service.facts.chart import Chart
    from cds_service.trials.model import Criterion

_REASONS: Final[Mapping[Reason, str]] = {
    Reason.NOT_FETCHED: "{label} could not be read{why}.",
    Reason.NO_RECORD: "{label} is not on record.",
    Reason.STALE: "{label} {shown} is {days} days old; the protocol wants one within {window} days.",
    Reason.NOT_FINAL: "{label} {shown} is not final.",
    Reason.NO_VALUE: "{label} has a record without a usable value.",
    Reason.UNIT_UNUSABLE: "{label} {shown}: the unit is missing, does not fit or makes the value implausible.",
    Reason.NO_REFERENCE_RANGE: "{label} {shown} comes without a usable reference range.",
    Reason.COMPARATOR: "{label} {shown} does not say on which side of the limit it is.",
    Reason.IMPRECISE_DATE: "{label} {shown} is not dated exactly enough.",
    Reason.CONFLICT: "{label}: the records contradict each other.",
    Reason.EDITION_UNKNOWN: "{label} {shown}: the staging edition is not recorded, and it matters.",
    Reason.NOT_SPECIFIC: "{label} {shown} is recorded too generally to tell.",
    Reason.UNMAPPED_CODE: "{label} {shown} is recorded in a way that is not recognised.",
    Reason.CLINICIAN: "{label}: {says}a person must confirm.",
}


def explain(
    criterion: Criterion,
    state: State,
    reasons: Sequence[Missing],
    leaning: Verdict | None,
    facts: Mapping[str, Fact],
    chart: Chart,
) -> str:
    """Return the sentence for one criterion.

    Text of the record may stand in it: whoever shows it escapes it.
    """
    if state is State.UNKNOWN:
        sentences = [_missing_sentence(missing, facts, chart) for missing in reasons]
        said = [fact.says for fact in facts.values() if fact.says and _names(fact, reasons) and not _for_a_person(fact)]
        lean = f"What is on record would {leaning.value}." if leaning else ""
        return _joined(*sentences, *(f"{_capital(text)}." for text in said), lean)
    word = "met" if state > State.UNKNOWN else "not met"
    shown = "; ".join(part for fact in facts.values() if (part := _value(fact)))
    return f"{criterion.short}: {word}" + (f" ({shown})." if shown else ".")


def _joined(*sentences: str) -> str:
    return " ".join(dict.fromkeys(sentence for sentence in sentences if sentence))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _for_a_person(fact: Fact) -> bool:
    """Say whether the fact's own clause already stands in the sentence that asks a person."""
    return Missing(fact.name, Reason.CLINICIAN) in fact.missing


def _names(fact: Fact, reasons: Sequence[Missing]) -> bool:
    return any(missing in reasons for missing in fact.missing)


def _missing_sentence(missing: Missing, facts: Mapping[str, Fact], chart: Chart) -> str:
    definition = chart.definitions.get(missing.fact)
    label = definition.label["en"] if definition else missing.fact
    fact = next((one for one in facts.values() if one.name == missing.fact), None)
    evidence = fact.evidence[0] if fact is not None and fact.evidence else None
    unread = sorted(f"{kind}: {read.why}" for kind, read in chart.entries.reads.items() if not read.complete)
    return _capital(
        _REASONS[missing.reason].format(
            label=label,
            shown=_shown(evidence) if evidence else "",
            says=f"{fact.says}; " if fact is not None and fact.says else "",
            why=f" ({'; '.join(unread)})" if unread else "",
            days=_age(evidence, chart.moment.anchor),
            window=_window(missing.fact, chart),
        )
    ).replace("  ", " ")


def _window(name: str, chart: Chart) -> int:
    definition = chart.definitions.get(name)
    return int(definition.options.get("within_days", LAB_WINDOW_DAYS)) if definition else LAB_WINDOW_DAYS


def _age(evidence: Evidence | None, until: date) -> str:
    try:
        return str((until - date.fromisoformat((evidence.date or "") if evidence else "")).days)
    except ValueError:
        return "too many"


def _value(fact: Fact) -> str:
    """Return a fact as a person reads it."""
    if fact.says:
        return fact.says
    shown = [_shown(evidence) for evidence in fact.evidence[:1]]
    return "; ".join(text for text in shown if text)


def _shown(evidence: Evidence) -> str:
    value = (
        ""
        if evidence.value is None
        else f"{evidence.value:f}"
        if not isinstance(evidence.value, str)
        else evidence.value
    )
    parts = [" ".join(part for part in (value, evidence.unit or "") if part), evidence.note]
    body = ", ".join(part for part in parts if part)
    return f"{body} on {evidence.date}" if body and evidence.date else body
