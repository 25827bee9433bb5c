from leadglass.audit.sums import Sums
from leadglass.limits import LEASE_SECONDS_MAX, LEASES_HELD


def test_a_sum_is_due_when_its_first_decision_ends() -> None:
    sums = Sums()
    sums.add("a", 10, 1, 5.0, 100.0)
    sums.add("a", 20, 2, 5.0, 104.0)
    assert list(sums.take(104.9)) == []
    ((name, total),) = sums.take(105.0)
    assert (name, total.uses, total.bytes, total.milliseconds) == ("a", 2, 30, 3)
    assert list(sums.take(106.0)) == []


def test_a_lease_without_end_is_summed_all_the_same() -> None:
    sums = Sums()
    sums.add("a", 1, 1, float("inf"), 0.0)
    sums.add("b", 1, 1, -5.0, 0.0)
    assert [name for name, _ in sums.take(0.0)] == ["b"]
    assert [name for name, _ in sums.take(LEASE_SECONDS_MAX)] == ["a"]


def test_all_are_taken_at_the_end() -> None:
    sums = Sums()
    sums.add("a", 1, 1, 60.0, 0.0)
    assert [name for name, _ in sums.take(0.0, final=True)] == ["a"]


def test_the_oldest_are_written_early_when_there_are_too_many() -> None:
    sums = Sums()
    for number in range(LEASES_HELD + 3):
        sums.add(str(number), 1, 1, 60.0, 0.0)
    assert [name for name, _ in sums.take(0.0)] == ["0", "1", "2"]
