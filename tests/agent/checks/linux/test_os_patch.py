import pytest

from leadglass_agent.checks.linux.os_patch import parse_apt, parse_dnf
from support.captured import captured


@pytest.mark.parametrize(
    ("name", "age", "status", "count"),
    [
        ("apt-security-waiting.txt", 0, "fail", 6),
        ("apt-no-security.txt", 0, "pass", 0),
        ("apt-no-security.txt", 8, "unknown", 0),
        ("apt-security-waiting.txt", 8, "fail", 6),
    ],
)
def test_captured_apt(name: str, age: int, status: str, count: int) -> None:
    result = parse_apt(captured("os_patch", name), age)
    assert (result.status, result.value) == (status, {"security_updates": count, "lists_age_days": age})


def test_without_package_lists_nothing_is_known() -> None:
    assert parse_apt(captured("os_patch", "apt-no-security.txt"), None).status == "unknown"


@pytest.mark.parametrize(
    ("output", "status"),
    [(b"", "pass"), (b"FEDORA-2026-1 Important/Sec. openssl-libs-1:3.2.2-9.fc41.x86_64\n", "fail")],
)
def test_dnf(output: bytes, status: str) -> None:
    assert parse_dnf(output).status == status
