"""What holds for every patient once the whole source is sorted: which types are incomplete, and where lines begin."""

from __future__ import annotations

from typing import Any, Final

from cds_service.facts.record import RESOURCE_TYPES
from cds_service.gather.bulk.drugs import write_drugs
from cds_service.gather.bulk.folder import EVERY_TYPE, Folder
from cds_service.gather.bulk.sorted_file import SortedFile
from cds_service.screening.cohort.judged import PATIENT
from cds_service.screening.cohort.source import FolderSource, Source
from cds_service.screening.cohort.work import Bench

NO_FILE: Final = "no file of it is in the source"
NOT_ASKED: Final = "the export was not asked for it"
OTHER_COUNT: Final = "an export announced another number of lines than its file holds"


def make_plan(bench: Bench, source: Source) -> dict[str, Any]:
    """Return ``unread``, type to why, for all patients, and ``incomplete``, every reason, for the manifest."""
    sorted_pieces = [SortedFile(bench.piece(number)) for number in range(bench.pieces)]
    found = {(kind, why) for piece in sorted_pieces for kind, why in piece.told.get("incomplete", ())}
    if isinstance(source, FolderSource):
        found.update(source.folder.incomplete)
        if source.kind != "bundles":
            seen = {kind for piece in sorted_pieces for kind in piece.told["seen"]}
            found.update(_not_read(source.folder, seen))
            found.update(_miscounted(source, sorted_pieces))
            if any(True for piece in sorted_pieces for _ in piece.part(bench.parts)):
                write_drugs(bench.drugs, sorted_pieces, bench.parts)
    incomplete = sorted(found)
    unread: dict[str, str] = {}
    for kind, why in incomplete:
        if kind != PATIENT:  # who is missing is missing; those who are there are judged
            unread.setdefault(kind, why)
    return {"unread": unread, "incomplete": incomplete}


def lines_by_file(source: FolderSource, pieces: list[SortedFile]) -> tuple[dict[int, tuple[str, int]], dict[str, int]]:
    """Return by segment its file and the lines before it in the file; and by file its lines that are not blank."""
    seen = {number: (lines, filled) for piece in pieces for number, lines, filled in piece.told["lines"]}
    begins: dict[int, tuple[str, int]] = {}
    before: dict[str, int] = {}
    filled_lines: dict[str, int] = {}
    for piece in source.pieces:
        for segment in piece.segments:
            name = segment.file.name
            begins[segment.number] = (name, before.get(name, 0))
            before[name] = before.get(name, 0) + seen[segment.number][0]
            filled_lines[name] = filled_lines.get(name, 0) + seen[segment.number][1]
    return begins, filled_lines


def _not_read(folder: Folder, seen: set[str]) -> list[tuple[str, str]]:
    there = {one.type for one in folder.files} | seen
    # Without a Patient nobody is judged, whatever an export was asked for: that must not look like an empty clinic.
    lost = [] if PATIENT in there else [(PATIENT, NO_FILE)]
    if folder.requested is not None:
        return lost + [(kind, NOT_ASKED) for kind in RESOURCE_TYPES if kind not in folder.requested]
    return lost + [(kind, NO_FILE) for kind in RESOURCE_TYPES if kind not in there]


def _miscounted(source: FolderSource, pieces: list[SortedFile]) -> list[tuple[str, str]]:
    _begins, lines = lines_by_file(source, pieces)
    wrong = [one for one in source.folder.files if one.count is not None and one.count != lines[one.name]]
    return [(one.type or EVERY_TYPE, OTHER_COUNT) for one in wrong]
