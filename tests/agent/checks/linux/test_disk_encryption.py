import pytest

from leadglass_agent.checks.linux.disk_encryption import parse
from support.captured import captured


@pytest.mark.parametrize(
    ("name", "status", "unencrypted"),
    [
        ("plain-root.json", "fail", ["/"]),
        ("luks-on-lvm.json", "pass", []),
        ("swap-in-the-clear.json", "fail", ["[SWAP]"]),
    ],
)
def test_captured(name: str, status: str, unencrypted: list[str]) -> None:
    result = parse(captured("disk_encryption", name))
    assert (result.status, result.value) == (status, {"unencrypted": unencrypted})


@pytest.mark.parametrize("output", [b"", b"{}", b"[]", b'{"blockdevices": [{}]}', b'{"blockdevices": "x"}', b"\xff"])
def test_garbage_is_unknown(output: bytes) -> None:
    assert parse(output).status == "unknown"


def test_a_root_on_no_block_device_is_unknown() -> None:
    result = parse(b'{"blockdevices": [{"name": "/dev/sda", "type": "disk", "mountpoints": ["/data"]}]}')
    assert result.status == "unknown"
