"""The table is tried through the window that it remembers."""

from leadglass.observation.tables import OBSERVATION


def test_a_beginning_is_a_time() -> None:
    assert not OBSERVATION.c.began.nullable
