"""A piece of a source, sorted by patient: whose each line is, told from its bytes where that is beyond doubt.

A line that cannot be read costs its patient that type; where nothing tells whose it is, it costs everybody that type.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cds_service.errors import RequestError
from cds_service.facts.record import RESOURCE_TYPES
from cds_service.gather.bulk.folder import EVERY_TYPE
from cds_service.gather.bulk.pieces import Line, Lines, Piece, Segment
from cds_service.gather.bulk.resource_line import (
    MAX_RESOURCE_BYTES,
    RESOURCE_ID,
    id_of_broken_patient,
    parse_line,
    patient_told,
    type_told,
)
from cds_service.gather.bulk.sorted_file import Kind, Takes
from cds_service.gather.bundle import harvest_of, one_patient
from cds_service.gather.json_text import read_json
from cds_service.gather.subjects import patient_named

UNREADABLE: Final = "lines could not be read"
NEEDED: Final = frozenset({*RESOURCE_TYPES, "Patient", "Medication"})
_LONGEST_NAME: Final = 2_000


@dataclass
class Sorted:
    """What is to be known of a piece besides its records.

    Args:
        counts: ``resources`` (lines that are not blank, files of Bundles), ``not_needed``, ``unassigned``,
            ``quarantined``, ``patients``.
        quarantine: segment, line and why.
        incomplete: types (or ``EVERY_TYPE``) that lines are missing of, with why.
        seen: types of the lines in files whose name says none.
        lines: by segment: lines with blank ones, lines without.
    """

    counts: Counter[str] = field(default_factory=Counter)
    quarantine: list[tuple[int, int, str]] = field(default_factory=list)
    incomplete: set[tuple[str, str]] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    lines: dict[int, tuple[int, int]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, the same for the same piece."""
        return {
            "counts": {name: self.counts[name] for name in sorted(self.counts)},
            "quarantine": self.quarantine,
            "incomplete": sorted(self.incomplete),
            "seen": sorted(self.seen),
            "lines": [[number, *counts] for number, counts in sorted(self.lines.items())],
        }


def sort_ndjson(folder: Path, piece: Piece, writer: Takes) -> None:
    """Sort a piece of NDJSON by patient."""
    told = Sorted()
    for segment in piece.segments:
        lines = Lines(folder, segment)
        before = told.counts["resources"]
        for line in lines:
            _sort_line(line, segment, told, writer)
        told.lines[segment.number] = (lines.seen, told.counts["resources"] - before)
    writer.close(told.to_json())


def sort_bundles(folder: Path, piece: Piece, writer: Takes) -> None:
    """Sort a piece that consists of whole Bundles, each one patient's record."""
    told = Sorted()
    for segment in piece.segments:
        told.lines[segment.number] = (1, 1)
        try:
            data = (folder / segment.file.name).read_bytes()
            body = read_json(data, max_bytes=MAX_RESOURCE_BYTES, what="Bundle")
            if not isinstance(body, dict) or body.get("resourceType") != "Bundle":
                raise RequestError("The file is no Bundle.", field="Bundle")
            _patient, names = one_patient(harvest_of(body).entries)
            if len(names.id or names.full_url) > _LONGEST_NAME:
                raise RequestError("The Patient's id is longer than any.", field="Bundle")
        except (RequestError, OSError) as error:
            why = str(error) if isinstance(error, RequestError) else "The file cannot be read."
            told.counts["resources"] += 1
            _set_aside(told, segment, 1, why)
            told.incomplete.add(("Patient", "Bundles could not be read"))
            continue
        writer.put(Kind.BUNDLE, names.id or names.full_url, segment.number, 1, data)
        told.counts["patients"] += 1
    writer.close(told.to_json())


def _sort_line(line: Line, segment: Segment, told: Sorted, writer: Takes) -> None:
    told.counts["resources"] += 1
    kind = type_told(line.data)
    # With contained resources, or where two records ran into each other, a type alone does not tell.
    single = line.data.count(b'"resourceType"') == 1
    if single and kind and kind not in NEEDED and kind != "Bundle":
        _note_type(kind, segment, told)
        told.counts["not_needed"] += 1
        return
    whose = patient_told(line.data) if kind in RESOURCE_TYPES and not line.broken else ""
    if whose:
        _note_type(kind, segment, told)
        writer.put(Kind.RESOURCE, whose, segment.number, line.number, line.data)
        return
    try:
        if line.broken:
            raise RequestError(line.broken, field="line")
        body = parse_line(line.data)
        _sort_resource(body, line, segment, told, writer)
    except RequestError as error:
        _set_aside(told, segment, line.number, str(error))
        patient = id_of_broken_patient(line.data) if kind == "Patient" and not line.broken else ""
        if patient:
            told.counts["patients"] += 1
            writer.put(Kind.BROKEN, patient, segment.number, line.number, b"Patient")
            return
        lost = (kind if single else "") or segment.file.type
        if lost in NEEDED or lost in ("", "Bundle"):
            told.incomplete.add((lost if lost in NEEDED else EVERY_TYPE, UNREADABLE))


def _sort_resource(body: dict[str, Any], line: Line, segment: Segment, told: Sorted, writer: Takes) -> None:
    """Sort a line that had to be read to know whose it is.

    Raises:
        RequestError: it cannot be anybody's record.
    """
    kind, own = body["resourceType"], body.get("id")
    if kind == "Bundle":
        raise RequestError("A Bundle among lines: Bundles are read from a folder of their own.", field="line")
    known = isinstance(own, str) and RESOURCE_ID.fullmatch(own) is not None
    if kind == "Patient" and not known:
        raise RequestError("The Patient has no id that can be used.", field="line")
    _note_type(kind, segment, told)
    if kind not in NEEDED or (kind == "Medication" and not known):
        told.counts["not_needed"] += 1
    elif kind == "Patient":
        told.counts["patients"] += 1
        writer.put(Kind.PATIENT, str(own), segment.number, line.number, line.data)
    elif kind == "Medication":
        writer.put(Kind.DRUG, str(own), segment.number, line.number, line.data)
    elif whose := patient_named(body):
        writer.put(Kind.RESOURCE, whose, segment.number, line.number, line.data)
    else:
        told.counts["unassigned"] += 1


def _set_aside(told: Sorted, segment: Segment, number: int, why: str) -> None:
    told.counts["quarantined"] += 1
    told.quarantine.append((segment.number, number, why))


def _note_type(kind: str, segment: Segment, told: Sorted) -> None:
    """Remember a type that a file without a type in its name holds: that a file of it is there."""
    if not segment.file.type:
        told.seen.add(kind)
