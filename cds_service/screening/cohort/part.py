"""A part of a population, judged: its records put together by patient, each patient judged, every record counted.

Every record of the source is counted once: used, not needed, quarantined, unassigned (of nobody, or of a group or a
device), or without_patient (of a patient who is not in the source).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cds_service.errors import RequestError
from cds_service.facts.record import RESOURCE_TYPES
from cds_service.gather.bulk.drugs import Drugs
from cds_service.gather.bulk.folder import EVERY_TYPE
from cds_service.gather.bulk.resource_line import parse_line, type_told
from cds_service.gather.bulk.sorted_file import Kind, Stored
from cds_service.gather.bundle import bundle_entries, one_patient
from cds_service.gather.chart import POINT_TO_DRUGS, drug_reference
from cds_service.gather.duplicates import Found, base_of
from cds_service.gather.subjects import patient_named, whose
from cds_service.screening.cohort.judged import PATIENT, UNREADABLE_LINE, JudgeOne, PatientInput

TWO_BUNDLES: Final = "two Bundles of one id"


NOT_JUDGED: Final = '"results":[],"others":[],"unread":{"Patient":'
"""Stands in the line of a patient who could not be judged at all; in no other, since text in it has no bare quotes."""


def patient_in(line: str) -> str:
    """Return what a line of ``results.jsonl`` calls its patient.

    >>> patient_in('{"patient":"Patient/p1","as_of":"2026-03-01"}')
    'Patient/p1'
    """
    name, _end = json.JSONDecoder().raw_decode(line, len('{"patient":'))
    return str(name)


@dataclass
class JudgedPart:
    """What came of a part.

    Args:
        lines: ``results.jsonl`` lines by what the patient is called.
        counts: of records and patients.
        quarantine: segment, line and why.
        drugs: numbers of the drugs that were used.
        kept: how many results were taken over from an earlier run.
        charts: ``charts.jsonl`` lines by what the patient is called.
    """

    lines: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    quarantine: list[tuple[int, int, str]] = field(default_factory=list)
    drugs: set[int] = field(default_factory=set)
    kept: int = 0
    charts: dict[str, str] = field(default_factory=dict)


def judge_part(
    records: Iterable[Stored], drugs: Drugs | None, unread: Mapping[str, str], judge: JudgeOne, *, charts: bool = False
) -> JudgedPart:
    """Judge the patients of a part.

    Args:
        records: all of the part, in any order; results of an earlier run may be among them.
        drugs: the Medications of the source, if there are any.
        unread: types that are incomplete for everybody, with why.
        judge: judges one patient.
        charts: whether charts are kept.
    """
    by_patient: dict[str, list[Stored]] = {}
    for one in records:
        by_patient.setdefault(one.key, []).append(one)
    told = JudgedPart()
    for key in sorted(by_patient):
        _Patient(key, by_patient[key], told).judge(drugs, unread, judge, charts=charts)
    return told


@dataclass
class _Patient:
    """One patient's records on their way to a judgement."""

    key: str
    stored: list[Stored]
    told: JudgedPart
    lines: list[bytes] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)
    read: dict[bytes, dict[str, Any]] = field(default_factory=dict)
    cited: set[str] = field(default_factory=set)
    there: bool = False

    def judge(self, drugs: Drugs | None, unread: Mapping[str, str], judge: JudgeOne, *, charts: bool) -> None:
        earlier = chart = ""
        for one in self.stored:
            if one.kind is Kind.JUDGED:
                earlier = one.data.decode()
            elif one.kind is Kind.CHART:
                chart = one.data.decode()
            elif one.kind is Kind.READ:
                self._as_read(one.data)
            elif one.kind is Kind.BROKEN:
                self.unread[one.data.decode()] = UNREADABLE_LINE
                self.there = self.there or one.data == PATIENT.encode()
            else:
                self._take(one)
        if not self.there:
            used = self.told.counts.pop("used_here", 0)
            self.told.counts["without_patient"] += used
            return
        self.told.counts["used"] += self.told.counts.pop("used_here", 0)
        found = dict(drugs.of(self.cited)) if drugs and self.cited else {}
        self.told.drugs |= found.keys()
        everywhere = {name: unread[EVERY_TYPE] for name in RESOURCE_TYPES} if EVERY_TYPE in unread else {}
        of_all = {name: why for name, why in unread.items() if name in RESOURCE_TYPES}
        whole = {**everywhere, **of_all, **self.unread}
        given = PatientInput(self.key, tuple(sorted(self.lines)), tuple(sorted(found.values())), whole)
        self.told.counts["patients"] += 1
        if earlier and f'"data":"{given.digest}"' in earlier:
            line = earlier
            self.told.kept += 1
            if chart:
                self._keep(chart)
        else:
            line = judge(given, self.read, self._keep) if charts else judge(given, self.read)
        self.told.counts["judged"] += NOT_JUDGED not in line
        self.told.lines[patient_in(line)] = line

    def _keep(self, chart: str) -> None:
        self.told.charts[patient_in(chart)] = chart

    def _take(self, one: Stored) -> None:
        """Take a line that was told from its bytes to be this patient's, now that it is read."""
        if one.kind is Kind.BUNDLE:
            self._take_bundle(one)
            return
        try:
            body = self.read[one.data] if one.data in self.read else parse_line(one.data)
        except RequestError as error:
            self.told.counts["quarantined"] += 1
            self.told.quarantine.append((one.segment, one.line, str(error)))
            self.unread[type_told(one.data)] = UNREADABLE_LINE
            return
        if one.kind is Kind.RESOURCE and patient_named(body) != self.key:
            self.told.counts["unassigned"] += 1
            return
        self.there = self.there or one.kind is Kind.PATIENT
        if body["resourceType"] in POINT_TO_DRUGS:
            self.cited.add(drug_reference(body).rsplit("/", 1)[-1])
        self.read[one.data] = body
        self.lines.append(one.data)
        self.told.counts["used_here"] += 1

    def _take_bundle(self, one: Stored) -> None:
        """Take a Bundle, and count its entries as what ``evaluate`` makes of them."""
        body = parse_line(one.data)
        entries = bundle_entries(body)
        _patient, names = one_patient(entries)
        for full_url, resource in entries:
            if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
                cause = "quarantined"
                self.told.quarantine.append((one.segment, one.line, "An entry of the Bundle is no resource."))
            elif resource["resourceType"] in (PATIENT, "Medication"):
                cause = "used"
            elif resource["resourceType"] not in RESOURCE_TYPES:
                cause = "not_needed"
            else:
                cause = "unassigned" if whose(resource, names, base_of(Found(resource, full_url))) else "used"
            self.told.counts["resources"] += 1
            self.told.counts[cause] += 1
        self.there = True
        if any(line != one.data for line in self.lines):  # each promises the whole record: they may be two people's
            self.unread[PATIENT] = TWO_BUNDLES
        self.read[one.data] = body
        self.lines.append(one.data)

    def _as_read(self, data: bytes) -> None:
        """Take what a FHIR server gave of the patient: a Bundle, or why there is none."""
        body = json.loads(data)
        self.unread |= body["unread"]
        self.there = True
        if body["record"]:
            self.lines.append(body["record"].encode())
            count = len(parse_line(self.lines[-1])["entry"])
            self.told.counts["resources"] += count
            self.told.counts["used"] += count
