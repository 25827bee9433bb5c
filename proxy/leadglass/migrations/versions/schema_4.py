"""Projects: pseudonymous views of the archive, their keys, and what their pseudonyms stand for."""

import sqlalchemy as sa
from alembic import op

revision = "4"
down_revision = "3"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "projects",
        sa.Column("name", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("title", "profile")),
        sa.Column("created", sa.Double, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("created_by", "state")),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("destroyed", sa.Double),
    )
    op.create_table(
        "project_keys",
        sa.Column("project", sa.Text, primary_key=True),
        sa.Column("generation", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("made", sa.Double, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "project_pseudonyms",
        sa.Column("pseudonym", sa.Text, primary_key=True),
        sa.Column("project", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,  # it is looked for by its key alone
    )
