"""Facts about a peer are frozen, and absent unless somebody established them."""

from dataclasses import FrozenInstanceError

import pytest

from leadglass.model.control import PeerFacts


def test_nothing_is_established_by_default() -> None:
    facts = PeerFacts(decision_id="01J", client_ip="192.0.2.1")
    assert (facts.device_id, facts.certificate, facts.subject) == (None, None, None)


def test_nobody_changes_them_on_the_way() -> None:
    facts = PeerFacts(decision_id="01J", client_ip="192.0.2.1")
    with pytest.raises(FrozenInstanceError):
        facts.device_id = "AQ"  # type: ignore[misc]  # the point of the test
