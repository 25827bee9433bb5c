"""The table holds no cookie, no token and no name in the clear."""

from leadglass.sessions.tables import BINDINGS, SESSIONS


def test_columns() -> None:
    assert SESSIONS.c.keys() == ["id", "key", "begun", "used", "ends", "sealed"]
    assert SESSIONS.c.key.unique
    assert BINDINGS.c.keys() == ["session", "key", "device", "proven"]
