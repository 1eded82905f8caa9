"""A finished run folder, opened: what its manifest says, and the line of each patient by its place in the file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from cds_service.errors import RequestError

RESULTS: Final = "results.jsonl"
MANIFEST: Final = "manifest.json"
FORMAT: Final = 1

# What a file of another shape makes of reading it. Not told: its words may be a patient's.
WRONG_SHAPE: Final = (KeyError, TypeError, ValueError, StopIteration, RuntimeError, AttributeError, ArithmeticError)


@dataclass(frozen=True)
class Manifest:
    """What a run says of itself.

    Args:
        as_of: the day of the judgement.
        anchor: the planned first dose; None when it was not given.
        site: the site file's label, "" without one.
        digests: of the rules, by trial, in the order of the run.
        source: the kind of source ("ndjson", "bundles", "fhir", "export").
        counts: how many records and patients went in and came out.
        incomplete: resource types that were not read completely, with why.
    """

    as_of: date
    anchor: date | None
    site: str
    digests: Mapping[str, str]
    source: str
    counts: Mapping[str, int]
    incomplete: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class RunFolder:
    """A run that is finished.

    Args:
        path: the folder.
        manifest: what it says of itself.
    """

    path: Path
    manifest: Manifest

    def lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield where each patient's line begins, and the line.

        Raises:
            RequestError: a line cannot be read, or there are fewer or more lines than the manifest counts.
        """
        number = 0
        with self.open() as read:
            offset, text = 0, read.file.readline()
            while text:
                number += 1
                yield offset, _line(text, number)
                offset, text = offset + len(text), read.file.readline()
        counted = self.manifest.counts.get("patients", number)
        if number != counted:
            raise _wrong(f"holds {number} patients, but {MANIFEST} counts {counted}; run prescreen again")

    @contextmanager
    def open(self) -> Iterator[Lines]:
        """Open the results, to read lines by their places."""
        try:
            with (self.path / RESULTS).open("rb") as file:
                yield Lines(file)
        except OSError as error:
            raise _wrong(f"cannot be read ({error.strerror})") from None


class Lines:
    """Results that are open.

    Args:
        file: the results, in bytes.
    """

    def __init__(self, file: Any) -> None:
        self.file = file

    def at(self, offset: int) -> dict[str, Any]:
        """Return the line that begins there."""
        self.file.seek(offset)
        return _line(self.file.readline(), None)


def open_run(path: Path) -> RunFolder:
    """Open a run folder.

    Raises:
        RequestError: it is none, or its run is not finished.
    """
    try:
        told = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RequestError(
            f"there is no {MANIFEST} in it: no run folder, or the run is not finished (start prescreen again to go on)",
            field="RUN_DIR",
        ) from None
    except (OSError, ValueError):
        raise RequestError(f"its {MANIFEST} cannot be read", field="RUN_DIR") from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise RequestError(f"its {MANIFEST} is not of format {FORMAT}", field="RUN_DIR")
    try:
        return RunFolder(path, _manifest(told))
    except WRONG_SHAPE:
        raise RequestError(f"its {MANIFEST} is not as prescreen writes it", field="RUN_DIR") from None


def _manifest(told: Mapping[str, Any]) -> Manifest:
    return Manifest(
        as_of=date.fromisoformat(told["as_of"]),
        anchor=date.fromisoformat(told["anchor"]) if told.get("anchor") else None,
        site=str(told.get("site") or ""),
        digests={str(one["trial"]): str(one["rules_digest"]) for one in told["trials"]},
        source=str(told["source"]["kind"]),
        counts={str(name): int(number) for name, number in told["counts"].items()},
        incomplete=tuple((str(one["type"]), str(one["why"])) for one in told.get("incomplete", ())),
    )


def _line(text: bytes, number: int | None) -> dict[str, Any]:
    where = "a line" if number is None else f"line {number}"
    try:
        found = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise _wrong(f"{where} is not JSON; run prescreen again") from None
    if not isinstance(found, dict) or not isinstance(found.get("patient"), str):
        raise _wrong(f"{where} is not a patient's result; run prescreen again")
    return found


def _wrong(what: str) -> RequestError:
    return RequestError(f"its {RESULTS} {what}", field="RUN_DIR")
