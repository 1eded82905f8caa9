"""Files that only we may read, and of which there is never half: written beside their place, then moved there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_whole(path: Path, data: bytes, ending: str | None = None) -> None:
    """Write a file, whole or not at all.

    Args:
        path: the file.
        data: what it holds.
        ending: of the draft's name; None where several processes may write the file at once, each its own draft.

    Raises:
        OSError: the disk does not take it.
    """
    draft = path.with_name(f"{path.name}.{ending or f'{os.getpid()}.draft'}")
    with open_private(draft) as file:
        file.write(data)
    rename(draft, path)


@contextmanager
def open_private(path: Path) -> Iterator[BinaryIO]:
    """Write a file anew that only we may read; it is on the disk when this ends."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def rename(part: Path, path: Path) -> None:
    """Give a finished file its name, and see that the folder remembers."""
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
