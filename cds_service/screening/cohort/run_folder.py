"""The run folder: its names, the job that it belongs to, and a lock against two runs at once.

``job.json`` says what the run is of; ``work/`` holds what is done so far; ``manifest.json`` is written last. It all
holds patient data: nobody but the owner may read it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cds_service.errors import ConfigError, RequestError
from cds_service.gather.bulk.whole_file import write_whole
from cds_service.present.json_text import to_json
from cds_service.screening.cohort.charts import CHARTS

FORMAT: Final = 1


@dataclass(frozen=True)
class Begun:
    """The beginning of a run, which no copy of its folder changes.

    Args:
        at: when; no chart of the run was read earlier. None where it is not known.
        server: the FHIR base that was read, "" where none was.
    """

    at: datetime | None = None
    server: str = ""


@dataclass(frozen=True)
class RunFolder:
    """Where a run keeps what it makes.

    Args:
        path: of the folder.
    """

    path: Path

    @property
    def results(self) -> Path:
        """One line for each patient, in the order of what the patients are called."""
        return self.path / "results.jsonl"

    @property
    def charts(self) -> Path:
        """The charts of those of whom a trial's trigger passes, in the same order; there when they were asked for."""
        return self.path / CHARTS

    @property
    def manifest(self) -> Path:
        """What was read and judged; there when the run is finished."""
        return self.path / "manifest.json"

    @property
    def quarantine(self) -> Path:
        """File, line and why, of each line that could not be read."""
        return self.path / "quarantine.jsonl"

    @property
    def parquet(self) -> Path:
        """The results as Spark writes them, a folder; there after a run on Spark only."""
        return self.path / "results.parquet"

    @property
    def export(self) -> Path:
        """What a server exported for this run: the source, which is here before the run is."""
        return self.path / "export"

    @property
    def job(self) -> Path:
        """What the run is of."""
        return self.path / "job.json"

    @property
    def work(self) -> Path:
        """What is done so far; gone when the run is finished."""
        return self.path / "work"

    @property
    def finished(self) -> bool:
        """Whether the run is."""
        return self.manifest.exists()

    def known_job(self) -> dict[str, Any] | None:
        """Return what the run is of; None for a new folder.

        Raises:
            RequestError: the folder holds something else.
        """
        try:
            if not self.path.exists() or all(self._comes_first(one.name) for one in self.path.iterdir()):
                return None
            body = json.loads(self.job.read_bytes())
            if body["format"] != FORMAT:
                raise ValueError
        except NotADirectoryError:
            raise RequestError("--out must be a folder.", field="--out") from None
        except (OSError, ValueError, KeyError, TypeError):
            raise RequestError("--out is a folder that holds something else; name a new one.", field="--out") from None
        return dict(body)

    def _comes_first(self, name: str) -> bool:
        """Say whether a file may be there before the run has a name: a stopped run leaves a draft of it."""
        return name in (_LOCK, self.export.name) or name.startswith(f"{self.job.name}.")

    def begin(self, job: Mapping[str, Any], begun: Mapping[str, str | None]) -> None:
        """Make the folder that of a job, or see that it is.

        Args:
            job: what the run is known by.
            begun: what is told of its beginning; of a run that goes on, that of its first beginning stays.

        Raises:
            RequestError: it is another job's; what differs is named.
        """
        known = self.known_job()
        if known is None:
            write_whole(self.job, to_json({"format": FORMAT, **job, **begun}, indent=1).encode() + b"\n")
            self.work.mkdir(mode=0o700, exist_ok=True)
            return
        other = [name for name in job if known.get(name) != job[name]]
        if other:
            raise RequestError(
                f"The run in --out is another one ({', '.join(other)} differ); name a new folder.", field="--out"
            )
        if not self.finished:
            self.work.mkdir(mode=0o700, exist_ok=True)

    @property
    def begun(self) -> Begun:
        """When the run began, and what was read; nothing where the folder does not say."""
        try:
            body = json.loads(self.job.read_bytes())
            at, server = datetime.fromisoformat(body["begun"]), str(body.get("server") or "")
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return Begun()
        return Begun(at if at.tzinfo else None, server)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder, made if need be; the lock goes with the process, however that ends.

        Raises:
            RequestError: another run holds it.
            ConfigError: it cannot be made.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except FileExistsError:
            raise RequestError("--out must be a folder.", field="--out") from None
        except OSError as error:
            raise ConfigError(f"The folder of --out cannot be used ({error.strerror}).") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self.known_job() is None:
                self.path.chmod(0o700)
            yield
        except BlockingIOError:
            raise RequestError("Another run works in the folder of --out.", field="--out") from None
        finally:
            os.close(lock)


_LOCK: Final = ".lock"
