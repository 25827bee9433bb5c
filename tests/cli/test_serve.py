"""`leadglass serve`, as a process: it starts, reloads on SIGHUP, drains on SIGTERM, and says why it will not start."""

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import aiohttp
import pytest

from leadglass.clock import SystemClock
from leadglass.migrations.run import migrate
from support.gateway import fake_archive, idp_key, write_site
from support.orthanc import free_port

PROGRAM = [sys.executable, "-m", "leadglass"]


def site(folder: Path, url: str) -> tuple[Path, int]:
    """Write a configuration with a port for probes, and return both."""
    file, port = write_site(folder, url, idp_key(), SystemClock().now()), free_port()
    file.write_text(file.read_text().replace("metrics: {http: 127.0.0.1:0}", f"metrics: {{http: 127.0.0.1:{port}}}"))
    return file, port


async def probe(port: int, path: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as reply:
        return reply.status


@asynccontextmanager
async def served(file: Path, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    log = file.parent / "log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(*PROGRAM, "serve", "-c", str(file), stdout=output, stderr=output)
    try:
        async with asyncio.timeout(30):
            while True:
                assert process.returncode is None, log.read_text()
                try:
                    if await probe(port, "/health/ready") == 200:
                        break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def until_said(file: Path, word: str) -> None:
    async with asyncio.timeout(20):
        while word not in (file.parent / "log").read_text():  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0.05)


def spoil(file: Path) -> None:
    (file.parent / "policies/data/posture.yaml").write_text("max_age_seconds: NO\n")


async def test_it_reloads_when_told_and_drains_when_ended(tmp_path: Path) -> None:
    async with fake_archive() as archive:
        file, port = site(tmp_path, archive.url)
        async with served(file, port) as process:
            assert await probe(port, "/health/live") == 200
            assert await probe(port, "/metrics") == 200
            assert await probe(port, "/nix") == 404
            process.send_signal(signal.SIGHUP)
            await until_said(file, "reloaded, policy")
            spoil(file)
            process.send_signal(signal.SIGHUP)
            await until_said(file, "not reloaded, all stays as it was")
            assert await probe(port, "/health/ready") == 200
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 20) == 0
        record = (tmp_path / "var/decisions.jsonl").read_text()
        assert all(f'"{kind}"' in record for kind in ("started", "reloaded", "reload-refused", "stopped"))


async def failed(file: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, "serve", "-c", str(file), stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    _, said = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 3
    return said.decode()


async def test_a_policy_that_is_broken_keeps_it_from_starting(tmp_path: Path) -> None:
    file, _ = site(tmp_path, "http://127.0.0.1:9")
    spoil(file)
    said = await failed(file)
    assert "leadglass: error:" in said
    assert "posture.yaml:1" in said


@pytest.mark.parametrize("name", ["nix.yaml", "folder"])
async def test_a_file_that_cannot_be_read_is_code_3(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    said = await failed(tmp_path / name)
    assert said.startswith("leadglass: error: cannot read")
    assert "leadglass: hint:" in said


async def test_a_store_that_lacks_a_part_is_said_in_words(tmp_path: Path) -> None:
    file, _ = site(tmp_path, "http://127.0.0.1:9")
    store = tmp_path / "var/leadglass.db"
    store.touch(0o600)
    migrate(store)
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("DROP TABLE revocations")
    said = await failed(file)
    assert "leadglass: error: it cannot start: store-unavailable: no such table: revocations" in said
    assert "Traceback" not in said
