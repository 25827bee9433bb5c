"""The door's bounds."""

from leadglass import limits
from leadglass.gateways.http.bounds import Bounds


def test_the_bounds_are_those_of_the_limits() -> None:
    bounds = Bounds()
    assert bounds.head_seconds == limits.HEAD_SECONDS
    assert bounds.body_bytes == limits.STORE_BYTES


def test_the_sweep_is_often_enough_for_the_shortest_wait() -> None:
    assert Bounds().sweep_seconds == 1.0
    assert Bounds(head_seconds=0.2).sweep_seconds == 0.05
