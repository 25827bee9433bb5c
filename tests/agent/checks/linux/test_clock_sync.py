import pytest

from leadglass_agent.checks.linux.clock_sync import parse_chrony, parse_timedatectl
from support.captured import captured


@pytest.mark.parametrize(
    ("name", "status"),
    [("chronyc-synchronised.txt", "pass"), ("chronyc-not-synchronised.txt", "fail")],
)
def test_captured_chrony(name: str, status: str) -> None:
    assert parse_chrony(captured("clock_sync", name)).status == status


def test_a_clock_that_is_far_off_fails_though_it_is_synchronised() -> None:
    fields = captured("clock_sync", "chronyc-synchronised.txt").split(b",")
    fields[4] = b"-2.5"
    assert parse_chrony(b",".join(fields)).status == "fail"


@pytest.mark.parametrize(
    ("output", "status"),
    [
        (b"Timezone=Europe/Berlin\nNTP=yes\nNTPSynchronized=yes\n", "pass"),
        (b"NTPSynchronized=no\n", "fail"),
        (b"", "unknown"),
        (b"\xff\n", "unknown"),
    ],
)
def test_timedatectl(output: bytes, status: str) -> None:
    assert parse_timedatectl(output).status == status


@pytest.mark.parametrize("output", [b"", b"506 Cannot talk to daemon\n", b"," * 13, b"\xff"])
def test_garbage_is_unknown(output: bytes) -> None:
    assert parse_chrony(output).status == "unknown"
