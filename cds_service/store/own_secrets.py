"""Random bytes that belong to this database: made when they are first asked for, the same for every worker."""

from __future__ import annotations

import secrets
from typing import Final

from sqlalchemy import Connection, select

from cds_service.store.database import insert_new
from cds_service.store.worklist_schema import own_secrets

LENGTH: Final = 32


def get(connection: Connection, name: str) -> bytes | None:
    """Return a secret, None when there is none yet."""
    value: bytes | None = connection.execute(select(own_secrets.c.value).where(own_secrets.c.name == name)).scalar()
    return value


def make(connection: Connection, name: str) -> bytes:
    """Return a secret; whoever comes first makes it."""
    insert_new(connection, own_secrets, {"name": name, "value": secrets.token_bytes(LENGTH)})
    value: bytes = connection.execute(select(own_secrets.c.value).where(own_secrets.c.name == name)).scalar_one()
    return value
