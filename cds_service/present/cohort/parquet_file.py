"""The lists of a run as one Parquet file, for programs: codes as in the contract, no words, days as days."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from cds_service.present.cohort.lists import Cohort, Row
from cds_service.present.cohort.private_file import private_file
from cds_service.present.cohort.told import Name

_ROWS_AT_A_TIME: Final = 5_000


def write_parquet(cohort: Cohort, path: Path, name: Name) -> None:
    """Write the ranked patients of every trial and, without a rank, those of whom a trigger is not known; by pyarrow.

    Args:
        cohort: the run.
        path: the file.
        name: what the patients are called.
    """
    import pyarrow
    import pyarrow.parquet as parquet

    schema = _schema(pyarrow)
    found = _rows(cohort, name)
    with private_file(path) as file, parquet.ParquetWriter(file, schema) as writer:
        while some := list(islice(found, _ROWS_AT_A_TIME)):
            writer.write_table(pyarrow.Table.from_pylist(some, schema=schema))


def _rows(cohort: Cohort, name: Name) -> Iterator[dict[str, Any]]:
    for one in cohort.lists:
        for row in chain(cohort.ranked(one), cohort.unsure(one)):
            yield _row(row, cohort, name)


def _row(row: Row, cohort: Cohort, name: Name) -> dict[str, Any]:
    outcome = row.outcome
    return {
        "patient": name(row.patient.patient),
        "as_of": row.patient.as_of,
        "trial": outcome.trial.id,
        "rules_digest": cohort.run.manifest.digests[outcome.trial.id],
        "exclusions": outcome.trial.exclusions,
        "gate": outcome.gate,
        "rank": row.number,
        "status": outcome.status.value,
        "blocked": list(outcome.blocked),
        "decided": outcome.decided,
        "total": len(outcome.criteria),
        "valid_until": outcome.until,
        "look_again": outcome.look_again,
        "to_confirm": list(outcome.to_confirm),
        "decisive": [
            {
                "fact": one.fact,
                "reason": one.reason.value,
                "leaning": one.leaning.value if one.leaning else None,
                "ask": one.ask.kind,
                "system": one.ask.system or None,
                "code": one.ask.code or None,
            }
            for one in outcome.decisive
        ],
        "criteria": [
            {
                "id": one.criterion.id,
                "verdict": one.verdict.value,
                "can_change": one.state.can_change,
                "leaning": one.leaning.value if one.leaning else None,
            }
            for one in outcome.criteria
        ],
    }


def _schema(pyarrow: Any) -> Any:
    text, number, day = pyarrow.string(), pyarrow.int32(), pyarrow.date32()
    decisive = [(name, text) for name in ("fact", "reason", "leaning", "ask", "system", "code")]
    criterion = [("id", text), ("verdict", text), ("can_change", pyarrow.bool_()), ("leaning", text)]
    columns = [
        ("patient", text),
        ("as_of", day),
        ("trial", text),
        ("rules_digest", text),
        ("exclusions", text),
        ("gate", text),
        ("rank", number),
        ("status", text),
        ("blocked", pyarrow.list_(text)),
        ("decided", number),
        ("total", number),
        ("valid_until", day),
        ("look_again", day),
        ("to_confirm", pyarrow.list_(text)),
        ("decisive", pyarrow.list_(pyarrow.struct(decisive))),
        ("criteria", pyarrow.list_(pyarrow.struct(criterion))),
    ]
    return pyarrow.schema(columns)
