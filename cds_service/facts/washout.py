"""Earlier anti-tumour treatment of any or some classes: whether there was any, and how long ago the last was.

None found is never "none": treatment elsewhere is invisible, so a person must confirm. What counts, and what only
may, is told in :mod:`cds_service.facts.treated`. Source: the eligibility contract, sections 2, 3 and 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from cds_service.facts.dates import When
from cds_service.facts.definitions import FactDefinition
from cds_service.facts.diagnosis import disease_options
from cds_service.facts.fact import Fact, Missing, Reason
from cds_service.facts.need import Need
from cds_service.facts.phrase import joined, say
from cds_service.facts.shown import day
from cds_service.facts.treated import ONGOING, Treatment, TreatmentClass
from cds_service.facts.treatment import TREATMENT_TYPES
from cds_service.logic.values import EITHER, NO, YES, Interval, Numbers, Value

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart

# "None found" leans as if the last one were beyond any wash-out: a century ago.
_LONG_AGO: Final = Numbers((Interval(low=Decimal(36_525)),))
# Another dose starts the count again.
_ANY_DAYS: Final = Numbers((Interval(low=Decimal(0)),))
_CLASSES: Final = {
    TreatmentClass.CHEMOTHERAPY: "chemotherapy",
    TreatmentClass.NAMED_CHEMOTHERAPY: "chemotherapy",
    TreatmentClass.PD1: "pd1",
    TreatmentClass.NAMED_PD1: "pd1",
    TreatmentClass.NAMED_OTHER: "other",
}


@dataclass(frozen=True)
class _Seen:
    """Treatments of the classes asked for: those that count for certain, and those that only may."""

    sure: tuple[Treatment, ...]
    unsure: tuple[Treatment, ...]

    @property
    def reason(self) -> Reason:
        """Why the unsure ones are."""
        undated = any(one.reason is Reason.IMPRECISE_DATE or not one.doubt for one in self.unsure)
        return Reason.IMPRECISE_DATE if undated else Reason.CLINICIAN

    @property
    def says(self) -> str:
        """Each unsure one with its doubt."""
        return joined(
            say(
                "{treatment}: {doubt}",
                treatment=one.label or say("a treatment"),
                doubt=one.doubt or say("its date is imprecise"),
            )
            for one in self.unsure
        )


def _seen(chart: Chart, definition: FactDefinition) -> _Seen:
    """Return the treatments that the option ``classes`` asks for; all of them without it."""
    wanted = definition.options.get("classes")
    treatments = chart.disease.treatments

    def asked(one: Treatment) -> bool:
        kind = _class_of(chart, one)
        return wanted is None or kind is None or kind in wanted

    counting = [one for one in treatments.counting if asked(one)]
    unsure = [one for one in counting if not one.certain]
    unsure += [one for one in (*treatments.named, *treatments.doubtful) if asked(one)]
    return _Seen(tuple(one for one in counting if one.certain), tuple(unsure))


def _class_of(chart: Chart, treatment: Treatment) -> str | None:
    """Return "chemotherapy", "pd1", "radiotherapy", "surgery" or "other"; None when it cannot be told."""
    if treatment.kind in _CLASSES:
        return _CLASSES[treatment.kind]
    if treatment.kind is not TreatmentClass.OTHER:
        return None
    options, code = disease_options(chart), treatment.entry.code if treatment.entry else None
    for kind in ("radiotherapy", "surgery"):
        if code is not None and code.find(chart.value_sets[options[f"{kind}_value_set"]]):
            return kind
    return "other"


def treatment_given(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return whether the patient ever had such a treatment for the disease; what was given stays given."""
    name, seen = definition.name, _seen(chart, definition)
    evidence = tuple(one.evidence for one in (*seen.sure, *seen.unsure))
    if seen.sure:
        says = joined(
            say("{treatment} ({day})", treatment=one.label, day=day(one.when.text) if one.when else say("undated"))
            for one in seen.sure
        )
        return Fact.for_good(name, YES, evidence=evidence, says=says)
    lean = YES if seen.unsure else NO
    if not chart.complete(TREATMENT_TYPES):
        says = joined([say("treatments could not all be read"), seen.says])
        return Fact.unknown(name, EITHER, Reason.NOT_FETCHED, lean=lean, evidence=evidence, says=says)
    if seen.unsure:
        return Fact.unknown(name, EITHER, seen.reason, lean=lean, evidence=evidence, says=seen.says)
    return Fact.unknown(name, EITHER, Reason.CLINICIAN, lean=lean, says=say("none found in this record"))


def days_since_treatment(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return how many days before the window's end the last such treatment was given."""
    name, seen = definition.name, _seen(chart, definition)
    end = chart.moment.anchor if need.anchor == "anchor" else chart.moment.as_of
    sure, unsure = _since(seen.sure, chart.moment.as_of, end), _since(seen.unsure, chart.moment.as_of, end)
    evidence = tuple(one.evidence for one in (*seen.sure, *seen.unsure))
    says = "" if sure is None else say("last treatment {days} days ago", days=_days(sure))
    # One that only may count matters when it may be the later one.
    matters = unsure is not None and (sure is None or sure.high is None or (unsure.low or 0) < sure.high)
    found = [one for one in (sure, unsure if matters else None) if one is not None]
    lean = _most_recent(found)
    if not chart.complete(TREATMENT_TYPES):
        # What was not read may be later than what was.
        numbers = Numbers((Interval(Decimal(0), sure.high if sure else None),))
        reason, says = Reason.NOT_FETCHED, say("treatments could not all be read")
    elif matters:
        low = min(one.low or Decimal(0) for one in found)
        numbers = Numbers((Interval(low, sure.high if sure else None),))
        reason, says = seen.reason, seen.says
    elif sure is None:
        numbers, reason, says = _ANY_DAYS, Reason.CLINICIAN, say("none found in this record")
    elif sure.low != sure.high:
        numbers, reason = Numbers((sure,)), Reason.IMPRECISE_DATE
    else:
        return Fact.known(name, Numbers((sure,)), later=_ANY_DAYS, evidence=evidence, says=says)
    missing = (Missing(name, reason),)
    return Fact(name, Value(numbers, _ANY_DAYS), lean or _LONG_AGO, missing, evidence, says=says)


def _since(treatments: Sequence[Treatment], as_of: date, end: date) -> Interval | None:
    """Return the possible days since the last of these; None when there are none."""
    found = []
    for one in treatments:
        last = _last_day(one, as_of)
        most = None if last is None else Decimal(max((end - last.first).days, 0))
        found.append(Interval(Decimal(0 if last is None else max((end - last.last).days, 0)), most))
    return None if not found else _shortest(found)


def _shortest(found: Sequence[Interval]) -> Interval:
    highs = [one.high for one in found if one.high is not None]
    return Interval(min(one.low or Decimal(0) for one in found), min(highs) if highs else None)


def _most_recent(found: Sequence[Interval]) -> Numbers | None:
    return Numbers((_shortest(found),)) if found else None


def _last_day(treatment: Treatment, as_of: date) -> When | None:
    """Return the last day as a range, not after the day; what has begun and not ended goes on."""
    entry = treatment.entry
    if entry is None:
        # A bare "history of" code is dated by when it was written down.
        return None
    last, ongoing = entry.end, entry.status in ONGOING
    if entry.start is not None and (last is None or (ongoing and last == entry.start)):
        # An open period, or the one day of a statement: it goes on, or it ended on any day since.
        last = When(as_of if ongoing else entry.start.first, as_of)
    elif last is not None and ongoing:
        last = When(last.first, as_of)
    return None if last is None else When(min(last.first, as_of), min(last.last, as_of))


def _days(interval: Interval) -> str:
    return f"{interval.low}" if interval.low == interval.high else f"{interval.low} to {interval.high}"
