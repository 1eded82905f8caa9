"""Two calls at one moment, with one id of no named server, about two people: one is taken, nothing is mixed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from cds_service.store import Store
from cds_service.store.worklist import Person
from tests.store.made_screenings import NOW, TRIAL, chart, differs, judged

ROUNDS = 12
BORN = ("1970-02-03", "1980-02-03")


def somebody(number: int, birth: str) -> Person:
    return Person("", f"Patient/{number}", (f"Born {birth}",), birth)


def contradicts(known: Person, new: Person) -> bool:
    return bool(known.birth_date) and known.birth_date != new.birth_date


def come(store: Store, number: int, birth: str, minutes: int = 0) -> dict[str, str]:
    """Take a chart of a person, whose content names the person."""
    new, now = judged("candidate"), NOW + timedelta(minutes=minutes)
    who = somebody(number, birth)
    return store.worklist.take(who, chart(birth or "none"), [new], differs=differs, contradicts=contradicts, now=now)


@pytest.mark.parametrize("described", [False, True])
def test_two_people_who_come_at_one_moment_are_not_mixed(
    described: bool, lasting_url: str, opened: Callable[[str], Store]
) -> None:
    """Also where the id is known without a birth date, which contradicts neither."""
    stores = [opened(lasting_url) for _ in BORN]
    if described:
        for number in range(ROUNDS):
            assert come(stores[0], number, "")
    found: list[list[dict[str, str]]] = [[{}, {}] for _ in range(ROUNDS)]
    together = threading.Barrier(len(BORN), timeout=60)

    def calls(which: int) -> None:
        for number in range(ROUNDS):
            together.wait()
            found[number][which] = come(stores[which], number, BORN[which], minutes=1)

    threads = [threading.Thread(target=calls, args=(which,)) for which in range(len(BORN))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(ROUNDS):
        (first,) = (which for which in range(len(BORN)) if found[number][which])
        entry = stores[0].worklist.entry(found[number][first][TRIAL])
        assert entry is not None
        assert entry.person == somebody(number, BORN[first])
        assert entry.latest.fingerprint == f"sha256:{BORN[first]}"
        assert len(stores[0].worklist.screenings(entry.id)) == 1 + described
        assert stores[0].worklist.chart(entry.patient, f"sha256:{BORN[not first]}") is None
        assert come(stores[1], number, BORN[not first], minutes=2) == {}
    assert stores[0].worklist.counts(TRIAL).total == ROUNDS
    assert stores[0].worklist.verify_audit() is None
