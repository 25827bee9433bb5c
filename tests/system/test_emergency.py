"""The drills of docs/emergency.md with real parts: OPA and identity provider killed, a disk that fills, a clock that is set wrong."""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import orjson
import pytest
from aiohttp import web

from leadglass.audit.review import cases
from leadglass.limits import MIB
from support.clock import FakeClock
from support.device import ADMIN
from support.gateway import CT, MR, Answer, Running, running
from support.oidc import ORIGIN, V1, Oidc, with_login
from system.test_opa import opa

METADATA = f"/dicom-web/studies/{CT.uid}/metadata"
HIDDEN = f"/dicom-web/studies/{MR.uid}/metadata"
SECONDS = 20.0


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 - the gateway's own upkeep brings it about
            await asyncio.sleep(0.05)


def _is(said: Callable[[], object], wanted: object) -> bool:
    return said() == wanted


class WallClock(FakeClock):
    """The machine's clock, that an administrator sets wrong."""

    def __init__(self) -> None:
        super().__init__(0.0)

    def now(self) -> float:
        return time.time() + self._now

    def monotonic(self) -> float:
        return time.monotonic()


@asynccontextmanager
async def provider(clock: FakeClock) -> AsyncIterator[tuple[Oidc, web.AppRunner]]:
    oidc = Oidc(clock)
    runner = web.AppRunner(oidc.app(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    oidc.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield oidc, runner
    finally:
        await runner.cleanup()


async def code(run: Running, name: str) -> Answer:
    (made,) = await run.gateway.browsers.codes.make(1, None, 86_400.0, ADMIN)
    body = orjson.dumps({"code": made["code"], "name": name, "reason": "the provider is down, stroke"})
    fields = ("Content-Type: application/json", f"Origin: {ORIGIN}")
    return await run.ask(V1 + "emergency", *fields, method="POST", body=body, token=None, device=False)


@pytest.mark.system
async def test_provider_opa_and_agent_are_dead_and_a_code_opens_images(tmp_path: Path) -> None:
    clock = WallClock()
    heard: list[dict[str, Any]] = []

    async def hook(request: web.Request) -> web.Response:
        heard.append(await request.json())
        return web.Response()

    async with AsyncExitStack() as stack:
        oidc, idp = await stack.enter_async_context(provider(clock))
        receiver = web.Application()
        receiver.router.add_post("/hook", hook)
        hooked = web.AppRunner(receiver, access_log=None, shutdown_timeout=0.1)
        await hooked.setup()
        stack.push_async_callback(hooked.cleanup)
        await web.TCPSite(hooked, "127.0.0.1", 0).start()
        told = f"notices: {{webhook: {{url: http://127.0.0.1:{hooked.addresses[0][1]}/hook}}}}\n"

        def change(folder: Path) -> None:
            with_login(oidc)(folder)
            file = folder / "leadglass.yaml"
            file.write_text(file.read_text() + told)

        short = stack.enter_context(TemporaryDirectory())  # a socket's path is short
        async with running(tmp_path, clock=clock):
            pass  # lays the site's policies out, whose bundle OPA is given
        socket, process = await stack.enter_async_context(opa(Path(short), tmp_path / "policies"))
        engine = f"{{path: policies/, engine: opa, opa: {{socket: {socket}}}}}"
        shutil.rmtree(tmp_path / "var")
        site = running(tmp_path, clock=clock, policy=engine, quick=False, change=change, owner_issuer=oidc.url)
        run = await stack.enter_async_context(site)
        token = run.token()

        process.kill()
        await process.wait()
        await idp.cleanup()

        assert (await run.ask(METADATA, token=token)).reasons == ["decision-unavailable"]
        page = await run.ask(V1 + "login", "Accept: text/html", "Sec-Fetch-Mode: navigate", token=None, device=False)
        assert f'href="{V1}emergency"'.encode() in page.body
        assert all((await run.gateway.ready()).values())

        begun = await code(run, "Dr. Night")
        assert begun.status == 201, begun.body
        for path in (METADATA, HIDDEN):
            read = await run.ask(path, token=begun.json["token"], device=False)
            assert read.status == 200, read.body
            assert run.about(read)[0]["policy"]["engine"] == "wasm"
        assert (await run.ask(METADATA, token=token)).reasons == ["decision-unavailable"]
        await until(lambda: heard)
        assert heard[0]["notices"][0]["subject"] == "Dr. Night"
        assert "stroke" not in str(heard)
        (case,) = cases(tmp_path / "var/decisions.jsonl")
        assert (case.subject, len(case.studies), case.signed) == ("Dr. Night", 2, None)


@contextmanager
def disk(folder: Path) -> Iterator[Callable[[float], None]]:
    """Put a file system of 4 GiB under `folder`, and yield what fills it to a share of it.

    Where mounting is not allowed, the file system is a stand-in that says what one so full would say.
    """
    folder.mkdir(mode=0o700)
    image, filler = folder.with_suffix(".img"), folder / "filler"
    with image.open("wb") as file:
        os.truncate(file.fileno(), 4096 * MIB)  # sparse: what is allocated in it is never written
    mounted = (
        subprocess.run(["/usr/sbin/mkfs.ext4", "-q", "-m", "0", image], check=False).returncode == 0
        and subprocess.run(["/usr/bin/mount", "-o", "loop", image, folder], check=False).returncode == 0
        if os.geteuid() == 0 and Path("/usr/sbin/mkfs.ext4").exists()
        else False
    )

    def fill(share: float) -> None:
        filler.unlink(missing_ok=True)
        told = os.statvfs(folder)
        free = told.f_bavail * told.f_frsize
        kept = int((1 - share) * told.f_blocks * told.f_frsize) if share < 1 else 32 * MIB
        handle = os.open(filler, os.O_CREAT | os.O_WRONLY, 0o600)
        os.posix_fallocate(handle, 0, max(1, free - kept))
        os.close(handle)

    try:
        if mounted:
            folder.chmod(0o700)
            yield fill
        else:
            with patch.object(os, "statvfs") as stands_in:
                size = 4096 * MIB // 4096

                def pretend(share: float) -> None:
                    free = int((1 - share) * size) if share < 1 else 32 * MIB // 4096
                    stands_in.return_value = cast(
                        "os.statvfs_result", SimpleNamespace(f_blocks=size, f_bfree=free, f_bavail=free, f_frsize=4096)
                    )

                pretend(0.1)
                yield pretend
    finally:
        if mounted:
            subprocess.run(["/usr/bin/umount", "-l", folder], check=True)
        image.unlink()


@pytest.mark.system
async def test_the_disk_of_the_record_fills_and_treatment_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    with disk(folder / "var") as fill:
        async with running(folder) as run:
            token = run.token("radiologist", "researcher")

            async def told(purpose: str | None) -> list[str]:
                fields = () if purpose is None else (f"Leadglass-Purpose: {purpose}",)
                answer = await run.ask(METADATA, *fields, token=token)
                return [] if answer.status == 200 else answer.reasons

            async def refused() -> list[str]:
                return [p for p in ("TREAT", "ETREAT", "HOPERAT", "HRESCH") if "degraded" in await told(p)]

            await until(lambda: run.gateway.audit.pressure == "ok")
            assert await refused() == []
            for share, pressure, conditions, wait in (
                (0.85, "warn", (), []),
                (0.96, "critical", ("log-disk",), ["HRESCH"]),
                (1.0, "reserve", ("log-disk", "log-reserve"), ["HOPERAT", "HRESCH"]),
                (0.5, "ok", (), []),
            ):
                fill(share)
                await until(partial(_is, lambda: run.gateway.audit.pressure, pressure))
                await until(partial(_is, run.gateway.degraded, conditions))
                assert (await refused(), await told(None)) == (wait, []), share
            levels = [line["fields"]["level"] for line in run.record("event") if line["kind"] == "disk-pressure"]
            assert levels[-4:] == ["warn", "critical", "reserve", "ok"]


@pytest.mark.system
async def test_a_clock_that_is_set_wrong_shows_and_reading_goes_on(tmp_path: Path) -> None:
    clock = WallClock()
    async with (
        provider(clock) as (oidc, _),
        running(tmp_path, clock=clock, change=with_login(oidc), owner_issuer=oidc.url) as run,
    ):
        await until(lambda: run.gateway._skew.off() is not None)
        assert run.gateway.degraded() == ()
        clock.step(20)
        await until(lambda: run.gateway.degraded() == ("clock",))
        begun = await code(run, "Dr. Late")
        read = await run.ask(METADATA, token=begun.json["token"], device=False)
        assert read.status == 200
        assert run.about(read)[0]["input"]["context"]["degraded"] == ["clock"]
        clock.step(-20)
        await until(lambda: run.gateway.degraded() == ())
        events = [line["fields"] for line in run.record("event") if line["kind"] == "degraded"]
        assert [event["conditions"] for event in events] == [["clock"], []]
        assert 15 <= events[0]["clock_off_seconds"] <= 20
