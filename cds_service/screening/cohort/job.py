"""A prescreening job: the source sorted by patient, every patient judged, the results put together.

Each step leaves files that are there whole or not at all. A job that was stopped, even by SIGKILL or a full disk,
goes on with what is missing when the same command is run again, and ends with the same bytes. They depend on the
source, the task and the rules alone: not on the number of processes, and not on when it was stopped.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from cds_service import __version__
from cds_service.engines.local import Local
from cds_service.engines.spark import Spark
from cds_service.errors import UnavailableError
from cds_service.gather.bulk.pieces import Piece
from cds_service.gather.bulk.sorted_file import SortedFile, SortedWriter
from cds_service.gather.bulk.whole_file import write_whole
from cds_service.screening.cohort.earlier import sort_earlier
from cds_service.screening.cohort.judged import Task, rules_for, trials_of
from cds_service.screening.cohort.plan import make_plan
from cds_service.screening.cohort.put_together import put_together
from cds_service.screening.cohort.run_folder import RunFolder
from cds_service.screening.cohort.served import fetch, patients_of
from cds_service.screening.cohort.source import FolderSource, ServerSource, Source
from cds_service.screening.cohort.spread import sort_and_judge, spread_out
from cds_service.screening.cohort.work import Bench, Work, worker_of

PROGRAM: Final = f"cds-service {__version__}"

Tell = Callable[[str, int, int, int], None]
"""Takes a step ("read", "judge"), how much of it is done, how much there is, and how many patients were judged."""


@dataclass(frozen=True)
class Job:
    """What is to be done.

    Args:
        task: asked of every patient.
        source: where patients come from.
        out: the run folder.
        since: an earlier run whose results may be taken over; None for none.
        begun: the present instant, where it begins now.
    """

    task: Task
    source: Source
    out: Path
    since: Path | None = None
    begun: datetime = field(default_factory=partial(datetime.now, UTC))


@dataclass(frozen=True)
class Finished:
    """What came of a job.

    Args:
        manifest: as written.
        kept: results taken over from an earlier run.
        already: whether the run was finished before.
        statuses: patients by trial and status; "trigger fails" stands for a status of those without the disease.
    """

    manifest: Mapping[str, Any]
    kept: int = 0
    already: bool = False
    statuses: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether everything in the source could be read."""
        counts = self.manifest["counts"]
        return not self.manifest["incomplete"] and not counts["quarantined"] and counts["patients"] == counts["judged"]


def identity(task: Task, source: Source) -> dict[str, Any]:
    """Return what a run is known by: one with another of these is another run.

    Raises:
        RequestError: the anchor or a trial is wrong.
        RuleError: the rule files are wrong.
    """
    library = rules_for(task.site)
    return {
        "program": PROGRAM,
        "as_of": task.as_of.isoformat(),
        "anchor": task.anchor.isoformat() if task.anchor else None,
        "site": library.site.label if library.site else None,
        "trials": [{"trial": n, "rules_digest": library.trials[n].digest} for n in trials_of(task, library)],
        "source": source.fingerprint,
        "charts": task.charts or None,
    }


def _server_of(source: Source) -> str | None:
    return source.server if isinstance(source, ServerSource) else None


def day_of_run(out: Path) -> date | None:
    """Return the day of the run that a folder holds, so that it goes on with it after midnight; None for none.

    Raises:
        RequestError: the folder holds something else.
    """
    known = RunFolder(out).known_job()
    return date.fromisoformat(known["as_of"]) if known else None


def run(
    job: Job, *, workers: int, tell: Tell = lambda _step, _done, _all, _patients: None, cluster: str | None = None
) -> Finished:
    """Do a job, or what is left of it.

    Args:
        job: what is to be done.
        workers: how many processes.
        tell: told how far it is.
        cluster: the master of a Spark cluster that does it instead; see :mod:`~cds_service.screening.cohort.spread`.

    Raises:
        RequestError: the run folder is another job's, or in use; the source holds nothing.
        UnavailableError: the disk is full, or a process died twice over the same part; what is done is kept.
    """
    folder = RunFolder(job.out)
    named = identity(job.task, job.source)
    try:
        with folder.locked():
            folder.begin(named, {"begun": job.begun.isoformat(), "server": _server_of(job.source)})
            if folder.finished:
                shutil.rmtree(folder.work, ignore_errors=True)
                return Finished(json.loads(folder.manifest.read_bytes()), already=True)
            return _Run(job, folder, named, workers, tell, cluster).finish()
    except (OSError, sqlite3.OperationalError) as error:
        why = getattr(error, "strerror", None) or "the disk does not take it"
        raise UnavailableError(
            f"The run could not go on ({why}). What is done is kept: make room, and run the same command again."
        ) from None


@dataclass
class _Run:
    """One run of a job, from where it stands to its end."""

    job: Job
    folder: RunFolder
    named: dict[str, Any]
    workers: int
    tell: Tell
    cluster: str | None

    def finish(self) -> Finished:
        for draft in (*self.folder.path.glob("*.draft"), *self.folder.work.glob("*.draft")):
            with suppress(FileNotFoundError):
                draft.unlink()
        source = self.job.source
        if self.cluster is not None and isinstance(source, FolderSource):
            bench = self._on_spark(self.cluster, source)
        elif isinstance(source, FolderSource):
            pieces: tuple[Piece, ...] = source.pieces
            bench = self._bench(source.folder.path, len(pieces), source.parts, bundles=source.kind == "bundles")
            with Local(partial(worker_of, bench), self.workers) as engine:
                self._sort(engine, bench, pieces)
                self._prepare(bench, source)
                self._judge(engine, bench)
        else:
            found = patients_of(source, self.folder.work)
            bench = self._bench(None, *found.shape, bundles=False)
            fetch(source, found, bench, self.tell)
            with Local(partial(worker_of, bench), self.workers) as engine:
                self._prepare(bench, source)
                self._judge(engine, bench)
        end = put_together(self.folder, bench, self.named, source)
        shutil.rmtree(self.folder.work, ignore_errors=True)
        return Finished(end.manifest, end.kept, statuses=end.statuses)

    def _on_spark(self, cluster: str, source: FolderSource) -> Bench:
        path = source.folder.path.absolute()
        bench = spread_out(self._bench(path, len(source.pieces), source.parts, bundles=source.kind == "bundles"))
        with Spark(cluster, bench.work / "scratch") as spark:
            sort_and_judge(spark, bench, source, partial(self._prepare, bench, source), self.folder.parquet, self.tell)
        return bench

    def _bench(self, source: Path | None, pieces: int, parts: int, *, bundles: bool) -> Bench:
        digests = {one["trial"]: one["rules_digest"] for one in self.named["trials"]}
        return Bench(source, bundles, self.folder.work, pieces, parts, self.job.task, digests)

    def _sort(self, engine: Local[Work, int], bench: Bench, pieces: tuple[Piece, ...]) -> None:
        left = [one for one in pieces if not SortedFile.done(bench.piece(one.number))]
        self._work("read", engine, left, len(pieces))

    def _prepare(self, bench: Bench, source: Source) -> None:
        """Find out what holds for everybody, once the whole source is sorted."""
        if not bench.plan.exists():
            if self.job.since is not None:
                with SortedWriter(bench.earlier, bench.parts) as writer:
                    sort_earlier(self.job.since, self.named, writer)
            write_whole(bench.plan, json.dumps(make_plan(bench, source)).encode())

    def _judge(self, engine: Local[Work, int], bench: Bench) -> None:
        left = [number for number in range(bench.parts) if not bench.part(number).exists()]
        self._work("judge", engine, left, bench.parts)

    def _work(self, step: str, engine: Local[Work, int], left: Iterable[Work], count: int) -> None:
        items = list(left)
        done = count - len(items)
        judged = 0
        self.tell(step, done, count, judged)
        for _item, patients in engine.map(items):
            done += 1
            judged += patients
            self.tell(step, done, count, judged)
