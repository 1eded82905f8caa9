"""Pieces of a source: runs of small files or ranges of large ones, and their lines. They depend on the source alone."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

from cds_service.gather.bulk.folder import Folder, SourceFile

PIECE_BYTES: Final = 32 * 2**20
"""How much of a source one process takes at a time."""
MAX_LINE: Final = 64 * 2**20
TOO_LONG: Final = "The line is longer than any resource."
BROKEN_OFF: Final = "The file cannot be read to its end."

_MOST_FILES: Final = 500
_BOM: Final = b"\xef\xbb\xbf"
_SKIP: Final = 2**20


@dataclass(frozen=True)
class Segment:
    """A range of one file.

    Args:
        number: of the segment, in the order of the source.
        file: what it is a range of.
        start: the first byte.
        end: the byte after the last; None for the end of the file.
    """

    number: int
    file: SourceFile
    start: int = 0
    end: int | None = None


@dataclass(frozen=True)
class Piece:
    """Segments that one process reads at a time.

    Args:
        number: of the piece, in the order of the source.
        segments: one of a large file, or the whole of several small ones.
    """

    number: int
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Line:
    """One line that is not blank.

    Args:
        number: counted from 1 within the segment, blank lines included.
        data: without line end and blanks around it; of a line that is too long its beginning.
        broken: why it cannot be used; "" for a line that was read whole.
    """

    number: int
    data: bytes
    broken: str = ""


def pieces_of(folder: Folder, piece_bytes: int = PIECE_BYTES) -> tuple[Piece, ...]:
    """Cut a source into pieces; compressed files are read from their beginning and stay whole."""
    pieces: list[list[Segment]] = []
    room = number = 0
    for file in folder.files:
        starts = [0] if file.packed or not file.bytes else list(range(0, file.bytes, piece_bytes))
        for at, start in enumerate(starts):
            segment = Segment(number, file, start, None if at == len(starts) - 1 else starts[at + 1])
            number += 1
            if not pieces or file.bytes > room or len(pieces[-1]) >= _MOST_FILES:
                pieces.append([])
                room = piece_bytes
            pieces[-1].append(segment)
            room -= min(file.bytes, room)
    return tuple(Piece(at, tuple(segments)) for at, segments in enumerate(pieces))


class Lines:
    """The lines that begin in a segment.

    A file that breaks off (a damaged archive, a failing disk) ends with a line that says so. ``seen`` counts the lines
    read so far, blank ones included.
    """

    def __init__(self, folder: Path, segment: Segment, max_line: int = MAX_LINE) -> None:
        self._path = folder / segment.file.name
        self._segment = segment
        self._max_line = max_line
        self.seen = 0

    def __iter__(self) -> Iterator[Line]:
        """Yield each line that is not blank."""
        segment, limit = self._segment, self._max_line
        try:
            with closing(_opened(self._path, segment)) as file:
                while segment.end is None or file.tell() < segment.end:
                    data = file.readline(limit + 1)
                    if not data:
                        return
                    self.seen += 1
                    if self.seen == 1 and segment.start == 0:
                        data = data.removeprefix(_BOM)
                    if len(data) > limit and not data.endswith(b"\n"):
                        _to_line_end(file)
                        yield Line(self.seen, data[:_SKIP], TOO_LONG)
                    elif data := data.strip(b" \t\r\n"):
                        yield Line(self.seen, data)
        except (OSError, EOFError, zlib.error):
            self.seen += 1
            yield Line(self.seen, b"", BROKEN_OFF)


def _opened(path: Path, segment: Segment) -> IO[bytes]:
    """Open a file where the first line of the segment begins; one that began before belongs to the one before."""
    if segment.file.packed:
        if not path.stat().st_size:  # no archive is: the download came to nothing, and gzip would call it read
            raise EOFError
        return cast("IO[bytes]", gzip.open(path))
    file = path.open("rb", buffering=2**20)
    if segment.start:
        file.seek(segment.start - 1)
        _to_line_end(file)
    return file


def _to_line_end(file: IO[bytes]) -> None:
    while (rest := file.readline(_SKIP)) and not rest.endswith(b"\n"):
        pass
