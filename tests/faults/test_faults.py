"""Each named fault, with its exact outcome: what is read, what is judged, what is answered, what is logged."""

import tracemalloc

import fault_plays as plays
import pytest
from fault_elsewhere import ELSEWHERE, missing_tests
from fault_kinds import FREE, Fault, always, on
from fault_list import FAULTS, ran
from fault_page import DOCUMENT, page
from fault_runs import PATIENT, TOKEN, fault_free, open_chart
from fault_server import FaultServer


def test_every_fault_of_the_table_has_its_place():
    numbers = {one.number for one in [*FAULTS.values(), *ELSEWHERE]}
    assert numbers == set(range(1, 55))
    names = [(one.number, one.name) for one in ELSEWHERE]
    assert len(set(names)) == len(names)


def test_what_is_said_to_be_tested_elsewhere_is():
    assert missing_tests() == []


def test_without_a_fault():
    run = fault_free()
    assert (run.status, run.says, run.log) == (200, FREE, ())
    assert run.unread() == frozenset()


@pytest.mark.parametrize("name", FAULTS)
def test_the_outcome(name):
    fault, run = FAULTS[name], ran(name)
    assert (run.status, run.says) == (fault.status, fault.sees)
    assert run.log == ((fault.log,) if fault.log else ())
    assert {kind: run.asked.get(kind) for kind in fault.asked} == dict(fault.asked)
    assert run.unread() == fault.unread
    if run.outcome is not None:
        free = fault_free().verdicts()
        moved = {name for name, verdict in run.verdicts().items() if verdict != free[name]}
        assert moved == fault.unread | fault.reasons.keys()
        for criterion, reason in fault.reasons.items():
            assert run.reasons(criterion) == [reason] or run.verdicts()[criterion][0] == reason


@pytest.mark.parametrize("name", FAULTS)
def test_in_time_and_nothing_goes_astray(name):
    fault, run = FAULTS[name], ran(name)
    assert run.seconds < fault.chosen.get("gather_seconds", 4.0) + 1.0
    assert run.strays == 0
    assert TOKEN not in run.body
    for line in run.log:
        assert TOKEN not in line
        assert PATIENT not in line.replace("not judged", "")
        assert "127.0.0.1" not in line


def test_a_bomb_stays_below_the_cap():
    """The largest answer taken is 1 MiB here; packed, the bombs are 200 MB."""
    for data, encoding in ((plays.bomb(), "gzip"), (plays.bomb(2), "gzip, gzip")):
        with FaultServer(lambda asked, d=data, e=encoding: plays.packed(d, e)) as server:
            open_chart(server.base)  # what is loaded once is not counted
            tracemalloc.start()
            open_chart(server.base)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert peak < 16 * 2**20, f"{peak / 2**20:.0f} MiB"


def test_an_empty_answer_is_another_outcome():
    """What a service that took a login page for an empty chart would say differs from what it has to say."""
    empty = always({"resourceType": "Bundle", "type": "searchset", "total": 0})
    run = Fault(9, "an empty chart", "", on(("Observation",), empty)).run()
    assert run.unread() == frozenset()
    assert run.reasons("hemoglobin") == ["no-record"]
    assert run.says not in {fault.sees for fault in FAULTS.values()}


def test_the_page_is_up_to_date():
    assert DOCUMENT.read_text(encoding="utf-8") == page(), "run: make docs-tables"
