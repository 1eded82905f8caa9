"""A file that only its owner can read, and that is there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cds_service.errors import UnavailableError


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
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        part = Path(name)
        with os.fdopen(handle, "wb") as file:
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
