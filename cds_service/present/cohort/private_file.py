"""A file that only its owner can read, and that is there whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from cds_service.errors import UnavailableError

_FILE: Final = ".part"
_FOLDER: Final = ".parts"


@contextmanager
def private_file(path: Path) -> Iterator[IO[bytes]]:
    """Write a file anew; it takes its name when it is finished.

    Args:
        path: where; a file of that name is replaced.

    Raises:
        UnavailableError: it cannot be written, mostly because the disk is full; nothing of it is left.
    """
    part: Path | None = None
    try:
        # A name of its own, so that two writers of the same list do not write into each other's; mode 0600.
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_FILE, dir=path.parent)
        part = Path(name)
        with os.fdopen(handle, "wb") as file:
            _hold(file.fileno())
            yield file
        part.replace(path)
    except OSError as error:
        why = error.strerror or "the disk does not take it"
        raise UnavailableError(
            f"{path.name} could not be written beside the results ({why}). The results are kept: "
            "mend that, and write the lists again with: cds-service outputs."
        ) from None
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


@contextmanager
def private_folder(path: Path) -> Iterator[Path]:
    """Make a folder for what a file is put together from; it is gone at the end.

    Args:
        path: the file.

    Raises:
        OSError: it cannot be made.
    """
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=_FOLDER, dir=path.parent))
    handle = os.open(folder, os.O_RDONLY)
    try:
        _hold(handle)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def clear_left_parts(folder: Path) -> None:
    """Remove what writers left that were killed; what a living one holds stays."""
    for left in (*folder.glob(f".*{_FILE}"), *folder.glob(f".*{_FOLDER}")):
        try:
            handle = os.open(left, os.O_RDONLY)
        except OSError:
            continue  # gone meanwhile, or somebody else's
        try:
            if _hold(handle):
                if left.is_dir():
                    shutil.rmtree(left, ignore_errors=True)
                else:
                    left.unlink(missing_ok=True)
        finally:
            os.close(handle)


def _hold(handle: int) -> bool:
    """Lock a part as long as it is open, which a killed process's is not; False where another holds it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
