"""A condition that a protocol asks for: on the problem list or not, now, ever, or within some years.

A list that was not read or is empty says nothing; one that was read and does not name the condition says that it
is not there, annotated ``assumed-absent``. Source: the eligibility contract, section 3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from cds_service.facts.cancers import names_cancer
from cds_service.facts.conditions import ConditionEntry
from cds_service.facts.definitions import FactDefinition
from cds_service.facts.diagnosis import disease_options, is_other_cancer
from cds_service.facts.elements import Coded
from cds_service.facts.fact import Fact, Reason
from cds_service.facts.names import plain
from cds_service.facts.need import Need
from cds_service.facts.phrase import joined, say, words_of_rules
from cds_service.facts.spread import cited_condition, notes_of
from cds_service.logic.truth import Truth
from cds_service.logic.values import EITHER, NO, YES

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart

# FHIR's "recurrence" and "relapse" are kinds of active. Source: FHIR R4, code system condition-clinical.
_OVER: Final = frozenset({"inactive", "remission", "resolved"})
_HISTORY: Final = re.compile(r"(?:personal )?history of|个人史|既往史?|病史")
_FAMILY: Final = re.compile(r"family|家族")


def condition(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return whether the patient has a condition.

    Options: ``value_sets``; ``clinical``, statuses that alone count; ``ever: true`` or ``history_years`` when one that
    is over counts too; ``for_good: true`` when having it cannot change; ``confirm``, a question to a person about
    what was found.
    """
    sets = [chart.value_sets[one] for one in definition.options["value_sets"]]
    found = [entry for entry in chart.conditions if any(entry.code.find(one) for one in sets)]
    statuses = definition.options.get("clinical")
    found = [entry for entry in found if statuses is None or entry.clinical in statuses]
    return _judged(chart, definition, found, ())


def other_malignancy(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return whether the patient has a primary cancer that is not the disease; the options are a condition's."""
    disease, options = disease_options(chart), definition.options
    found = [entry for entry in chart.conditions if is_other_cancer(chart, entry, disease)]
    past = options.get("ever") or "history_years" in options
    # Entries that only say "history of" a cancer: of which, and when, no code tells.
    remembered = [entry for entry in chart.conditions if past and entry.confirmed and _remembers(entry.code)]
    return _judged(chart, definition, found, remembered)


def _judged(
    chart: Chart, definition: FactDefinition, found: Sequence[ConditionEntry], remembered: Sequence[ConditionEntry]
) -> Fact:
    name, options = definition.name, definition.options
    refuted = [entry for entry in found if entry.refuted]
    confirmed = [
        e for e in found if e.confirmed and not any(e.shares_code_with(r) and e.written_before(r) for r in refuted)
    ]
    standing = [
        r for r in refuted if not any(r.shares_code_with(e) and r.written_before(e) for e in found if e.confirmed)
    ]
    if disputed := [e for e in confirmed if any(e.shares_code_with(r) for r in standing)]:
        evidence = tuple(cited_condition(entry) for entry in (*disputed, *standing))
        return Fact.unknown(name, EITHER, Reason.CONFLICT, evidence=evidence, says=say("confirmed and refuted"))

    def counts(entry: ConditionEntry) -> Truth:
        return _counts(entry, options, chart.moment.as_of)

    present = [entry for entry in confirmed if counts(entry) is Truth.TRUE]
    if present:
        return _present(name, present, options)
    for reason, entries in (
        (Reason.IMPRECISE_DATE, [entry for entry in confirmed if counts(entry) is Truth.UNKNOWN]),
        (Reason.NOT_FINAL, [e for e in found if e.unsure and counts(e) is not Truth.FALSE]),
        (Reason.CLINICIAN, remembered),
    ):
        if entries:
            evidence = tuple(cited_condition(entry, entry.clinical) for entry in entries)
            return Fact.unknown(name, EITHER, reason, lean=YES, evidence=evidence, says=entries[0].code.label)
    if (gap := list_gap(chart)) is not None:
        return Fact.unknown(name, EITHER, gap)
    # That one cancer is refuted says nothing of the others.
    return _absent(name, confirmed, standing, one_by_one=definition.kind == "condition")


def list_gap(chart: Chart) -> Reason | None:
    """Return why a problem list cannot say that something is not there; None when it can."""
    if not chart.complete(["Condition"]):
        return Reason.NOT_FETCHED
    codes = [coding for entry in chart.conditions for coding in entry.code.codings if coding.code]
    if any(chart.value_sets.is_known_system(coding.system) for coding in codes):
        return None
    return Reason.UNMAPPED_CODE if chart.conditions else Reason.NO_RECORD


def _counts(entry: ConditionEntry, options: Mapping[str, Any], as_of: date) -> Truth:
    """Say whether an entry is recent enough; when it ended counts, else when it began."""
    if entry.clinical not in _OVER or options.get("ever"):
        return Truth.TRUE
    if "history_years" not in options:
        return Truth.FALSE
    since = years_after(as_of, -int(options["history_years"]))
    last = entry.abated or entry.when
    if last is not None and last.first >= since:
        return Truth.TRUE
    # One that began long ago and is over may have ended lately.
    return Truth.FALSE if entry.abated is not None and entry.abated.last < since else Truth.UNKNOWN


def _present(name: str, entries: Sequence[ConditionEntry], options: Mapping[str, Any]) -> Fact:
    evidence = tuple(cited_condition(entry, entry.clinical if entry.clinical in _OVER else "") for entry in entries)
    says = joined(entry.code.label for entry in entries)
    if question := options.get("confirm"):
        asked = say("{found}: {question}", found=says, question=words_of_rules(question))
        return Fact.unknown(name, EITHER, Reason.CLINICIAN, lean=YES, evidence=evidence, says=asked)
    return Fact.known(
        name,
        YES,
        later=YES if options.get("for_good") else EITHER,
        evidence=evidence,
        notes=notes_of(entries),
        says=says,
        look_again=_outlived(entries, options),
    )


def _outlived(entries: Sequence[ConditionEntry], options: Mapping[str, Any]) -> date | None:
    """Return the first day on which everything found will be too long ago; None when that cannot be told."""
    ends = [entry.abated for entry in entries if entry.clinical in _OVER and entry.abated is not None]
    if "history_years" not in options or len(ends) < len(entries):
        return None
    return years_after(max(end.last for end in ends), int(options["history_years"])) + timedelta(days=1)


def _absent(name: str, over: Sequence[ConditionEntry], refuted: Sequence[ConditionEntry], *, one_by_one: bool) -> Fact:
    evidence = tuple(
        cited_condition(entry, "refuted" if entry.refuted else entry.clinical) for entry in (*over, *refuted)
    )
    if evidence and one_by_one:
        return Fact.known(name, NO, evidence=evidence, says=say("recorded as {status}", status=evidence[0].note))
    return Fact.known(name, NO, evidence=evidence, notes=("assumed-absent",), says=say("not on the problem list"))


def _remembers(code: Coded) -> bool:
    # ICD-10 Z85: personal history of malignant neoplasm, whatever its display.
    if any((c.code or "").upper().startswith("Z85") and "icd-10" in (c.system or "") for c in code.codings):
        return True
    texts = [plain(text) for text in code.names() if text]
    return any(
        _HISTORY.search(text) and not _FAMILY.search(text) and names_cancer(Coded(text=_HISTORY.sub(" ", text)))
        for text in texts
    )


def years_after(day: date, years: int) -> date:
    """Return the same day of another year; 29 February becomes 1 March where there is none.

    >>> years_after(date(2024, 2, 29), -5)
    datetime.date(2019, 3, 1)
    """
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)
