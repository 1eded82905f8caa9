"""The worklist: people, charts, entries, screenings, decisions, attestations, runs; secrets; the audit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cds_service.store.exact_json import ExactJson
from cds_service.store.schema import UtcTime

revision = "0002"
down_revision = "0001"

_AUDIT = {
    "sqlite": (
        "CREATE TRIGGER audit_keeps_rows BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END",
        "CREATE TRIGGER audit_keeps_words BEFORE UPDATE ON audit"
        " BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END",
        "CREATE TRIGGER audit_in_order BEFORE INSERT ON audit"
        " WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM audit)"
        " BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the audit only grows'; END $$",
        "CREATE TRIGGER audit_keeps_rows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows()",
    ),
}


def upgrade() -> None:
    """Make the worklist's tables."""
    _people()
    _entries()
    _beside_entries()
    op.create_table(
        "runs",
        sa.Column("id", sa.String(100), primary_key=True),
        sa.Column("trial", sa.String(100), primary_key=True),
        sa.Column("as_of", sa.Date, nullable=False),
        sa.Column("taken", UtcTime, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("patients", sa.Integer, nullable=False),
        sa.Column("funnel", ExactJson, nullable=False),
    )
    op.create_table(
        "own_secrets",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("what", sa.String(32), nullable=False),
        sa.Column("entry", sa.String(32), nullable=False),
        sa.Column("patient", sa.String(32), nullable=False),
        sa.Column("trial", sa.String(100), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    op.create_index("audit_of_entry", "audit", ["entry"])
    for statement in _AUDIT[op.get_bind().dialect.name]:
        op.execute(statement)


def _people() -> None:
    op.create_table(
        "people",
        sa.Column("patient", sa.String(32), primary_key=True),
        sa.Column("key", sa.String(64), nullable=False, unique=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("names", ExactJson, nullable=False),
        sa.Column("birth_date", sa.Text, nullable=False),
        sa.Column("gender", sa.Text, nullable=False),
        sa.Column("search", sa.Text, nullable=False),
    )
    op.create_table(
        "charts",
        sa.Column("patient", sa.String(32), sa.ForeignKey("people.patient"), primary_key=True),
        sa.Column("fingerprint", sa.String(100), primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )


def _entries() -> None:
    op.create_table(
        "entries",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("patient", sa.String(32), sa.ForeignKey("people.patient"), nullable=False),
        sa.Column("trial", sa.String(100), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("state_by", sa.Text, nullable=False),
        sa.Column("state_at", UtcTime),
        sa.Column("state_reason", sa.Text, nullable=False),
        sa.Column("state_criterion", sa.Text, nullable=False),
        sa.Column("assignee", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("changed", sa.Boolean, nullable=False),
        sa.Column("latest", sa.Integer, nullable=False),
        sa.Column("seen", sa.Integer, nullable=False),
        sa.Column("updated", UtcTime, nullable=False),
        sa.UniqueConstraint("patient", "trial", name="entries_once"),
    )
    op.create_index("entries_of_trial", "entries", ["trial"])
    op.create_table(
        "screenings",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("entry", sa.String(32), sa.ForeignKey("entries.id"), nullable=False),
        sa.Column("once", sa.String(64), nullable=False),
        sa.Column("taken", UtcTime, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("fingerprint", sa.String(100), nullable=False),
        sa.Column("trial", sa.String(100), nullable=False),
        sa.Column("rules_digest", sa.String(100), nullable=False),
        sa.Column("as_of", sa.Date, nullable=False),
        sa.Column("anchor", sa.Date),
        sa.Column("attested", sa.String(100), nullable=False),
        sa.Column("gate", sa.String(100), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("decided", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("missing", ExactJson, nullable=False),
        sa.Column("missing_count", sa.Integer, nullable=False),
        sa.Column("doubts", sa.Integer, nullable=False),
        sa.Column("lapses", sa.Date),
        sa.Column("result", ExactJson, nullable=False),
        sa.UniqueConstraint("entry", "once", name="screenings_once"),
        sqlite_autoincrement=True,
    )


def _beside_entries() -> None:
    op.create_table(
        "missing_facts",
        sa.Column("screening", sa.Integer, sa.ForeignKey("screenings.id"), primary_key=True),
        sa.Column("fact", sa.String(100), primary_key=True),
    )
    op.create_index("missing_facts_by_fact", "missing_facts", ["fact"])
    op.create_table(
        "events",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("entry", sa.String(32), sa.ForeignKey("entries.id"), nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("what", sa.String(16), nullable=False),
        sa.Column("detail", ExactJson, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("events_of_entry", "events", ["entry"])
    op.create_table(
        "attestations",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("entry", sa.String(32), sa.ForeignKey("entries.id"), nullable=False),
        sa.Column("criterion", sa.String(100), nullable=False),
        sa.Column("gate", sa.String(100), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("on", sa.Date, nullable=False),
        sa.Column("until", sa.Date, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("withdrawn", UtcTime),
        sqlite_autoincrement=True,
    )
    op.create_index("attestations_of_entry", "attestations", ["entry"])
