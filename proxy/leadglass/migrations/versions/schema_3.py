"""When a gateway first observed is remembered, so that observation cannot be prolonged from one date to the next."""

import sqlalchemy as sa
from alembic import op

revision = "3"
down_revision = "2"


def upgrade() -> None:
    """Make the table."""
    op.create_table("observation", sa.Column("began", sa.Double(), nullable=False))
