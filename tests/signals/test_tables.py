"""The tables are tried through what holds."""

from leadglass.signals.tables import SEEN, STANDING


def test_an_event_is_known_by_its_sender_and_its_id() -> None:
    assert {column.name for column in SEEN.primary_key} == {"transmitter", "jti"}
    assert STANDING.c.until.nullable
