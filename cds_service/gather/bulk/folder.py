"""What lies in a folder of a whole population: the files, what each is said to hold, and what an export says of them.

A Bulk Data manifest (``manifest.json``) or our own ``export.json`` may lie beside the files. Without one, a type was
read if a file of it is there.
Source: the eligibility contract, section 3; Bulk Data Access IG 2.0.0, "Complete Status".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from cds_service.errors import RequestError
from cds_service.facts.record import RESOURCE_TYPES
from cds_service.gather.bulk.export_manifest import MORE_PAGES
from cds_service.gather.json_text import read_json

EVERY_TYPE: Final = "*"
"""Stands for all resource types in what is incomplete."""
PART: Final = "the export was asked for a part of the records (_since, _typeFilter or another parameter)"
MANIFESTS: Final = ("export.json", "manifest.json")
_LINES: Final = (".ndjson", ".ndjson.gz", ".jsonl", ".jsonl.gz")
_MAX_MANIFEST: Final = 16 * 2**20
# Observation.ndjson, Observation.000.ndjson, 1.Observation.ndjson.gz, MedicationRequest_12.ndjson
_NAMED: Final = re.compile(r"(?:[0-9]+[._\-])?([A-Z][A-Za-z]{1,63})(?:[._\-][0-9A-Za-z._\-]*)?")
# Types that exports often hold and no rule reads: a file of them says nothing about the others.
_OTHERS: Final = frozenset(
    """AllergyIntolerance CarePlan CareTeam Claim Coverage Device DiagnosticReport DocumentReference Encounter
    ExplanationOfBenefit Goal Group ImagingStudy Immunization Location MedicationDispense Organization Practitioner
    PractitionerRole Provenance Specimen ServiceRequest SupplyDelivery""".split()  # noqa: SIM905 (a list to read)
)
# Parameters of a request that leave no record out; any other may. Source: Bulk Data Access IG, "Query Parameters".
_WHOLE: Final = frozenset(
    [
        "_type",
        "_outputFormat",
        "_format",
        "_pretty",
        "includeAssociatedData",
        "organizeOutputBy",
        "allowPartialManifests",
    ]
)
_KNOWN: Final = (*RESOURCE_TYPES, "Patient", "Medication")


@dataclass(frozen=True)
class SourceFile:
    """One file of a source.

    Args:
        name: relative to the source, with ``/``.
        bytes: its size on disk.
        stamp: when it was last written, in nanoseconds.
        type: of the resources that it is said to hold; "" when nothing says so.
        count: of its lines, as an export says; None when none does.
    """

    name: str
    bytes: int
    stamp: int
    type: str = ""
    count: int | None = None

    @property
    def packed(self) -> bool:
        """Whether it is compressed."""
        return self.name.endswith(".gz")


@dataclass(frozen=True)
class Folder:
    """A source's files, in the order of their names.

    Args:
        path: of the folder.
        files: that are read.
        requested: types that an export was asked for; None when nothing says so.
        incomplete: ``(type or EVERY_TYPE, why)`` as an export says.
    """

    path: Path
    files: tuple[SourceFile, ...]
    requested: frozenset[str] | None = None
    incomplete: tuple[tuple[str, str], ...] = ()

    @property
    def fingerprint(self) -> str:
        """A digest of names, sizes and times: another one means that the source was changed."""
        told = "\n".join(f"{one.name}\0{one.bytes}\0{one.stamp}\0{one.count}" for one in self.files)
        asked = "" if self.requested is None else " ".join(sorted(self.requested))
        return hashlib.sha256(f"{told}\n{asked}\n{self.incomplete}".encode()).hexdigest()


def ndjson_folder(path: Path) -> Folder:
    """List a folder of NDJSON.

    Raises:
        RequestError: there is no such folder, no NDJSON in it, or its manifest cannot be read.
    """
    export = _Export.read(path)
    found = [
        SourceFile(name, size, stamp, export.types.get(name) or _type_in(name), export.counts.get(name))
        for name, size, stamp in _files(path, _LINES, "--ndjson")
        if name not in export.aside
    ]
    if not found:
        raise RequestError("The folder holds no .ndjson and no .ndjson.gz file.", field="--ndjson")
    here = {one.name for one in found}
    missing = [(kind or EVERY_TYPE, "a file of the export is missing") for n, kind in export.files() if n not in here]
    return Folder(path, tuple(found), export.requested, (*export.incomplete, *dict.fromkeys(missing)))


def bundle_folder(path: Path) -> Folder:
    """List a folder of Bundles, each the whole record of one patient; folders inside it count too.

    Raises:
        RequestError: there is no such folder, or no ``.json`` file in it.
    """
    found = tuple(SourceFile(name, size, stamp) for name, size, stamp in _files(path, (".json",), "--bundles"))
    if not found:
        raise RequestError("The folder holds no .json file.", field="--bundles")
    return Folder(path, found)


def _files(path: Path, endings: tuple[str, ...], option: str) -> Iterator[tuple[str, int, int]]:
    if not path.is_dir():
        raise RequestError("There is no such folder.", field=option)
    found = []
    for file in path.rglob("*"):
        name = file.relative_to(path).as_posix()
        if name.endswith(endings) and not any(part.startswith(".") for part in name.split("/")) and file.is_file():
            facts = file.stat()
            found.append((name, facts.st_size, facts.st_mtime_ns))
    return iter(sorted(found))


def _type_in(name: str) -> str:
    """Return the type that a file's name says; a name of a person or a ward says none.

    >>> _type_in("run/Observation.000.ndjson.gz"), _type_in("Smith.ndjson"), _type_in("1.Condition.ndjson")
    ('Observation', '', 'Condition')
    """
    base = name.rsplit("/", 1)[-1]
    for ending in _LINES[::-1]:
        base = base.removesuffix(ending)
    found = _NAMED.fullmatch(base)
    return found[1] if found and (found[1] in _KNOWN or found[1] in _OTHERS) else ""


@dataclass(frozen=True)
class _Export:
    """What a manifest says."""

    types: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    aside: frozenset[str] = frozenset()
    requested: frozenset[str] | None = None
    incomplete: tuple[tuple[str, str], ...] = ()

    def files(self) -> list[tuple[str, str]]:
        return sorted(self.types.items())

    @classmethod
    def read(cls, folder: Path) -> _Export:
        file = next((folder / name for name in MANIFESTS if (folder / name).is_file()), None)
        if file is None:
            return cls()
        try:
            body = read_json(file.read_bytes(), max_bytes=_MAX_MANIFEST, what=file.name)
        except OSError as error:
            raise RequestError(f"{file.name} cannot be read ({error.strerror}).", field=file.name) from None
        if not isinstance(body, dict) or not isinstance(body.get("output"), list):
            raise RequestError(f"{file.name} is no manifest of an export: it lists no output.", field=file.name)
        items = [(_name_of(one), one) for one in _objects(body["output"])]
        if len(items) < len(body["output"]) or any(not name for name, _ in items):
            raise RequestError(f"{file.name} names a file in a way that cannot be read.", field=file.name)
        aside = {_name_of(one) for key in ("error", "deleted") for one in _objects(body.get(key))}
        told = [
            (one["type"], one["why"])
            for one in _objects(body.get("incomplete"))
            if isinstance(one.get("type"), str) and isinstance(one.get("why"), str)
        ]
        if _objects(body.get("error")):
            told.append((EVERY_TYPE, "the export reports errors"))
        if any(one.get("relation") == "next" for one in _objects(body.get("link"))):
            told.append((EVERY_TYPE, MORE_PAGES))
        asked = _parameters(body)
        if not asked.keys() <= _WHOLE:
            told.append((EVERY_TYPE, PART))
        return cls(
            types={name: str(one.get("type") or "") for name, one in items},
            counts={name: count for name, one in items if (count := _count(one)) is not None},
            aside=frozenset(aside),
            requested=_requested(body, asked.get("_type", [])),
            incomplete=tuple(told),
        )


def _objects(value: Any) -> Sequence[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _name_of(item: Mapping[str, Any]) -> str:
    """Return a file's name: our own manifest's ``file``, else the last part of the address."""
    name, url = item.get("file"), item.get("url")
    if isinstance(name, str) and name:
        return name
    try:
        return unquote(urlsplit(url).path).rsplit("/", 1)[-1] if isinstance(url, str) else ""
    except ValueError:
        return ""


def _count(item: Mapping[str, Any]) -> int | None:
    count = item.get("count")
    return count if isinstance(count, int) and not isinstance(count, bool) and count >= 0 else None


def _parameters(body: Mapping[str, Any]) -> Mapping[str, list[str]]:
    """Return the parameters of the request; none of one that was sent by POST."""
    request = body.get("request")
    try:
        return parse_qs(urlsplit(request).query) if isinstance(request, str) else {}
    except ValueError:
        return {}


def _requested(body: Mapping[str, Any], asked: Sequence[str]) -> frozenset[str] | None:
    """Return the types that were asked for: our ``types``, else ``_type`` of the request.

    A request without it says nothing: by POST the parameters are in its body, which no manifest repeats.
    """
    types = body.get("types")
    if isinstance(types, list):
        return frozenset(str(one) for one in types)
    return frozenset(name for one in asked for name in one.split(",")) if asked else None
