"""What one process of a job does: sorts a piece of the source by patient, or judges a part of the patients.

Each leaves files in the run's ``work/`` that are there whole or not at all, so that a job goes on where it was stopped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cds_service.errors import UnavailableError
from cds_service.gather.bulk.drugs import Drugs
from cds_service.gather.bulk.pieces import Piece
from cds_service.gather.bulk.sorted_file import SortedFile, SortedWriter
from cds_service.gather.bulk.sorting import sort_bundles, sort_ndjson
from cds_service.gather.bulk.whole_file import write_whole
from cds_service.screening.cohort.judged import Task, judge_of, rules_for
from cds_service.screening.cohort.part import JudgedPart, judge_part

Work = Piece | int
"""A piece to sort, or the number of a part to judge."""


@dataclass(frozen=True)
class Bench:
    """What every process needs to know; it can be pickled.

    Args:
        source: folder of the source; None for a server, which is read by one process.
        bundles: whether the folder holds Bundles.
        work: folder of what is done.
        pieces: how many the source has.
        parts: how many the patients are in.
        task: what is asked.
        digests: of the rules, by trial; a process that finds others must not judge.
    """

    source: Path | None
    bundles: bool
    work: Path
    pieces: int
    parts: int
    task: Task
    digests: Mapping[str, str]

    def piece(self, number: int) -> Path:
        """Return the base of a sorted piece's files."""
        return self.work / f"piece-{number:06}"

    def part(self, number: int, ending: str = ".json") -> Path:
        """Return a judged part's file: ``.jsonl`` results, ``.charts.jsonl`` charts, ``.json`` counts, last of all."""
        return self.work / f"part-{number:05}{ending}"

    @property
    def earlier(self) -> Path:
        """The base of the files with results of an earlier run."""
        return self.work / "earlier"

    @property
    def drugs(self) -> Path:
        """The index of Medications; there when the source has any."""
        return self.work / "drugs.sqlite"

    @property
    def plan(self) -> Path:
        """What is known when the whole source is sorted; there from then on."""
        return self.work / "plan.json"


def worker_of(bench: Bench) -> Callable[[Work], int]:
    """Return the function that does one piece of work and says how many patients it was."""
    judging: list[Callable[[int], int]] = []

    def work(item: Work) -> int:
        if isinstance(item, Piece):
            return _sort(bench, item)
        if not judging:
            judging.append(_judging(bench))
        return judging[0](item)

    return work


def _sort(bench: Bench, piece: Piece) -> int:
    assert bench.source is not None  # noqa: S101 (a server's pieces are read elsewhere)
    sort = sort_bundles if bench.bundles else sort_ndjson
    with SortedWriter(bench.piece(piece.number), bench.parts) as writer:
        sort(bench.source, piece, writer)
    return 0


def _judging(bench: Bench) -> Callable[[int], int]:
    """Open what all parts need."""
    check_rules(bench)
    judge = judge_of(bench.task)
    plan: dict[str, Any] = json.loads(bench.plan.read_bytes())
    pieces = [SortedFile(bench.piece(number)) for number in range(bench.pieces)]
    if SortedFile.done(bench.earlier):
        pieces.append(SortedFile(bench.earlier))
    drugs = Drugs(bench.drugs) if bench.drugs.exists() else None

    def judged(number: int) -> JudgedPart:
        records = (one for piece in pieces for one in piece.part(number))
        return judge_part(records, drugs, plan["unread"], judge, charts=bench.task.charts)

    return partial(_judge, bench, judged)


def check_rules(bench: Bench) -> None:
    """See that this process has the rules that the run is of.

    Raises:
        UnavailableError: it has others.
    """
    library = rules_for(bench.task.site)
    if any(library.trials[name].digest != digest for name, digest in bench.digests.items()):
        raise UnavailableError("The rules were changed while the run was under way; begin a new one.")


def _judge(bench: Bench, judged: Callable[[int], JudgedPart], number: int) -> int:
    return write_part(bench, number, judged(number))


def write_part(bench: Bench, number: int, told: JudgedPart) -> int:
    """Write a judged part, the counts last; return how many patients it has."""
    lines = "".join(f"{told.lines[name]}\n" for name in sorted(told.lines))
    write_whole(bench.part(number, ".jsonl"), lines.encode("utf-8", "surrogatepass"))
    if bench.task.charts:
        charts = "".join(f"{told.charts[name]}\n" for name in sorted(told.charts))
        write_whole(bench.part(number, ".charts.jsonl"), charts.encode("utf-8", "surrogatepass"))
    facts = {
        "counts": dict(sorted(told.counts.items())),
        "quarantine": told.quarantine,
        "drugs": sorted(told.drugs),
        "kept": told.kept,
    }
    write_whole(bench.part(number), json.dumps(facts).encode())
    return len(told.lines)
