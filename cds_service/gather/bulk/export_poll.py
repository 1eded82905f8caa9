"""Starting an export and waiting for it: as long as the server asks, and no longer than we were told to."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cds_service.errors import GatherError
from cds_service.gather.bulk.export_http import ExportServer, Reply
from cds_service.gather.bulk.export_manifest import Manifest, read_manifest

TRIES: Final = 5
WAIT_SECONDS: Final = 12 * 3_600.0
_BUSY: Final = frozenset([429, 503])  # these say "later", not "broken": no limit but the time
_GONE: Final = frozenset([404, 410])
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0

Tell = Callable[[str], None]
"""Takes a line for people about how far things are."""


class ExportGoneError(GatherError):
    """The server no longer knows the export or a file of it: it has to be begun anew."""


@dataclass(frozen=True)
class Patience:
    """How long to wait, and with which clock.

    Args:
        seconds: for one export to become ready, or one file to come.
        sleep: waits for so many seconds.
        clock: seconds that only go up.
    """

    seconds: float = WAIT_SECONDS
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def until(self, call: Callable[[], Reply], *, pending: Callable[[Reply], None] | None = None) -> Reply | None:
        """Call again and again until there is an answer; None when the time is over.

        Args:
            call: asks once.
            pending: told of each answer "not ready" (202); without it that is an answer like others.

        Returns:
            The last answer: a success, a refusal, or the fifth failure in a row.
        """
        ends = self.clock() + self.seconds
        failures = asked = 0
        while True:
            reply = call()
            waiting = pending is not None and reply.status == 202
            if waiting and pending is not None:
                pending(reply)
                failures = 0
            elif reply.status not in _BUSY:
                failures += 1
                if not reply.again or failures >= TRIES:
                    return reply
            pause = min(_FIRST_PAUSE * 2 ** min(asked, 10), _LONGEST_PAUSE)
            asked += 1
            # A server that says "0" is not asked without a breath.
            pause = pause if reply.wait is None else max(reply.wait, _FIRST_PAUSE)
            if self.clock() + pause > ends:
                return None
            self.sleep(pause)


def begin(server: ExportServer, path: str, types: tuple[str, ...], patience: Patience) -> str:
    """Ask for an export and return where to ask for it again.

    Args:
        server: that exports.
        path: of the operation, such as ``Patient/$export``.
        types: of resources that are needed.
        patience: for a server that is busy.

    Raises:
        GatherError: the server does not begin one.
    """
    asked = f"{path}?_type={','.join(types)}"
    reply = patience.until(lambda: server.begin(asked))
    if reply is not None and reply.status == 400:
        # Some servers take no `_type`, or not one of ours: then all comes, and what is not needed is left there.
        reply = patience.until(lambda: server.begin(path))
    if reply is None:
        raise GatherError("The export could not be started: the server is busy. Run it again later.")
    if reply.status != 202:
        raise GatherError(f"The export could not be started ({reply.why or f'HTTP {reply.status}'}).")
    if not reply.location:
        raise GatherError("The export could not be started: the server does not say where to ask for it.")
    return reply.location


def wait_for(server: ExportServer, status: str, patience: Patience, tell: Tell) -> Manifest:
    """Ask how far an export is until it is ready.

    Raises:
        ExportGoneError: the server does not know it any more.
        GatherError: it failed, or was not ready in time; it can be asked for again later.
    """

    def pending(reply: Reply) -> None:
        tell("The export is being made" + ("" if reply.progress is None else f": {reply.progress} %"))

    reply = patience.until(lambda: server.status(status), pending=pending)
    if reply is None:
        hours = f"{patience.seconds / 3600:g}"
        raise GatherError(f"The export was not ready after {hours} h. Run the same command again to go on waiting.")
    if reply.status in _GONE:
        raise ExportGoneError(f"The server no longer knows the export (HTTP {reply.status}).")
    manifest = read_manifest(reply.body) if reply.body is not None else None
    if manifest is None:
        why = reply.why or "no manifest came"
        raise GatherError(f"The export could not be had ({why}). Run the same command again to ask once more.")
    return manifest
