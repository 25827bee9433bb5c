"""The composition root: starting, refusing to start, reloading whole or not at all, and what happens when parts fail."""

import asyncio
import json
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from leadglass.app import Gateway
from leadglass.audit.chain import beside
from leadglass.audit.verify import verify
from leadglass.hazmat.hashchain import HeadKeys
from leadglass.model.errors import ConfigurationError
from leadglass.policy import reload as policy_reload
from support.clock import FakeClock
from support.gateway import CT, Running, fake_archive, idp_key, quick_prepare, running, write_site

METADATA = f"/dicom-web/studies/{CT.uid}/metadata"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(policy_reload, "prepare", quick_prepare)
    return write_site(tmp_path, "http://127.0.0.1:9", idp_key(), FakeClock().now())


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


async def begin(file: Path) -> None:
    gateway = await Gateway.open(file, clock=FakeClock())
    try:
        await gateway.start()
    finally:
        await gateway.stop()


async def refuses(file: Path) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        await begin(file)
    return caught.value


def whole(file: Path) -> bool:
    """Verify a record. Raises BrokenRecord."""
    return verify(file, HeadKeys.from_pem(beside(file, "pub").read_bytes())).lines > 0


async def test_a_drain_that_fails_still_ends_the_record(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await Gateway.open(file, clock=FakeClock())
    await gateway.start()

    async def fails() -> None:
        raise RuntimeError("drain")

    drain = gateway.listener.drain
    monkeypatch.setattr(gateway.listener, "drain", fails)
    with pytest.raises(RuntimeError, match="drain"):
        await gateway.stop()
    await drain()
    kinds = [json.loads(line).get("kind") for line in (tmp_path / "var/decisions.jsonl").read_bytes().splitlines()]
    assert kinds[-3:-1] == ["stopped", "record-closed"]
    assert whole(tmp_path / "var/decisions.jsonl")


# --- starting ------------------------------------------------------------------------------------------------------------
def break_policy(folder: Path) -> None:
    (folder / "policies/data/posture.yaml").write_text("max_age_seconds: NO\n")


def no_key(folder: Path) -> None:
    (folder / "tls/server.key").unlink()


def bad_jwks(folder: Path) -> None:
    (folder / "keys.json").write_text("garbage")


def bad_networks(folder: Path) -> None:
    table = (Path(__file__).parents[1] / "policies/data/networks.yaml").read_text()
    (folder / "policies/data/networks.yaml").write_text(table.replace("10.0.0.0/8", "10.0.0.0/33"))


@pytest.mark.parametrize("fault", [break_policy, no_key, bad_networks])
async def test_what_is_broken_at_the_start_keeps_it_from_starting(file: Path, fault: Callable[[Path], None]) -> None:
    fault(file.parent)
    error = await refuses(file)
    assert str(error)
    # Nothing was left open: the same folder starts once it is mended.
    write_site(file.parent, "http://127.0.0.1:9", idp_key(), FakeClock().now())
    (file.parent / "policies/data/networks.yaml").unlink(missing_ok=True)
    gateway = await Gateway.open(file, clock=FakeClock())
    await gateway.stop()


async def test_an_issuer_without_keys_does_not_keep_it_from_starting(file: Path) -> None:
    bad_jwks(file.parent)
    gateway = await Gateway.open(file, clock=FakeClock())
    assert gateway.status()["issuers"] != {"https://idp.example.org": "ok"}
    assert (await gateway.ready())["policy"]
    await gateway.stop()


async def test_a_second_gateway_on_the_same_record_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        error = await refuses(tmp_path / "leadglass.yaml")
        assert "decisions.jsonl" in str(error)
        assert (await run.ask(METADATA)).status == 200


async def test_a_port_that_is_taken_is_said_with_its_setting(tmp_path: Path) -> None:
    async with running(tmp_path / "one") as run:
        port = run.plain.port
        other = write_site(tmp_path / "two", "http://127.0.0.1:9", idp_key(), run.clock.now())
        edit(other, "http: 127.0.0.1:0, tls", f"http: 127.0.0.1:{port}, tls")
        error = await refuses(other)
        assert str(port) in str(error)


async def test_a_start_and_a_stop_are_in_the_record_and_it_verifies(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        await run.ask(METADATA)
    kinds = [line.get("kind") or line.get("event") for line in run.record("event")]
    assert {"started", "stopped"} <= set(kinds)
    assert whole(tmp_path / "var/decisions.jsonl")


# --- reloading -----------------------------------------------------------------------------------------------------------
def break_yaml(folder: Path) -> None:
    (folder / "leadglass.yaml").write_text("listen: [\n")


def move_the_listener(folder: Path) -> None:
    edit(folder / "leadglass.yaml", "https: 127.0.0.1:0", "https: 127.0.0.1:18443")


def move_the_record(folder: Path) -> None:
    edit(folder / "leadglass.yaml", "var/decisions.jsonl", "var/others.jsonl")


@pytest.mark.parametrize("fault", [break_policy, break_yaml, bad_networks, move_the_listener, move_the_record])
async def test_a_reload_that_fails_leaves_all_as_it_was(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    async with running(tmp_path) as run:
        revision, parts = run.gateway.policy.revision, run.gateway.parts
        edit(tmp_path / "leadglass.yaml", "10000/s, per_source", "7/s, per_source")
        fault(tmp_path)
        with pytest.raises(ConfigurationError):
            await run.gateway.reload()
        assert (run.gateway.policy.revision, run.gateway.parts) == (revision, parts)
        assert run.gateway.settings.limits.per_subject.per_second == 10_000
        assert (await run.ask(METADATA)).status == 200
        assert "reload-refused" in json.dumps(run.record("event")[-1])


async def test_a_reload_puts_all_in_force_at_once(tmp_path: Path) -> None:
    async with running(tmp_path) as run, fake_archive() as other:
        token = run.token()
        assert (await run.ask(METADATA, token=token)).status == 200
        edit(tmp_path / "leadglass.yaml", run.archive.url, other.url)
        edit(tmp_path / "policies/data/posture.yaml", "max_age_seconds: 120", "max_age_seconds: 60")
        before = run.gateway.policy.revision
        done = await run.gateway.reload()
        assert done["revision"] != before
        run.archive.clear()
        assert (await run.ask(METADATA, token=token)).status == 200
        assert run.archive.asked == []
        assert other.asked
        run.clock.advance(61)
        assert (await run.ask(METADATA, token=token)).reasons == ["posture-stale"]


async def test_reloads_at_once_are_done_one_after_the_other(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        done = await asyncio.gather(*(run.gateway.reload() for _ in range(4)))
        assert len({answer["revision"] for answer in done}) == 1
        assert (await run.ask(METADATA)).status == 200


# --- when parts fail -----------------------------------------------------------------------------------------------------
async def test_a_clock_that_steps_back_prolongs_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        token = run.token()
        assert (await run.ask(METADATA, token=token)).status == 200
        run.clock.step(-3600)
        run.clock.advance(121)  # in truth; the posture is as old as that by the clock that never steps
        answer = await run.ask(METADATA, token=token)
        assert answer.status in {401, 403}
        assert answer.reasons[0] in {"posture-stale", "user-unauthenticated", "device-certificate-expired"}
        run.clock.step(3600)
        run.agent.nonce = run.gateway.devices.nonces.new()  # the one it had is over too
        await run.tell()
        assert (await run.ask(METADATA, token=token)).status == 200
    assert whole(tmp_path / "var/decisions.jsonl")


async def test_a_store_that_is_locked_does_not_stop_reading(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        lock = sqlite3.connect(tmp_path / "var/leadglass.db", isolation_level=None)
        try:
            lock.execute("BEGIN EXCLUSIVE")
            assert (await run.ask(METADATA)).status == 200
        finally:
            lock.close()
        await run.tell()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 512 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("mounting a tmpfs needs root")
    yield folder
    subprocess.run(["/bin/umount", "-l", folder], check=True)


def fill(folder: Path) -> None:
    with (folder / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while filler.write(b"x" * 4096):
            pass


async def test_a_full_disk_under_the_record_refuses_until_there_is_room(tmp_path: Path, small_disk: Path) -> None:
    def onto_the_small_disk(folder: Path) -> None:
        edit(folder / "leadglass.yaml", "var/decisions.jsonl", str(small_disk / "decisions.jsonl"))

    async with running(tmp_path / "site", change=onto_the_small_disk) as run:
        assert (await run.ask(METADATA)).status == 200
        fill(small_disk)
        run.archive.clear()
        answer = await run.ask(METADATA)
        while answer.status == 200:  # what was left of the last block may still take a line or two
            run.archive.clear()
            answer = await run.ask(METADATA, token=run.token("radiologist", jti=os.urandom(4).hex()))
        assert (answer.status, answer.reasons) == (503, ["audit-unavailable"])
        assert run.archive.relayed == []
        assert not (await run.gateway.ready())["record"]
        (small_disk / "filler").unlink()
        await run.gateway.audit.tick()
        assert (await run.ask(METADATA)).status == 200
        assert (await run.gateway.ready())["record"]


async def test_the_status_is_for_administrators_and_names_no_patient(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        await run.ask(METADATA)
        status = run.gateway.status()
        assert status["devices"] == 1
        assert status["issuers"] == {"https://idp.example.org": "ok"}
        assert status["record"] == {"available": True, "pressure": "ok"}
        assert "P001" not in str(status)
        assert all((await run.gateway.ready()).values())


async def test_stopping_lets_what_runs_end_and_takes_nothing_new(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        go, reached = asyncio.Event(), asyncio.Event()

        async def slow(_: object) -> object:
            from aiohttp import web

            reached.set()
            await go.wait()
            return web.Response(body=b"[]", content_type="application/dicom+json")

        run.archive.replaced[METADATA] = slow  # type: ignore[assignment]  # it does return a response
        asking = asyncio.ensure_future(run.ask(METADATA))
        await reached.wait()
        stopping = asyncio.ensure_future(run.gateway.listener.drain())
        await asyncio.sleep(0)
        go.set()
        answer = await asking
        await stopping
        assert answer.status == 200
        assert answer.whole
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError, OSError)):
            await run.ask(METADATA)


def test_running_is_what_these_tests_open() -> None:
    assert Running.__doc__
