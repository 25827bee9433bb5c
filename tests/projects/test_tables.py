"""The tables hold no key and no original in the clear."""

from leadglass.projects.tables import KEYS, PROJECTS, PSEUDONYMS


def test_columns() -> None:
    assert PROJECTS.c.keys() == [
        "name", "title", "profile", "created", "created_by", "state", "generation", "destroyed",
    ]  # fmt: skip
    assert KEYS.c.keys() == ["project", "generation", "made", "sealed"]
    assert PSEUDONYMS.c.keys() == ["pseudonym", "project", "kind", "generation", "sealed"]
