"""The upper limit of normal that a result brings with it: never a built-in number.

Source: the eligibility contract, section 6 (Labs): ``referenceRange`` of type normal or untyped that fits the
sex, its ``high`` in its own unit; several that fit and differ are a conflict. A result that brings no such range
may be judged by the limit of the site file, and is then annotated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from cds_service.facts import units
from cds_service.facts.elements import Coded
from cds_service.facts.fact import Reason
from cds_service.facts.observations import ObservationEntry, ReferenceRange
from cds_service.facts.person import Person
from cds_service.facts.site import SiteLimit

SITE_LIMIT: Final = "site-upper-limit"
"""The annotation of a result that was judged by the site file's limit."""

# SNOMED CT 248153007 |Male| and 248152002 |Female|, HL7 administrative-gender, and plain words.
_SEX_WORDS: Final = {
    "male": frozenset({"248153007", "male", "m", "男", "男性"}),
    "female": frozenset({"248152002", "female", "f", "女", "女性"}),
}


@dataclass(frozen=True)
class UpperLimits:
    """The limits that apply.

    Args:
        highs: in the analyte's canonical unit; two only when the sex is unknown and the sexes' limits differ.
        reason: why there is none.
        missing_fact: the fact whose absence leaves none, "" for the result itself.
        notes: annotations ("range-from-text", "site-upper-limit").
    """

    highs: tuple[Decimal, ...] = ()
    reason: Reason | None = None
    missing_fact: str = ""
    notes: tuple[str, ...] = ()


def upper_limits(
    entry: ObservationEntry, analyte: str, person: Person, fallback: Sequence[SiteLimit] = ()
) -> UpperLimits:
    """Return the limits of a result's own reference ranges that fit the patient.

    Args:
        entry: the result.
        analyte: a name in `units.ANALYTES`.
        person: sex and age.
        fallback: the site file's limits, for a result that brings no range. A range that cannot be used is one.
    """
    notes: tuple[str, ...]
    if any(_is_normal(one.kind) for one in entry.ranges):
        per_sex = [_highs(entry, analyte, person, sex) for sex in person.sexes]
        notes = ("range-from-text",) if any(one.from_text for one in entry.ranges) else ()
    else:
        per_sex = [_site_highs(entry, analyte, person, sex, fallback) for sex in person.sexes]
        notes = (SITE_LIMIT,)
    if any(len(highs) > 1 for highs in per_sex):
        return UpperLimits(reason=Reason.CONFLICT)
    if not any(per_sex):
        return UpperLimits(reason=Reason.NO_REFERENCE_RANGE)
    if not all(per_sex):
        return UpperLimits(reason=Reason.NO_RECORD, missing_fact="sex")
    return UpperLimits(tuple(dict.fromkeys(high for highs in per_sex for high in highs)), notes=notes)


def _highs(entry: ObservationEntry, analyte: str, person: Person, sex: str) -> tuple[Decimal, ...]:
    found = []
    for one in entry.ranges:
        if one.high is None or not _is_normal(one.kind) or not _fits(one, sex) or not _of_age(one, entry, person):
            continue
        # A limit printed in the range's text is in the result's unit unless the text says otherwise.
        unit = one.unit or (entry.amount.unit if one.from_text and entry.amount else None)
        high = units.convert(analyte, one.high, unit)
        if high is not None and high > 0:
            found.append(high)
    return tuple(dict.fromkeys(found))


def _site_highs(
    entry: ObservationEntry, analyte: str, person: Person, sex: str, limits: Sequence[SiteLimit]
) -> tuple[Decimal, ...]:
    ages = person.ages(entry.when) if entry.when is not None else None
    found = (units.convert(analyte, one.value, one.unit) for one in limits if one.fits(sex, ages))
    return tuple(dict.fromkeys(high for high in found if high is not None))


def _is_normal(kind: Coded) -> bool:
    return not kind.readable or any(c.code == "normal" for c in kind.codings) or "normal" in kind.text.lower()


def _fits(one: ReferenceRange, sex: str) -> bool:
    """Say whether every group the range is for is this sex; an unknown group does not fit."""
    return all(_words(group) & _SEX_WORDS[sex] for group in one.applies_to)


def _words(group: Coded) -> set[str]:
    return {word.lower() for c in group.codings for word in (c.code, c.display) if word} | {group.text.lower()}


def _of_age(one: ReferenceRange, entry: ObservationEntry, person: Person) -> bool:
    """Say whether the patient's age on the result's day certainly lies in the range's."""
    if one.age_low is None and one.age_high is None:
        return True
    ages = person.ages(entry.when) if entry.when is not None else None
    if ages is None:
        return False
    years = [i.low for i in ages.intervals if i.low is not None]
    return all((one.age_low is None or y >= one.age_low) and (one.age_high is None or y <= one.age_high) for y in years)
