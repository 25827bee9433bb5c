"""Epochs: a snapshot holds for as long as none of its counters moved."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.epochs import Epochs, Snapshot


def test_a_snapshot_holds_until_one_of_its_counters_moves() -> None:
    epochs = Epochs()
    snapshot = epochs.snapshot(["policy", "device:1"])
    assert epochs.current(snapshot)
    epochs.bump("device:2")
    assert epochs.current(snapshot)
    epochs.bump("device:1")
    assert not epochs.current(snapshot)
    assert epochs.current(epochs.snapshot(["policy", "device:1"]))


@pytest.mark.parametrize("moves", [1, 2, 10])
def test_counters_never_come_back(moves: int) -> None:
    epochs = Epochs()
    snapshot = epochs.snapshot(["policy"])
    for _ in range(moves):
        epochs.bump("policy")
        assert not epochs.current(snapshot)


def test_an_empty_snapshot_holds_for_ever() -> None:
    epochs = Epochs()
    epochs.bump("policy")
    assert epochs.current(epochs.snapshot([]))


def test_names_are_bounded_and_nothing_that_moved_is_taken_for_unmoved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadglass.epochs.EPOCHS_HELD", 10)
    epochs = Epochs()
    before = {name: epochs.snapshot([name]) for name in ("never", "first", "last")}
    epochs.bump("first")
    moved = epochs.snapshot(["first"])
    for number in range(100):
        epochs.bump(f"session:{number}")
    epochs.bump("last")
    assert len(epochs._counters) <= 10
    assert not any(epochs.current(snapshot) for snapshot in (before["first"], before["last"], moved))
    for name in ("never", "first", "last", "session:1", "session:99"):
        snapshot = epochs.snapshot([name])
        assert epochs.current(snapshot)
        epochs.bump(name)
        assert not epochs.current(snapshot)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans()), max_size=60))
def test_however_names_move_a_move_is_seen(steps: list[tuple[str, bool]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("leadglass.epochs.EPOCHS_HELD", 4)
        epochs, taken = Epochs(), dict[str, Snapshot]()
        for name, look in steps:
            if look:
                taken[name] = epochs.snapshot([name])
                assert epochs.current(taken[name])
            else:
                epochs.bump(name)
                if name in taken:
                    assert not epochs.current(taken[name])
        moved = {name for name, snapshot in taken.items() if not epochs.current(snapshot)}
        for name in moved:
            epochs.bump("z")
            assert not epochs.current(taken[name])
