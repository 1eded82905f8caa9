"""The Medication resources of a source, found again by id: drugs belong to no patient, and many point to one."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from cds_service.gather.bulk.sorted_file import SortedFile

_ASKED_AT_ONCE = 500  # SQLite takes at least 999 parameters


def write_drugs(path: Path, pieces: Iterable[SortedFile], parts: int) -> None:
    """Write the index, whole or not at all; each drug's number follows the order of the source.

    Args:
        path: of the index.
        pieces: of the sorted source, in order.
        parts: how many parts of patients there are; the drugs follow them.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT, 0o600))
    with closing(sqlite3.connect(draft)) as base, base:
        base.execute("CREATE TABLE drug (number INTEGER PRIMARY KEY, id TEXT, data BLOB)")
        rows = ((one.key, one.data) for piece in pieces for one in piece.part(parts))
        base.executemany("INSERT INTO drug (id, data) VALUES (?, ?)", rows)
        base.execute("CREATE INDEX drug_id ON drug (id)")
    draft.replace(path)


class Drugs:
    """The index, opened for reading."""

    def __init__(self, path: Path) -> None:
        self._base = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)

    def of(self, ids: Iterable[str]) -> Iterator[tuple[int, bytes]]:
        """Yield number and line of every drug with one of these ids."""
        wanted = sorted(ids)
        for start in range(0, len(wanted), _ASKED_AT_ONCE):
            some = wanted[start : start + _ASKED_AT_ONCE]
            marks = ",".join("?" * len(some))
            yield from self._base.execute(
                f"SELECT number, data FROM drug WHERE id IN ({marks}) ORDER BY number",  # noqa: S608 (marks only)
                some,
            )

    def count(self) -> int:
        """Return how many there are."""
        return int(self._base.execute("SELECT COUNT(*) FROM drug").fetchone()[0])

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()
