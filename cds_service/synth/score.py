"""A run folder compared with the truth of its population."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cds_service.errors import RequestError
from cds_service.synth.folder import TRUTH
from cds_service.synth.person import TRIAL
from cds_service.synth.tally import STATUSES, Known, Tally


def score_run(run: Path, synth: Path) -> Tally:
    """Compare every patient of a run with the truth.

    Args:
        run: holds ``results.jsonl`` and ``manifest.json``.
        synth: holds ``truth/truth.lines``.

    Raises:
        RequestError: one of the files is not there or no such file, or the run is of another day, trial or population.
    """
    manifest = _manifest(run)
    lines = _lines(synth / TRUTH, "SYNTH_DIR")
    header = next(lines, {})
    if header.get("format") != 1:
        raise RequestError(f"SYNTH_DIR: {TRUTH} does not begin with its header.", field="SYNTH_DIR")
    if manifest.get("as_of") != header.get("as_of"):
        raise RequestError("RUN_DIR: the run is of another day; use the as_of of the truth file.", field="RUN_DIR")
    if all(one.get("trial") != TRIAL for one in manifest.get("trials", ())):
        raise RequestError(f"RUN_DIR: the run does not judge {TRIAL}.", field="RUN_DIR")
    if _of_another(manifest, synth):
        raise RequestError(
            "RUN_DIR: the run read another population: files of the same name differ in size.", field="RUN_DIR"
        )
    truth = {line["patient"]: Known.of(line) for line in lines}
    tally = Tally()
    for line in _lines(run / "results.jsonl", "RUN_DIR"):
        known = truth.pop(line["patient"], None)
        if known is None:
            tally.strange(line["patient"])
        else:
            tally.count(line["patient"], known, line)
    tally.absent(truth)
    return tally


def _manifest(run: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((run / "manifest.json").read_bytes())
    except FileNotFoundError:
        raise RequestError("RUN_DIR: there is no manifest.json, so no finished run.", field="RUN_DIR") from None
    except (OSError, ValueError):
        raise RequestError("RUN_DIR: manifest.json cannot be read.", field="RUN_DIR") from None
    return manifest if isinstance(manifest, dict) else {}


def _of_another(manifest: dict[str, Any], synth: Path) -> bool:
    """Say whether a run read files that are called like the population's and are not they.

    Every seed has patients of the same ids, so that the results would not tell. A run of a server names no files.
    """
    source = manifest.get("source")
    files = source.get("files", ()) if isinstance(source, dict) else ()
    sizes = [(synth / str(one.get("file", "")), one.get("bytes")) for one in files]
    return any(path.is_file() and path.stat().st_size != size for path, size in sizes)


def _lines(path: Path, field: str) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            for line in file:
                yield json.loads(line)
    except FileNotFoundError:
        raise RequestError(f"{field}: there is no {path.name}.", field=field) from None
    except (OSError, ValueError):
        raise RequestError(f"{field}: {path.name} cannot be read.", field=field) from None


def candidates(tally: Tally) -> dict[str, int]:
    """Return how candidates were found.

    Returns:
        ``true`` candidates, those ``found``, those ``asked`` about (needs-data), all that the run ``called`` so, and
        the ``false`` ones among them.
    """
    found = tally.statuses["candidate", "candidate"]
    true = sum(tally.statuses["candidate", given] for given in STATUSES)
    called = sum(tally.statuses[truth, "candidate"] for truth in STATUSES)
    asked = tally.statuses["candidate", "needs-data"]
    return {"true": true, "found": found, "asked": asked, "called": called, "false": called - found}


def to_mapping(tally: Tally) -> dict[str, Any]:
    """Return everything counted, for JSON."""
    return {
        "patients": tally.patients,
        "wrong": tally.wrong,
        "whole": tally.whole,
        "whole_right": tally.whole_right,
        "candidates": candidates(tally),
        "statuses": {truth: {given: tally.statuses[truth, given] for given in STATUSES} for truth in STATUSES},
        "criteria": {name: vars(one) for name, one in tally.criteria.items()},
        "faults": [{"patient": patient, "what": what} for patient, what in tally.faults],
    }
