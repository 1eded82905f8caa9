"""The audit's table and the triggers that make the database itself refuse to change or remove a row."""

from __future__ import annotations

from typing import Final

from sqlalchemy import DDL, Column, Index, Integer, String, Table, Text, event

from cds_service.store.schema import KEY_LENGTH, UtcTime, metadata
from cds_service.store.worklist_schema import ID_LENGTH

# `detail` is text, since its bytes are hashed; `digest` is over this row and the digest before it. No foreign keys:
# rows outlive what they are about.
audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", String(32), nullable=False),
    Column("entry", String(ID_LENGTH), nullable=False),
    Column("patient", String(ID_LENGTH), nullable=False),
    Column("trial", String(100), nullable=False),
    Column("detail", Text, nullable=False),
    Column("digest", String(KEY_LENGTH), nullable=False),
    Index("audit_of_entry", "entry"),
)

# A row that comes in out of order is refused too: SQLite's INSERT OR REPLACE removes a row without any other trigger.
SQLITE: Final = (
    "CREATE TRIGGER audit_keeps_rows BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END",
    "CREATE TRIGGER audit_keeps_words BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END",
    "CREATE TRIGGER audit_in_order BEFORE INSERT ON audit"
    " WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM audit)"
    " BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END",
)
POSTGRESQL: Final = (
    "CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION 'the audit only grows'; END $$",
    "CREATE TRIGGER audit_keeps_rows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit"
    " FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows()",
)
for _dialect, _statements in (("sqlite", SQLITE), ("postgresql", POSTGRESQL)):
    for _statement in _statements:
        event.listen(audit, "after_create", DDL(_statement).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]
