"""Who the patient is: age as a range when the birth date is partial, sex when it is stated, and death."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from cds_service.facts.dates import When, age_in_years
from cds_service.facts.definitions import FactDefinition
from cds_service.facts.elements import text_of
from cds_service.facts.fact import Evidence, Fact, Missing, Reason
from cds_service.facts.need import Need
from cds_service.facts.phrase import say
from cds_service.facts.record import Source
from cds_service.logic.truth import Truth
from cds_service.logic.values import ANY_CHOICE, ANY_NUMBER, Choices, Interval, Numbers, Value

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart

SEXES: Final = ("male", "female")


@dataclass(frozen=True)
class Person:
    """What the Patient resource says.

    Args:
        reference: of the Patient.
        birth: range of possible birth days; None when there is none or it cannot be read.
        birth_missing: why ``birth`` is None.
        sexes: the possible sexes: one, or both when it is not stated (administrative "other" states none).
        deceased: whether the patient had died by the day; unknown when only part of a date is recorded, and the day
            lies in it.
        died: the recorded day of death.
    """

    reference: str
    birth: When | None
    birth_missing: Reason
    sexes: tuple[str, ...]
    deceased: Truth
    died: Evidence | None = None

    def ages(self, on: When) -> Numbers | None:
        """Return the possible ages in completed years on a day (or any of a range of days)."""
        if self.birth is None:
            return None
        youngest, oldest = age_in_years(self.birth.last, on.first), age_in_years(self.birth.first, on.last)
        return Numbers.of(*(Decimal(years) for years in range(youngest, oldest + 1)))


def read_person(patient: Source, as_of: date) -> Person:
    """Read the Patient resource."""
    body = patient.body
    birth, missing = None, Reason.NO_RECORD
    if body.get("birthDate") is not None:
        try:
            birth = When.parse(body["birthDate"])
        except ValueError:
            # A date that cannot be read: it is in the hospital, we did not see it.
            missing = Reason.NOT_FETCHED
        if birth is not None and birth.first > as_of:
            birth, missing = None, Reason.NO_VALUE
    elif isinstance(body.get("_birthDate"), dict):
        missing = Reason.NO_VALUE
    gender = text_of(body.get("gender")).lower()
    return Person(
        reference=patient.reference,
        birth=birth,
        birth_missing=missing,
        sexes=(gender,) if gender in SEXES else SEXES,
        deceased=_deceased(body.get("deceasedBoolean"), body.get("deceasedDateTime"), as_of),
        died=Evidence(patient.reference, text_of(body["deceasedDateTime"])) if body.get("deceasedDateTime") else None,
    )


def _deceased(flag: object, day: object, as_of: date) -> Truth:
    if flag is not None and flag is not False:
        # Anything that is not a plain "no": a death is not to be missed for a mistyped flag.
        return Truth.of(text_of(flag).lower() != "false")
    if day is None:
        return Truth.FALSE
    try:
        died = When.parse(day)
    except ValueError:
        # A death whose date cannot be read is still a death.
        return Truth.TRUE
    if died.first > as_of:
        return Truth.FALSE
    return Truth.TRUE if died.last <= as_of else Truth.UNKNOWN


def age(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return the age in completed years on the day; later it only grows, next on the birthday."""
    person = chart.person
    today = person.ages(When.on(chart.moment.as_of))
    if today is None or person.birth is None:
        return Fact.unknown(definition.name, ANY_NUMBER, person.birth_missing)
    youngest = min(i.low for i in today.intervals if i.low is not None)
    born = say("birth date")
    evidence = Evidence(person.reference, person.birth.text, None, chart.moment.as_of.isoformat(), born, _years(today))
    fact = Fact.known(
        definition.name,
        today,
        later=Numbers((Interval(low=youngest),)),
        evidence=(evidence,),
        says=_years(today),
        until=_last_day_of(person, chart.moment.as_of),
    )
    if len(today.intervals) == 1:
        return fact
    missing = (Missing(definition.name, Reason.IMPRECISE_DATE),)
    return Fact(
        definition.name,
        Value(today, fact.value.later),
        today,
        missing,
        (evidence,),
        says=_years(today),
        until=fact.until,
    )


def _last_day_of(person: Person, day: date) -> date | None:
    """Return the last day in a row on which the possible ages are those of a day; None near the calendar's end."""
    if day.year >= date.max.year - 1:
        return None
    today, last = person.ages(When.on(day)), day
    step = 256  # days; no age lasts two such steps, and halves of it find the end
    while step:
        if person.ages(When.on(last + timedelta(days=step))) == today:
            last += timedelta(days=step)
        else:
            step //= 2
    return last


def _years(ages: Numbers) -> str:
    found = sorted(int(i.low) for i in ages.intervals if i.low is not None)
    if len(found) == 1:
        return say("{age} years", age=found[0])
    return say("{youngest} to {oldest} years", youngest=found[0], oldest=found[-1])


def sex(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return the administrative sex; "other" and "unknown" state none."""
    person = chart.person
    if len(person.sexes) > 1:
        return Fact.unknown(definition.name, ANY_CHOICE, Reason.NO_RECORD)
    evidence = Evidence(person.reference, person.sexes[0])
    words = say("male") if person.sexes[0] == "male" else say("female")
    return Fact.known(definition.name, Choices.of(person.sexes[0]), evidence=(evidence,), says=words)
