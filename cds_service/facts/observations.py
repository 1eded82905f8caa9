"""Observation resources as entries: one code, one date, one value each; components and members unfolded."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any, Final, TypedDict, overload

from cds_service.facts.dates import When
from cds_service.facts.elements import (
    NOTHING,
    Coded,
    coded,
    list_of,
    number,
    object_of,
    reference_of,
    text_of,
)
from cds_service.facts.panels import contained_members
from cds_service.facts.reading import UnreadableError, span_of, when_of
from cds_service.facts.record import Source
from cds_service.logic.values import Interval

USABLE: Final = frozenset({"final", "amended", "corrected"})
IGNORED: Final = frozenset({"entered-in-error", "cancelled", "registered"})


@dataclass(frozen=True)
class Amount:
    """A measured value: an interval, since a comparator or a range leaves more than one possibility.

    Args:
        interval: the possible numbers, in ``unit``.
        unit: as recorded; the code when it is UCUM, else the text; None when there is none.
        shown: as a person would write it: ``< 5``, ``10-12``, ``90``.
        exact: whether it is one number.
    """

    interval: Interval
    unit: str | None
    shown: str

    @property
    def exact(self) -> bool:
        """Whether it is one number."""
        return self.interval.low is not None and self.interval.low == self.interval.high


@dataclass(frozen=True)
class ReferenceRange:
    """One ``referenceRange`` entry.

    Args:
        high: upper limit, None when there is none.
        unit: of the limit, as recorded.
        kind: its type, NOTHING when untyped.
        applies_to: the groups it is for.
        age: bounds in years, None when not given; ``readable_age`` False when given in another unit.
        from_text: whether the limit was read from ``text``.
    """

    high: Decimal | None
    unit: str | None
    kind: Coded
    applies_to: tuple[Coded, ...]
    age_low: Decimal | None = None
    age_high: Decimal | None = None
    from_text: bool = False


class Ranges(Sequence[ReferenceRange]):
    """The ranges of one result, read when they are asked for: most results of a record are older than any window."""

    def __init__(self, given: list[Any]) -> None:
        """Keep the ``referenceRange`` elements."""
        self._given = given

    @cached_property
    def _read(self) -> tuple[ReferenceRange, ...]:
        return tuple([_range(object_of(item)) for item in self._given])

    @overload
    def __getitem__(self, at: int) -> ReferenceRange: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[ReferenceRange]: ...

    def __getitem__(self, at: int | slice) -> ReferenceRange | Sequence[ReferenceRange]:
        """Return one range, or some."""
        return self._read[at]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._given)

    def __eq__(self, other: object) -> bool:
        """Say whether the same is read of both."""
        return isinstance(other, Ranges) and self._read == other._read

    def __hash__(self) -> int:
        """Return what is equal for equal ranges."""
        return hash(self._read)


@dataclass(frozen=True)
class ObservationEntry:
    """One result.

    Args:
        reference: of the resource.
        status: as recorded, "" when missing.
        code: what was observed.
        when: its day (a period counts by its end); None when undated.
        only_issued: whether the date is the report's, for want of the sample's.
        amount: a number or range; None when the value is something else or absent.
        answer: a coded or textual value; NOTHING when the value is something else or absent.
        has_value: whether there is any value[x]; a dataAbsentReason or nothing at all is False.
        method: how it was determined (the staging edition, say).
        interpretation: coded interpretation of the value.
        focus: references to what it is about.
        ranges: its own reference ranges.
    """

    reference: str
    status: str
    code: Coded
    when: When | None
    only_issued: bool = False
    amount: Amount | None = None
    answer: Coded = NOTHING
    has_value: bool = False
    method: Coded = NOTHING
    interpretation: Coded = NOTHING
    focus: tuple[str, ...] = ()
    ranges: Sequence[ReferenceRange] = ()

    @property
    def usable(self) -> bool:
        """Whether the status says that the result stands."""
        return self.status in USABLE


def read_observation(source: Source) -> Iterator[ObservationEntry]:
    """Yield the result itself, and one entry for each component and for each member that it contains.

    Raises:
        UnreadableError: no code, a component without one, or a date that is none.
    """
    if text_of(source.body.get("status")) in IGNORED:
        return
    members = contained_members(source.body)
    yield from _one(source.reference, source.body, panel=bool(members))
    for member in members:
        if text_of(member.get("status")) not in IGNORED:
            yield from _one(source.reference, member)


def _one(reference: str, body: Mapping[str, Any], *, panel: bool = False) -> Iterator[ObservationEntry]:
    """Yield one result, and one entry for each of its components."""
    status = text_of(body.get("status"))
    code = coded(body.get("code"))
    if not code.readable:
        raise UnreadableError
    span = span_of(body, "effective")
    when = span.end
    if when is None and span.start is not None:
        # A period counts by its end, and this one may have ended on any later day.
        when = When(span.start.first, date.max)
    issued = when_of(body.get("issued")) if when is None else None
    shared: _Shared = {
        "reference": reference,
        "status": status,
        "when": when or issued,
        "only_issued": when is None and issued is not None,
        "method": coded(body.get("method")),
        "focus": tuple([reference_of(item) for item in list_of(body.get("focus"))]),
    }
    components = [object_of(item) for item in list_of(body.get("component"))]
    own = _entry(shared, code, body)
    # A panel's head has no value of its own: it is not a missing result.
    if own.has_value or not (components or panel) or "dataAbsentReason" in body:
        yield own
    for component in components:
        part = coded(component.get("code"))
        if part.readable:
            yield _entry(shared, part, component)
    if components and any(not coded(component.get("code")).readable for component in components):
        raise UnreadableError


class _Shared(TypedDict):
    """What the components of a result have in common with it."""

    reference: str
    status: str
    when: When | None
    only_issued: bool
    method: Coded
    focus: tuple[str, ...]


def _interpretation(element: Mapping[str, Any]) -> Coded:
    if "interpretation" not in element:
        return NOTHING
    found = [coded(item) for item in list_of(element["interpretation"])]
    if not found:
        return NOTHING
    return Coded(tuple(c for one in found for c in one.codings), next((one.text for one in found if one.text), ""))


def _entry(shared: _Shared, code: Coded, element: Mapping[str, Any]) -> ObservationEntry:
    """Read the value and the ranges of an Observation or of one of its components."""
    names = [
        name for name in element if name[:5] == "value" and len(name) > 5 and element[name] not in (None, "", {}, [])
    ]
    # Two values in one element: which one is meant cannot be told.
    amount, answer = _value(names[0], element[names[0]]) if len(names) == 1 else (None, NOTHING)
    return ObservationEntry(
        **shared,
        code=code,
        amount=amount,
        answer=answer,
        has_value=bool(names),
        interpretation=_interpretation(element),
        ranges=Ranges(list_of(element["referenceRange"])) if "referenceRange" in element else (),
    )


def _value(name: str, value: Any) -> tuple[Amount | None, Coded]:
    """Read a value[x]: a number or range, and words."""
    amount: Amount | None = None
    answer = NOTHING
    if name == "valueQuantity":
        amount = quantity(value)
    elif name == "valueInteger":
        plain = _clean_number(value)
        amount = None if plain is None else Amount(Interval.point(plain), None, str(plain))
    elif name == "valueRange":
        amount = _amount_of_range(object_of(value))
    elif name in ("valueCodeableConcept", "valueCoding"):
        answer = coded(value)
    elif name in ("valueString", "valueBoolean"):
        answer = Coded(text=value.strip() if isinstance(value, str) else str(value).lower())
        amount = amount_in_text(answer.text)
    return amount, answer


_COMPARATORS: Final = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "≤": "<=", "≥": ">=", "＜": "<", "＞": ">"}


_SIGNS: Final = tuple(_COMPARATORS)  # what stands in a comparator's place may be no key
_CLEAN_NUMBER: Final = re.compile(r"-?\d{1,12}(?:\.\d{1,12})?")


def _clean_number(value: object) -> Decimal | None:
    """Read a number, or a string that holds nothing else."""
    if not isinstance(value, str):
        return number(value)
    written = value.strip()
    return Decimal(written) if _CLEAN_NUMBER.fullmatch(written) else None


def quantity(value: object) -> Amount | None:
    """Read a Quantity; None when its number cannot be read or its comparator is unknown."""
    element = object_of(value)
    plain = _clean_number(element.get("value"))
    comparator = element.get("comparator")
    # One that cannot be read may be any: the number alone would claim too much.
    if plain is None or (comparator is not None and comparator not in _SIGNS):
        return None
    return _amount(plain, _COMPARATORS[comparator] if comparator else "", unit_of(element))


def unit_of(element: Mapping[str, Any]) -> str | None:
    """Return a Quantity's unit: the UCUM code, else the text, else whatever code there is."""
    code, unit, system = text_of(element.get("code")), text_of(element.get("unit")), text_of(element.get("system"))
    ucum = code if not system or "unitsofmeasure" in system else ""
    return ucum or unit or code or None


def _amount(value: Decimal, comparator: str, unit: str | None) -> Amount:
    if not comparator:
        return Amount(Interval.point(value), unit, f"{value:f}")
    interval = {
        "<": Interval(high=value, high_open=True),
        "<=": Interval(high=value),
        ">": Interval(low=value, low_open=True),
        ">=": Interval(low=value),
    }[comparator]
    return Amount(interval, unit, f"{comparator} {value:f}")


def _amount_of_range(element: Mapping[str, Any]) -> Amount | None:
    low, high = quantity(element.get("low")), quantity(element.get("high"))
    ends = [end for end in (low, high) if end is not None]
    if not ends or len({end.unit for end in ends}) > 1:
        return None
    interval = Interval(low.interval.low if low else None, high.interval.high if high else None)
    if interval.low is not None and interval.high is not None and interval.low > interval.high:
        return None
    shown = f"{low.shown if low else ''}-{high.shown if high else ''}"
    return Amount(interval, ends[0].unit, shown)


# A clean number, as laboratories print it: an optional comparator, an arrow or flag after it, perhaps a unit (which may
# begin with a power of ten, set apart), and the arrow after that.
_IN_TEXT: Final = re.compile(
    r"(?P<comparator>[<>]=?|[≤≥])?\s*(?P<number>\d{1,9}(?:\.\d{1,9})?)\s*(?:[↑↓]+|[HL*])?\s*"
    r"(?P<unit>(?<=\s)10[*^eE]\d{1,2}/\S{1,12}?|[^\d\s↑↓<>].{0,20}?)?\s*[↑↓]*"
)


_RAISED: Final = re.compile("10([⁰¹²³⁴⁵⁶⁷⁸⁹]+)")


def amount_in_text(text: str) -> Amount | None:
    """Read a number written as text; None for anything that is not clean.

    >>> amount_in_text("<5.0").shown
    '< 5.0'
    >>> amount_in_text("1.2↑").interval.low
    Decimal('1.2')
    >>> amount_in_text("1,2") is None
    True
    """
    # Folding would make 109 of a raised 10⁹: the power is written out first.
    written = _RAISED.sub(r"10^\1", text)
    match = _IN_TEXT.fullmatch(unicodedata.normalize("NFKC", written).strip())
    if match is None or (match["unit"] or "").startswith((",", "-", "~", "/", ".", ":", "to", "(")):
        return None
    return _amount(
        Decimal(match["number"]),
        _COMPARATORS.get(match["comparator"] or "", ""),
        (match["unit"] or "").strip() or None,
    )


_RANGE_TEXT: Final = re.compile(
    r"(?:(?P<low>\d+(?:\.\d+)?)\s*(?:-|--|~|–|—|to|至)\s*(?P<high>\d+(?:\.\d+)?)|(?:<=?|≤)\s*(?P<only>\d+(?:\.\d+)?))\s*(?P<unit>[^\d\s].{0,20})?"
)


def _range(element: Mapping[str, Any]) -> ReferenceRange:
    """Read one referenceRange; a limit that stands only in the text is read when the text is clean."""
    high = object_of(element.get("high"))
    limit = _clean_number(high.get("value"))
    unit, from_text = unit_of(high), False
    if limit is None and not high and not object_of(element.get("low")):
        match = _RANGE_TEXT.fullmatch(unicodedata.normalize("NFKC", text_of(element.get("text"))).strip())
        if match is not None:
            limit, unit, from_text = Decimal(match["high"] or match["only"]), match["unit"], True
    ages = object_of(element.get("age"))
    low, high_age = _years(ages.get("low")), _years(ages.get("high"))
    # An age bound that cannot be read leaves open whom the range is for: it is not used.
    if ages and (("low" in ages and low is None) or ("high" in ages and high_age is None)):
        limit = None
    return ReferenceRange(
        high=limit,
        unit=unit,
        kind=coded(element.get("type")),
        applies_to=tuple([coded(item) for item in list_of(element.get("appliesTo"))]),
        age_low=low,
        age_high=high_age,
        from_text=from_text,
    )


_PER_YEAR: Final = {
    **dict.fromkeys(("a", "y", "yr", "yrs", "year", "years", "岁", "年"), Decimal(1)),
    **dict.fromkeys(("mo", "month", "months", "月"), Decimal(12)),
    **dict.fromkeys(("wk", "week", "weeks", "周"), Decimal("52.1775")),
    **dict.fromkeys(("d", "day", "days", "天"), Decimal("365.2425")),
}


def _years(value: object) -> Decimal | None:
    """Return a bound on age in years; None when there is none or its unit is not a time that is known."""
    found = quantity(value) if value is not None else None
    if found is None or not found.exact or found.interval.low is None:
        return None
    per_year = _PER_YEAR.get((found.unit or "").lower())
    return None if per_year is None else found.interval.low / per_year
