"""The tables, as the newest migration leaves them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import JSON, Column, DateTime, Dialect, Index, Integer, MetaData, String, Table, UniqueConstraint
from sqlalchemy.types import TypeDecorator

# The newest file in migrations/versions; a test holds the two together. Alembic itself is loaded only to migrate.
NEWEST: Final = "0003"
KEY_LENGTH: Final = 64  # SHA-256 in hexadecimal


class UtcTime(TypeDecorator[datetime]):
    """An instant. SQLite keeps no time zone, so UTC is written and read there; a naive time is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Write in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs its time zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Read in UTC."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


metadata = MetaData()

# Tokens that were shown once: `key` is a hash of issuer and jti.
used_tokens = Table(
    "used_tokens",
    metadata,
    Column("key", String(KEY_LENGTH), primary_key=True),
    Column("until", UtcTime, nullable=False),
    Index("used_tokens_until", "until"),
)

# Cards that may get feedback. `tenant` and `patient` are hashes (the patient's has the tenant in it); `marks` holds
# hashes for each criterion.
cards = Table(
    "cards",
    metadata,
    Column("tenant", String(KEY_LENGTH), primary_key=True),
    Column("uuid", String(36), primary_key=True),
    Column("service", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("trial", String(100), nullable=False),
    Column("patient", String(KEY_LENGTH), nullable=False),
    Column("sent", UtcTime, nullable=False),
    Column("suggestions", JSON, nullable=False),
    Column("marks", JSON, nullable=False),
    Column("unsettled", JSON, nullable=False),
    Index("cards_of_patient", "patient"),
)

# What became of cards. One row for the same card, outcome and instant, however often it is told: as it was told last.
feedback = Table(
    "feedback",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("tenant", String(KEY_LENGTH), nullable=False),
    Column("card", String(36), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("received", UtcTime, nullable=False),
    Column("reason", String(160), nullable=False),
    Column("comment", String(1000), nullable=False),
    Column("suggestions", JSON, nullable=False),
    UniqueConstraint("tenant", "card", "outcome", "at", name="feedback_once"),
)

# Overrides that somebody took back: those received before it count no more.
revocations = Table(
    "revocations",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("patient", String(KEY_LENGTH), nullable=False),
    Column("trial", String(100), nullable=False),
    Column("at", UtcTime, nullable=False),
    Index("revocations_of_patient", "patient"),
)
