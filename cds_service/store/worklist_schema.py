"""The worklist's tables, as the newest migration leaves them."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from cds_service.store.exact_json import ExactJson
from cds_service.store.schema import KEY_LENGTH, UtcTime, metadata

ID_LENGTH = 32  # 128 random bits in hexadecimal

# Whom entries are about. `key` is a hash of source and reference; `search` is what a name is looked for in.
people = Table(
    "people",
    metadata,
    Column("patient", String(ID_LENGTH), primary_key=True),
    Column("key", String(KEY_LENGTH), nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("names", ExactJson, nullable=False),
    Column("birth_date", Text, nullable=False),
    Column("gender", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("search", Text, nullable=False),
)

# The records that screenings rest on, as gather.snapshot packs them.
charts = Table(
    "charts",
    metadata,
    Column("patient", String(ID_LENGTH), ForeignKey("people.patient"), primary_key=True),
    Column("fingerprint", String(100), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

# One row for a patient and trial. `latest` and `seen` are ids of screenings.
entries = Table(
    "entries",
    metadata,
    Column("id", String(ID_LENGTH), primary_key=True),
    Column("patient", String(ID_LENGTH), ForeignKey("people.patient"), nullable=False),
    Column("trial", String(100), nullable=False),
    Column("state", String(16), nullable=False),
    Column("state_by", Text, nullable=False),
    Column("state_at", UtcTime),
    Column("state_reason", Text, nullable=False),
    Column("state_criterion", Text, nullable=False),
    Column("assignee", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("changed", Boolean, nullable=False),
    Column("latest", Integer, nullable=False),
    Column("seen", Integer, nullable=False),
    Column("updated", UtcTime, nullable=False),
    UniqueConstraint("patient", "trial", name="entries_once"),
    Index("entries_of_trial", "trial"),
)

# Judgements; `once` is a hash of what makes two the same. `day` and `at` put them in order: see screenings.py. One that
# said the same on later days is one: `as_of` is the last of them, `since` the first (NULL: there is but one), `days`
# how many. `brief` is what lists show of the result.
screenings = Table(
    "screenings",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("entry", String(ID_LENGTH), ForeignKey("entries.id"), nullable=False),
    Column("once", String(KEY_LENGTH), nullable=False),
    Column("taken", UtcTime, nullable=False),
    Column("day", Date, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("fingerprint", String(100), nullable=False),
    Column("trial", String(100), nullable=False),
    Column("rules_digest", String(100), nullable=False),
    Column("as_of", Date, nullable=False),
    Column("anchor", Date),
    Column("attested", String(100), nullable=False),
    Column("gate", String(100), nullable=False),
    Column("status", String(16), nullable=False),
    Column("decided", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("missing", ExactJson, nullable=False),
    Column("missing_count", Integer, nullable=False),
    Column("doubts", Integer, nullable=False),
    Column("lapses", Date),
    Column("since", Date),
    Column("days", Integer, nullable=False, server_default="1"),
    Column("brief", ExactJson, nullable=False, server_default="{}"),
    UniqueConstraint("entry", "once", name="screenings_once"),
    sqlite_autoincrement=True,  # an id that was forgotten is not given again: the audit names it
)

# The whole result of each, some kilobytes: beside them, so that a list passes over small rows only.
results = Table(
    "results",
    metadata,
    Column("screening", Integer, ForeignKey("screenings.id"), primary_key=True, autoincrement=False),
    Column("result", ExactJson, nullable=False),
)

# The decisive facts of a screening, a row each, to filter and count by.
missing_facts = Table(
    "missing_facts",
    metadata,
    Column("screening", Integer, ForeignKey("screenings.id"), primary_key=True),
    Column("fact", String(100), primary_key=True),
    Index("missing_facts_by_fact", "fact"),
)

# What happened to entries, for people to read.
events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("entry", String(ID_LENGTH), ForeignKey("entries.id"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", String(16), nullable=False),
    Column("detail", ExactJson, nullable=False),
    Index("events_of_entry", "entry"),
    sqlite_autoincrement=True,
)

# What people settled themselves; in force while nobody withdrew it.
attestations = Table(
    "attestations",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("entry", String(ID_LENGTH), ForeignKey("entries.id"), nullable=False),
    Column("criterion", String(100), nullable=False),
    Column("gate", String(100), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("by", Text, nullable=False),
    Column("on", Date, nullable=False),
    Column("until", Date, nullable=False),
    Column("reason", Text, nullable=False),
    Column("withdrawn", UtcTime),
    Index("attestations_of_entry", "entry"),
    sqlite_autoincrement=True,
)

# Prescreening runs that were taken.
runs = Table(
    "runs",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("trial", String(100), primary_key=True),
    Column("as_of", Date, nullable=False),
    Column("taken", UtcTime, nullable=False),
    Column("source", Text, nullable=False),
    Column("patients", Integer, nullable=False),
    Column("funnel", ExactJson, nullable=False),
)

# Random bytes made once for this database.
own_secrets = Table(
    "own_secrets",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
