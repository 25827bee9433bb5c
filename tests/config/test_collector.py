"""What config check says of the collector of traces."""

from collections.abc import AsyncIterator
from pathlib import Path
from unittest.mock import patch

import pytest

from leadglass.config import check as checker
from leadglass.config.look import Finding
from support.clock import FakeClock
from support.collector import Collector, collector
from support.gateway import idp_key, quick_prepare, write_site
from support.traced import adding, telemetry


@pytest.fixture
async def kept() -> AsyncIterator[Collector]:
    async with collector() as kept:
        yield kept


async def said(folder: Path, lines: str, *, offline: bool = False) -> list[Finding]:
    file = write_site(folder, "http://127.0.0.1:9", idp_key(), FakeClock().now())
    adding(lines)(folder)
    with patch.object(checker, "prepare", quick_prepare):
        found = await checker.check(file, FakeClock(), offline=offline)
    return [one for one in found if "telemetry" in one.where or "traceparent" in one.where]


async def test_one_that_takes_traces_is_no_fault(tmp_path: Path, kept: Collector) -> None:
    (found,) = await said(tmp_path, telemetry(kept.url))
    assert (found.level, found.problem) == ("ok", "the collector takes traces")
    assert kept.spans == []


async def test_one_that_refuses_is_found(tmp_path: Path, kept: Collector) -> None:
    kept.status = 401
    (found,) = await said(tmp_path, telemetry(kept.url))
    assert (found.level, found.problem) == ("error", "the collector takes no traces: it answered 401")
    assert found.where.endswith("telemetry.traces.otlp")


async def test_one_that_is_not_there_is_found_and_offline_nobody_is_asked(tmp_path: Path) -> None:
    (found,) = await said(tmp_path, telemetry("http://127.0.0.1:9"))
    assert found.level == "error"
    assert await said(tmp_path, telemetry("http://127.0.0.1:9"), offline=True) == []


async def test_a_proxy_that_is_believed_for_nothing_is_a_doubt(tmp_path: Path, kept: Collector) -> None:
    proxies = "trusted_proxies: [{networks: [192.0.2.1/32], speaks: forwarded, traceparent: true}]\n"
    (found,) = await said(tmp_path / "1", proxies)
    assert (found.level, found.problem) == ("warning", "is not used: nothing is traced")
    (found,) = await said(tmp_path / "2", proxies + telemetry(kept.url))
    assert found.level == "ok"


async def test_a_field_of_whoever_is_behind_proxy_v2_is_never_believed(tmp_path: Path) -> None:
    lines = "trusted_proxies: [{networks: [192.0.2.1/32], speaks: proxy-v2, traceparent: true}]\n"
    file = write_site(tmp_path, "http://127.0.0.1:9", idp_key(), FakeClock().now())
    adding(lines)(tmp_path)
    (found,) = await checker.check(file, FakeClock(), offline=True)
    assert found.level == "error"
    assert "each field is the client's own" in found.problem


@pytest.mark.parametrize(
    ("more", "where", "problem"),
    [
        ("headers: {authorization: 'file:two'}", "telemetry.traces", "no header field value"),
        ("headers: {authorization: token}", "telemetry.traces.headers.authorization", "never written here"),
        ("headers: {host: 'file:two'}", "telemetry.traces.headers.host", "set by the gateway"),
        ("headers: {X-Key: 'file:two'}", "telemetry.traces.headers.X-Key", "lower case"),
        ("resource: {service.name: x}", "telemetry.traces.resource.service.name", "set by the gateway"),
        ("resource: {Site: x}", "telemetry.traces.resource.Site", "name of an attribute"),
        ("sample: 1.5", "telemetry.traces.sample", "less than or equal to 1"),
        ("ca: gone.pem", "telemetry.traces", "gone.pem"),
        ("otlp: 'http://collector.example.org:4318'", "telemetry.traces.otlp", "must be https"),
        ("otlp: 'https://user:key@collector.example.org'", "telemetry.traces.otlp", "without credentials"),
        ("otlp: 'https://collector.example.org/?key=x'", "telemetry.traces.otlp", "base address"),
        ("otlp: 'grpc://collector.example.org'", "telemetry.traces.otlp", "must be an address"),
    ],
)
async def test_a_fault_of_the_settings_is_named(tmp_path: Path, more: str, where: str, problem: str) -> None:
    (tmp_path / "two").write_text("two\nlines")
    (tmp_path / "two").chmod(0o600)
    lines = f"telemetry: {{traces: {{{more}}}}}\n" if "otlp" in more else telemetry("http://127.0.0.1:9", more)
    (found,) = await said(tmp_path, lines, offline=True)
    assert (found.level, found.where.rpartition(": ")[2]) == ("error", where)
    assert problem in found.problem
