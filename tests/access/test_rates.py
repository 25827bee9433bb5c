import contextlib

import pytest

from leadglass.access.rates import RateLimit, Strangers
from leadglass.limits import STRANGERS_WAITING
from leadglass.model.errors import Refusal
from support.clock import FakeClock


def test_a_burst_is_allowed_then_refused_then_refilled() -> None:
    clock = FakeClock()
    limit = RateLimit(clock, 10)
    assert [limit.allows("a") for _ in range(11)] == [True] * 10 + [False]
    assert limit.empty("a")
    clock.advance(0.1)
    assert not limit.empty("a")
    assert [limit.allows("a") for _ in range(2)] == [True, False]


def test_keys_do_not_share_a_bucket() -> None:
    limit = RateLimit(FakeClock(), 1)
    assert limit.allows("a")
    assert limit.allows("b")
    assert not limit.allows("a")


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    clock = FakeClock()
    limit = RateLimit(clock, 2)
    clock.advance(3600)
    assert [limit.allows("a") for _ in range(3)] == [True, True, False]


def test_a_refusal_says_when_to_come_back() -> None:
    limit = RateLimit(FakeClock(), 0.1)
    limit.spend("a")
    with pytest.raises(Refusal) as caught:
        limit.spend("a")
    assert caught.value.causes[0].reason.status == 429
    assert caught.value.headers["Retry-After"] == "10"


def test_a_wall_clock_that_steps_back_changes_nothing() -> None:
    clock = FakeClock()
    limit = RateLimit(clock, 1)
    assert limit.allows("a")
    clock.step(-3600)
    assert not limit.allows("a")
    clock.advance(1)
    assert limit.allows("a")


@pytest.mark.parametrize(
    ("first", "second", "one"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
    ],
)
def test_a_subnet_of_ipv6_fails_as_one(first: str, second: str, *, one: bool) -> None:
    strangers = Strangers(FakeClock(), 1)
    strangers.demand(first)
    strangers.charge(first)
    with pytest.raises(Refusal):
        strangers.demand(first)
    if one:
        with pytest.raises(Refusal):
            strangers.demand(second)
    else:
        strangers.demand(second)


def test_one_source_cannot_take_all_places_of_those_who_wait_to_be_known() -> None:
    strangers = Strangers(FakeClock(), 1)
    with contextlib.ExitStack() as stack:
        for n in range(STRANGERS_WAITING):
            stack.enter_context(strangers.waiting(f"2001:db8::{n:x}"))
        with pytest.raises(Refusal, match="rate-limited"), strangers.waiting("2001:db8::ffff"):
            pass
        with strangers.waiting("192.0.2.1"):
            pass
    assert not strangers._waiting
    with strangers.waiting("2001:db8::1"):
        pass
