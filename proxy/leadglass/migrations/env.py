"""What Alembic runs to take the steps, on the connection that `run` made."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    transactional_ddl=True,  # true of SQLite as `run` connects to it, and not what Alembic supposes
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
