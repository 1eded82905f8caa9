"""Work spread over a Spark cluster, or over this machine as if it were one: spread out by part, then done part by part.

Spark is an extra (``pip install 'cds-service[spark]'``, Java 17 or later). Values travel between its processes pickled;
the functions are ours and are imported there, so the package is installed on every machine, and files that they read
have the same path on all of them. What Spark puts on disk on the way holds patient data: it goes into the folder given.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

from cds_service.errors import CdsServiceError, ConfigError, UnavailableError

ItemT = TypeVar("ItemT")
ValueT = TypeVar("ValueT")
ResultT = TypeVar("ResultT")

ASIDE: Final = -1
"""The part of what is for the driver and not for another step."""

THIS_MACHINE: Final = "local[*]"
_MARK: Final = "cds-service: "
_OURS: Final = re.compile(rf"RuntimeError: {_MARK}([^\n]*)")
_JAVA: Final = "Spark needs Java 17 or later: install it, or name its folder in JAVA_HOME."


class Spark:
    """A Spark session; use it as a context.

    Args:
        master: ``local[*]`` for this machine, else the cluster's address.
        scratch: a folder for what Spark puts on disk on this machine; only we may read it.
        memory: of the Java process, as Spark writes it.
    """

    def __init__(self, master: str, scratch: Path, memory: str = "2g") -> None:
        self._master = master
        self._scratch = scratch
        self._memory = memory
        self._session: Any = None

    def __enter__(self) -> Self:
        """Start it.

        Raises:
            ConfigError: Spark or Java is not installed, or the cluster cannot be reached.
        """
        _needed()
        self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        here = self._master.startswith("local")
        if here:
            os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession

        chosen = {
            "spark.ui.enabled": "false",  # it would show, to everybody on this machine, what is being worked on
            "spark.ui.showConsoleProgress": "false",
            "spark.driver.memory": self._memory,
            "spark.sql.warehouse.dir": str(self._scratch / "warehouse"),
            "spark.local.dir": str(self._scratch),
            "spark.log.level": "ERROR",
        }
        if here:
            chosen |= {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
        builder = SparkSession.builder.master(self._master).appName("cds-service prescreen")
        for name, value in chosen.items():
            builder = builder.config(name, value)
        try:
            self._session = builder.getOrCreate()
        except (PySparkException, OSError, RuntimeError) as error:
            raise ConfigError(f"Spark did not start ({type(error).__name__}). {_JAVA}") from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop it, and remove what it put on disk."""
        if self._session is not None:
            self._session.stop()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def share(self, file: Path) -> str:
        """Send a file to every machine that takes part; return the name that :func:`shared` knows it by."""
        self._session.sparkContext.addFile(str(file))
        return file.name

    def spread(self, items: Sequence[ItemT], put: Callable[[ItemT], Iterable[tuple[int, ValueT]]]) -> Spread[ValueT]:
        """Spread what a function makes of each item over parts.

        Args:
            items: each is one task.
            put: yields values with the number of their part; :data:`ASIDE` for the driver.
        """
        made = self._session.sparkContext.parallelize(list(items), max(1, len(items))).flatMap(partial(_put, put))
        return Spread(self._session, _kept(made))


class Spread(Generic[ValueT]):
    """Values by part, on the machines that made them."""

    def __init__(self, session: Any, made: Any) -> None:
        self._session = session
        self._made = made

    def aside(self) -> list[ValueT]:
        """Return what is for the driver; the first call does the work.

        Raises:
            UnavailableError: a task failed more often than Spark tries it.
        """
        with _told():
            return [value for _part, value in self._made.filter(_is_aside).collect()]

    def by_part(self, parts: int, make: Callable[[], Callable[[int, list[ValueT]], ResultT]]) -> Done[ResultT]:
        """Bring the values of each part together and do what is to be done with them.

        Args:
            parts: how many there are.
            make: makes the function for a part, in the process that does it.

        Raises:
            UnavailableError: a task failed more often than Spark tries it.
        """
        shuffled = self._made.filter(_is_not_aside).partitionBy(parts, int)
        done = _kept(shuffled.mapPartitionsWithIndex(partial(_do, make)))
        with _told():
            done.count()  # all at once; the iterator below would do one part after another
        return Done(self._session, done)


class Done(Generic[ResultT]):
    """What came of each part, on the machines that did it."""

    def __init__(self, session: Any, done: Any) -> None:
        self._session = session
        self._done = done

    def __iter__(self) -> Iterator[tuple[int, ResultT]]:
        """Yield the number of each part and what came of it; this machine holds two at a time."""
        with _told():
            yield from self._done.toLocalIterator(prefetchPartitions=True)

    def write_parquet(self, path: str, columns: str, rows: Callable[[ResultT], Iterable[tuple[Any, ...]]]) -> None:
        """Write rows as Parquet, each machine its own file.

        Args:
            path: a folder, or an address that the cluster can write to; what is there is replaced.
            columns: names and types, as Spark SQL writes them.
            rows: makes the rows of a part.
        """
        with _told():
            table = self._session.createDataFrame(self._done.flatMap(partial(_rows, rows)), columns)
            table.write.mode("overwrite").parquet(path)


def shared(name: str) -> Path:
    """Return a file that :meth:`Spark.share` sent, on the machine that asks."""
    from pyspark import SparkFiles

    return Path(SparkFiles.get(name))


def _needed() -> None:
    if find_spec("pyspark") is None:
        raise ConfigError("The engine spark is not installed: pip install 'cds-service[spark]'.")
    home = os.environ.get("JAVA_HOME")
    if shutil.which(Path(home, "bin", "java") if home else "java") is None:
        raise ConfigError(_JAVA)


def _kept(made: Any) -> Any:
    from pyspark import StorageLevel

    return made.persist(StorageLevel.DISK_ONLY)


def _is_aside(pair: tuple[int, Any]) -> bool:
    return pair[0] == ASIDE


def _is_not_aside(pair: tuple[int, Any]) -> bool:
    return pair[0] != ASIDE


def _put(put: Callable[[Any], Iterable[tuple[int, Any]]], item: Any) -> Iterator[tuple[int, Any]]:
    with _nothing_told():
        yield from put(item)


def _do(make: Callable[[], Callable[[int, list[Any]], Any]], number: int, values: Iterable[Any]) -> Iterator[Any]:
    with _nothing_told():
        yield number, make()(number, [value for _part, value in values])


def _rows(rows: Callable[[Any], Iterable[tuple[Any, ...]]], done: tuple[int, Any]) -> Iterator[tuple[Any, ...]]:
    with _nothing_told():
        yield from rows(done[1])


@contextmanager
def _nothing_told() -> Iterator[None]:
    """Let no error of a task tell what it was about: Spark writes it into logs on every machine."""
    try:
        yield
    except CdsServiceError as error:
        raise RuntimeError(f"{_MARK}{error}") from None
    except Exception as error:
        raise RuntimeError(f"{_MARK}{type(error).__name__} in a task.") from None


@contextmanager
def _told() -> Iterator[None]:
    """Turn what Spark raises into one line."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (Py4JError, PySparkException) as error:
        found = _OURS.search(str(error))
        why = found[1] if found else f"{type(error).__name__}; Spark's own log says more"
        raise UnavailableError(f"The Spark job failed: {why}") from None
