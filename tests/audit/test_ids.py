import pytest
from ulid import ULID

from leadglass.audit.ids import Ulids, milliseconds
from support.clock import FakeClock


def test_ids_are_ulids_of_the_present_millisecond() -> None:
    clock = FakeClock()
    made = Ulids(clock)()
    assert ULID.from_str(made).milliseconds == 1_800_000_000_000
    assert milliseconds(made) == 1_800_000_000_000


def test_ids_only_grow_when_time_stands_steps_back_or_a_counter_overflows() -> None:
    clock = FakeClock()
    ulids = Ulids(clock)
    made = [ulids() for _ in range(50)]
    clock.step(-3600)
    made += [ulids() for _ in range(50)]
    ulids._counter = (1 << 20) - 2
    made += [ulids() for _ in range(5)]
    clock.step(7200)
    made += [ulids() for _ in range(5)]
    assert made == sorted(set(made))
    assert all(len(name) == 26 for name in made)


def test_ids_of_two_makers_differ() -> None:
    assert Ulids(FakeClock())() != Ulids(FakeClock())()


@pytest.mark.parametrize("text", ["", "x", "I" * 26, "0" * 25])
def test_what_is_no_ulid_has_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        milliseconds(text)
