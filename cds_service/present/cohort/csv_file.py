"""The CSV file of a trial: UTF-8 with a mark, so that Office shows Chinese."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Final

from cds_service.languages import translator
from cds_service.present.cohort.lists import Cohort, TrialList
from cds_service.present.cohort.private_file import private_file
from cds_service.present.cohort.table import headings, rows
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
    with private_file(path) as file, io.TextIOWrapper(file, encoding=_ENCODING, newline="") as text:
        writer = csv.writer(text, quoting=csv.QUOTE_ALL)
        writer.writerow(headings(one.trial, translator(cohort.language, cohort.library)))
        writer.writerows(rows(cohort, one, name))
