"""The schema's history, one file a step; Alembic runs them (``cds_service.store.migrate``)."""
