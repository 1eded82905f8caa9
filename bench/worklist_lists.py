"""How long a list takes: `python -m bench.worklist_lists [--entries N]`; a store of one's own, on disk.

Entries are a made-up example's judgement under N ids. Each reading is done seven times, the middle one is told; memory
is the most that Python held meanwhile.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median

from cds_service.bootstrap import load_rules
from cds_service.gather.bundle import read_bundle
from cds_service.gather.json_text import read_json
from cds_service.gather.snapshot import pack
from cds_service.screening.worklist.changes import differs
from cds_service.screening.worklist.intake import person_of, screening_of
from cds_service.store import Store, open_store
from cds_service.store.worklist import Chart, Wanted

TRIAL = "NCT07235319"
DAY, NOW = date(2026, 3, 1), datetime(2026, 3, 1, 9, tzinfo=UTC)
STORY = Path(__file__).parents[1] / "fhir_examples" / "patients" / "candidate" / "bundle.json"
ROUNDS = 7
TOGETHER = 100


def filled(path: Path, entries: int) -> Store:
    """Return a store with so many entries."""
    rules = load_rules()
    record = read_bundle(read_json(STORY.read_bytes(), max_bytes=10**7, what="story"))
    outcome = rules.judge(record, rules.library, as_of=DAY, trials=[TRIAL])
    packed, person = pack(record), person_of(record, "https://ehr.invalid/fhir")
    screening = screening_of(
        outcome.to_json()["results"][0],
        patient=outcome.patient,
        as_of=DAY,
        anchor=None,
        attested=(),
        fingerprint=packed.fingerprint,
        unread=outcome.unread,
        site=outcome.site,
    )
    store = open_store(f"sqlite:///{path}")
    for first in range(0, entries, TOGETHER):
        some = range(first, min(first + TOGETHER, entries))
        taken = [
            (
                replace(person, reference=f"Patient/{number}", names=(f"Name {number:05}",)),
                Chart(packed.fingerprint, packed.body),
                [screening],
            )
            for number in some
        ]
        store.worklist.take_all(taken, differs=differs, now=NOW)
    return store


def told(what: str, read: Callable[[], object]) -> None:
    """Read several times; print what it took."""
    took = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        read()
        took.append(time.perf_counter() - begun)
    tracemalloc.start()
    read()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"{what:<34} {median(took) * 1000:>9.1f} ms {most / 1e6:>8.1f} MB")


def main() -> None:
    """Fill a store and read its lists."""
    reader = argparse.ArgumentParser(description="Lists of the worklist.")
    reader.add_argument("--entries", type=int, default=5000)
    entries = reader.parse_args().entries
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        store = filled(path, entries)
        worklist = store.worklist
        print(f"{entries} entries, {path.stat().st_size / 1e6:.0f} MB")
        told("counts", lambda: worklist.counts(TRIAL, today=DAY))
        told("first page of 50, by rank", lambda: worklist.entries(TRIAL, wanted=Wanted(today=DAY)))
        told("page 50 of 50, by name", lambda: worklist.entries(TRIAL, wanted=Wanted(sort="name", page=50)))
        told("all on one page", lambda: worklist.entries(TRIAL, wanted=Wanted(today=DAY, size=entries)))
        store.close()


if __name__ == "__main__":
    main()
