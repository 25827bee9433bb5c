"""Security events are forgotten by their end: an index of it, since each new event looks for what is over."""

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """Make the index, and mark the store so that the first release refuses it in words."""
    op.create_index("ix_signals_seen_until", "signals_seen", ["until"])
    # It knows nothing of Alembic's mark. Later releases do: no later step needs to write here.
    first = sa.table("leadglass_schema", sa.column("version"))
    op.execute(first.update().values(version=2))
