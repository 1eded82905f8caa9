"""The store as the rest of the service sees it: one method for each thing that is remembered or asked."""

from __future__ import annotations

import os
import weakref
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Engine

from cds_service.errors import ConfigError
from cds_service.store import feedback, own_secrets, tokens
from cds_service.store.counts import Count, count
from cds_service.store.database import in_memory, make_engine, read_url, reading, writing
from cds_service.store.feedback import CardFeedback, Override, SentCard
from cds_service.store.migrate import prepare, see_schema
from cds_service.store.worklist_store import WorklistStore


class Store:
    """What must be remembered between calls, in one database that all workers share.

    Args:
        engine: of a database whose schema is up to date.
    """

    def __init__(self, engine: Engine) -> None:
        """Keep the engine; nothing is opened."""
        self._engine = engine
        weakref.finalize(self, engine.dispose)
        self._swept: datetime | None = None

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @property
    def worklist(self) -> WorklistStore:
        """The worklist in this database."""
        return WorklistStore(self._engine, owner=self)

    def secret(self, name: str) -> bytes:
        """Return 32 random bytes that were made once for this database.

        Args:
            name: what they are for; of ours.

        Raises:
            UnavailableError: the store is down.
        """
        with reading(self._engine) as connection:
            found = own_secrets.get(connection, name)
        if found is None:
            with writing(self._engine) as connection:
                found = own_secrets.make(connection, name)
        return found

    def use_token(self, issuer: str, jti: str, until: datetime, now: datetime) -> bool:
        """Use a token once.

        Args:
            issuer: who signed it.
            jti: its id, unique for the issuer.
            until: when it can no longer be used anyway; it is forgotten some time after.
            now: the present instant.

        Returns:
            True for one caller among all workers, False for every other.

        Raises:
            UnavailableError: the store is down; the token must be refused.
        """
        with writing(self._engine) as connection:
            if self._swept is None or now - self._swept >= tokens.SWEEP_EVERY:
                self._swept = now
                tokens.sweep(connection, now)
            return tokens.use(connection, issuer, jti, until)

    def try_out(self, now: datetime) -> None:
        """Write something and take it back, as far as the disk.

        Raises:
            UnavailableError: nothing can be written.
        """
        with writing(self._engine) as connection:
            tokens.try_out(connection, now)

    def remember(self, tenant: str, cards: Sequence[SentCard], *, patience: float | None = None) -> None:
        """Keep cards that were sent; the same card twice is kept once.

        Args:
            tenant: key of who was sent them.
            cards: what to keep.
            patience: seconds to wait for another writer, where it is not the usual.

        Raises:
            UnavailableError: the store is down; none was kept.
        """
        with writing(self._engine, patience=patience) as connection:
            feedback.remember(connection, tenant, cards)

    def cards(self, tenant: str, uuids: Collection[str]) -> dict[str, SentCard]:
        """Return the cards of these ids that this tenant was sent.

        Raises:
            UnavailableError: the store is down.
        """
        with reading(self._engine) as connection:
            return feedback.find(connection, tenant, uuids)

    def add_feedback(self, tenant: str, told: Sequence[CardFeedback]) -> int:
        """Keep what became of cards.

        Args:
            tenant: key of who tells.
            told: about known cards; what is kept already is not kept again.

        Returns:
            How many were new.

        Raises:
            UnavailableError: the store is down; none was kept.
        """
        with writing(self._engine) as connection:
            return feedback.add(connection, tenant, told)

    def overrides(self, patient: str | None = None) -> list[Override]:
        """Return the overrides that count.

        Args:
            patient: key of whose; None for everyone's.

        Raises:
            UnavailableError: the store is down.
        """
        with reading(self._engine) as connection:
            return feedback.overrides(connection, patient)

    def revoke(self, patient: str, trial: str, now: datetime) -> None:
        """Let every override of a trial for a patient received so far count no more.

        Raises:
            UnavailableError: the store is down.
        """
        with writing(self._engine) as connection:
            feedback.revoke(connection, patient, trial, now)

    def counts(self) -> list[Count]:
        """Count cards and feedback for each service, trial and kind of card.

        Raises:
            UnavailableError: the store is down.
        """
        with reading(self._engine) as connection:
            return count(connection)


def open_store(url: str, *, create: bool = True) -> Store:
    """Open the store and bring its schema up to date.

    Args:
        url: of SQLAlchemy: ``sqlite://`` in memory, ``sqlite:////path/to/file.db``, ``postgresql://...``.
        create: whether a file that is not there is made.

    Raises:
        ConfigError: it cannot be opened, is damaged, or belongs to a newer version of the service.
    """
    parsed = read_url(url)
    engine = make_engine(parsed, create=create)
    memory = in_memory(parsed)
    try:
        prepare(engine, memory=memory)
    except ConfigError:
        engine.dispose()
        raise
    if not memory:
        engine.dispose()  # a server that forks its workers now hands no open connection on
    return Store(engine)


def read_store(url: str) -> Store:
    """Open the store to be read only: nothing is made or migrated, and a read-only mount will do.

    Args:
        url: see :func:`open_store`.

    Raises:
        ConfigError: it cannot be read, is damaged, or is of another version of the service.
    """
    parsed = read_url(url)
    if in_memory(parsed):
        raise ConfigError("Setting store: the database in memory belongs to a running service; name another (--store).")
    if parsed.get_backend_name() == "sqlite" and not os.path.exists(parsed.database or ""):
        raise ConfigError("Setting store: there is no file of this name.")
    engine = make_engine(parsed, create=False, read_only=True)
    try:
        see_schema(engine)
    except ConfigError:
        engine.dispose()
        raise
    return Store(engine)
