"""The workbook of a run: a sheet that says what it is, and one for each trial, with filter and fixed headings."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime, time
from pathlib import Path
from typing import Any, Final

from cds_service.facts.phrase import Translate, in_language
from cds_service.languages import translator
from cds_service.present.cohort import about, words
from cds_service.present.cohort.lists import Cohort, TrialList
from cds_service.present.cohort.private_file import private_file, private_folder
from cds_service.present.cohort.sheet_cells import A4, DAY, NOTHING_MADE, SHEET_NAME, give_height, put
from cds_service.present.cohort.table import WIDTHS, Cell, headings, rows
from cds_service.present.cohort.told import Name

MOST_ROWS: Final = 1_000_000  # a sheet of Excel ends at 1,048,576
_NO_SHEET_NAME: Final = re.compile(r"[\[\]:*?/\\']")
_VERDICT_WIDTH: Final = 11
_COUNT_WIDTH: Final = 16
_ABOUT_WIDTH: Final = 58
_FIXED: Final = 3  # columns: place, trial, patient


def write_xlsx(cohort: Cohort, path: Path, name: Name, *, most_rows: int = MOST_ROWS) -> None:
    """Write the workbook, with XlsxWriter; memory does not grow with the rows.

    Args:
        cohort: the run.
        path: the file.
        name: what the patients are called.
        most_rows: of one sheet.
    """
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    # XlsxWriter's own parts hold patients' data, too, and it leaves them when it fails.
    with private_file(path) as file, private_folder(path) as parts:
        options = {"constant_memory": True, "tmpdir": str(parts), **NOTHING_MADE}
        book = xlsxwriter.Workbook(file, options)
        # The same run gives the same bytes.
        book.set_properties({"created": datetime.combine(cohort.run.manifest.as_of, time())})
        try:
            _Book(book, cohort, name, most_rows).write()
            book.close()
        except FileCreateError as error:
            raise error.args[0] from None  # the OSError that it stands for
        finally:
            for sheet in book.worksheets():
                with suppress(OSError):  # of what a full disk did not take
                    sheet.row_data_fh.close()


class _Book:
    def __init__(self, book: Any, cohort: Cohort, name: Name, most_rows: int) -> None:
        self._book, self._cohort, self._name, self._most = book, cohort, name, most_rows
        self._translate: Translate = translator(cohort.language, cohort.library)
        self._bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        self._number = book.add_format({"bold": True, "align": "right", "text_wrap": True, "valign": "top"})
        self._plain = book.add_format({"valign": "top", "align": "left"})
        self._head = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
        self._text = book.add_format({"text_wrap": True, "valign": "top"})
        self._count = book.add_format({"valign": "top", "align": "center"})
        self._day = book.add_format(DAY)

    def write(self) -> None:
        """Write every sheet."""
        self._about()
        for one in self._cohort.lists:
            self._list(one)

    def _about(self) -> None:
        sheet = self._book.add_worksheet(self._said(words.ABOUT)[:SHEET_NAME])
        sheet.set_column(0, 0, _ABOUT_WIDTH)
        sheet.set_column(1, 5, _COUNT_WIDTH)
        self._for_print(sheet)
        sheet.fit_to_pages(1, 0)
        tables: set[int] = set()
        lines: list[tuple[Cell, ...]] = [
            (self._said(words.TITLE),),
            (self._said(words.CONFIDENTIAL),),
            (self._said(words.FOR_REVIEW),),
            (),
            *about.of_the_run(self._cohort, self._translate),
            (),
            *about.of_the_trials(self._cohort, self._translate),
        ]
        for one in self._cohort.lists:
            for funnel in one.funnels:
                lines += [(), (f"{self._said(words.FUNNEL)} {one.trial.id}: {self._said(funnel.label)}",)]
                tables.add(len(lines))
                lines.append(tuple(self._said(heading) for heading in (words.STEP, words.ENTERED)) + self._verdicts())
                lines += about.steps(funnel, self._translate)
            if len(one.ranked) + len(one.unsure) > self._most:
                lines += [(), (one.trial.id, in_language(words.rest(self._most), self._translate))]
        for number, line in enumerate(lines):
            beside = self._number if number in tables else None if len(line) > 2 else self._plain
            for column, cell in enumerate(line):
                self._cell(sheet, number, column, cell, beside if column else self._bold)

    def _for_print(self, sheet: Any) -> None:
        sheet.set_landscape()
        sheet.set_paper(A4)
        sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
        # In a footer "&" begins a command.
        sheet.set_footer(f"&L{self._said(words.CONFIDENTIAL).replace('&', '&&')}&R&A  &P / &N")

    def _verdicts(self) -> tuple[str, ...]:
        return tuple(words.verdict(one, self._translate) for one in words.VERDICT_ORDER)

    def _list(self, one: TrialList) -> None:
        sheet = self._book.add_worksheet(_NO_SHEET_NAME.sub("-", one.trial.id)[:SHEET_NAME])
        first = headings(one.trial, self._translate)
        for column in range(len(first)):
            sheet.set_column(column, column, _width(column))
        sheet.freeze_panes(1, _FIXED)
        self._for_print(sheet)
        # On paper: the patients and what is to be done on one page, the criteria on the one beside it.
        sheet.fit_to_pages(2, 0)
        sheet.set_v_pagebreaks([len(WIDTHS)])
        sheet.repeat_rows(0)
        sheet.repeat_columns(0, _FIXED - 1)
        give_height(sheet, 0, first, _width)
        for column, heading in enumerate(first):
            sheet.write_string(0, column, heading, self._head)
        number = 0
        for number, row in enumerate(rows(self._cohort, one, self._name), 1):
            if number > self._most:
                number -= 1
                break
            give_height(sheet, number, row, _width)
            for column, cell in enumerate(row):
                self._cell(sheet, number, column, cell, self._count if isinstance(cell, int) else self._text)
        sheet.autofilter(0, 0, max(number, 1), len(first) - 1)

    def _cell(self, sheet: Any, row: int, column: int, cell: Cell, style: Any) -> None:
        put(sheet, row, column, cell, style, self._day)

    def _said(self, text: str) -> str:
        return in_language(text, self._translate)


def _width(column: int) -> int:
    return WIDTHS[column] if column < len(WIDTHS) else _VERDICT_WIDTH
