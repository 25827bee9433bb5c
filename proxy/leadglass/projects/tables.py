"""The tables of projects. Times are epoch seconds."""

from typing import Final

from sqlalchemy import Column, Double, Integer, LargeBinary, Table, Text

from leadglass.store import metadata

PROJECTS: Final = Table(
    "projects",
    metadata,
    Column("name", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("created", Double, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("generation", Integer, nullable=False),  # of the key that makes pseudonyms
    Column("destroyed", Double),  # when its keys were, None while it has them
)

KEYS: Final = Table(
    "project_keys",
    metadata,
    Column("project", Text, primary_key=True),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("made", Double, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # 32 bytes, under the key of projects
)

PSEUDONYMS: Final = Table(
    "project_pseudonyms",
    metadata,
    Column("pseudonym", Text, primary_key=True),
    Column("project", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # what it stands for, under the project's key of that generation
    sqlite_with_rowid=False,
)
