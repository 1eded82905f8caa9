"""The table of a trial: one row for each listed patient, the same columns in CSV and XLSX."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from itertools import chain
from typing import Final

from cds_service.facts.phrase import Translate, in_language, words_of_rules
from cds_service.languages import translator
from cds_service.present.cohort import words
from cds_service.present.cohort.lists import Cohort, TrialList
from cds_service.present.cohort.told import Name, in_a_row, tell
from cds_service.present.safe_text import plain
from cds_service.trials.model import Trial

Cell = str | int | date | None

_HEADINGS: Final = (
    words.RANK,
    words.TRIAL,
    words.PATIENT,
    words.STATUS_HEADING,
    words.GATE,
    words.DECISIVE,
    words.AGAINST,
    words.CONFIRM,
    words.UNTIL,
    words.LOOK_AGAIN,
    words.DECIDED,
    words.TOTAL,
    words.EXCLUSIONS,
)
WIDTHS: Final = (6, 14, 22, 14, 16, 44, 44, 36, 12, 12, 8, 8, 12)
"""Of the columns before the criteria, in characters."""
# Spreadsheet programs take a text that begins so for a formula, in East Asian forms too. One that is opened with ";"
# between the columns sees a new cell after each ";". Source: OWASP, CSV Injection.
_FORMULA: Final = re.compile(r"(^|;)(\s*)(?=[=+\-@\t\r\n＝＋－＠])")
_CELL: Final = 30_000  # a cell of Excel holds 32,767


def safe(text: str) -> str:
    """Return text that no spreadsheet program takes for a formula: one line, an apostrophe before what begins like one.

    >>> safe("=1+1"), safe("－2"), safe("ALT 12 U/L"), safe("a;@b")
    ("'=1+1", "'－2", 'ALT 12 U/L', "a;'@b")
    """
    return _FORMULA.sub(r"\1\2'", plain(text, _CELL))


def headings(trial: Trial, translate: Translate) -> list[str]:
    """Return the first row: the columns of every trial, then the trial's criteria of all its gates."""
    criteria = (words_of_rules(one.short) for one in trial.criteria)
    return [safe(in_language(one, translate)) for one in chain(_HEADINGS, criteria)]


def rows(cohort: Cohort, one: TrialList, name: Name) -> Iterator[list[Cell]]:
    """Yield the ranked patients in order, then, without a rank, those of whom the trigger is not known."""
    translate = translator(cohort.language, cohort.library)
    trial = one.trial
    exclusions = safe(in_language(words.ENCODED[trial.exclusions], translate))
    for row in chain(cohort.ranked(one), cohort.unsure(one)):
        told = tell(row, translate, name)
        verdicts = (told.verdicts.get(criterion.id) for criterion in trial.criteria)
        yield [
            told.number,
            safe(trial.id),
            safe(told.patient),
            safe(told.status_words),
            safe(told.gate),
            safe(in_a_row(told.decisive, translate)),
            safe(in_a_row(told.against, translate)),
            safe(in_a_row(told.confirm, translate)),
            told.until,
            told.look_again,
            told.decided,
            told.total,
            exclusions,
            *("" if verdict is None else words.verdict(verdict, translate) for verdict in verdicts),
        ]
