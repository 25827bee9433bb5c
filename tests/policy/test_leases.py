import pytest

from leadglass.epochs import Epochs
from leadglass.model.decision import Decision
from leadglass.model.facts import Resource
from leadglass.policy.leases import Lease, Leases

HERE = Resource("instance", "1.2", "1.2.3", "1.2.3.4", (1,))
KEY = bytes(32)


def lease(epochs: Epochs, name: str = "D1", *, ends: float = 1_005.0, valid_until: float = 105.0) -> Lease:
    decision = Decision(name, allow=True, valid_until=valid_until, revision="r", engine="wasm")
    return Lease(decision, epochs.snapshot(("policy", "device:d")), ends)


def held(epochs: Epochs, *, most: int = 10, scope: str = "study") -> Leases:
    leases = Leases(epochs, most=most)
    leases.hold(KEY, HERE, "study" if scope == "study" else "instance", lease(epochs), 1_000.0)
    return leases


def test_a_lease_is_found_until_its_time_ends() -> None:
    leases = held(Epochs())
    assert leases.find(KEY, HERE, 104.9, 1_004.9) is not None
    assert leases.find(KEY, HERE, 105.0, 1_004.9) is None
    assert len(leases) == 0


def test_a_clock_set_back_prolongs_nothing() -> None:
    leases = held(Epochs())
    assert leases.find(KEY, HERE, 0.0, 1_005.0) is None


@pytest.mark.parametrize("name", ["policy", "device:d"])
def test_a_lease_ends_when_an_epoch_moves(name: str) -> None:
    epochs = Epochs()
    leases = held(epochs)
    epochs.bump(name)
    assert leases.find(KEY, HERE, 100.0, 1_000.0) is None


def test_another_epoch_leaves_it_alone() -> None:
    epochs = Epochs()
    leases = held(epochs)
    epochs.bump("device:other")
    assert leases.find(KEY, HERE, 100.0, 1_000.0) is not None


def test_a_lease_that_was_overtaken_is_never_held() -> None:
    epochs = Epochs()
    made = lease(epochs)
    epochs.bump("policy")
    leases = Leases(epochs)
    leases.hold(KEY, HERE, "study", made, 1_000.0)
    assert len(leases) == 0


def test_scope_study_ranges_over_instances_and_scope_instance_does_not() -> None:
    others = [
        Resource("instance", "1.2", "1.2.3", "1.2.3.5", (1,)),
        Resource("instance", "1.2", "1.2.9", "1.2.3.4", (1,)),
        Resource("instance", "1.2", "1.2.3", "1.2.3.4", (1, 2)),
        Resource("instance", "1.2", "1.2.3", "1.2.3.4"),
        Resource("instance", "1.2", "*"),
    ]
    study, instance = held(Epochs()), held(Epochs(), scope="instance")
    assert instance.find(KEY, HERE, 100.0, 1_000.0) is not None
    for other in others:
        assert study.find(KEY, other, 100.0, 1_000.0) is not None
        assert instance.find(KEY, other, 100.0, 1_000.0) is None


def test_the_least_recently_used_goes_first() -> None:
    epochs = Epochs()
    leases = held(epochs, most=2)
    leases.hold(b"b" * 32, HERE, "study", lease(epochs, "D2"), 1_000.0)
    leases.find(KEY, HERE, 100.0, 1_000.0)
    leases.hold(b"c" * 32, HERE, "study", lease(epochs, "D3"), 1_000.0)
    assert leases.find(b"b" * 32, HERE, 100.0, 1_000.0) is None
    assert leases.find(KEY, HERE, 100.0, 1_000.0) is not None


def test_a_new_lease_for_a_key_ends_the_old() -> None:
    epochs = Epochs()
    leases = held(epochs)
    leases.hold(KEY, HERE, "study", lease(epochs, "D2", ends=1_009.0), 1_001.0)
    found = leases.find(KEY, HERE, 100.0, 1_000.0)
    assert found is not None
    assert found.decision.id == "D2"
    leases.sweep(1_005.0)  # the old one's time does not end the new one
    assert len(leases) == 1
