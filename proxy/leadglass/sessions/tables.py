"""The tables of browser sessions. Times are epoch seconds."""

from typing import Final

from sqlalchemy import Column, Double, LargeBinary, Table, Text

from leadglass.store import metadata

SESSIONS: Final = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key", LargeBinary, nullable=False, unique=True),  # SHA-256 of the cookie, which is kept nowhere
    Column("begun", Double, nullable=False),
    Column("used", Double, nullable=False),
    Column("ends", Double, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # subject, refresh token and the rest, under the session key
)

BINDINGS: Final = Table(
    "session_devices",
    metadata,
    Column("session", Text, primary_key=True),
    Column("key", LargeBinary, nullable=False),  # of the session when it was bound
    Column("device", Text, nullable=False),
    Column("proven", Double, nullable=False),
)
