"""All faults that are played here, in their order, and each one's run, which is made once."""

from __future__ import annotations

from functools import cache

from fault_answers import ANSWERS, LINE
from fault_kinds import Fault
from fault_pages import PAGES
from fault_runs import Run
from fault_stages import STAGED
from fault_values import VALUES

FAULTS: dict[str, Fault] = {}
for one in sorted([*STAGED, *LINE, *ANSWERS, *PAGES, *VALUES], key=lambda one: one.number):
    assert one.id not in FAULTS, one.id
    FAULTS[one.id] = one


@cache
def ran(name: str) -> Run:
    return FAULTS[name].run()
