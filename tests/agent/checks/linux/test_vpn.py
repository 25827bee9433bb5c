import json

import pytest

from leadglass_agent.checks.base import Result, Surroundings
from leadglass_agent.checks.linux import vpn
from leadglass_agent.checks.linux.vpn import parse
from support.captured import captured

WIREGUARD = {"uevent": "DEVTYPE=wireguard\nINTERFACE=wg0\nIFINDEX=5\n", "flags": "0x91\n", "type": "65534\n"}


@pytest.mark.parametrize(
    ("name", "tunnels"),
    [("tun-up.json", ["tun0 (tun)"]), ("none.json", [])],
)
def test_captured(name: str, tunnels: list[str]) -> None:
    result = parse(json.loads(captured("vpn", name)))
    assert result.value == {"tunnels": tunnels}
    assert result.status == ("pass" if tunnels else "fail")


def test_wireguard_counts_when_it_is_up() -> None:
    assert parse({"wg0": WIREGUARD}) == Result("pass", {"tunnels": ["wg0 (wireguard)"]})
    assert parse({"wg0": {**WIREGUARD, "flags": "0x90\n"}}).status == "fail"


def test_a_sysfs_that_is_not_there_is_unknown(tmp_path: object) -> None:
    from pathlib import Path

    assert vpn.CHECK.run(Surroundings(now=lambda: 0.0, root=Path(str(tmp_path)))).status == "unknown"
