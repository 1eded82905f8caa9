"""Facts that belong to no trial: days since treatment and the wash-out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from generic_facts import NPC, asked, points, read, reason

from cds_service.facts.definitions import FactDefinition
from cds_service.facts.fact import Fact
from cds_service.logic.values import NO, YES, Interval, Numbers

DAYS = asked("days_since_treatment", "number")
CHEMO = {"drug": "cisplatin", "date": -10}


def days(*treatments: dict[str, Any], definition: FactDefinition = DAYS, **more: Any) -> Fact:
    return read(definition, {"problems": [{**NPC, "onset": "2025-01-05"}], "treatments": list(treatments), **more})


def test_the_last_treatment_counts_and_another_may_follow() -> None:
    fact = days({"drug": "gemcitabine", "date": -40}, CHEMO)
    assert fact.value.now == points(10)
    assert fact.value.later == Numbers((Interval(low=Decimal(0)),))


@pytest.mark.parametrize(
    ("treatment", "expected"),
    [
        ({"drug": "cisplatin", "as": "statement", "start": -90, "end": -30}, 30),
        ({"drug": "cisplatin", "as": "statement", "start": -90, "status": "active"}, 0),
        ({"drug": "cisplatin", "as": "statement", "date": -90, "status": "active"}, 0),
        ({"procedure": "radiotherapy", "site": "nasopharynx", "start": -60, "end": -12}, 12),
        ({"procedure": "nasopharyngectomy", "date": -33}, 33),
    ],
)
def test_the_end_of_a_treatment_counts(treatment: dict[str, Any], expected: int) -> None:
    assert days(treatment).value.now == points(expected)


def test_no_treatment_on_record_is_for_a_person_and_leans_long_ago() -> None:
    fact = days()
    assert reason(fact) == "clinician"
    assert isinstance(fact.lean, Numbers)
    assert fact.lean.intervals[0].low == 36_525


def test_unread_treatments_may_be_later_than_those_read() -> None:
    assert reason(days(unread=True)) == "not-fetched"
    fact = days(CHEMO, unread=True)
    assert (reason(fact), fact.value.now) == ("not-fetched", Numbers((Interval(Decimal(0), Decimal(10)),)))


def test_a_doubtful_treatment_matters_when_it_may_be_the_later() -> None:
    by_name = {"name": "信迪利单抗", "date": -4}
    fact = days(CHEMO, by_name)
    assert (reason(fact), fact.value.now) == ("clinician", Numbers((Interval(Decimal(4), Decimal(10)),)))
    assert days(CHEMO, {**by_name, "date": -50}).value.now == points(10)
    undated = days(CHEMO, {"drug": "gemcitabine"})
    assert (reason(undated), undated.value.now) == ("imprecise-date", Numbers((Interval(Decimal(0), Decimal(10)),)))


def test_a_month_is_a_range_of_days() -> None:
    fact = days({"drug": "cisplatin", "date": "2026-01"})
    assert (reason(fact), fact.value.now) == ("imprecise-date", Numbers((Interval(Decimal(29), Decimal(59)),)))


def test_a_course_without_an_end_may_have_ended_on_any_day() -> None:
    fact = days({"drug": "cisplatin", "as": "statement", "start": -90})
    assert (reason(fact), fact.value.now) == ("imprecise-date", Numbers((Interval(Decimal(0), Decimal(90)),)))


def test_without_a_date_of_onset_a_treatment_is_never_certain() -> None:
    patient = {"problems": [{"code": "C11.9"}], "treatments": [CHEMO]}
    assert reason(read(DAYS, patient)) == "imprecise-date"
    assert reason(read(asked("treatment_given"), patient)) == "imprecise-date"


def test_classes_narrow_what_counts() -> None:
    given = [
        CHEMO,
        {"procedure": "radiotherapy", "site": "nasopharynx", "date": -20},
        {"drug": "toripalimab", "date": -5},
    ]
    for classes, expected in ((["radiotherapy"], 20), (["chemotherapy", "radiotherapy"], 10), (["pd1"], 5)):
        narrowed = asked("days_since_treatment", "number", classes=classes)
        assert days(*given, definition=narrowed).value.now == points(expected)


def test_what_was_given_stays_given() -> None:
    ever = asked("treatment_given", classes=["chemotherapy"])
    fact = days(CHEMO, definition=ever)
    assert (fact.value.now, fact.value.later) == (YES, YES)
    none = days({"drug": "toripalimab", "date": -5}, definition=ever)
    assert (reason(none), none.lean, none.says) == ("clinician", NO, "none found in this record")
    ordered = days({"drug": "cisplatin", "as": "request", "status": "active", "date": -5}, definition=ever)
    assert (reason(ordered), ordered.lean) == ("clinician", YES)
    assert reason(days(definition=ever, unread=True)) == "not-fetched"
