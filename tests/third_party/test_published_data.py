"""Published FHIR data of other projects is read without an exception, and everything in it is accounted for."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cds_service.evaluation.judge import judge
from cds_service.facts.chart import read_entries
from cds_service.facts.record import RESOURCE_TYPES
from cds_service.facts.unread import READ, unread_elements
from cds_service.gather.bundle import read_bundle
from cds_service.trials.library import load_library

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
FILES = sorted(
    path for path in DATA.rglob("*") if path.name.endswith((".json", ".json.gz")) and "manifest" not in path.name
)
LIBRARY = load_library(ROOT / "rules")

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="needs the shared test data beside the checkout")


def load(path: Path) -> Any:
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return json.loads(raw, parse_float=Decimal)


def entries(body: Any) -> list[dict[str, Any]]:
    """Return what a file holds as Bundle entries, whatever it is; nested Bundles are unfolded."""
    if isinstance(body, list):
        return [entry for item in body for entry in entries(item)]
    if not isinstance(body, dict):
        return [{"resource": body}]
    if body.get("resourceType") != "Bundle":
        return [{"resource": body}]
    found = []
    for entry in body.get("entry", []):
        resource = entry.get("resource") if isinstance(entry, dict) else entry
        if isinstance(resource, dict) and resource.get("resourceType") == "Bundle":
            found += entries(resource)
        else:
            found.append(entry if isinstance(entry, dict) else {"resource": entry})
    return found


def records(items: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Split into one patient's record each; a file without a Patient gets one, whose records all become."""
    patients = [item for item in items if kind(item) == "Patient"]
    rest = [item for item in items if kind(item) != "Patient"]
    if patients:
        distinct = {json.dumps(item["resource"].get("id"), default=str): item for item in patients}
        return [[patient, *rest] for patient in distinct.values()]
    for item in rest:
        if isinstance(item.get("resource"), dict):
            item["resource"]["subject"] = {"reference": "Patient/stand-in"}
    return [[{"resource": {"resourceType": "Patient", "id": "stand-in"}}, *rest]]


def kind(item: dict[str, Any]) -> str:
    resource = item.get("resource")
    return str(resource.get("resourceType")) if isinstance(resource, dict) else ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DATA)))
def test_every_file_is_read_and_accounted_for(path: Path) -> None:
    for items in records(entries(load(path))):
        record = read_bundle({"resourceType": "Bundle", "type": "collection", "entry": items})
        used = sum(len(sources) for sources in record.resources.values())
        others = sum(kind(item) in ("Medication", "OperationOutcome", "Patient") for item in items)
        assert used + others + sum(record.set_aside.values()) >= len(items)
        read = read_entries(record)
        for resource_type in RESOURCE_TYPES:
            if read.reads[resource_type].complete and record.read(resource_type).complete:
                assert "could not be read" not in read.reads[resource_type].why
        counted = unread_elements(record)
        present = Counter(
            f"{resource_type}.{name}"
            for resource_type, sources in record.resources.items()
            for source in sources
            for name in source.body
        )
        # Each element is read, part of the frame, or counted: names that are none of these do not exist.
        for name, number in present.items():
            resource_type, element = name.split(".", 1)
            is_read = any(element == r or (r.endswith("*") and element.startswith(r[:-1])) for r in READ[resource_type])
            assert counted[name] in (0, number)
            assert not (is_read and counted[name])
        outcome = judge(record, LIBRARY, as_of=date(2026, 11, 1), trials=["NCT07235319"])
        # Nobody in this data has nasopharyngeal carcinoma: not one candidate.
        assert outcome.trials[0].status != "candidate"


def test_there_is_enough_of_it() -> None:
    assert len(FILES) > 200
