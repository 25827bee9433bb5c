"""The table is tried through the revocations that it holds."""

from leadglass.revocation.tables import REVOCATIONS


def test_a_revocation_has_an_end_or_none() -> None:
    assert REVOCATIONS.c.until.nullable
    assert not REVOCATIONS.c.reason.nullable
