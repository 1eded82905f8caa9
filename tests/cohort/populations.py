"""Small populations for tests, as folders of NDJSON, and runs over them."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from cds_service.screening.cohort.job import Finished, Job, run
from cds_service.screening.cohort.judged import Task
from cds_service.screening.cohort.source import FolderSource, ndjson_source

EXAMPLES = Path(__file__).parents[2] / "fhir_examples" / "patients"
DAY = date(2026, 3, 1)
TASK = Task(None, DAY)
TYPES = (
    *("Patient", "Condition", "Observation", "Procedure"),
    *("MedicationStatement", "MedicationRequest", "MedicationAdministration"),
)

Resource = dict[str, Any]


@cache
def example(name: str) -> tuple[str, ...]:
    """Return the resources of an example patient, as JSON lines."""
    bundle = json.loads((EXAMPLES / name / "bundle.json").read_bytes())
    return tuple(json.dumps(entry["resource"], separators=(",", ":")) for entry in bundle["entry"])


def renamed(lines: Iterable[str], old: str, new: str) -> list[str]:
    """Return the lines of another patient who has the same record."""
    return [
        line.replace(f'"Patient/{old}"', f'"Patient/{new}"').replace(f'"id":"{old}', f'"id":"{new}') for line in lines
    ]


def observation(patient: str, name: str = "o1", **more: Any) -> Resource:
    """Return a hemoglobin of 120 g/L."""
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": "2026-02-25",
        "valueQuantity": {"value": 120, "unit": "g/L", "system": "http://unitsofmeasure.org", "code": "g/L"},
        **more,
    }


def npc(patient: str, name: str = "c1") -> Resource:
    """Return a Condition that makes the trigger pass."""
    return {
        "resourceType": "Condition",
        "id": name,
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "C11.9"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "onsetDateTime": "2026-02-01",
    }


def person(name: str) -> Resource:
    """Return a Patient."""
    return {"resourceType": "Patient", "id": name, "gender": "male", "birthDate": "1980-01-01"}


def write(folder: Path, files: Mapping[str, Iterable[Resource | str | bytes]], *, every_type: bool = True) -> Path:
    """Write a folder of NDJSON, objects as JSON, text and bytes as they are; an empty file for types without one."""
    folder.mkdir(exist_ok=True)
    for kind in TYPES if every_type else ():
        (folder / f"{kind}.ndjson").touch()
    for name, items in files.items():
        lines = [
            one if isinstance(one, bytes) else (one if isinstance(one, str) else json.dumps(one)).encode()
            for one in items
        ]
        (folder / name).write_bytes(b"".join(line + b"\n" for line in lines))
    return folder


def by_type(lines: Iterable[str]) -> dict[str, list[str]]:
    """Sort lines into files by type."""
    files: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        files[f"{json.loads(line)['resourceType']}.ndjson"].append(line)
    return files


def prescreened(
    source: FolderSource, out: Path, *, workers: int = 1, task: Task = TASK, since: Path | None = None
) -> Finished:
    """Run a job to its end; its counts add up."""
    done = run(Job(task, source, out, since), workers=workers)
    counts = done.manifest["counts"]
    parts = ("used", "not_needed", "quarantined", "unassigned", "without_patient")
    assert counts["resources"] == sum(counts[name] for name in parts), counts
    assert counts["patients"] == len(results(out)) >= counts["judged"]
    assert counts["quarantined"] == len(quarantine(out))
    return done


def run_of(folder: Path, out: Path, **more: Any) -> Finished:
    """Prescreen a folder of NDJSON."""
    return prescreened(ndjson_source(folder), out, **more)


def results(out: Path) -> dict[str, Resource]:
    """Return the results by patient."""
    found = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert [one["patient"] for one in found] == sorted(one["patient"] for one in found)
    return {one["patient"]: one for one in found}


def quarantine(out: Path) -> list[tuple[str, int]]:
    """Return file and line of everything that could not be read."""
    found = [json.loads(line) for line in (out / "quarantine.jsonl").read_text().splitlines()]
    assert all(set(one) == {"file", "line", "why"} for one in found)
    return [(one["file"], one["line"]) for one in found]


def unread(out: Path, patient: str) -> set[str]:
    """Return the types that are not complete for a patient."""
    return set(results(out)[f"Patient/{patient}"]["unread"])


def incomplete(done: Finished) -> set[str]:
    """Return the types that are not complete for everybody."""
    return {one["type"] for one in done.manifest["incomplete"]}
