"""Where a population comes from: a folder of NDJSON or of Bundles, or the patients of a FHIR server."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from cds_service.gather.bulk.folder import Folder, bundle_folder, ndjson_folder
from cds_service.gather.bulk.pieces import PIECE_BYTES, Piece, pieces_of

PART_BYTES: Final = 2**20
"""How much of a source makes a part: small enough for any memory, and for a progress bar to move."""
MOST_PARTS: Final = 512
BATCH: Final = 20
"""Patients of a server that are read before what was read is kept."""
_UNPACKED: Final = 10  # how much larger a compressed file of NDJSON is when it is read


@dataclass(frozen=True)
class FolderSource:
    """A folder.

    Args:
        kind: what the manifest calls it.
        folder: its files.
        part_bytes: how much of it makes a part.
        piece_bytes: how much of it one process sorts at a time.
    """

    kind: Literal["ndjson", "bundles", "export"]
    folder: Folder
    part_bytes: int = PART_BYTES
    piece_bytes: int = PIECE_BYTES

    @property
    def fingerprint(self) -> str:
        """Another one means that the source is another one, or was changed."""
        return f"{self.kind} {self.folder.fingerprint}"

    @property
    def parts(self) -> int:
        """In how many parts the patients are."""
        size = sum(one.bytes * (_UNPACKED if one.packed else 1) for one in self.folder.files)
        return max(1, min(MOST_PARTS, size // self.part_bytes))

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """In what pieces it is sorted."""
        return pieces_of(self.folder, self.piece_bytes)

    def now(self) -> FolderSource:
        """Return the same folder as it is now."""
        listed = bundle_folder if self.kind == "bundles" else ndjson_folder
        return FolderSource(self.kind, listed(self.folder.path), self.part_bytes, self.piece_bytes)


def ndjson_source(path: Path, *, exported: bool = False, part_bytes: int = PART_BYTES) -> FolderSource:
    """Return a folder of NDJSON as a source; ``exported`` when we had it made by ``$export``.

    Raises:
        RequestError: it holds no NDJSON, or its manifest cannot be read.
    """
    return FolderSource("export" if exported else "ndjson", ndjson_folder(path), part_bytes)


def bundle_source(path: Path, *, part_bytes: int = PART_BYTES) -> FolderSource:
    """Return a folder of Bundles as a source, each the whole record of one patient.

    Raises:
        RequestError: it holds no ``.json`` file.
    """
    return FolderSource("bundles", bundle_folder(path), part_bytes)


@dataclass(frozen=True)
class Patients:
    """Who is to be read from a server.

    Args:
        ids: each once, sorted.
        incomplete: why there may be more; "" when there are not.
    """

    ids: tuple[str, ...]
    incomplete: str = ""


@dataclass(frozen=True)
class ServerSource:
    """A FHIR server.

    Args:
        asked: of whom: what the run is known by (a line for the server, then how patients are found).
        find: finds the patients.
        read: reads one patient: the record as a Bundle, "" when there is none, and what is incomplete, with why.
    """

    asked: str
    find: Callable[[], Patients]
    read: Callable[[str], tuple[str, dict[str, str]]]
    kind: Literal["fhir"] = "fhir"

    @property
    def fingerprint(self) -> str:
        """Another one means that other patients, or another server, are asked for."""
        return f"{self.kind} {hashlib.sha256(self.asked.encode()).hexdigest()}"

    @property
    def server(self) -> str:
        """Its base URL."""
        return self.asked.partition("\n")[0]


def batches(ids: Sequence[str]) -> list[Sequence[str]]:
    """Cut a list of patients into batches."""
    return [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]


Source = FolderSource | ServerSource
