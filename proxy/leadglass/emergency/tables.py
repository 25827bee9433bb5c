"""The table of emergency codes. Times are epoch seconds."""

from typing import Final

from sqlalchemy import Column, Double, Integer, LargeBinary, Table, Text

from leadglass.store import metadata

EMERGENCY_CODES: Final = Table(
    "emergency_codes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),  # SHA-256 of the code, which has 100 random bits and is kept nowhere
    Column("name", Text),  # the person it is for; None: whoever opens the envelope
    Column("made", Double, nullable=False),
    Column("ends", Double, nullable=False),
    Column("tries", Integer, nullable=False),  # wrong ones
    Column("used", Double),
    Column("used_by", Text),
    Column("withdrawn", Double),
)
