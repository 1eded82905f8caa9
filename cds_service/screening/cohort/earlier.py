"""Results of an earlier run, for patients whose data did not change: the same as if they were judged again.

A verdict depends on the patient's data, the day, the anchor, the site and the rules. Only where all of these are the
same is a result taken over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cds_service.errors import RequestError
from cds_service.gather.bulk.sorted_file import Kind, SortedWriter
from cds_service.screening.cohort.part import patient_in
from cds_service.screening.cohort.run_folder import RunFolder

_SAME = ("program", "as_of", "anchor", "site", "trials")


def same_question(since: Path, named: Mapping[str, Any]) -> list[str]:
    """Return in what an earlier run asked something else, so that none of its results holds.

    Raises:
        RequestError: it is no finished run.
    """
    try:
        before = json.loads(RunFolder(since).manifest.read_bytes())
        other = [name for name in _SAME if before.get(name) != named[name]]
        # Without the charts of the earlier run nobody could tell whose are to be kept.
        return [*other, "charts"] if named["charts"] and not before.get("charts") else other
    except (OSError, ValueError, AttributeError):
        raise RequestError("--since must be the folder of a finished run.", field="--since") from None


def sort_earlier(since: Path, named: Mapping[str, Any], writer: SortedWriter) -> None:
    """Sort an earlier run's results by patient; none where it asked something else."""
    if not same_question(since, named):
        folder = RunFolder(since)
        _sort(folder.results, Kind.JUDGED, writer)
        if named["charts"]:
            _sort(folder.charts, Kind.CHART, writer)
    writer.close({})


def _sort(file: Path, kind: Kind, writer: SortedWriter) -> None:
    with file.open(encoding="utf-8", errors="surrogatepass") as lines:
        for number, text in enumerate(lines, 1):
            line = text.rstrip("\n")
            key = patient_in(line).removeprefix("Patient/")
            writer.put(kind, key, 0, number, line.encode("utf-8", "surrogatepass"))
