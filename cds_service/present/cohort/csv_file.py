"""The CSV file of a trial: UTF-8 with a mark, so that Office shows Chinese."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import IO, Final

from cds_service.languages import translator
from cds_service.present.cohort.lists import Cohort, TrialList
from cds_service.present.cohort.private_file import private_file
from cds_service.present.cohort.table import Cell, headings, rows
from cds_service.present.cohort.told import Name

_ENCODING: Final = "utf-8-sig"


def write_csv(cohort: Cohort, one: TrialList, path: Path, name: Name) -> None:
    """Write a trial's list as CSV (RFC 4180, every cell quoted).

    Args:
        cohort: the run.
        one: the trial's list.
        path: the file.
        name: what the patients are called.
    """
    first = headings(one.trial, translator(cohort.language, cohort.library))
    with private_file(path) as file:
        write_rows(file, chain([first], rows(cohort, one, name)))


def write_rows(file: IO[bytes], lines: Iterable[Sequence[Cell]]) -> None:
    """Write rows whose texts are safe already.

    Args:
        file: open for writing; it stays open.
        lines: the headings first.
    """
    # Without a buffer of its own that would be written once more, in vain, after a failure.
    csv.writer(codecs.getwriter(_ENCODING)(file), quoting=csv.QUOTE_ALL).writerows(lines)
