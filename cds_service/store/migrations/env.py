"""What Alembic runs to migrate: on the connection it is given, inside the transaction that holds the lock."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=False)
context.run_migrations()
