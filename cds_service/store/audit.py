"""The audit: rows that are only ever added, each sealed by a hash over itself and the row before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, insert, select, text

from cds_service.store import exact_json
from cds_service.store.audit_schema import audit
from cds_service.store.own_text import clean
from cds_service.store.worklist import AuditRow

_AT_ONCE: Final = 1000  # rows in memory while all are verified
_LOCK: Final = 7235320  # PostgreSQL locks by number; migrate.py has the one before


@dataclass
class Trail:
    """What a transaction has to tell the audit, written at its end.

    At the end, because the chain has one tip, which a writer holds until it commits: one that took it first and a row
    of another table later could wait for a writer that waits for it.

    Args:
        who: does it all.
        at: when.
    """

    who: str
    at: datetime
    _rows: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self, what: str, *, entry: str = "", patient: str = "", trial: str = "", detail: Mapping[str, str | int]
    ) -> None:
        """Add one row. ``detail`` holds ids and codes of ours; never what a person typed about a patient."""
        self._rows.append(
            {"what": what, "entry": entry, "patient": patient, "trial": clean(trial), "detail": exact_json.dump(detail)}
        )

    def write(self, connection: Connection) -> None:
        """Write the rows, each after the other."""
        if not self._rows:
            return
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
        # On SQLite the transaction itself is the lock.
        number, digest = tip(connection)
        for row in self._rows:
            number += 1
            whole = {"number": number, "at": self.at.astimezone(UTC), "who": clean(self.who), **row}
            digest = _seal(digest, whole)
            connection.execute(insert(audit).values(**whole, digest=digest))


def tip(connection: Connection) -> tuple[int, str]:
    """Return number and digest of the last row."""
    last = connection.execute(select(audit.c.number, audit.c.digest).order_by(audit.c.number.desc()).limit(1)).first()
    return (last.number, last.digest) if last else (0, "")


def read(connection: Connection, *, before: int | None, limit: int, entry: str | None) -> list[AuditRow]:
    """Return rows, the newest first."""
    query = select(audit).order_by(audit.c.number.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.number < before)
    if entry is not None:
        query = query.where(audit.c.entry == entry)
    return [_read(row) for row in connection.execute(query)]


def first_bad(connection: Connection) -> int | None:
    """Return the number of the first row that is not as it was written, or is missing; None when there is none.

    Rows cut off at the end leave no trace here: that is seen by somebody who wrote the last digest down.
    """
    digest, expected = "", 1
    some: Sequence[Row[Any]] = connection.execute(_in_order()).all()
    while some:
        for row in some:
            if row.number == expected:
                digest = _seal(digest, row._asdict())
            if row.number != expected or row.digest != digest:
                return expected
            expected += 1
        some = connection.execute(_in_order().where(audit.c.number >= expected)).all()
    return None


def _in_order() -> Select[Any]:
    return select(audit).order_by(audit.c.number).limit(_AT_ONCE)


def _seal(previous: str, row: Mapping[str, Any]) -> str:
    words = [row[name] for name in ("who", "what", "entry", "patient", "trial", "detail")]
    sealed = [previous, row["number"], row["at"].isoformat(timespec="microseconds"), *words]
    return hashlib.sha256(json.dumps(sealed).encode("ascii")).hexdigest()


def _read(row: Row[tuple[Any, ...]]) -> AuditRow:
    fields = row._asdict()
    return AuditRow(**{**fields, "detail": exact_json.load(fields["detail"])})
