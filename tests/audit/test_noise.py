import pytest

from leadglass.audit.noise import Noise, source_of
from leadglass.limits import ANONYMOUS_LISTED, ANONYMOUS_SOURCES


@pytest.mark.parametrize(
    ("ip", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("no address", "unknown"),
    ],
)
def test_what_counts_as_one_source(ip: str, source: str) -> None:
    assert source_of(ip) == source


def test_the_first_of_a_minute_are_written_and_a_new_minute_begins_anew() -> None:
    noise = Noise(2)
    assert [noise.admit("192.0.2.1", "x", 0.0, scarce=False) for _ in range(4)] == [True, True, False, False]
    assert noise.admit("192.0.2.2", "x", 0.0, scarce=False)
    assert noise.summary(59.0) is None
    summary = noise.summary(60.0)
    assert summary is not None
    assert summary["refusals"] == 2
    assert noise.summary(120.0) is None
    assert noise.admit("192.0.2.1", "x", 120.0, scarce=False)


def test_a_minute_without_surplus_ends_without_a_summary() -> None:
    noise = Noise(1)
    assert noise.admit("192.0.2.1", "x", 0.0, scarce=False)
    assert noise.admit("192.0.2.1", "x", 61.0, scarce=False)
    assert noise.summary(61.0, final=True) is None


def test_nothing_is_written_singly_while_disk_is_scarce() -> None:
    noise = Noise(5)
    assert not noise.admit("192.0.2.1", "x", 0.0, scarce=True)
    summary = noise.summary(0.0, final=True)
    assert summary is not None
    assert summary["refusals"] == 1


def test_sources_are_bounded_and_none_is_forgotten() -> None:
    noise = Noise(0)
    for number in range(ANONYMOUS_SOURCES + 10):
        noise.admit(f"10.0.{number // 256}.{number % 256}", "x", 0.0, scarce=False)
    assert len(noise._sources) == ANONYMOUS_SOURCES
    summary = noise.summary(60.0)
    assert summary is not None
    assert len(summary["sources"]) == ANONYMOUS_LISTED
    assert summary["refusals"] == ANONYMOUS_SOURCES + 10
    assert summary["others"] == {"x": ANONYMOUS_SOURCES + 10 - ANONYMOUS_LISTED}
