"""Patients to load into servers: our examples, a sample of the charts, and published ones from beside the checkout."""

import copy
import gzip
import json
import os
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from charts import test_charts as charts
from fhir.resources.R4B import get_fhir_model_class
from loading import points_elsewhere, references

from cds_service.facts.record import RESOURCE_TYPES
from cds_service.web.example_stories import example_stories

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"

# How many of the charts are taken, at even distances over all of them; 2000 takes each.
CHARTS = int(os.environ.get("SERVER_CHARTS", "30"))
_READ = {"Patient", "Medication", *RESOURCE_TYPES}
_ID = re.compile(r"[A-Za-z0-9\-.]{1,56}")
_DAY = date(2026, 11, 1)


@dataclass(frozen=True)
class Sample:
    """One patient to be read from a server and from a Bundle.

    Args:
        name: for the test.
        as_of: the day.
        anchor: the planned first dose, if any.
        whole: the Bundle, as ``evaluate`` would be given it.
        loaded: what is loaded; the same, or the part of it that is read.
    """

    name: str
    as_of: date
    anchor: date | None
    whole: dict[str, Any]
    loaded: dict[str, Any]

    @property
    def patient(self) -> tuple[str, str]:
        """The Patient's id and its entry's fullUrl, "" for none."""
        entry = next(one for one in self.whole["entry"] if one["resource"]["resourceType"] == "Patient")
        return entry["resource"].get("id", ""), entry.get("fullUrl", "")


def stories() -> list[Sample]:
    """Return every example patient."""
    found = []
    for story in example_stories():
        bundle = _read(story.bundle)
        found.append(Sample(story.name, story.as_of, None, bundle, bundle))
    return found


def sampled_charts(count: int = CHARTS) -> list[Sample]:
    """Return charts that a server can hold: whole resources of the right patient, with names of their own."""
    cases = [(str(one.id), one.values[0]) for one in charts._cases()]
    found: list[Sample] = []
    for at in range(min(count, len(cases))):
        chosen = at * len(cases) // min(count, len(cases))
        name, case = cases[chosen]
        bundle = charts.build(case)
        if _fits(bundle):
            own = _named_apart(bundle, f".c{chosen}")
            anchor = date.fromisoformat(case["anchor"]) if case.get("anchor") else None
            found.append(Sample(name, date.fromisoformat(case["as_of"]), anchor, own, own))
    return found


def published(synthea: int, generated: int) -> list[Sample]:
    """Return published patients: all of mCODE's, and some of each Synthea; none where they are not there.

    Args:
        synthea: how many of the sample data that Synthea's authors publish.
        generated: how many of those that another Synthea generated.
    """
    if not SHARED.is_dir():
        return []
    found = []
    mcode = _read(SHARED / "mcode-ig" / "all-examples.transaction.json")
    # HAPI indexes no reference to a Patient who is not there yet: all are loaded together.
    together = _published("", mcode).loaded
    for entry in mcode["entry"]:
        if entry["resource"]["resourceType"] == "Patient":
            others = [one for one in mcode["entry"] if one["resource"]["resourceType"] != "Patient"]
            whole = {**mcode, "entry": [entry, *others]}
            found.append(Sample(f"mcode/{entry['resource']['id']}", _DAY, None, whole, together))
    for folder, count in (("synthea-r4", synthea), ("pysynthea-seed777", generated)):
        files = sorted((SHARED / folder).glob("*.json.gz"))
        for at in range(count):
            file = files[at * len(files) // count]
            found.append(_published(f"{folder}/{file.name.split('_')[0]}", _read(file)))
    return found


def subject_elsewhere() -> Sample:
    """Return a candidate whose haemoglobin is of another server's patient with the same id."""
    bundle = json.loads((Path(charts.__file__).parent / "bases" / "screening.json").read_bytes(), parse_float=Decimal)
    (result,) = [one["resource"] for one in bundle["entry"] if one["resource"]["id"] == "hb"]
    result["subject"] = {"reference": "https://elsewhere.invalid/fhir/Patient/p1"}
    own = _named_apart(bundle, ".elsewhere")
    return Sample("subject elsewhere", date(2026, 3, 1), None, own, own)


def _published(name: str, bundle: dict[str, Any]) -> Sample:
    """Leave out what is never read (visits, bills, devices), and point to the rest by type and id."""
    named = {
        one["fullUrl"]: f"{one['resource']['resourceType']}/{one['resource']['id']}"
        for one in bundle["entry"]
        if one.get("fullUrl") and one["resource"].get("id")
    }
    kept = [copy.deepcopy(one["resource"]) for one in bundle["entry"] if one["resource"]["resourceType"] in _READ]
    for element in references(kept):
        element["reference"] = named.get(element["reference"], element["reference"])
        if element["reference"].startswith("urn:"):  # to what its publisher left out
            del element["reference"]
    loaded = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in kept]}
    return Sample(name, _DAY, None, bundle, loaded)


def _fits(bundle: dict[str, Any]) -> bool:
    """Say whether a server could have this chart as it is: hostile Bundles are for other tests.

    What is no FHIR R4 a strict server refuses, or mends: HAPI reads the value "132" as the number.
    """
    if set(bundle) - {"resourceType", "type", "entry"}:
        return False
    if points_elsewhere(bundle):
        return False
    names = []
    for entry in bundle["entry"]:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict) or resource.get("resourceType") not in _READ:
            return False
        own = resource.get("id")
        if own is None and not str(entry.get("fullUrl", "")).startswith("urn:uuid:"):
            return False
        if own is not None and not (isinstance(own, str) and _ID.fullmatch(own)):
            return False
        if resource.get("meta", {}).get("versionId") or not _valid(resource):
            return False
        names.append(own and (resource["resourceType"], own))
    bases = {re.sub(r"/[A-Za-z]+/[^/]*$", "", str(one.get("fullUrl", "urn:"))) for one in bundle["entry"]}
    if len([base for base in bases if not base.startswith("urn:")]) > 1:
        return False  # of two servers
    patients = [one for one in bundle["entry"] if one["resource"]["resourceType"] == "Patient"]
    given = [name for name in names if name]
    return len(patients) == 1 and len(given) == len(set(given))


def _valid(resource: dict[str, Any]) -> bool:
    try:
        get_fhir_model_class(resource["resourceType"]).model_validate_json(json.dumps(resource, default=float))
    except ValueError:
        return False
    return True


def _named_apart(bundle: dict[str, Any], suffix: str) -> dict[str, Any]:
    """Return a chart whose ids end otherwise, so that many that grew from one base are on one server."""
    bundle = copy.deepcopy(bundle)
    resources = [one["resource"] for one in bundle["entry"]]
    names = {f"{one['resourceType']}/{one['id']}" for one in resources if one.get("id")}
    for element in references(resources):
        bare, _, version = element["reference"].partition("/_history/")
        if "/".join(bare.split("/")[-2:]) in names:
            element["reference"] = f"{bare}{suffix}" + (f"/_history/{version}" if version else "")
    for entry in bundle["entry"]:
        own = entry["resource"].get("id")
        if own:
            entry["resource"]["id"] = f"{own}{suffix}"
            if str(entry.get("fullUrl", "")).endswith(f"/{own}"):
                entry["fullUrl"] += suffix
    return bundle


def _read(file: Path) -> dict[str, Any]:
    raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    bundle: dict[str, Any] = json.loads(raw, parse_float=Decimal)
    return bundle
