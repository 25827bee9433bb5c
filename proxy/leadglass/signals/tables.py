"""The tables of security events: what holds of what they said, and which were seen. Times are epoch seconds."""

from typing import Final

from sqlalchemy import Column, Double, Table, Text

from leadglass.store import metadata

STANDING: Final = Table(
    "signals",
    metadata,
    Column("key", Text, primary_key=True),  # kind and whom, in JSON: the next event about the same replaces it
    Column("at", Double, nullable=False),
    Column("says", Text, nullable=False),
    Column("until", Double),  # None: until the next event about the same
)

SEEN: Final = Table(
    "signals_seen",
    metadata,
    Column("transmitter", Text, primary_key=True),
    Column("jti", Text, primary_key=True),
    Column("until", Double, nullable=False, index=True),
)
