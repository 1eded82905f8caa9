"""Writes ``docs/faults.md`` from the faults as they are tested: what the service does, what is seen, what is logged.

Run ``make docs-tables`` (or ``python -m tests.faults.fault_page``) after a change of the faults or of the service.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
if __name__ == "__main__":
    sys.path.insert(0, str(HERE))  # as pytest has it

from fault_elsewhere import ELSEWHERE  # noqa: E402
from fault_list import FAULTS, ran  # noqa: E402
from fault_runs import ROOT  # noqa: E402

DOCUMENT = ROOT / "docs" / "faults.md"
INTRODUCTION = """\
# Faults

What this service does when a FHIR server is slow, wrong or hostile: fault by fault, what it does, what the clinician
sees, and what the log says. Made by `make docs-tables` from the tests in `tests/faults`, which play each fault on real
sockets; do not edit. The patient is the example *candidate*; where nothing else is said, the fault befalls the
Observations. Every answer came within the deadline and a second.

Three things hold for all of them. A failure to read is never taken for an absence: what was not read is unknown,
`not-fetched`, and the card says so. The token of a call goes to the server of that call, below its base, and nowhere
else. And no line of the log names a patient, a value, an address or a token.

## The law

A read that is *incomplete* is not one that failed: what was seen is used as it is, and only what would be absent
from it, or too old, is `not-fetched`. So a fault may do three things to a criterion, and no fourth:

1. leave it as it is;
2. make it unknown, `not-fetched`, or prevent the whole answer (412, 401, 503);
3. where the lost record superseded, contradicted or dated one that was seen (a newer result on a lost page; a
   metastasis in a problem list that was not read, beside an M0; the staging that dates the diagnosis), give the
   verdict that the seen records give by themselves. It rests on records, on no absence in what was not read, and the
   answer says that not all of the record could be read: a card does so in its headline.

The third cannot be had away: nobody knows what a lost page held. To call every verdict of a type unknown when a page of
it is lost would hide what was seen. `tests/faults/test_fault_law.py` puts the law to random patients and faults, 500 in
`make test` and 5,000 in `make fuzz`. In one run of 5,000 no law was broken: 15,483 verdicts became unknown, 303 answers
were none, and 122 verdicts were of the third kind: 58 unknown for another reason, and in 54 of the runs 64 decided ones
(34 from unknown to pass, 19 from unknown to fail, 7 from fail to pass, 4 from pass to fail).

When every try fails, a call makes at most two requests for each search (16 for this trial), and they share the one
deadline. There is no circuit breaker; a measurement has not yet shown the need of one."""


def page() -> str:
    head = "| | the server | the service | the clinician sees | the log says |\n| --- | --- | --- | --- | --- |"
    parts = [INTRODUCTION, "## Played here", head + "\n" + "\n".join(_played())]
    other = (
        "| | fault | the service | the clinician sees | the log says | tests |\n| --- | --- | --- | --- | --- | --- |"
    )
    parts += ["## Played by other tests", other + "\n" + "\n".join(_elsewhere())]
    return "\n\n".join(parts) + "\n"


def _played() -> Iterable[str]:
    for name, fault in FAULTS.items():
        run = ran(name)
        sees = run.says if run.status == 200 else f"{run.status}: {run.says}"
        yield _row(fault.number, fault.name, fault.does, sees, "; ".join(run.log))


def _elsewhere() -> Iterable[str]:
    for one in sorted(ELSEWHERE, key=lambda one: one.number):
        tests = ", ".join(f"[{test.partition('::')[2]}](../tests/{test.partition('::')[0]})" for test in one.tests)
        yield _row(one.number, one.name, one.does, one.sees, one.log, tests)


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    logging.getLogger("cds_service").setLevel(logging.WARNING)
    logging.getLogger("cds_service").propagate = False  # hundreds of failed reads are meant
    DOCUMENT.write_text(page(), encoding="utf-8")
