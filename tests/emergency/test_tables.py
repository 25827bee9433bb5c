"""The table holds no code in the clear."""

from leadglass.emergency.tables import EMERGENCY_CODES


def test_columns() -> None:
    assert EMERGENCY_CODES.c.keys() == ["id", "digest", "name", "made", "ends", "tries", "used", "used_by", "withdrawn"]
