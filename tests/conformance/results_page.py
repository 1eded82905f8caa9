"""Writes ``docs/conformance.md``: what proves each requirement, and how each check ended on this service.

Run ``make docs-tables`` (or ``python -m tests.conformance.results_page``) after a change of suite, proofs or service.
"""

from __future__ import annotations

import ast
import logging
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ruamel.yaml import YAML

HERE = Path(__file__).resolve().parent
if __name__ == "__main__":
    sys.path.insert(0, str(HERE))  # as pytest has it

from our_service import ROOT, RUNS, results  # noqa: E402

from cds_service.conformance.catalogue import CATALOGUE  # noqa: E402
from cds_service.conformance.findings import Outcome  # noqa: E402
from cds_service.conformance.requirements import REQUIREMENTS, Duty, Level, Requirement  # noqa: E402

DOCUMENT = ROOT / "docs" / "conformance.md"
PROOFS = HERE / "proofs.yaml"
INTRODUCTION = """\
# Conformance

What a CDS Hooks service has to do, row by row, and what proves that this one does it. Made by `make docs-tables` from a
run; do not edit. The rows are read off CDS Hooks 2.0.1 and the 3.0 ballot; M is SHALL or MUST, S is SHOULD.

Any service can be checked so, from outside:

```sh
.venv/bin/cds-service conformance http://127.0.0.1:8000 --service npc-trials-patient-view
```

The command plays the EHR and its FHIR server. It sends right and wrong calls, and feedback on the cards it gets: use a
test system. With `--patient BUNDLE.json` it opens a chart of your own, so that there are cards to look at;
`--client epic` adds what that product asks for; with `--issuer-key KEY.pem` it signs its calls. The exit code is 0 when
no check of level M fails, 3 when nobody answers there. Why it is our own:
[0015](adr/0015-own-conformance-suite.md). Each check is shown to fail on a service with just that fault
(`tests/conformance/planted_faults.py`)."""


@dataclass(frozen=True)
class Proof:
    """What is said of a row beside the checks.

    Args:
        tests: ``file::function`` below tests/.
        adr: number of a decision not to keep a SHOULD.
        note: a line for the page.
    """

    tests: tuple[str, ...] = ()
    adr: str = ""
    note: str = ""


@cache
def proofs() -> dict[int, Proof]:
    read = YAML(typ="safe").load(PROOFS)
    return {
        row: Proof(tuple(one.get("tests", ())), one.get("adr", ""), one.get("note", "")) for row, one in read.items()
    }


@cache
def outcomes() -> dict[tuple[str, str], Outcome]:
    """Return how each check ended in each run, all services together: one failure is a failure."""
    ended: dict[tuple[str, str], Outcome] = {}
    for name in RUNS:
        for one in results(name):
            held = ended.get((one.check.id, name), Outcome.NOT_APPLICABLE)
            worst = max(held, one.outcome, key=[Outcome.NOT_APPLICABLE, Outcome.PASS, Outcome.FAIL].index)
            ended[one.check.id, name] = worst
    return ended


def passing_checks(row: int) -> list[str]:
    """Return the checks of a row that passed in some run and failed in none."""
    found = []
    for check in CATALOGUE.values():
        ended = [outcomes()[check.id, name] for name in RUNS]
        if row in check.rows and Outcome.PASS in ended and Outcome.FAIL not in ended:
            found.append(check.id)
    return found


def binding() -> list[Requirement]:
    return [one for one in REQUIREMENTS.values() if one.level in (Level.MUST, Level.SHOULD)]


def unproven() -> list[str]:
    """Return what lacks a proof: rows of the service's duty without one, and tests that are not there."""
    lacking = [
        f"row {one.row}: {one.text}"
        for one in binding()
        if one.duty is Duty.SERVICE
        and not passing_checks(one.row)
        and not proofs().get(one.row, Proof()).tests
        and not (one.level is Level.SHOULD and proofs().get(one.row, Proof()).adr)
    ]
    return lacking + [
        f"row {row}: {test}" for row, proof in proofs().items() for test in proof.tests if not exists(test)
    ]


def exists(test: str) -> bool:
    file, _, name = test.partition("::")
    path = ROOT / "tests" / file
    if not path.is_file():
        return False
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in tree.body)


def page() -> str:
    parts = [INTRODUCTION, "## Requirements", _requirements(), "## Checks", _checks_introduction(), _checks()]
    return "\n\n".join(parts) + "\n"


def _requirements() -> str:
    lines = ["| row | level | whose | what has to hold | checks | tests |", "| --- | --- | --- | --- | --- | --- |"]
    for one in binding():
        proof = proofs().get(one.row, Proof())
        tests = ", ".join(f"[{test.partition('::')[2]}](../tests/{test.partition('::')[0]})" for test in proof.tests)
        if proof.adr:
            tests += f" not kept: adr {proof.adr}"
        text = f"{one.text} ({proof.note})" if proof.note else one.text
        checks = ", ".join(passing_checks(one.row))
        lines.append(f"| {one.row} | {one.level.value} | {one.duty.value} | {_cell(text)} | {checks} | {tests} |")
    return "\n".join(lines)


def _checks_introduction() -> str:
    return """\
How each check ended on this service: in open mode with all five services; in verified mode, where every call is signed;
and as Epic and Oracle Health would call it. A dash: there was nothing to look at, such as feedback on a card that was
not sent. The patient is the example *stale-bilirubin*, the order is radiotherapy."""


def _checks() -> str:
    head = " | ".join(RUNS)
    lines = [
        f"| check | rows | level | what has to be seen | {head} |",
        "| --- | --- | --- | --- |" + " --- |" * len(RUNS),
    ]
    for check in CATALOGUE.values():
        ended = [outcomes()[check.id, name] for name in RUNS]
        shown = " | ".join("–" if one is Outcome.NOT_APPLICABLE else one.value for one in ended)
        rows = ", ".join(map(str, check.rows))
        lines.append(f"| {check.id} | {rows} | {check.level.value} | {_cell(check.title)} | {shown} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    logging.getLogger("cds_service").setLevel(logging.ERROR)  # hundreds of refused callers are meant
    DOCUMENT.write_text(page(), encoding="utf-8")
