"""Used tokens, cards, feedback, revocations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cds_service.store.schema import UtcTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "used_tokens",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("until", UtcTime, nullable=False),
    )
    op.create_index("used_tokens_until", "used_tokens", ["until"])
    op.create_table(
        "cards",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("uuid", sa.String(36), primary_key=True),
        sa.Column("service", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("trial", sa.String(100), nullable=False),
        sa.Column("patient", sa.String(64), nullable=False),
        sa.Column("sent", UtcTime, nullable=False),
        sa.Column("suggestions", sa.JSON, nullable=False),
        sa.Column("marks", sa.JSON, nullable=False),
        sa.Column("unsettled", sa.JSON, nullable=False),
    )
    op.create_index("cards_of_patient", "cards", ["patient"])
    op.create_table(
        "feedback",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("card", sa.String(36), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("received", UtcTime, nullable=False),
        sa.Column("reason", sa.String(160), nullable=False),
        sa.Column("comment", sa.String(1000), nullable=False),
        sa.Column("suggestions", sa.JSON, nullable=False),
        sa.UniqueConstraint("tenant", "card", "outcome", "at", name="feedback_once"),
    )
    op.create_table(
        "revocations",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("patient", sa.String(64), nullable=False),
        sa.Column("trial", sa.String(100), nullable=False),
        sa.Column("at", UtcTime, nullable=False),
    )
    op.create_index("revocations_of_patient", "revocations", ["patient"])
