"""The files of an export: fetched one after another, counted, and those that say what is missing or gone, read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cds_service.gather.bulk.export_http import ExportServer
from cds_service.gather.bulk.export_manifest import Item, Manifest
from cds_service.gather.bulk.export_poll import ExportGoneError, Patience, Tell
from cds_service.gather.bulk.export_state import Kept, State, address_of
from cds_service.gather.bulk.whole_file import open_private, rename

FILE_PATIENCE: Final = 900.0  # for a server that answers "busy" for one file
_GONE: Final = frozenset([403, 404, 410])  # object stores answer 403 when an address has run out
_REFERENCE: Final = re.compile(r"[A-Z][A-Za-z]{1,63}/[A-Za-z0-9\-.]{1,64}")
_SEVERE: Final = frozenset(["error", "fatal"])


@dataclass
class Fetched:
    """What came of a manifest.

    Args:
        output: for ``export.json``: type, file, count and lines of each file.
        incomplete: types that are not whole, and why; the first reason stays.
        deleted: ``Type/id`` of what has been deleted.
        issues: how many OperationOutcome issues the server reported, by severity.
        missing: whether a file could not be fetched, so that a later run may.
    """

    output: list[dict[str, Any]] = field(default_factory=list)
    incomplete: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    issues: dict[str, int] = field(default_factory=dict)
    missing: bool = False

    def lacks(self, types: Sequence[str], why: str) -> None:
        """Note that types are not whole."""
        for kind in types:
            self.incomplete.setdefault(kind, why)


def fetch_files(
    server: ExportServer,
    state: State,
    manifest: Manifest,
    types: tuple[str, ...],
    patience: Patience,
    tell: Tell,
    *,
    last: bool,
) -> Fetched:
    """Fetch what a manifest names and we need; files that are here already are not fetched again.

    Args:
        server: that exports.
        state: of the folder; written after each file.
        manifest: names the files.
        types: of resources that are needed.
        patience: its clock and sleep; the time for one file is our own.
        tell: is told of each file.
        last: whether a file that is gone is a gap; else the export is begun anew.

    Raises:
        ExportGoneError: a file is gone.
    """
    patience = Patience(min(FILE_PATIENCE, patience.seconds), patience.sleep, patience.clock)
    if state.transaction_time != manifest.transaction_time:
        state.drop_files()  # of another moment: the folder's reader would take them for this one's
        state.transaction_time = manifest.transaction_time
        state.save()
    found = Fetched()
    if manifest.lacking:
        found.lacks(types, manifest.lacking)
    needed = [(at, item) for at, item in enumerate(manifest.output) if item.type in types or not item.type]
    for number, (at, item) in enumerate(needed, start=1):
        tell(f"File {number} of {len(needed)}: {item.type or 'type not told'}")
        if not item.type:
            found.lacks(types, "the manifest of the export names a file without its type")
            continue
        kept = state.has(item, manifest.transaction_time)
        if kept is None:
            why = _fetch(server, state, item, f"{item.type}.{at:04d}.ndjson", manifest, patience, last=last)
            if why:
                found.lacks([item.type], why)
                found.missing = True
                continue
            kept = state.kept[address_of(item)]
        found.output.append({"type": item.type, "file": kept.file, "count": item.count, "lines": kept.lines})
        if item.count is not None and item.count != kept.lines:
            found.lacks([item.type], f"a file of the export has {kept.lines} lines, its manifest says {item.count}")
    for item in manifest.error:
        _issues(found, types, list(_asides(server, state, item, "error", manifest, patience, found, types, last)))
    for item in manifest.deleted:
        _deletions(found, types, list(_asides(server, state, item, "deleted", manifest, patience, found, types, last)))
    for told in found.output:
        _take_out(state.folder, told, found.deleted)
    return found


def _fetch(
    server: ExportServer, state: State, item: Item, name: str, manifest: Manifest, patience: Patience, *, last: bool
) -> str:
    """Fetch one file into the folder; return why not, for people."""
    part = state.folder / f"{name}.part"
    reply = patience.until(lambda: server.download(item.url, part, token=manifest.needs_token))
    if reply is None or reply.why:
        part.unlink(missing_ok=True)
        if reply is not None and reply.status in _GONE and not last:
            raise ExportGoneError(f"A file of the export is gone (HTTP {reply.status}).")
        return f"a file of the export could not be fetched ({reply.why if reply else 'the server is busy'})"
    lines = _lines(part)
    rename(part, state.folder / name)
    state.kept[address_of(item)] = Kept(address_of(item), name, lines)
    state.save()
    return ""


def _asides(
    server: ExportServer,
    state: State,
    item: Item,
    name: str,
    manifest: Manifest,
    patience: Patience,
    found: Fetched,
    types: tuple[str, ...],
    last: bool,
) -> Iterator[Any]:
    """Read a file that is not kept: its objects, None for a line that is none."""
    part = state.folder / f"{name}.part"
    reply = patience.until(lambda: server.download(item.url, part, token=manifest.needs_token))
    if reply is None or reply.why:
        part.unlink(missing_ok=True)
        if reply is not None and reply.status in _GONE and not last:
            raise ExportGoneError(f"A file of the export is gone (HTTP {reply.status}).")
        found.lacks(types, f"the export's file of {name} records could not be fetched")
        found.missing = True
        return
    with part.open("rb") as file:
        for line in file:
            if line.strip():
                try:
                    body = json.loads(line)
                except (ValueError, RecursionError):
                    body = None
                yield body if isinstance(body, dict) else None
    part.unlink()


def _issues(found: Fetched, types: tuple[str, ...], outcomes: Sequence[Any]) -> None:
    """Count what the server reports; an error makes the types incomplete that it names, or all."""
    for outcome in outcomes:
        issues = outcome.get("issue") if outcome is not None else None
        for issue in issues if isinstance(issues, list) and issues else [None]:
            severity = issue.get("severity") if isinstance(issue, dict) else None
            severity = severity if severity in ("fatal", "error", "warning", "information") else "error"
            found.issues[severity] = found.issues.get(severity, 0) + 1
            if severity in _SEVERE:
                named = _named(issue, types)
                found.lacks(named or types, "the server could not export all of it")


def _named(issue: Any, types: tuple[str, ...]) -> list[str]:
    """Return the types that an issue's expressions begin with; none when one of them is something else."""
    expressions = issue.get("expression") if isinstance(issue, dict) else None
    if not isinstance(expressions, list) or not expressions:
        return []
    named = [re.split(r"[./\[]", one, maxsplit=1)[0] for one in expressions if isinstance(one, str)]
    return named if len(named) == len(expressions) and all(one in types for one in named) else []


def _deletions(found: Fetched, types: tuple[str, ...], bundles: Sequence[Any]) -> None:
    """Collect what was deleted: Bundles with DELETE requests."""
    for bundle in bundles:
        entries = bundle.get("entry") if bundle is not None else None
        for entry in entries if isinstance(entries, list) else [None]:
            request = entry.get("request") if isinstance(entry, dict) else None
            url = request.get("url") if isinstance(request, dict) and request.get("method") == "DELETE" else None
            if isinstance(url, str) and _REFERENCE.fullmatch(url):
                found.deleted.add(url)
            else:
                found.lacks(types, "the export's file of deleted records could not be read")


def _lines(path: Path) -> int:
    """Count the lines that are not blank."""
    with path.open("rb") as file:
        return sum(1 for line in file if not line.isspace())


def _take_out(folder: Path, told: dict[str, Any], deleted: set[str]) -> None:
    """Remove the lines of what was deleted; what an earlier run removed already is not missed."""
    if not any(name.startswith(f"{told['type']}/") for name in deleted):
        return
    path = folder / told["file"]
    part = path.with_name(f"{path.name}.part")
    with path.open("rb") as old, open_private(part) as new:
        new.writelines(line for line in old if _name(line) not in deleted)
    left = _lines(part)
    rename(part, path)
    whole = told["count"] in (None, told["lines"])
    told.update(lines=left, **({"count": left} if whole and told["count"] is not None else {}))


def _name(line: bytes) -> str:
    try:
        body = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    return f"{body.get('resourceType')}/{body.get('id')}" if isinstance(body, dict) else ""
