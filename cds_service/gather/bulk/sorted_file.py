"""Records put aside by part: one file for each piece of a source, so that a part can be read back on its own.

A part holds all records of some patients. Which part a patient is in depends on the id alone, so that the pieces of a
source can be sorted by several processes, and again after a crash, with the same outcome.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

from cds_service.gather.bulk.whole_file import write_whole

_HEAD: Final = struct.Struct("<BHIIQ")
_MOST_WAITING: Final = 48 * 2**20


class Kind(IntEnum):
    """What a record is."""

    RESOURCE = 1
    PATIENT = 2
    BUNDLE = 3
    BROKEN = 4
    """A line of this patient that cannot be read; the data are its type."""
    DRUG = 5
    READ = 6
    """A patient as a FHIR server gave it."""
    JUDGED = 7
    """The result of an earlier run."""
    CHART = 8
    """A chart that an earlier run kept."""


@dataclass(frozen=True)
class Stored:
    """One record.

    Args:
        kind: what it is.
        key: the patient's id; of a drug its own.
        segment: where it came from.
        line: number within the segment.
        data: as it came.
    """

    kind: Kind
    key: str
    segment: int
    line: int
    data: bytes


def part_of(key: str, parts: int) -> int:
    """Return the part that a patient is in."""
    return zlib.crc32(key.encode("utf-8", "surrogatepass")) % parts


class Takes(Protocol):
    """Takes the records of a piece: a :class:`SortedWriter`, or another engine's own."""

    def put(self, kind: Kind, key: str, segment: int, line: int, data: bytes) -> None:
        """Take one record."""

    def close(self, told: Mapping[str, Any]) -> None:
        """Take what is to be known of the piece besides; nothing follows."""


class SortedWriter:
    """Writes records by part: ``NAME.bin`` with the records, and last ``NAME.json`` with where each part is.

    The file is there whole or not at all; what a process wrote that was killed is in files of its own name.
    """

    def __init__(self, base: Path, parts: int) -> None:
        self._base = base
        self._parts = parts
        self._draft = base.with_suffix(f".{os.getpid()}.draft")
        self._file = os.fdopen(os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        self._waiting: dict[int, list[bytes]] = {}
        self._size = 0
        self._index: list[tuple[int, int, int]] = []

    def __enter__(self) -> Self:
        """Write on."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Let go of the file; one that was not finished is removed."""
        self._file.close()
        self._draft.unlink(missing_ok=True)

    def put(self, kind: Kind, key: str, segment: int, line: int, data: bytes) -> None:
        """Put a record into its part; drugs have a part of their own, after the others."""
        part = self._parts if kind is Kind.DRUG else part_of(key, self._parts)
        name = key.encode("utf-8", "surrogatepass")
        self._waiting.setdefault(part, []).extend((_HEAD.pack(kind, len(name), segment, line, len(data)), name, data))
        self._size += len(data) + len(name) + _HEAD.size
        if self._size > _MOST_WAITING:
            self._flush()

    def _flush(self) -> None:
        for part in sorted(self._waiting):
            block = b"".join(self._waiting[part])
            self._index.append((part, self._file.tell(), len(block)))
            self._file.write(block)
        self._waiting, self._size = {}, 0

    def close(self, told: Mapping[str, Any]) -> None:
        """Finish the file and give it its name.

        Args:
            told: what is to be known of the piece besides; plain JSON.
        """
        self._flush()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._draft.replace(self._base.with_suffix(".bin"))
        write_whole(self._base.with_suffix(".json"), json.dumps({"index": self._index, "told": told}).encode())


class SortedFile:
    """Reads back what a :class:`SortedWriter` wrote."""

    def __init__(self, base: Path) -> None:
        body = json.loads(base.with_suffix(".json").read_bytes())
        self._path = base.with_suffix(".bin")
        self.told: dict[str, Any] = body["told"]
        self._blocks: dict[int, list[tuple[int, int]]] = {}
        for part, start, size in body["index"]:
            self._blocks.setdefault(part, []).append((start, size))

    @staticmethod
    def done(base: Path) -> bool:
        """Say whether the file is there whole."""
        return base.with_suffix(".json").exists()

    def part(self, number: int) -> Iterator[Stored]:
        """Yield the records of a part, as they were put."""
        blocks = self._blocks.get(number, ())
        if not blocks:
            return
        with self._path.open("rb") as file:
            for start, size in blocks:
                file.seek(start)
                left = size
                while left:
                    kind, name, segment, line, length = _HEAD.unpack(file.read(_HEAD.size))
                    key = file.read(name).decode("utf-8", "surrogatepass")
                    yield Stored(Kind(kind), key, segment, line, file.read(length))
                    left -= _HEAD.size + name + length
