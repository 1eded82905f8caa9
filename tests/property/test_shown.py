"""What people read of a number never says another side of a limit than the number does."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from cds_service.facts.need import XULN
from cds_service.facts.shown import plain_number, ratio
from cds_service.trials.library import load_library

LIBRARY = load_library(Path(__file__).resolve().parents[2] / "rules")
LIMITS = {
    (limit, criterion.needs[name].unit == XULN)
    for trial in LIBRARY.trials.values()
    for criterion in trial.criteria
    for name, limits in criterion.logic.limits.items()
    for limit in limits
    if isinstance(limit, Decimal)
}
NEAR = st.decimals(min_value="-0.01", max_value="0.01", places=9)
FACTORS = st.decimals(min_value="0.3", max_value="3", places=4)


def test_there_are_limits_of_both_kinds():
    assert {multiple for _, multiple in LIMITS} == {True, False}


@given(st.sampled_from(sorted(LIMITS)), NEAR, FACTORS)
@example((Decimal("1.5"), True), Decimal("0.0004"), Decimal(1))
@example((Decimal(90), False), Decimal("-0.004"), Decimal(1))
def test_a_number_reads_on_its_own_side_of_every_limit(of, near, factor):
    limit, multiple = of
    write = ratio if multiple else plain_number
    for value in (limit + near, limit * factor):
        if value > 0:
            assert Decimal(write(value)).compare(limit) == value.compare(limit)


@given(st.decimals(min_value="1e-30", max_value="1e30", allow_nan=False, allow_infinity=False))
def test_any_number_can_be_written(value):
    for write in (ratio, plain_number):
        read = Decimal(write(value))
        assert abs(read - value) <= value / 1000 or abs(read - value) <= Decimal("0.005")
