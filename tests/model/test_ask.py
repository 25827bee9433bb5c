"""What the archive is asked for is a frozen value, safe to repeat by default only where it reads."""

import pytest

from leadglass.model.ask import Ask


def test_an_ask_cannot_be_changed_after_it_was_judged() -> None:
    ask = Ask("GET", "dicomweb", "/studies", "limit=1", accept="application/dicom+json")
    with pytest.raises(AttributeError):
        ask.path = "/other"  # type: ignore[misc]  # that is the point
    assert (ask.method, ask.accept) == ("GET", "application/dicom+json")
