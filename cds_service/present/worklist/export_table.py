"""The table of an export: a row for each entry, in CSV or XLSX. Each row says who took it, when and what for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import IO, Any, Final

from cds_service.evaluation.outcome import Status
from cds_service.facts.phrase import Translate, in_language, joined, words_of_rules
from cds_service.present.cohort import words as lists
from cds_service.present.cohort.csv_file import write_rows
from cds_service.present.cohort.sheet_cells import A4, DAY, NOTHING_MADE, SHEET_NAME, give_height, put
from cds_service.present.cohort.table import Cell, safe
from cds_service.present.safe_text import plain
from cds_service.present.worklist import words
from cds_service.present.worklist.listed import Listed
from cds_service.present.worklist.rows import (
    blocked,
    counts_until,
    criterion_name,
    fact_name,
    names,
    results_lapsed,
    status_of,
    to_confirm,
)
from cds_service.trials.model import Library, Trial

_WHO: Final = (words.NAMES, words.BIRTH, words.GENDER, words.NUMBER)
_MIDDLE: Final = (
    lists.STATUS_HEADING,
    lists.GATE,
    lists.DECISIVE,
    lists.AGAINST,
    lists.CONFIRM,
    lists.UNTIL,
    words.LAPSED,
    lists.LOOK_AGAIN,
    lists.DECIDED,
    lists.TOTAL,
    lists.AS_OF,
    lists.ANCHOR,
    words.STATE_HEADING,
    words.CRITERION,
)
_AFTER: Final = (lists.EXCLUSIONS, words.EXPORTED_BY, words.EXPORTED_AT, words.WHY, words.NOTICE)
_END: Final = (words.ASSIGNEE, words.CHANGED, *_AFTER)
_NARROW: Final = 12
_WIDE: Final[dict[str, int]] = {
    lists.DECISIVE: 40,
    lists.AGAINST: 40,
    lists.CONFIRM: 36,
    lists.PATIENT: 24,
    lists.STATUS_HEADING: 18,
    lists.GATE: 16,
    lists.TRIAL: 14,
    words.NAMES: 24,
    words.REASON: 30,
    words.NOTICE: 30,
    words.WHY: 24,
    words.EXPORTED_AT: 20,
}
_FIXED: Final = 3  # columns: place, trial, patient


@dataclass(frozen=True)
class Export:
    """What an export is.

    Args:
        trial: its id.
        by: who takes it.
        at: when.
        today: the hospital's day, by which results have lapsed.
        why: what for, as typed.
        named: whether patients are named; else they have codes, and what people typed about them is left out.
        code: makes a code of our id of a patient.
    """

    trial: str
    by: str
    at: datetime
    today: date
    why: str
    named: bool
    code: Callable[[str], str]

    def patient(self, entry: Listed) -> str:
        """Return what the export calls a patient."""
        return entry.person.reference if self.named else self.code(entry.patient)


def write_csv(
    file: IO[bytes], export: Export, entries: Iterable[Listed], library: Library, translate: Translate
) -> None:
    """Write the table as CSV.

    Args:
        file: open for writing.
        export: what it is.
        entries: in order.
        library: for the names of facts and criteria.
        translate: into the reader's language.
    """
    write_rows(file, _lines(export, entries, library, translate))


def write_xlsx(
    file: IO[bytes], export: Export, entries: Iterable[Listed], library: Library, translate: Translate
) -> None:
    """Write the table as a workbook, as :func:`write_csv` does; in memory, so that no part is left on the disk."""
    import xlsxwriter

    book = xlsxwriter.Workbook(file, {"in_memory": True, **NOTHING_MADE})
    book.set_properties(
        {"created": export.at.replace(tzinfo=None), "comments": in_language(words.NOTICE_TEXT, translate)}
    )
    head = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
    text, day = book.add_format({"text_wrap": True, "valign": "top"}), book.add_format(DAY)
    sheet = book.add_worksheet("".join(char for char in export.trial if char.isalnum())[:SHEET_NAME] or "list")
    headings = _headings(export)
    widths = [_WIDE.get(one, _NARROW) for one in headings]
    for column, width in enumerate(widths):
        sheet.set_column(column, column, width)
    number = -1
    for number, row in enumerate(_lines(export, entries, library, translate)):
        give_height(sheet, number, row, widths.__getitem__)
        for column, cell in enumerate(row):
            put(sheet, number, column, cell, text if number else head, day)
    sheet.freeze_panes(1, _FIXED)
    sheet.autofilter(0, 0, max(number, 1), len(headings) - 1)
    _for_print(sheet, export, translate)
    book.close()


def _for_print(sheet: Any, export: Export, translate: Translate) -> None:
    sheet.set_landscape()
    sheet.set_paper(A4)
    sheet.repeat_rows(0)
    sheet.fit_to_pages(2, 0)
    # In a footer "&" begins a command.
    told = f"{in_language(words.NOTICE_TEXT, translate)} {plain(export.by, 60)}, {_instant(export.at)}"
    sheet.set_footer(f"&L{told.replace('&', '&&')}&R&P / &N")


def _lines(export: Export, entries: Iterable[Listed], library: Library, translate: Translate) -> Iterator[list[Cell]]:
    yield [safe(in_language(one, translate)) for one in _headings(export)]
    number = 0
    for number, entry in enumerate(entries, 1):
        yield _row(number, entry, export, library, translate)
    if not number:  # a file without patients says all the same whose it is, and what it does not hold
        blanks: list[Cell] = [""] * (len(_headings(export)) - 2 - len(_AFTER))
        yield ["", safe(export.trial), *blanks, *_after(export, library.trials.get(export.trial), translate)]


def _headings(export: Export) -> list[str]:
    who = _WHO if export.named else ()
    typed = (words.REASON,) if export.named else ()
    return [lists.RANK, lists.TRIAL, lists.PATIENT, *who, *_MIDDLE, *typed, *_END]


def _row(number: int, entry: Listed, export: Export, library: Library, translate: Translate) -> list[Cell]:
    latest, person, trial = entry.latest, entry.person, library.trials.get(entry.trial)

    def said(text: str) -> str:
        return safe(in_language(text, translate))

    candidate = latest.status == Status.CANDIDATE
    who = (
        safe("; ".join(names(entry))),
        safe(plain(person.birth_date)),
        safe(plain(person.gender)),
        safe(plain(person.number)),
    )
    gate = (
        next((words_of_rules(one.label) for one in trial.gates if one.id == latest.gate), latest.gate) if trial else ""
    )
    against = [one for one in latest.brief.get("criteria", ()) if one.get("verdict") == "fail"]
    return [
        number,
        safe(entry.trial),
        safe(export.patient(entry)),
        *(who if export.named else ()),
        said(status_of(entry, export.today)),
        said(gate),
        said(joined(fact_name(fact, library) for fact in latest.missing)),
        said(joined([*blocked(latest.brief), *(criterion_name(str(one.get("id")), trial) for one in against)])),
        said(joined(to_confirm(latest.brief, trial))),
        counts_until(entry),
        said(words.YES) if results_lapsed(entry, export.today) else "",
        None if candidate else latest.lapses,
        latest.decided,
        latest.total,
        latest.as_of,
        latest.anchor,
        said(words.state(entry.state)),
        said(criterion_name(entry.state_criterion, trial)) if entry.state_criterion else "",
        *((safe(entry.state_reason),) if export.named else ()),
        safe(entry.assignee),
        said(words.YES) if entry.changed else "",
        *_after(export, trial, translate),
    ]


def _after(export: Export, trial: Trial | None, translate: Translate) -> list[Cell]:
    """Return what stands in every row; exclusions of a trial whose rules are gone are not encoded."""
    exclusions = lists.ENCODED[trial.exclusions if trial is not None else "not-published"]
    return [
        safe(in_language(exclusions, translate)),
        safe(export.by),
        _instant(export.at),
        safe(export.why),
        safe(in_language(words.NOTICE_TEXT, translate)),
    ]


def _instant(at: datetime) -> str:
    return at.isoformat(sep=" ", timespec="minutes")
