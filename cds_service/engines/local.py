"""Work spread over processes of this machine: bounded memory, and a process that dies costs its own part only.

Each process holds one part at a time and gets the next when it is done. A part whose process died is done once more,
alone, since the machine may have run out of memory; if that fails too, it is told. Processes are spawned, not forked:
nothing of the parent's threads and files is in them.
"""

from __future__ import annotations

import multiprocessing
import pickle
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from cds_service.errors import UnavailableError

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_SPAWN = multiprocessing.get_context("spawn")


class Local(Generic[ItemT, ResultT]):
    """Maps a function over items.

    Args:
        make: makes the function, once in each process; it can be pickled.
        workers: how many processes; with 1 the work is done here.
    """

    def __init__(self, make: Callable[[], Callable[[ItemT], ResultT]], workers: int) -> None:
        self._make = make
        self._workers = workers
        self._here: Callable[[ItemT], ResultT] | None = None
        self._processes: list[_Worker] = []

    def __enter__(self) -> Self:
        """Start nothing yet: processes come with the first work."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the processes: at once after an error."""
        for worker in self._processes:
            worker.stop(at_once=kind is not None)
        self._processes = []

    def map(self, items: Iterable[ItemT]) -> Iterator[tuple[ItemT, ResultT]]:
        """Yield each item with its result, in the order in which they are done.

        Raises:
            UnavailableError: a process died twice with the same item.
            Exception: what the function raised.
        """
        waiting = deque(items)
        if self._workers == 1 or (len(waiting) < 2 and not self._processes):
            self._here = self._here or self._make()
            for item in waiting:
                yield item, self._here(item)
            return
        again: list[ItemT] = []
        while waiting or any(worker.busy for worker in self._processes):
            self._hand_out(waiting)
            for worker in _ready(self._processes):
                item = worker.item
                try:
                    result = worker.result()
                except EOFError:
                    self._processes.remove(worker)
                    worker.stop(at_once=True)
                    again.append(item)
                    continue
                self._hand_out(waiting)
                yield item, result
        yield from self._once_more(again)

    def _hand_out(self, waiting: deque[ItemT]) -> None:
        for worker in self._processes:
            if waiting and not worker.busy:
                worker.give(waiting.popleft())
        while waiting and len(self._processes) < self._workers:
            self._processes.append(_Worker(self._make))
            self._processes[-1].give(waiting.popleft())

    def _once_more(self, items: list[ItemT]) -> Iterator[tuple[ItemT, ResultT]]:
        for item in items:
            for worker in self._processes:
                worker.stop(at_once=False)
            self._processes = [_Worker(self._make)]
            self._processes[0].give(item)
            try:
                result = self._processes[0].result()
            except EOFError:
                raise UnavailableError(
                    "A process died twice over the same part of the work, perhaps for want of memory. What is done is "
                    "kept: run the same command again, with fewer --workers."
                ) from None
            yield item, result


class _Worker:
    """One process, and the pipe to it."""

    def __init__(self, make: Callable[[], Callable[[Any], Any]]) -> None:
        self.pipe, other = _SPAWN.Pipe()
        self.process = _SPAWN.Process(target=_work, args=(make, other), daemon=True)
        self.process.start()
        other.close()
        self.busy = False
        self.item: Any = None

    def give(self, item: Any) -> None:
        self.item, self.busy = item, True
        try:
            self.pipe.send(item)
        except OSError:
            return  # it died: reading its result says so

    def result(self) -> Any:
        """Return what came of the item.

        Raises:
            EOFError: the process died.
            Exception: what the function raised.
        """
        try:
            fine, result = self.pipe.recv()
        except OSError:
            raise EOFError from None
        self.busy = False
        if not fine:
            raise result
        return result

    def stop(self, *, at_once: bool) -> None:
        if at_once:
            self.process.terminate()
        self.pipe.close()
        self.process.join()
        self.process.close()


def _ready(workers: list[_Worker]) -> list[_Worker]:
    """Wait for the next results; a process that died closes its pipe, which is a result too."""
    busy = {worker.pipe: worker for worker in workers if worker.busy}
    return [busy[pipe] for pipe in wait(list(busy)) if isinstance(pipe, Connection)]


def _sendable(error: Exception) -> Exception:
    """Return the error, or one that says its kind where it cannot be sent to another process."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 (what was made one step before)
    except Exception:
        return RuntimeError(f"{type(error).__name__} in a process of the work")
    return error


def _work(make: Callable[[], Callable[[Any], Any]], pipe: Connection) -> None:
    """Do what is asked, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    function: Callable[[Any], Any] | None = None
    while True:
        try:
            item = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            function = function or make()
            answer = (True, function(item))
        except Exception as error:
            answer = (False, _sendable(error))
        try:
            pipe.send(answer)
        except OSError:
            return
