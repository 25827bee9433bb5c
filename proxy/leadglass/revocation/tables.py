"""The table of what was revoked. Times are epoch seconds."""

from typing import Final

from sqlalchemy import Column, Double, Table, Text

from leadglass.store import metadata

REVOCATIONS: Final = Table(
    "revocations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("made", Double, nullable=False),
    Column("until", Double),  # None: for good
)
