"""A population on disk: Bulk-style NDJSON, and the truth in a folder of its own."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TextIO

from cds_service.synth.person import AS_OF, TRIAL
from cds_service.synth.record import MadeUp, make_up
from cds_service.synth.written_drugs import medications

TYPES: Final = (
    "Patient",
    "Condition",
    "Observation",
    "MedicationStatement",
    "MedicationRequest",
    "MedicationAdministration",
    "Procedure",
    "Medication",
)
BLOCK: Final = 1000
"""Patients in a file of a grouped population."""

_BASE: Final = "https://made-up.invalid/fhir"  # such names never resolve

TRUTH: Final = "truth/truth.lines"
"""JSON lines; no `.jsonl`, so that no reader of an NDJSON folder takes it for records."""


@dataclass
class Made:
    """What was written.

    Args:
        patients: how many.
        resources: how many, by type.
        stories: how many patients of each kind.
        statuses: how many patients of each true status.
    """

    patients: int = 0
    resources: Counter[str] = field(default_factory=Counter)
    stories: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)

    def count(self, one: MadeUp) -> None:
        """Add a patient."""
        self.patients += 1
        self.stories[one.person.story] += 1
        self.statuses[one.truth.status] += 1
        self.resources.update(kind for kind, _text in one.lines)


def write_population(
    out: Path, *, patients: int, seed: int, missing: float, grouped: bool = False, named: bool = False
) -> Made:
    """Write a population, one patient in memory at a time.

    Every type has a file even if it is empty, and ``manifest.json`` says as a Bulk Data server would what was asked for
    and how many lines each file has.

    Args:
        out: an empty or new folder.
        patients: how many.
        seed: the same seed gives the same patients, whatever their number.
        missing: the probability that a fact is left out or spoilt.
        grouped: files of whole patients, all types together, instead of one file per type.
        named: whether patients have names, in Chinese and in Latin script.

    Raises:
        OSError: the folder cannot be written.
    """
    (out / "truth").mkdir(parents=True, exist_ok=True)
    made = Made()
    header = {"format": 1, "as_of": AS_OF.isoformat(), "trial": TRIAL}
    header |= {"patients": patients, "seed": seed, "missing": missing}
    with _Folder(out) as folder, (out / TRUTH).open("w", encoding="utf-8", newline="\n") as truth:
        truth.write(json.dumps(header) + "\n")
        drugs = medications()
        made.resources["Medication"] = len(drugs)
        for kind in ("Medication",) if grouped else TYPES:
            folder.open(f"{kind}.ndjson", kind)
        folder.write("Medication.ndjson", "".join(f"{text}\n" for _kind, text in drugs), len(drugs))
        for number in range(1, patients + 1):
            one = make_up(seed, number, missing, named=named)
            made.count(one)
            truth.write(one.truth_line() + "\n")
            if grouped:
                name = f"patients-{(number - 1) // BLOCK + 1:05d}.ndjson"
                folder.write(name, "".join(f"{text}\n" for _kind, text in one.lines), len(one.lines))
            else:
                for kind, text in one.lines:
                    folder.write(f"{kind}.ndjson", text + "\n", 1)
    return made


class _Folder:
    """The open files, what each holds, and the manifest that is written last."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._files: dict[str, TextIO] = {}
        self._kinds: dict[str, str] = {}
        self._lines: Counter[str] = Counter()

    def open(self, name: str, kind: str = "") -> None:
        """Begin a file; `kind` is the type of all its resources, "" for mixed ones."""
        if not kind:  # blocks are written one after the other
            for other in [one for one in self._files if not self._kinds[one]]:
                self._files.pop(other).close()
        self._files[name] = (self._out / name).open("w", encoding="utf-8", newline="\n")
        self._kinds[name] = kind

    def write(self, name: str, text: str, lines: int) -> None:
        """Write lines to a file, which is begun if it is not yet there."""
        if name not in self._files:
            self.open(name)
        self._files[name].write(text)
        self._lines[name] += lines

    def __enter__(self) -> _Folder:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        for file in self._files.values():
            file.close()
        if kind is not None:
            return
        output = [
            ({"type": of} if of else {}) | {"url": f"{_BASE}/{name}", "count": self._lines[name]}
            for name, of in self._kinds.items()
        ]
        manifest = {
            "transactionTime": f"{AS_OF}T00:00:00Z",
            "request": f"{_BASE}/$export?_type={','.join(TYPES)}",
            "requiresAccessToken": False,
            "output": output,
            "error": [],
        }
        (self._out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
