"""A file that only its owner can read, and that is there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cds_service.errors import ConfigError


@contextmanager
def private_file(path: Path) -> Iterator[IO[bytes]]:
    """Write a file anew; it takes its name when it is finished.

    Args:
        path: where; a file of that name is replaced.

    Raises:
        ConfigError: it cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ConfigError(f"{path.name} cannot be written beside the results: {error.strerror}.") from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
