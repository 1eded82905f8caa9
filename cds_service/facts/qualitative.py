"""A test that is positive or negative: the latest in its window, as it is; not tested is not negative.

A coded answer decides; a word in its place ("negative", 阴性) or a bare number only asks a person.
Source: the eligibility contract, sections 3 and 6 (Labs, Text).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Final

from cds_service.facts.dates import ANY_TIME, latest
from cds_service.facts.definitions import FactDefinition
from cds_service.facts.fact import Fact, Reason, yes_or_no
from cds_service.facts.labs import cited, counts_until, window_of
from cds_service.facts.names import plain
from cds_service.facts.need import Need
from cds_service.facts.observations import ObservationEntry
from cds_service.facts.phrase import say
from cds_service.logic.values import EITHER, Choices

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart

_NEGATIVE: Final = re.compile(r"阴性|negative|neg\.?|not detected|未检出|-")
_POSITIVE: Final = re.compile(r"阳性|positive|pos\.?|detected|检出|\+")


def qualitative_result(chart: Chart, definition: FactDefinition, need: Need) -> Fact:
    """Return whether a test is positive.

    Options: ``value_set`` (the tests), ``positive_codes``, ``negative_codes``, ``within_days``.
    """
    name, window = definition.name, window_of(chart, need, definition)
    tests = chart.value_sets[definition.options["value_set"]]
    found = chart.observed(tests)
    usable = [entry for entry in found if entry.usable and entry.has_value]
    newest = [usable[at] for at in latest([entry.when or ANY_TIME for entry in usable])] if usable else []
    if any((entry.when or ANY_TIME).certainly_within(window.first, window.last) for entry in newest):
        return _judged(definition, newest, counts_until(newest, window, need, chart))
    perhaps = [entry for entry in found if (entry.when or ANY_TIME).perhaps_within(window.first, window.last)]
    for reason, entries in (
        (Reason.IMPRECISE_DATE, [entry for entry in newest if entry in perhaps]),
        (Reason.NOT_FINAL, [entry for entry in perhaps if not entry.usable and entry.has_value]),
    ):
        if entries:
            return _unknown(definition, reason, entries)
    if not chart.complete(["Observation"]):
        return _unknown(definition, Reason.NOT_FETCHED, newest)
    if empty := [entry for entry in perhaps if not entry.has_value]:
        return _unknown(definition, Reason.NO_VALUE, [*empty, *newest])
    return Fact.unknown(name, EITHER, Reason.NO_RECORD) if not newest else _unknown(definition, Reason.STALE, newest)


def _judged(definition: FactDefinition, entries: Sequence[ObservationEntry], until: date | None) -> Fact:
    sides = {_coded_side(definition, entry) for entry in entries}
    if None in sides:
        return _unknown(definition, Reason.CLINICIAN, entries, says=say("not given as a code"))
    if len(sides) > 1:
        return _unknown(definition, Reason.CONFLICT, entries)
    side = yes_or_no(sides.pop())
    assert side is not None  # noqa: S101 (None was told apart above)
    says = say("positive") if True in (side.options or ()) else say("negative")
    return Fact.known(definition.name, side, evidence=tuple(cited(one) for one in entries), says=says, until=until)


def _unknown(definition: FactDefinition, reason: Reason, entries: Sequence[ObservationEntry], says: str = "") -> Fact:
    """Return an unknown that leans to what the results say, when they say one thing."""
    sides = {_side(definition, entry) for entry in entries}
    lean: Choices | None = yes_or_no(sides.pop()) if len(sides) == 1 else None
    evidence = tuple(cited(entry) for entry in entries)
    return Fact.unknown(definition.name, EITHER, reason, lean=lean, evidence=evidence, says=says)


def _coded_side(definition: FactDefinition, entry: ObservationEntry) -> bool | None:
    codes = {coding.code for coding in entry.answer.codings}
    positive = bool(codes & set(definition.options["positive_codes"]))
    negative = bool(codes & set(definition.options["negative_codes"]))
    return None if positive == negative else positive


def _side(definition: FactDefinition, entry: ObservationEntry) -> bool | None:
    """Return what a result says, in a code or in words."""
    coded = _coded_side(definition, entry)
    if coded is not None:
        return coded
    text = plain(entry.answer.label)
    if _NEGATIVE.fullmatch(text):
        return False
    return True if _POSITIVE.fullmatch(text) else None
