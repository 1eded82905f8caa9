"""A population from a FHIR server's Bulk Data export, into a folder of NDJSON that is read like any other.

Kick-off, polling, manifest, files, DELETE: stopped at any point, the same call goes on where it was. What the server
did not send is told by type: absence of a record is concluded from whole files only.

Source: Bulk Data Access IG 2.0.0.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cds_service.errors import RequestError
from cds_service.gather.bulk.export_files import Fetched, fetch_files
from cds_service.gather.bulk.export_http import CALL_SECONDS, ExportServer
from cds_service.gather.bulk.export_manifest import Manifest
from cds_service.gather.bulk.export_poll import ExportGoneError, Patience, Tell, begin, wait_for
from cds_service.gather.bulk.export_state import EXPORT_FILE, State, write_down
from cds_service.gather.smart_scopes import KINDS

log = logging.getLogger("cds_service.gather")

_OPERATION: Final = re.compile(r"(?P<base>.+?)/+(?P<path>(Patient/|Group/[A-Za-z0-9\-.]{1,64}/)?\$export)")
_FORMS: Final = "[base]/$export, [base]/Patient/$export or [base]/Group/ID/$export"

_NOTHING: Final = Manifest("", True, (), (), ())


@dataclass(frozen=True)
class Export:
    """What a folder holds after an export.

    Args:
        transaction_time: the instant that it shows.
        lines: records in all.
        incomplete: types that are not whole, and why.
        issues: OperationOutcome issues of the server, by severity.
    """

    transaction_time: str
    lines: int
    incomplete: Mapping[str, str]
    issues: Mapping[str, int]


def parted(url: str) -> tuple[str, str]:
    """Take an export's address apart: the FHIR base and the operation below it.

    Raises:
        RequestError: it is none of the three forms. Parameters are ours: a part of the record that looks like the
            whole would turn what was not sent into what is not there.

    >>> parted("https://h/r4/Group/npc/$export")
    ('https://h/r4', 'Group/npc/$export')
    """
    found = _OPERATION.fullmatch(url)
    if found is None:
        raise RequestError(f"--export must be {_FORMS}, without parameters.", field="--export")
    return found["base"], found["path"]


def fetch_export(
    server: ExportServer,
    path: str,
    folder: Path,
    *,
    types: Sequence[str] = KINDS,
    fixed: bool = False,
    patience: Patience | None = None,
    tell: Tell = lambda _line: None,
) -> Export:
    """Have an export in a folder: begin it, or go on with the one whose state lies there.

    Ctrl-C cancels the export at the server and removes what was fetched; a kill leaves it to go on with.

    Args:
        server: that exports.
        path: of the operation, see :func:`parted`.
        folder: takes NDJSON files named ``Type.0000.ndjson`` and, last, ``export.json``.
        types: of resources that are needed.
        fixed: whether a run has begun with what is here, so that nothing more may be fetched into it.
        patience: how long to wait for the server.
        tell: takes lines for people on how far it is.

    Raises:
        GatherError: the export cannot be had; what is here is kept.
        ConfigError: the folder cannot be used.
    """
    patience = patience or Patience()
    client = server.reach(CALL_SECONDS)
    state = State.open(folder, client.origin.base, path, tuple(types))
    if state.finished or (fixed and (folder / EXPORT_FILE).is_file()):
        if state.finished:
            _close(server, state)
        return _read(folder)
    asked, refused = _leave(server, types)
    try:
        # First of all: whoever reads a folder that is not finished must not take it for the whole.
        _write(folder, _NOTHING, _unfinished(types), asked)
        manifest, fetched = _whole(server, state, path, asked, patience, tell)
        fetched.incomplete.update(refused)
        export = _write(folder, manifest, fetched, asked)
        state.finished = not fetched.missing
        state.save()
        if export.incomplete:
            log.warning("an export is not whole: %s", ", ".join(sorted(export.incomplete)))
        if state.finished:
            _close(server, state)
    except KeyboardInterrupt:
        tell("Cancelled; the server is told.")
        _close(server, state)
        state.forget()
        raise
    return export


def _unfinished(types: Sequence[str]) -> Fetched:
    return Fetched(incomplete=dict.fromkeys(types, "the export is not finished"))


def _leave(server: ExportServer, types: Sequence[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Part the types into those that one token opens, and those that we have no leave to read, with why."""
    client = server.reach(CALL_SECONDS)
    if client.access is None:
        return tuple(types), {}
    whole = client.access.grant("Patient", client.transport)
    asked, refused = [], {}
    for kind in types:
        grant = client.access.grant(kind, client.transport)
        if kind == "Patient" or grant.token == whole.token:
            asked.append(kind)
        else:
            refused[kind] = grant.why or "the server gives no token that opens this type together with the others"
    return tuple(asked), refused


def _whole(
    server: ExportServer, state: State, path: str, types: tuple[str, ...], patience: Patience, tell: Tell
) -> tuple[Manifest, Fetched]:
    """Wait and fetch; begin anew, once, when the server has forgotten the export or a file."""
    last = False
    while True:
        if state.status is None:
            state.status = begin(server, path, types, patience)
            state.save()
        try:
            manifest = wait_for(server, state.status, patience, tell)
            return manifest, fetch_files(server, state, manifest, types, patience, tell, last=last)
        except ExportGoneError:
            if last:
                raise
            log.warning("an export or a file of it was gone; it is begun anew")
            tell("The server no longer has it; the export is begun anew.")
            _close(server, state)
            state.forget()
            _write(state.folder, _NOTHING, _unfinished(types), types)
            last = True


def _write(folder: Path, manifest: Manifest, fetched: Fetched, types: tuple[str, ...]) -> Export:
    incomplete = [{"type": kind, "why": why} for kind, why in sorted(fetched.incomplete.items())]
    body = {
        "format": 1,
        "transactionTime": manifest.transaction_time,
        "types": sorted({*types, *fetched.incomplete}),
        "output": fetched.output,
        "incomplete": incomplete,
        "deleted": sorted(fetched.deleted),
        "issues": dict(sorted(fetched.issues.items())),
    }
    write_down(folder / EXPORT_FILE, json.dumps(body, indent=1).encode() + b"\n")
    return _told(body)


def _read(folder: Path) -> Export:
    return _told(json.loads((folder / EXPORT_FILE).read_bytes()))


def _told(body: Mapping[str, Any]) -> Export:
    return Export(
        body["transactionTime"],
        sum(one["lines"] for one in body["output"]),
        {one["type"]: one["why"] for one in body["incomplete"]},
        body["issues"],
    )


def _close(server: ExportServer, state: State) -> None:
    """Let the server throw the export away, if it will; either way it is no longer ours."""
    if state.status is not None:
        server.close(state.status)
        state.status = None
        state.save()
