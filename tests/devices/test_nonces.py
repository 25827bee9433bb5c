"""Nonces: ours, once, for two minutes."""

import pytest

from leadglass.devices import nonces as module
from leadglass.devices.nonces import Nonces
from leadglass.limits import NONCES_OF_ONE
from leadglass.model.errors import Refusal
from support.clock import FakeClock


def test_one_is_good_once() -> None:
    nonces = Nonces(FakeClock())
    nonce = nonces.new()
    assert nonces.spend(nonce)
    assert not nonces.spend(nonce)


@pytest.mark.parametrize(("seconds", "good"), [(119.9, True), (120, False), (1e6, False)])
def test_one_ends_after_two_minutes(seconds: float, good: bool) -> None:  # noqa: FBT001 - rows of a table
    clock = FakeClock()
    nonces = Nonces(clock)
    nonce = nonces.new()
    clock.advance(seconds)
    assert nonces.spend(nonce) is good


def test_a_clock_that_is_set_back_revives_none() -> None:
    clock = FakeClock()
    nonces = Nonces(clock)
    nonce = nonces.new()
    clock.advance(121)
    clock.step(-3600)
    assert not nonces.spend(nonce)


@pytest.mark.parametrize(
    "change",
    [lambda n: n[:-1], lambda n: n + "A", lambda n: n + "=", lambda n: "B" + n[1:], lambda _: "", lambda _: "ä"],
)
def test_a_changed_one_is_not_ours(change: object) -> None:
    assert callable(change)
    nonces = Nonces(FakeClock())
    assert not nonces.spend(change(nonces.new()))


def test_one_of_another_process_is_not_ours() -> None:
    clock = FakeClock()
    assert not Nonces(clock).spend(Nonces(clock).new())


def test_asking_for_many_costs_nothing_and_spends_none() -> None:
    nonces = Nonces(FakeClock())
    first = nonces.new()
    for _ in range(1000):
        nonces.new()
    assert nonces._spent == {}
    assert nonces.spend(first)


def test_spent_ones_are_forgotten_when_they_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NONCES_HELD", 3)
    clock = FakeClock()
    nonces = Nonces(clock)
    assert all(nonces.spend(nonces.new()) for _ in range(3))
    with pytest.raises(Refusal, match="rate-limited"):
        nonces.spend(nonces.new())
    clock.advance(120)
    assert nonces.spend(nonces.new())
    assert len(nonces._spent) == 1


def test_one_that_is_somebodys_serves_nobody_else() -> None:
    nonces = Nonces(FakeClock())
    nonce = nonces.new(b"a")
    assert not nonces.spend(nonce)
    assert not nonces.spend(nonce, b"b")
    assert not nonces.spend(nonces.new(), b"a")
    assert nonces.spend(nonce, b"a")
    assert not nonces.spend(nonce, b"a")


def test_nobody_alone_can_spend_so_many_that_others_are_refused() -> None:
    clock = FakeClock()
    nonces = Nonces(clock)
    assert all(nonces.spend(nonces.new(b"a"), b"a") for _ in range(NONCES_OF_ONE))
    with pytest.raises(Refusal, match="rate-limited"):
        nonces.spend(nonces.new(b"a"), b"a")
    assert nonces.spend(nonces.new(b"b"), b"b")
    assert all(nonces.spend(nonces.new()) for _ in range(NONCES_OF_ONE + 1))  # nobody's are for all
    clock.advance(120)
    assert nonces.spend(nonces.new(b"a"), b"a")
    assert nonces._of == {b"a": 1}
