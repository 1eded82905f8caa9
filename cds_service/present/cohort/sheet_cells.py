"""Cells of a workbook, for every sheet that we write: no text becomes a formula, and rows are as high as their text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, Final
from unicodedata import east_asian_width

from cds_service.present.cohort.table import Cell, safe

# XlsxWriter would make formulas, links and numbers of texts.
NOTHING_MADE: Final[Mapping[str, bool]] = {
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
SHEET_NAME: Final = 31
"""The longest name of a sheet."""
A4: Final = 9
DAY: Final = {"num_format": "yyyy-mm-dd", "valign": "top", "align": "left"}
_LINE: Final = 17  # points: Chinese characters are higher than Latin ones of the same font size
_MOST_LINES: Final = 24  # a row of Excel is at most 409 points high


def put(sheet: Any, row: int, column: int, cell: Cell, style: Any, day: Any) -> None:
    """Write a cell.

    Args:
        sheet: of the workbook.
        row: from 0.
        column: from 0.
        cell: what stands in it.
        style: of text and numbers.
        day: style of days.
    """
    if isinstance(cell, date):
        sheet.write_datetime(row, column, datetime.combine(cell, time()), day)
    elif isinstance(cell, int):
        sheet.write_number(row, column, cell, style)
    elif cell:
        sheet.write_string(row, column, safe(cell), style)


def give_height(sheet: Any, number: int, row: Sequence[Cell], width: Callable[[int], int]) -> None:
    """Make a row as high as its text: Excel would find that out by itself, LibreOffice does not.

    Args:
        sheet: of the workbook.
        number: of the row, from 0.
        row: its cells.
        width: of a column, in characters.
    """
    lines = max((_lines(cell, width(column)) for column, cell in enumerate(row) if isinstance(cell, str)), default=1)
    if lines > 1:
        sheet.set_row(number, _LINE * min(lines, _MOST_LINES))


def _lines(text: str, width: int) -> int:
    """Return how many lines a text takes at most; a Chinese character is as wide as two others."""
    if len(text) * 2 < width:
        return 1
    wide = sum(east_asian_width(sign) in "WF" for sign in text)
    # What does not fit goes to the next line with its word: a line is seldom full.
    return -(-(len(text) + wide) * 8 // (7 * (width - 1)))
