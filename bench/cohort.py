"""A made-up population, patient by patient: the function that every engine runs, against a parser that only parses.

What an engine adds (processes, files, sorting lines by patient) is left out: this is the work that grows with patients.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from bench.paired import Pair
from bench.patients import AS_OF
from cds_service.cli import main
from cds_service.evaluation.judge import judge
from cds_service.gather.bulk.resource_line import parse_line
from cds_service.present.json_text import to_json
from cds_service.screening.cohort.judged import PatientInput, Task, judge_of, record_of, rules_for


def cohort(patients: int = 60) -> Pair:
    """Judge a population."""
    import orjson

    given = list(_population(patients))
    task = Task(site=None, as_of=AS_OF)
    judge_one, library = judge_of(task), rules_for(None)
    spoken = [name for name, trial in library.trials.items() if trial.speaks]

    def ours() -> list[str]:
        return [judge_one(one) for one in given]

    def all_explained() -> list[Any]:
        found = []
        for one in given:
            outcome = judge(record_of(one), library, as_of=AS_OF, trials=spoken)
            to_json(contract := outcome.to_json())
            found.append({(told["trial"], told["gate"], told["status"]) for told in contract["results"]})
        return found

    def check() -> None:
        lines = [json.loads(line) for line in ours()]
        told = [{(one["trial"], one["gate"], one["status"]) for one in (*a["results"], *a["others"])} for a in lines]
        assert told == all_explained()
        assert any(line["results"] for line in lines)
        assert any(line["others"] for line in lines)

    sides = {
        "orjson, parsing alone": lambda: [orjson.loads(line) for one in given for line in (*one.lines, *one.drugs)],
        "ours": ours,
        "ours, every trial explained": all_explained,
        "of it: strict JSON": lambda: [parse_line(line) for one in given for line in (*one.lines, *one.drugs)],
        "of it: whose record": lambda: [record_of(one) for one in given],
    }
    resources = sum(len(one.lines) + len(one.drugs) for one in given) / len(given)
    size = sum(len(line) for one in given for line in (*one.lines, *one.drugs)) / len(given) / 1000
    note = f"one patient of {patients} made-up ones, {resources:.0f} resources and {size:.0f} kB on average, 1 trial"
    return Pair("cohort", "orjson, parsing alone", sides, check, note, work=len(given))


def _population(patients: int) -> Iterator[PatientInput]:
    """Yield a population's patients, each with the drugs that its own records point to."""
    lines: dict[str, list[bytes]] = defaultdict(list)
    drugs: dict[bytes, bytes] = {}
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "synth")
        made = CliRunner().invoke(main, ["synth", "--patients", str(patients), "--seed", "1", "--out", out])
        assert made.exit_code == 0, made.output
        for file in sorted(Path(out).glob("*.ndjson")):
            for line in file.read_bytes().splitlines():
                resource = json.loads(line)
                if resource["resourceType"] == "Medication":
                    drugs[f'"Medication/{resource["id"]}"'.encode()] = line
                    continue
                subject = resource.get("subject", {}).get("reference", "").removeprefix("Patient/")
                if owner := resource["id"] if resource["resourceType"] == "Patient" else subject:
                    lines[owner].append(line)
    # Some made-up records name nobody who is in the population.
    known = [owner for owner, found in lines.items() if any(b'"resourceType":"Patient"' in line for line in found)]
    for owner in sorted(known):
        held = b"\n".join(lines[owner])
        yield PatientInput(owner, tuple(lines[owner]), tuple(line for name, line in drugs.items() if name in held))
