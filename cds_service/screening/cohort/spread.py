"""A prescreening job on Spark: sorted and judged where the data are, by the same functions as on one machine.

Spark takes the place of the sorted files in ``work/``: it brings each patient's records together. What comes back is
written as the local engine writes it, so that the end of the job, and its bytes, are the same. A job that was stopped
begins anew: Spark repeats tasks that fail by itself.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

from cds_service.engines.spark import ASIDE, Spark, shared
from cds_service.gather.bulk.drugs import Drugs
from cds_service.gather.bulk.pieces import Piece
from cds_service.gather.bulk.sorted_file import Kind, SortedWriter, Stored, part_of
from cds_service.gather.bulk.sorting import sort_bundles, sort_ndjson
from cds_service.present.json_text import to_json
from cds_service.screening.cohort.judged import judge_of
from cds_service.screening.cohort.part import JudgedPart, judge_part
from cds_service.screening.cohort.source import FolderSource
from cds_service.screening.cohort.work import Bench, check_rules, write_part

COLUMNS: Final = "patient string, as_of string, trial string, gate string, status string, result string"
"""Of the Parquet: one row for each patient and trial; ``result`` is the contract's JSON, null for "others"."""

_Record = tuple[int, str, int, int, bytes]


def spread_out(bench: Bench) -> Bench:
    """Return the bench of a job on Spark, with an empty folder of its own.

    What is in it is not what the local engine leaves: an engine never goes on with the other's work.
    """
    work = bench.work / "spark"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700)
    return replace(bench, work=work)


def sort_and_judge(
    spark: Spark,
    bench: Bench,
    source: FolderSource,
    prepare: Callable[[], None],
    parquet: Path,
    tell: Callable[[str, int, int, int], None],
) -> None:
    """Do a job's work, and leave in its folder what the local engine would: the judged parts, and what was told.

    Args:
        spark: has been started.
        bench: see :func:`spread_out`.
        source: of the job; its folder has the same path on every machine.
        prepare: finds out what holds for everybody, once it is known what every piece told.
        parquet: a folder for the results as Parquet, on every machine the same.
        tell: told how far it is.
    """
    tell("read", 0, 1, 0)
    spread = spark.spread(source.pieces, partial(_sort, bench))
    for number, told, drugs in spread.aside():
        writer = SortedWriter(bench.piece(number), bench.parts)
        for record in drugs:
            writer.put(*_stored(record))
        writer.close(told)
    tell("read", 1, 1, 0)
    prepare()
    unread = json.loads(bench.plan.read_bytes())["unread"]
    name = spark.share(bench.drugs) if bench.drugs.exists() else ""
    tell("judge", 0, bench.parts, 0)
    done = spread.by_part(bench.parts, partial(_judging, bench, unread, name))
    patients = 0
    for count, (number, judged) in enumerate(done, start=1):
        patients += write_part(bench, number, judged)
        tell("judge", count, bench.parts, patients)
    done.write_parquet(parquet.absolute().as_uri(), COLUMNS, _rows)
    parquet.chmod(0o700)


@dataclass
class _Sorted:
    """Takes the records of a piece as a writer of files does."""

    parts: int
    records: list[tuple[int, _Record]] = field(default_factory=list)
    drugs: list[_Record] = field(default_factory=list)
    told: Mapping[str, Any] = field(default_factory=dict)

    def put(self, kind: Kind, key: str, segment: int, line: int, data: bytes) -> None:
        record = (int(kind), key, segment, line, data)
        if kind is Kind.DRUG:
            self.drugs.append(record)
        else:
            self.records.append((part_of(key, self.parts), record))

    def close(self, told: Mapping[str, Any]) -> None:
        self.told = told


def _sort(bench: Bench, piece: Piece) -> Iterator[tuple[int, Any]]:
    assert bench.source is not None  # noqa: S101 (a server's patients are not spread)
    taken = _Sorted(bench.parts)
    sort = sort_bundles if bench.bundles else sort_ndjson
    sort(bench.source, piece, taken)
    yield from taken.records
    yield ASIDE, (piece.number, taken.told, taken.drugs)


def _place(record: _Record) -> tuple[int, int]:
    return record[2], record[3]


def _stored(record: _Record) -> tuple[Kind, str, int, int, bytes]:
    kind, key, segment, line, data = record
    return Kind(kind), key, segment, line, data


def _judging(bench: Bench, unread: Mapping[str, str], drugs: str) -> Callable[[int, list[_Record]], JudgedPart]:
    check_rules(bench)
    judge = judge_of(bench.task)

    def judged(_number: int, records: list[_Record]) -> JudgedPart:
        index = Drugs(shared(drugs)) if drugs else None
        try:
            stored = (Stored(*_stored(one)) for one in sorted(records, key=_place))
            return judge_part(stored, index, unread, judge, charts=bench.task.charts)
        finally:
            if index is not None:
                index.close()

    return judged


def _rows(judged: JudgedPart) -> Iterator[tuple[Any, ...]]:
    for _name, line in sorted(judged.lines.items()):
        body = json.loads(line, parse_float=Decimal)  # numbers stay as they were recorded
        for one in body["results"]:
            yield body["patient"], body["as_of"], one["trial"], one["gate"], one["status"], to_json(one)
        for one in body["others"]:
            yield body["patient"], body["as_of"], one["trial"], one["gate"], one["status"], None
