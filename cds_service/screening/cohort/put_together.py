"""The end of a run: parts merged into ``results.jsonl``, what could not be read, and the manifest that adds up.

``counts``: ``resources`` = ``used`` + ``not_needed`` + ``quarantined`` + ``unassigned`` + ``without_patient``.
A resource is a line, of Bundles an entry (of a file that cannot be read: the file). *Used*: put before the judge.
*Not needed*: of a type that no rule reads, or a Medication that nobody's record points to. *Unassigned*: no patient is
its subject. *Without patient*: its patient is not in the source. ``patients`` have a line in the results; ``judged``
are those whose Patient resource could be read.
"""

from __future__ import annotations

import heapq
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cds_service.errors import UnavailableError
from cds_service.gather.bulk.drugs import Drugs
from cds_service.gather.bulk.sorted_file import SortedFile
from cds_service.gather.bulk.whole_file import write_whole
from cds_service.present.json_text import to_json
from cds_service.screening.cohort.part import patient_in
from cds_service.screening.cohort.plan import lines_by_file
from cds_service.screening.cohort.run_folder import FORMAT, RunFolder
from cds_service.screening.cohort.source import FolderSource, Source
from cds_service.screening.cohort.work import Bench

COUNTS: Final = (
    *("patients", "resources", "used", "not_needed", "quarantined", "unassigned", "without_patient", "judged"),
)


# Text of a record has no bare quotes in JSON: nothing but our own fields looks like this.
_STATUS: Final = re.compile(
    rb'"trial":"([^"]+)",(?:"rules_digest":"[^"]+",)?"gate":"[^"]+","status":"([^"]+)"(,"trigger":"fail")?'
)


@dataclass(frozen=True)
class End:
    """What came of a run.

    Args:
        manifest: as written.
        kept: results taken over from an earlier run.
        statuses: patients by trial and status.
    """

    manifest: dict[str, Any]
    kept: int
    statuses: dict[tuple[str, str], int]


def put_together(folder: RunFolder, bench: Bench, named: Mapping[str, Any], source: Source) -> End:
    """Write what a finished run consists of, the manifest last.

    Raises:
        UnavailableError: the source was changed while it was read.
    """
    pieces = [SortedFile(bench.piece(number)) for number in range(bench.pieces)]
    parts = [json.loads(bench.part(number).read_bytes()) for number in range(bench.parts)]
    counts: Counter[str] = Counter()
    for piece in pieces:
        counts.update({k: v for k, v in piece.told.get("counts", {}).items() if k != "patients"})
    for part in parts:
        counts.update(part["counts"])
    _count_drugs(bench, parts, counts)
    begins: dict[int, tuple[str, int]] = {}
    files: list[dict[str, Any]] = []
    if isinstance(source, FolderSource):
        if source.now().fingerprint != source.fingerprint:
            raise UnavailableError("The source was changed while it was read; begin a new run.")
        begins, lines = lines_by_file(source, pieces)
        files = [{"file": one.name, "bytes": one.bytes, "lines": lines[one.name]} for one in source.folder.files]
    told = [piece.told.get("quarantine", []) for piece in pieces] + [part["quarantine"] for part in parts]
    _write_quarantine(folder.quarantine, [tuple(one) for some in told for one in some], begins)
    statuses = _merge([bench.part(number, ".jsonl") for number in range(bench.parts)], folder.results)
    kept: dict[str, bool] = {}
    if bench.task.charts:
        _merge([bench.part(number, ".charts.jsonl") for number in range(bench.parts)], folder.charts)
        kept = {"charts": True}
    manifest = {
        "format": FORMAT,
        **{name: named[name] for name in ("program", "as_of", "anchor", "site", "trials")},
        "source": {"kind": source.kind, "files": files},
        **kept,
        "counts": {name: counts[name] for name in COUNTS},
        "incomplete": [{"type": kind, "why": why} for kind, why in json.loads(bench.plan.read_bytes())["incomplete"]],
    }
    write_whole(folder.manifest, to_json(manifest, indent=1).encode() + b"\n")
    return End(manifest, sum(part["kept"] for part in parts), {key: statuses[key] for key in sorted(statuses)})


def _count_drugs(bench: Bench, parts: list[dict[str, Any]], counts: Counter[str]) -> None:
    if not bench.drugs.exists():
        return
    drugs = Drugs(bench.drugs)
    used = {number for part in parts for number in part["drugs"]}
    counts["used"] += len(used)
    counts["not_needed"] += drugs.count() - len(used)
    drugs.close()


def _write_quarantine(path: Path, told: list[tuple[int, int, str]], begins: Mapping[int, tuple[str, int]]) -> None:
    found = []
    for segment, line, why in told:
        name, before = begins[segment]
        found.append((name, before + line, why))
    text = "".join(to_json({"file": file, "line": line, "why": why}) + "\n" for file, line, why in sorted(found))
    write_whole(path, text.encode("utf-8", "surrogatepass"))


def _merge(parts: list[Path], path: Path) -> Counter[tuple[str, str]]:
    """Merge sorted files of lines into one, line by line, and count the statuses."""
    statuses: Counter[tuple[str, str]] = Counter()
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    with (
        ExitStack() as open_files,
        os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out,
    ):
        lines = [_keyed(open_files.enter_context(part.open("rb"))) for part in parts]
        for _name, line in heapq.merge(*lines):
            out.write(line)
            for trial, status, trigger in _STATUS.findall(line):
                statuses[trial.decode(), "trigger fails" if trigger else status.decode()] += 1
        out.flush()
        os.fsync(out.fileno())
    draft.replace(path)
    return statuses


def _keyed(lines: Any) -> Iterator[tuple[str, bytes]]:
    for line in lines:
        yield patient_in(line.decode("utf-8", "surrogatepass")), line
