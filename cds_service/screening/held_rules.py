"""The rules in use: followed while their folder changes, replaced whole, and never by rules that do not hold.

The last good ones serve through whatever happens to the folder (docs/adr/0020-rules-follow-their-folder.md).
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cds_service.errors import CdsServiceError, RuleError
from cds_service.screening.patient import Rules

log = logging.getLogger("cds_service.rules")

_TOLD: Final = 20  # complaints in the log; a broken value set may cause hundreds

Mark = frozenset[tuple[str, int, int, int]]


class HeldRules:
    """Holds the rules of this process.

    Args:
        rules: the first ones.
        folder: tells where the rules lie now; None to hold the first ones for good.
        load: loads them anew and proves them; raises :class:`~cds_service.errors.RuleError` when they do not hold.
        seen: the mark of the folder from before the first ones were read.
    """

    def __init__(
        self,
        rules: Rules,
        folder: Callable[[], Path] | None = None,
        load: Callable[[], Rules] | None = None,
        seen: Mark = frozenset(),
    ) -> None:
        """Hold the first rules."""
        self.rules = rules
        """What is judged by now. Read it once for each answer: the next read may give others."""
        self.refused = False
        """Whether the folder holds others, which were not taken."""
        self._folder, self._load = folder, load
        self._seen = seen
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def look(self) -> None:
        """Take the rules of the folder if they are new, hold, and did not change while they were read."""
        if self._folder is None or self._load is None:
            return
        mark = mark_of(self._folder())
        if mark == self._seen:
            return
        complaint: CdsServiceError | None = None
        loaded = None
        try:
            loaded = self._load()
        except CdsServiceError as error:
            complaint = error
        except Exception as error:
            # Broad, as the last line of defence of the thread that follows: a file that vanished while it was read, or
            # a defect of ours, must not end it unnoticed. The type alone is told: the text may hold anything.
            complaint = RuleError([])
            log.error("the rules cannot be read: %s", type(error).__name__)
        if mark_of(self._folder()) != mark:
            return  # still being written: the next look sees the whole of it
        self._seen = mark
        if loaded is None:
            self._refuse(complaint)
        else:
            self._take(loaded)

    def _take(self, loaded: Rules) -> None:
        asks_otherwise = loaded.plan.templates != self.rules.plan.templates
        self.rules, self.refused = loaded, False
        for trial in loaded.library.trials.values():
            log.warning("rules taken: %s, %s", trial.id, trial.digest)
        if asks_otherwise:
            log.warning("the prefetch has changed: let the EHRs read /cds-services again")

    def _refuse(self, complaint: CdsServiceError | None) -> None:
        self.refused = True
        lines = str(complaint).splitlines()
        complaints = "1 complaint" if len(lines) == 1 else f"{len(lines)} complaints"
        log.error("rules not taken, the last good ones serve: %s", complaints)
        for line in lines[:_TOLD]:
            log.error("rules: %s", line)

    def follow(self, seconds: float) -> None:
        """Look again and again, in a thread of this process and of every process that is forked from it.

        The thread rests while the process forks: a child gets whole rules, and no lock that nobody opens again.

        Args:
            seconds: between two looks; 0 for never.
        """
        if not seconds:
            return

        def start() -> None:
            self._stop = threading.Event()
            self._thread = threading.Thread(target=self._follow, args=(seconds, self._stop), daemon=True)
            self._thread.start()

        def rest() -> None:
            self._stop.set()
            if self._thread is not None:
                self._thread.join()

        os.register_at_fork(before=rest, after_in_parent=start, after_in_child=start)
        start()

    def _follow(self, seconds: float, stop: threading.Event) -> None:
        while not stop.wait(seconds):
            self.look()


def mark_of(folder: Path) -> Mark:
    """Return what tells one state of a folder from another: every file's place, size, identity and time of change.

    A link that is led elsewhere counts as a change, so a folder may be replaced in one step.
    """
    found: set[tuple[str, int, int, int]] = set()
    for path, _folders, files in os.walk(folder, followlinks=True):
        for name in files:
            file = os.path.join(path, name)
            try:
                state = os.stat(file)
            except OSError:
                continue  # gone between the two calls
            found.add((file, state.st_size, state.st_ino, state.st_ctime_ns))
    return frozenset(found)
