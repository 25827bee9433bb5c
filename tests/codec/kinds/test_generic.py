"""Of an archive that nobody knows nothing is taken for granted."""

from leadglass.codec.kinds.generic import GENERIC
from leadglass.codec.kinds.kind import STANDARD
from leadglass.codec.routes import ROUTES


def test_nothing_is_taken_for_granted_and_nothing_refused_beforehand() -> None:
    assert (GENERIC.uid_lists, GENERIC.builds_links, GENERIC.unencoded, dict(GENERIC.order)) == (
        False,
        False,
        STANDARD,
        {},
    )
    assert all(GENERIC.has(route.transaction) for route in ROUTES)
    assert (GENERIC.steady, GENERIC.head, GENERIC.ranges, GENERIC.quotes) == (None, None, None, None)
