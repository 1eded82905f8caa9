"""A screening that says the same on later days is one row; its result is kept beside it, with a brief for lists.

Patients have their medical record number, once a chart comes that has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

from cds_service.store.exact_json import ExactJson

revision = "0003"
down_revision = "0002"

_AT_ONCE = 500


def upgrade() -> None:
    """Move the results into a table of their own, and tell what lists show of them."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))  # all results are copied
    op.create_table(
        "results",
        sa.Column("screening", sa.Integer, sa.ForeignKey("screenings.id"), primary_key=True, autoincrement=False),
        sa.Column("result", ExactJson, nullable=False),
    )
    connection.execute(sa.text("INSERT INTO results (screening, result) SELECT id, result FROM screenings"))
    op.add_column("people", sa.Column("number", sa.Text, nullable=False, server_default=""))
    op.add_column("screenings", sa.Column("since", sa.Date))
    op.add_column("screenings", sa.Column("days", sa.Integer, nullable=False, server_default="1"))
    op.add_column("screenings", sa.Column("brief", ExactJson, nullable=False, server_default="{}"))
    _brief(connection)
    op.drop_column("screenings", "result")


def _brief(connection: sa.Connection) -> None:
    results = sa.table("results", sa.column("screening", sa.Integer), sa.column("result", ExactJson))
    screenings = sa.table("screenings", sa.column("id", sa.Integer), sa.column("brief", ExactJson))
    change = sa.update(screenings).where(screenings.c.id == sa.bindparam("row")).values(brief=sa.bindparam("told"))
    in_order = sa.select(results).order_by(results.c.screening).limit(_AT_ONCE)
    last = 0
    while some := connection.execute(in_order.where(results.c.screening > last)).all():
        connection.execute(change, [{"row": row.screening, "told": _brief_of(row.result)} for row in some])
        last = some[-1].screening


def _brief_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a list shows, as it was on the day of this step."""
    asked = set(result.get("to_confirm", ()))
    criteria = [
        {name: one[name] for name in ("id", "verdict", "leaning", "notes") if one.get(name)}
        for one in result.get("criteria", ())
        if one.get("verdict") == "fail" or one.get("id") in asked or "leans-against" in one.get("notes", ())
    ]
    told = {name: result[name] for name in ("blocked", "to_confirm", "valid_until") if result.get(name)}
    return {**told, "criteria": criteria}
