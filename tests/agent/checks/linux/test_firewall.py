import pytest

from leadglass_agent import commands
from leadglass_agent.checks.base import Surroundings
from leadglass_agent.checks.linux import firewall
from leadglass_agent.checks.linux.firewall import parse_iptables, parse_nft
from support.captured import captured


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("nft-empty.json", "fail"),
        ("nft-accept.json", "fail"),
        ("nft-policy-drop.json", "pass"),
        ("nft-last-rule-drops.json", "pass"),
    ],
)
def test_captured_nft(name: str, status: str) -> None:
    assert parse_nft(captured("firewall", name)).status == status


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("iptables-accept.txt", "fail"),
        ("iptables-policy-drop.txt", "pass"),
        ("iptables-last-rule-rejects.txt", "pass"),
    ],
)
def test_captured_iptables(name: str, status: str) -> None:
    assert parse_iptables(captured("firewall", name)).status == status


@pytest.mark.parametrize("parse", [parse_nft, parse_iptables])
@pytest.mark.parametrize("output", [b"", b"{}", b"null", b"\xff\x00"])
def test_garbage_is_unknown(parse: object, output: bytes) -> None:
    assert callable(parse)
    assert parse(output).status == "unknown"


def test_who_is_not_root_learns_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    said = commands.Output(b"", captured("firewall", "nft-not-root.stderr.txt"), 1)
    monkeypatch.setattr(commands, "find", lambda name: "/usr/sbin/nft" if name == "nft" else None)
    monkeypatch.setattr(commands, "run", lambda *_: said)
    result = firewall.CHECK.run(Surroundings(now=lambda: 0.0))
    assert result.status == "unknown"
    assert "root" in result.reason


def test_a_pass_of_either_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = {"nft": "nft-empty.json", "iptables": "iptables-policy-drop.txt"}
    monkeypatch.setattr(commands, "find", lambda name: f"/usr/sbin/{name}")
    monkeypatch.setattr(commands, "run", lambda name, *_: commands.Output(captured("firewall", outputs[name]), b"", 0))
    assert firewall.CHECK.run(Surroundings(now=lambda: 0.0)).status == "pass"
