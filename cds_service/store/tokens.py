"""Tokens that were used: each is taken once, whichever worker it comes to."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection, delete

from cds_service.store.database import insert_new
from cds_service.store.keys import key_of
from cds_service.store.schema import used_tokens

SWEEP_EVERY: Final = timedelta(minutes=1)


def use(connection: Connection, issuer: str, jti: str, until: datetime) -> bool:
    """Write a token down; False when it already is."""
    return insert_new(connection, used_tokens, {"key": key_of("token", issuer, jti), "until": until})


def sweep(connection: Connection, now: datetime) -> None:
    """Forget the tokens that nobody may use any more."""
    connection.execute(delete(used_tokens).where(used_tokens.c.until < now))


def try_out(connection: Connection, now: datetime) -> None:
    """Write a token that nobody has, and forget it."""
    key = key_of("token", "", str(uuid4()))
    insert_new(connection, used_tokens, {"key": key, "until": now})
    connection.execute(delete(used_tokens).where(used_tokens.c.key == key))
