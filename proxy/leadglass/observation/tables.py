"""The table that remembers when this gateway first observed: one row, written once. Times are epoch seconds."""

from typing import Final

from sqlalchemy import Column, Double, Table

from leadglass.store import metadata

OBSERVATION: Final = Table("observation", metadata, Column("began", Double, nullable=False))
