"""Patients of a FHIR server: found once, read in batches, each batch kept as it is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from cds_service.errors import GatherError
from cds_service.evaluation.judge import needed_codes
from cds_service.facts.record import Record
from cds_service.gather.bulk.server import Reach, every_patient, in_reach, patients_with, read_patient
from cds_service.gather.bulk.sorted_file import Kind, SortedFile, SortedWriter
from cds_service.gather.bulk.whole_file import write_whole
from cds_service.gather.plan import make_plan
from cds_service.gather.transport import NO_CONNECTION
from cds_service.present.json_text import to_json
from cds_service.screening.cohort.asked_codes import trigger_codes
from cds_service.screening.cohort.source import BATCH, MOST_PARTS, Patients, ServerSource, batches
from cds_service.screening.cohort.work import Bench
from cds_service.trials.model import Library

_GONE: Final = "The server is not in reach. What was read is kept: run the same command again."


@dataclass(frozen=True)
class Found:
    """The patients that a run is of.

    Args:
        patients: as found when it began.
    """

    patients: Patients

    @property
    def batches(self) -> list[Sequence[str]]:
        """What is read before it is kept; at least one, so that there is something to keep."""
        return batches(self.patients.ids) or [()]

    @property
    def shape(self) -> tuple[int, int]:
        """How many batches there are to read, and how many parts to judge."""
        return len(self.batches), max(1, min(MOST_PARTS, len(self.patients.ids) // BATCH))


def patients_of(source: ServerSource, work: Path) -> Found:
    """Find the patients, or return those found when the run began: the server's answer changes by the hour."""
    file = work / "patients.json"
    if not file.exists():
        found = source.find()
        body = {"ids": sorted(set(found.ids)), "incomplete": found.incomplete}
        write_whole(file, json.dumps(body).encode())
    known = json.loads(file.read_bytes())
    return Found(Patients(tuple(known["ids"]), known["incomplete"]))


def as_bundle(record: Record) -> tuple[str, dict[str, str]]:
    """Return a record as the JSON of a Bundle from which the same one is made, and what is incomplete, with why."""
    entries: list[dict[str, Any]] = [{"resource": record.patient.body}]
    entries += [{"resource": one.body} for sources in record.resources.values() for one in sources]
    for name, body in record.medications.items():
        own = name == f"Medication/{body.get('id')}"
        entries.append({"resource": body} if own else {"fullUrl": name, "resource": body})
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    unread = {kind: str(read.why) for kind, read in record.reads.items() if not read.complete}
    return to_json(bundle), unread


def server_source(
    server: str, reach: Reach, library: Library, trials: Sequence[str], who: Literal["disease", "all"] | Sequence[str]
) -> ServerSource:
    """Return the patients of a FHIR server as a source.

    Args:
        server: its base URL; the run is known by it.
        reach: opens it for so many seconds.
        library: the rules.
        trials: that are judged.
        who: those with a condition that a trial looks for, all, or these ids.
    """
    plan = make_plan(needed_codes(library, trials))
    codes = trigger_codes(library, trials)
    given = who if not isinstance(who, str) else ()
    asked = "\n".join([server, *(codes if who == "disease" else (who,) if isinstance(who, str) else sorted(set(who)))])

    def find() -> Patients:
        if who == "disease":
            ids, why = patients_with(reach, codes)
        elif who == "all":
            ids, why = every_patient(reach)
        else:
            ids, why = set(given), ""
        return Patients(tuple(sorted(ids)), why)

    def once(patient: str) -> tuple[str, dict[str, str]]:
        try:
            return as_bundle(read_patient(reach, plan, patient))
        except GatherError as error:
            return "", {"Patient": str(error)}

    def read(patient: str) -> tuple[str, dict[str, str]]:
        # What is kept is not read again: so no patient is kept as out of reach who could be read when the server is up.
        read = once(patient)
        if _cut_off(read) and in_reach(reach):
            read = once(patient)  # it is up again, or breaks off for this patient alone
        if _cut_off(read) and not in_reach(reach):
            raise GatherError(_GONE)
        return read

    return ServerSource(asked, find, read)


def _cut_off(read: tuple[str, dict[str, str]]) -> bool:
    return any(NO_CONNECTION in why for why in read[1].values())


def fetch(source: ServerSource, found: Found, bench: Bench, tell: Callable[[str, int, int, int], None]) -> None:
    """Read every patient that is not read yet."""
    ids = found.patients.ids
    read = 0
    for number, batch in enumerate(found.batches):
        if not SortedFile.done(bench.piece(number)):
            with SortedWriter(bench.piece(number), bench.parts) as writer:
                for at, patient in enumerate(batch):
                    tell("read", read + at, len(ids), 0)
                    record, unread = source.read(patient)
                    body = json.dumps({"record": record, "unread": unread})
                    writer.put(Kind.READ, patient, 0, 0, body.encode())
                incomplete = [("Patient", found.patients.incomplete)] if found.patients.incomplete else []
                writer.close({"incomplete": incomplete})
        read += len(batch)
        tell("read", read, len(ids), 0)
