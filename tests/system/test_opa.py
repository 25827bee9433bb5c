"""The gateway with `engine: opa`: a real OPA on a unix socket, holding the set of one revision as a bundle; and a receiver of decisions."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from aiohttp import web

from leadglass import limits
from leadglass.clock import SystemClock
from leadglass.config.check import check
from leadglass.policy import build, sources
from support.gateway import CT, MR, Running, idp_key, running, write_site
from support.tools import tool
from support.traced import adding, prompt_collector, telemetry

METADATA = f"/dicom-web/studies/{CT.uid}/metadata"


@asynccontextmanager
async def opa(folder: Path, policies: Path, *more: str) -> AsyncIterator[tuple[Path, asyncio.subprocess.Process]]:
    """Run OPA with the site's policy set, and yield its socket and its process."""
    program = tool("opa")
    bundle, socket = folder / "bundle.tar.gz", folder / "opa.sock"
    bundle.write_bytes(build.bundle(sources.read(policies)))
    process = await asyncio.create_subprocess_exec(
        program, "run", "--server", "--addr", f"unix://{socket}", "--unix-socket-perm", "600",
        "--log-level", "error", "--bundle", str(bundle), *more,
    )  # fmt: skip
    try:
        async with asyncio.timeout(20):
            while not socket.exists():  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(0.05)
        yield socket, process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.system
async def test_opa_judges_as_the_embedded_engine_does_and_its_end_is_a_denial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "OPA_SECONDS", 10.0)  # what it answers, on however busy a machine, not how fast
    with TemporaryDirectory() as short:  # a socket's path is short
        policies = tmp_path / "site/policies"
        async with running(tmp_path / "site") as embedded:
            expected = [(await embedded.ask(path)).status for path in targets()]
        async with opa(Path(short), policies) as (socket, process):
            engine = f"{{path: policies/, engine: opa, opa: {{socket: {socket}}}}}"
            async with running(tmp_path / "site", policy=engine, quick=False) as run:
                assert run.gateway.status()["policy"]["engine"] == "opa"
                first = await run.ask(METADATA)
                assert [(await run.ask(path)).status for path in targets()] == expected
                assert run.about(first)[0]["policy"]["engine"] == "opa"
                found = await check(tmp_path / "site/leadglass.yaml", SystemClock(), offline=False)
                assert [one.level for one in found if one.where.endswith("policy.opa.socket")] == ["ok"]
                process.kill()
                await process.wait()
                gone = await run.ask(METADATA)
                assert (gone.status, gone.reasons) == (503, ["decision-unavailable"])


def targets() -> list[str]:
    return [METADATA, f"/dicom-web/studies/{MR.uid}/metadata", "/dicom-web/studies", "/nix"]


class Receiver:
    """Takes decision logs in OPA's format, and refuses as long as it is told to."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.down = True
        self.refused = 0

    async def take(self, request: web.Request) -> web.Response:
        if self.down:
            self.refused += 1
            return web.Response(status=503)
        body = await request.read()  # aiohttp undoes Content-Encoding: gzip
        self.events += json.loads(gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body)
        return web.Response()


async def until(condition: Any) -> None:  # noqa: ANN401 - any callable
    async with asyncio.timeout(40):
        while not condition():  # noqa: ASYNC110 - another task brings it about
            await asyncio.sleep(0.05)


async def test_a_receiver_that_was_down_gets_every_decision_and_slows_no_request(tmp_path: Path) -> None:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/logs", receiver.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/logs"

    def with_a_sink(folder: Path) -> None:
        file = folder / "leadglass.yaml"
        file.write_text(
            file.read_text().replace(
                "anonymous_per_minute: 10000", f"anonymous_per_minute: 10000, sinks: [{{type: opa-http, url: {url}}}]"
            )
        )

    def decided(run: Running) -> set[str]:
        return {line["decision_id"] for line in run.record("decision")}

    async with running(tmp_path, change=with_a_sink) as run:
        for path in targets():
            await run.ask(path)
        await until(lambda: receiver.refused)
        receiver.down = False
        await until(lambda: decided(run) <= {event.get("decision_id") for event in receiver.events})
    await runner.cleanup()


@pytest.mark.system
async def test_a_trace_goes_through_opa(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OPA_SECONDS", 10.0)
    async with prompt_collector() as kept:
        address = kept.url.removeprefix("http://")
        tracing = ("--set", "distributed_tracing.type=http", "--set", f"distributed_tracing.address={address}")
        with TemporaryDirectory() as short:
            write_site(tmp_path / "site", "http://127.0.0.1:9", idp_key(), 0)
            async with opa(Path(short), tmp_path / "site/policies", *tracing) as (socket, _):
                engine = f"{{path: policies/, engine: opa, opa: {{socket: {socket}}}}}"
                change = adding(telemetry(kept.url, "sample: 1, propagate: true"))
                async with running(tmp_path / "site", policy=engine, quick=False, change=change) as run:
                    spans = await kept.exchange((await run.ask(METADATA)).decision_id)
                (evaluated,) = (span for span in spans if span.name == "evaluate")
                assert evaluated.attributes["leadglass.engine"] == "opa"
                async with asyncio.timeout(20), kept.came:
                    await kept.came.wait_for(lambda: any(one.trace_id == evaluated.trace_id for one in kept.others))
    (theirs,) = (one for one in kept.others if one.trace_id == evaluated.trace_id)
    assert (theirs.kind, theirs.parent) == (2, evaluated.id)
