"""Where an EHR's public keys come from: its JWK Set on the web, kept for a while, or a file.

No token decides where to ask: the address is the operator's, and what a token says can at most make us ask it again,
once in half a minute.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Lock, Thread
from typing import Final, Protocol

from cds_service.errors import ConfigError, RequestError, UnavailableError
from cds_service.gather.deadline import Deadline
from cds_service.gather.json_text import read_json
from cds_service.gather.transport import TIME_OUT, Answer, Transport
from cds_service.trust.public_keys import Keys, PublicKey, read_key_set

log = logging.getLogger("cds_service.trust")

FETCH_SECONDS: Final = 2.0
MAX_BYTES: Final = 256 * 1024
PAUSE_SECONDS: Final = 30.0  # between two fetches while there are keys
FIRST_PAUSE_SECONDS: Final = 5.0  # while there are none, and nobody can call
FRESH_SECONDS: Final = 300.0  # when the answer does not say
LONGEST_FRESH_SECONDS: Final = 3_600.0
LAST_GOOD_SECONDS: Final = 24 * 3_600.0

_MAX_AGE: Final = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?([0-9]{1,9})\"?\s*(?=,|$)", re.IGNORECASE)
_NO_CACHE: Final = re.compile(r"(?:^|,)\s*no-(?:cache|store)\s*(?=,|=|$)", re.IGNORECASE)


class KeySet(Protocol):
    """The public keys of one EHR."""

    def find(self, kid: str, algorithm: str) -> PublicKey | None:
        """Return a key; None when there is no such key.

        Raises:
            UnavailableError: there are no keys at all for now.
        """


class FetchedKeys:
    """A JWK Set on the web.

    Args:
        fetch: asks for it; bounded in time and size, and never raising.
        clock: seconds that only go up.
    """

    def __init__(self, fetch: Callable[[], Answer], clock: Callable[[], float] = time.monotonic) -> None:
        """Keep both; nothing is fetched before the first token."""
        self._fetch = fetch
        self._clock = clock
        self._fetching = Lock()
        self._keys: Keys | None = None
        self._got = self._fresh_until = 0.0
        self._tried: float | None = None

    def find(self, kid: str, algorithm: str) -> PublicKey | None:
        """Return a key, after asking again if it is unknown or the set is old."""
        name = (kid, algorithm)
        # Who has a key at hand does not wait for another thread's fetch.
        if self._due(name) and self._fetching.acquire(blocking=name not in (self._keys or ())):
            try:
                if self._due(name):  # or another thread has just fetched it
                    self._renew()
            finally:
                self._fetching.release()
        keys = self._keys
        if keys is None or self._clock() - self._got > LAST_GOOD_SECONDS:
            raise UnavailableError("The keys that verify callers cannot be had for now.")
        return keys.get(name)

    def _due(self, name: tuple[str, str]) -> bool:
        now = self._clock()
        pause = FIRST_PAUSE_SECONDS if self._keys is None else PAUSE_SECONDS
        if self._tried is not None and now - self._tried < pause:
            return False
        return self._keys is None or name not in self._keys or now >= self._fresh_until

    def _renew(self) -> None:
        answer = self._fetch()
        now = self._clock()
        try:
            if answer.body is None:
                raise ValueError(answer.why)
            keys = read_key_set(answer.body)
            self._got, self._fresh_until = now, now + fresh_seconds(answer.cache_control)
            self._keys = keys
        except ValueError as error:
            log.error("a key set could not be fetched: %s", error)
        self._tried = now


class KeysOfFile:
    """A JWK Set in a file, read again when the file changes.

    Args:
        path: the file.

    Raises:
        ConfigError: there is no such file, or no usable key in it.
    """

    def __init__(self, path: Path) -> None:
        """Read it once, so that a wrong path is told at the start."""
        self._path = path
        self._read: tuple[tuple[int, ...], Keys] | None = None
        try:
            keys = self._current()
        except (OSError, ValueError, RequestError) as error:
            raise ConfigError(f"jwks_file cannot be read as a JWK Set ({type(error).__name__}).") from None
        if not keys:
            raise ConfigError("jwks_file holds no key for ES384 (P-384) or RS384 (2048 bits or more) with a kid.")

    def find(self, kid: str, algorithm: str) -> PublicKey | None:
        """Return a key of the file as it is now."""
        try:
            return self._current().get((kid, algorithm))
        except (OSError, ValueError, RequestError) as error:
            # Not the keys from before: the file may have been changed to take one back.
            log.error("a key set file cannot be read: %s", type(error).__name__)
            raise UnavailableError("The keys that verify callers cannot be had for now.") from None

    def _current(self) -> Keys:
        status = self._path.stat()
        version = (status.st_ino, status.st_mtime_ns, status.st_size)
        read = self._read
        if read is None or read[0] != version:
            keys = read_key_set(read_json(self._path.read_bytes(), max_bytes=MAX_BYTES))
            self._read = read = (version, keys)
        return read[1]


def fetch_once(transport: Callable[[Deadline, int], Transport], url: str, seconds: float = FETCH_SECONDS) -> Answer:
    """Get a JWK Set, within the time whatever the other side does.

    Looking a name up, and headers that drip, are under no deadline of the transport: so the wait is.

    Args:
        transport: makes one with a deadline and a size limit.
        url: the operator's address.
        seconds: the longest wait.
    """
    future: Future[Answer] = Future()

    def work() -> None:
        try:
            future.set_result(transport(Deadline.after(seconds), MAX_BYTES).get(url, None, accept="application/json"))
        except Exception as error:
            future.set_exception(error)

    Thread(target=work, name="jwks", daemon=True).start()
    try:
        return future.result(timeout=seconds + 0.05)
    except TimeoutError:
        return Answer(None, TIME_OUT)


def fresh_seconds(cache_control: str) -> float:
    """Return how long an answer may be used without asking again.

    >>> [fresh_seconds(text) for text in ("public, max-age=60", "", "max-age=999999", "no-cache")]
    [60.0, 300.0, 3600.0, 0.0]
    """
    if _NO_CACHE.search(cache_control):
        return 0.0
    found = _MAX_AGE.search(cache_control)
    return min(float(found[1]), LONGEST_FRESH_SECONDS) if found else FRESH_SECONDS
