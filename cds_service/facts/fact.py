"""A fact: one named value about a patient on a day, with its evidence, or why it is not known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Self

from cds_service.logic.values import ANY_CHOICE, ANY_NUMBER, EITHER, Choices, Numbers, Value, Values


class Reason(StrEnum):
    """Why something is unknown: a closed list. Source: the eligibility contract, section 3."""

    NOT_FETCHED = "not-fetched"
    NO_RECORD = "no-record"
    STALE = "stale"
    NOT_FINAL = "not-final"
    NO_VALUE = "no-value"
    UNIT_UNUSABLE = "unit-unusable"
    NO_REFERENCE_RANGE = "no-reference-range"
    COMPARATOR = "comparator"
    IMPRECISE_DATE = "imprecise-date"
    CONFLICT = "conflict"
    EDITION_UNKNOWN = "edition-unknown"
    NOT_SPECIFIC = "not-specific"
    UNMAPPED_CODE = "unmapped-code"
    CLINICIAN = "clinician"


@dataclass(frozen=True)
class Missing:
    """One missing piece and its one primary reason."""

    fact: str
    reason: Reason


@dataclass(frozen=True)
class Evidence:
    """One record behind a fact.

    Args:
        resource: reference of the FHIR resource.
        value: as recorded: a number, or a code's display or text; None when the record has none.
        unit: as recorded.
        date: the calendar day (or part of one) written in the record, ISO 8601.
        note: what was made of it, for people: "= 121 g/L", "upper limit 21 µmol/L".
        instead: what people read instead of the value and its note: an age, not the date of birth.
    """

    resource: str
    value: Decimal | str | None = None
    unit: str | None = None
    date: str | None = None
    note: str = ""
    instead: str = ""


@dataclass(frozen=True)
class Moment:
    """When a patient is judged.

    Args:
        as_of: the day; nothing dated later is used.
        anchor: the day lab windows end at: planned induction day 1, or ``as_of``.
        gate: the protocol's moment, "screening" or "randomisation".
        before_treatment: whether that moment lies before the first dose.
    """

    as_of: date
    anchor: date
    gate: str
    before_treatment: bool = False


@dataclass(frozen=True)
class Fact:
    """A named value with its evidence.

    Args:
        name: as in ``rules/facts.yaml``.
        value: the possible values now and later.
        lean: what the evidence at hand would give; the whole set when it gives nothing.
        missing: why the value is not one point. It counts only where a rule stays unknown because of it.
        evidence: the records behind it, the deciding one first.
        notes: annotations beside the value (``assumed-absent``, ``status-not-stated``, ...), never truth values.
        says: one clause for people that the value alone does not tell ("none found in this record").
        until: the last day (inclusive) on which this value can still be used, when it lapses by time.
        look_again: the earliest day on which a failing value may have changed, when that can be told.
    """

    name: str
    value: Value
    lean: Values
    missing: tuple[Missing, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    notes: tuple[str, ...] = ()
    says: str = ""
    until: date | None = None
    look_again: date | None = None

    @classmethod
    def known(cls, name: str, now: Values, *, later: Values | None = None, **rest: object) -> Fact:
        """Return a fact whose value is known today; ``later`` defaults to "anything"."""
        return cls(name, Value(now, anything_like(now) if later is None else later), now, **rest)  # type: ignore[arg-type]

    @classmethod
    def for_good(cls, name: str, now: Values, **rest: object) -> Fact:
        """Return a fact that cannot change any more."""
        return cls.known(name, now, later=now, **rest)

    @classmethod
    def unknown(
        cls,
        name: str,
        whole: Values,
        reason: Reason,
        *,
        lean: Values | None = None,
        of: str = "",
        **rest: object,
    ) -> Fact:
        """Return a fact that is not known.

        Args:
            name: the fact.
            whole: every value it could have.
            reason: the primary reason.
            lean: what the evidence at hand would give; None for nothing.
            of: the missing fact, when it is another one (an upper limit that needs the sex).
            rest: evidence, notes, says, ...
        """
        missing = (Missing(of or name, reason),)
        return cls(name, Value.fixed(whole), whole if lean is None else lean, missing, **rest)  # type: ignore[arg-type]

    def noting(self, *notes: str) -> Self:
        """Return this fact with further annotations."""
        return replace(self, notes=tuple(dict.fromkeys((*self.notes, *notes))))


def anything_like(values: Values) -> Values:
    """Return the set of every value of the same type."""
    if isinstance(values, Numbers):
        return ANY_NUMBER
    if values.options is not None and values.options <= frozenset([True, False]):
        return EITHER
    return ANY_CHOICE


def yes_or_no(answer: bool | None) -> Choices | None:
    """Return the set for an answer; None for none (a leaning that leans nowhere)."""
    return None if answer is None else Choices.of(answer)
