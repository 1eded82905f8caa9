"""A drug that a protocol asks for: taken on the day, or within some days before it.

An order says that a drug is being taken, not that a dose was given; a drug known by name only goes to a person.
Medications that were read and do not name it say that it is not taken, annotated ``assumed-absent``.
Source: the eligibility contract, sections 3 and 6 (given, perhaps given, not given).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cds_service.facts.anticoagulation import MEDICATION_TYPES
from cds_service.facts.dates import shift
from cds_service.facts.definitions import FactDefinition
from cds_service.facts.fact import Evidence, Fact, Reason
from cds_service.facts.labs import LAB_WINDOW_DAYS, Window, window_of
from cds_service.facts.names import named_in
from cds_service.facts.need import Need
from cds_service.facts.phrase import joined, say, words_of_rules
from cds_service.facts.treatments import Given, TreatmentEntry
from cds_service.logic.values import EITHER, NO, YES

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart

_ONGOING: Final = frozenset({"active", "in-progress", "recorded"})


@dataclass(frozen=True)
class _Use:
    """One drug entry that may count: surely, or why a person must say (``imprecise-date`` or ``clinician``)."""

    entry: TreatmentEntry
    doubt: Reason | None
    says: str = ""

    @property
    def evidence(self) -> Evidence:
        start = self.entry.start
        note = self.says or self.entry.status
        return Evidence(self.entry.reference, self.entry.code.label, None, start.text if start else None, note)


def active_medication(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return whether a drug is taken on the day, or was within the days that the rule gives.

    Options: ``value_sets``; ``name_value_sets``; ``confirm``, a question to a person about what was found.
    """
    name, options, sets = definition.name, definition.options, chart.value_sets
    today = Window(chart.moment.as_of, chart.moment.as_of)
    window = today if need.within_days is None else window_of(chart, need, definition)
    coded = [sets[one] for one in options.get("value_sets", ())]
    named = [sets[one] for one in options.get("name_value_sets", ())]
    uses = []
    for entry in chart.treatments:
        if entry.type == "Procedure" or entry.given is Given.NOT_GIVEN:
            continue
        by_code = any(entry.code.find(one) for one in coded)
        if not by_code and not any(named_in(entry.code.names(), one) for one in named):
            continue
        use = _in_window(entry, window, on_the_day=need.within_days is None)
        if use is not None:
            uses.append(use if by_code else _Use(entry, Reason.CLINICIAN, say("known by name only")))
    sure = [use for use in uses if use.doubt is None]
    evidence = tuple(use.evidence for use in (*sure, *(use for use in uses if use.doubt is not None)))
    if uses:
        says = joined(use.entry.code.label for use in sure or uses)
        if sure and "confirm" not in options:
            return Fact.known(name, YES, evidence=evidence, says=says)
        asked = words_of_rules(options["confirm"]) if sure else uses[0].says
        reason = Reason.CLINICIAN if sure else uses[0].doubt or Reason.CLINICIAN
        return Fact.unknown(
            name,
            EITHER,
            reason,
            lean=YES,
            evidence=evidence,
            says=say("{found}: {question}", found=says, question=asked),
        )
    if not chart.complete(MEDICATION_TYPES):
        return Fact.unknown(name, EITHER, Reason.NOT_FETCHED)
    return Fact.known(name, NO, notes=("assumed-absent",), says=say("none on record"))


def _in_window(entry: TreatmentEntry, window: Window, *, on_the_day: bool) -> _Use | None:
    """Return how an entry lies in the window; None when it certainly does not."""
    ongoing, paused = entry.status in _ONGOING, entry.status == "on-hold"
    start, end = entry.start or entry.end, entry.end
    # An order is dated by its writing and a statement perhaps by one day: neither is an end.
    if (ongoing and start == end) or (entry.type == "MedicationRequest" and entry.given is Given.PERHAPS):
        end = None
    if paused and (end is None or end.last >= window.first):
        return _Use(entry, Reason.CLINICIAN, say("on hold"))
    if start is None:
        if on_the_day and entry.given is Given.GIVEN and not ongoing:
            return None
        return _Use(entry, None) if ongoing and entry.given is Given.GIVEN else _doubted(entry, ongoing, on_the_day)
    if ongoing and end is not None and end.last < window.first:
        return _Use(entry, Reason.CLINICIAN, say("active, but its period has ended"))
    open_end = end is None and not ongoing
    if open_end and on_the_day and entry.given is Given.GIVEN:
        return None  # finished, though nobody wrote down when
    last = window.last if end is None else end.last
    if last < window.first and on_the_day and entry.type == "MedicationAdministration":
        # Doses are recorded one by one: a recent one may be one of a course that goes on.
        recent = last >= shift(window.first, -LAB_WINDOW_DAYS)
        return _Use(entry, Reason.CLINICIAN, say("a recent dose: does the course go on?")) if recent else None
    if last < window.first or start.first > window.last:
        return None
    if entry.given is Given.PERHAPS:
        return _doubted(entry, ongoing, on_the_day)
    surely = ongoing or (end or start).first >= window.first
    return _Use(entry, None) if surely else _Use(entry, Reason.IMPRECISE_DATE, say("its date is imprecise"))


def _doubted(entry: TreatmentEntry, ongoing: bool, on_the_day: bool) -> _Use:
    """Return an entry that is only perhaps given; an active order stands for a drug that is being taken."""
    if entry.given is Given.GIVEN:
        return _Use(entry, Reason.IMPRECISE_DATE, say("undated"))
    if ongoing and on_the_day:
        return _Use(entry, None)
    doubt = say("{type} is {status}: perhaps given", type=entry.type, status=entry.status or say("without status"))
    return _Use(entry, Reason.CLINICIAN, doubt)
