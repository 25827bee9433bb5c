"""How a store of an earlier release becomes one of this release: Alembic, one file a step in `versions/`."""
