"""What `leadglass config check` says of proxies: whom nobody should believe is an error, whom few should a warning."""

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from leadglass.config import check as checker
from leadglass.config.check import Finding, check
from support import gateway
from support.clock import FakeClock
from support.gateway import idp_key, write_site

CLOCK = FakeClock()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    made = write_site(tmp_path, "http://127.0.0.1:9", idp_key(), CLOCK.now())
    with patch.object(checker, "prepare", gateway.quick_prepare):
        yield made


async def found_in(file: Path, level: str) -> list[Finding]:
    return [finding for finding in await check(file, CLOCK, offline=True) if finding.level == level]


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1, old
    file.write_text(text.replace(old, new))


def line_of(file: Path) -> int:
    lines = file.read_text().splitlines()
    return 1 + next(n for n, line in enumerate(lines) if "trusted_proxies" in line)


def with_proxies(file: Path, proxies: str) -> None:
    change(file, "metrics:", f"trusted_proxies: {proxies}\nmetrics:")


@pytest.mark.parametrize(
    ("proxies", "path", "problem"),
    [
        ("[{networks: [0.0.0.0/0], speaks: forwarded}]", "trusted_proxies.0.networks.0", "is everybody"),
        ('[{networks: ["::/0"], speaks: proxy-v2}]', "trusted_proxies.0.networks.0", "is everybody"),
        ('[{networks: ["::ffff:0:0/96"], speaks: proxy-v2}]', "trusted_proxies.0.networks.0", "is everybody"),
        ("[{networks: [10.0.0.1/24], speaks: proxy-v2}]", "trusted_proxies.0.networks.0", "without host bits"),
        ("[{networks: [proxy.example.org], speaks: proxy-v2}]", "trusted_proxies.0.networks.0", "CIDR block"),
        ("[{networks: [1], speaks: proxy-v2}]", "trusted_proxies.0.networks.0", "CIDR block"),
        ("[{networks: [], speaks: proxy-v2}]", "trusted_proxies.0", "names no network"),
        ("[{networks: [10.0.0.1/32], speaks: proxy-v1}]", "trusted_proxies.0.speaks", "'proxy-v2'"),
        ("[{networks: [10.0.0.1/32]}]", "trusted_proxies.0.speaks", "missing"),
        ("[10.0.0.1/32]", "trusted_proxies.0", "mapping"),
        ("[{networks: [10.0.0.1/32], speaks: proxy-v2, client_cert: true}]", "trusted_proxies.0", "end TLS"),
        (
            "[{networks: [10.0.0.0/24], speaks: proxy-v2}, {networks: [10.0.0.7/32], speaks: forwarded}]",
            "trusted_proxies", "10.0.0.7/32 and 10.0.0.0/24 overlap",
        ),
        ('[{networks: [10.0.0.0/24, "::ffff:10.0.0.0/120"], speaks: proxy-v2}]', "trusted_proxies", "overlap"),
    ],
)  # fmt: skip
async def test_proxies_that_nobody_should_believe_are_errors(file: Path, proxies: str, path: str, problem: str) -> None:
    with_proxies(file, proxies)
    (found,) = await found_in(file, "error")
    assert problem in found.problem
    assert found.where.endswith(f": {path}")
    assert f":{line_of(file)}: " in found.where


async def test_plain_text_off_loopback_needs_proxies(file: Path) -> None:
    change(file, "http: 127.0.0.1:0, tls", "http: 10.0.0.5:8080, tls")
    (found,) = await found_in(file, "error")
    assert "listen.http leaves loopback" in found.problem
    with_proxies(file, "[{networks: [10.0.0.7/32], speaks: forwarded}]")
    assert await found_in(file, "error") == []
    assert any("plain text" in finding.problem for finding in await found_in(file, "warning"))


@pytest.mark.parametrize(
    ("network", "problem"),
    [
        ("127.0.0.0/8", "every program on this machine"),
        ('"::1/128"', "every program on this machine"),
        ("10.0.0.0/8", "covers the network reading-room"),
        ("10.1.2.0/24", "covers the network reading-room"),
        ("172.0.0.0/8", "16,777,216 addresses"),
        ("fd00::/64", "addresses"),
        ("172.16.0.0/16", None),
        ("10.1.2.7/32", None),  # one machine within the reading-room
    ],
)
async def test_proxies_that_few_should_believe_are_warnings(file: Path, network: str, problem: str | None) -> None:
    (file.parent / "policies/data/networks.yaml").write_text(
        "networks: {reading-room: [10.1.2.0/24]}\neveryone: {}\nroles: {}\n"
    )
    with_proxies(file, f"[{{networks: [{network}], speaks: x-forwarded-for}}]")
    about = [found for found in await check(file, CLOCK, offline=True) if "trusted_proxies" in found.where]
    assert [found.problem for found in about if found.level == "ok"] != []
    doubts = [found for found in about if found.level == "warning"]
    assert len(doubts) == (problem is not None)
    assert all((problem or "") in found.problem and found.fix for found in doubts)
