"""The drills of docs/runbook.md: a part fails, the gateway says so and holds, the part is back and so is everything."""

import asyncio
import errno
import os
import ssl
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from aiohttp import web

from leadglass.access import signals
from leadglass.audit.verify import verify
from leadglass.config import check as checker
from leadglass.demo.archive import Archive
from leadglass.hazmat import backup
from leadglass.hazmat.hashchain import HeadKeys
from leadglass.hazmat.servercert import make_server_files
from leadglass.model.errors import Refusal
from leadglass.model.facts import Subject
from leadglass.model.signals import Event, Signal, Whom
from leadglass.recovery.places import Places
from leadglass.recovery.restore import Restored
from support.clock import FakeClock
from support.device import ADMIN, peer
from support.gateway import CT, HOST, SEEDS, Running, quick_prepare, running
from support.oidc import Browser, site, with_login
from support.orthanc import free_port
from support.sites import back_up, put_back
from support.stores import put_first, rows
from system.test_emergency import provider

METADATA = f"/dicom-web/studies/{CT.uid}/metadata"
EVENTS: dict[Event, dict[str, Any]] = {
    Event.SESSION_REVOKED: {},
    Event.CREDENTIAL_CHANGE: {},
    Event.ASSURANCE_LEVEL_CHANGE: {"direction": "decrease"},
    Event.DEVICE_COMPLIANCE_CHANGE: {"status": "not-compliant"},
    Event.RISK_LEVEL_CHANGE: {"principal": "USER", "level": "HIGH"},
}
EVENTS_FROM = "https://idp.example.org"  # in the store of the first release
YEARS = 3 * 365 * 86_400.0


def lost(folder: Path) -> list[str]:
    """Verify the record of a gateway that has stopped, and return what it says is lost."""
    file = folder / "var/decisions.jsonl"
    return verify(file, HeadKeys.from_pem(file.with_name("decisions.jsonl.pub").read_bytes())).lost


async def archive(port: int) -> web.AppRunner:
    app = Archive([item.part10 for study in SEEDS.values() for item in study.instances]).app()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


@pytest.mark.system
async def test_pacs_down(tmp_path: Path) -> None:
    port = free_port()
    runner = await archive(port)
    try:
        async with running(tmp_path, upstream=f"http://127.0.0.1:{port}") as run:
            assert await run.alive()
            await runner.cleanup()
            for asked in (METADATA, "/dicom-web/studies?limit=5"):
                answer = await run.ask(asked)
                assert (answer.status, answer.reasons) == (502, ["upstream-unreachable"])
            run.clock.advance(60)  # longer than facts are remembered: of which nothing is known, nothing is shown
            await run.tell()
            answer = await run.ask(METADATA)
            assert (answer.status, answer.reasons) == (404, ["study-not-visible"])
            assert all((await run.gateway.ready()).values()), "no load balancer takes it out for that"
            runner = await archive(port)
            assert await run.alive()
    finally:
        await runner.cleanup()
    assert lost(tmp_path) == []


@pytest.mark.system
async def test_idp_down(tmp_path: Path) -> None:
    clock = FakeClock()
    async with (
        provider(clock) as (oidc, runner),
        running(tmp_path, clock=clock, change=with_login(oidc), owner_issuer=oidc.url) as run,
    ):
        inside, late = Browser(run), Browser(run)
        assert (await inside.sign_in()).status == 303
        back = await late.login()
        await runner.cleanup()
        clock.advance(60)
        await run.tell()
        assert (await inside.ask(METADATA)).status == 200, "whoever is signed in goes on"
        refused = await late.look(back)
        assert (refused.status, b"sign-in-unavailable" in refused.body) == (503, True)
        assert (await late.ask(METADATA)).status == 401
        assert all((await run.gateway.ready()).values())
    assert lost(tmp_path) == []


@pytest.mark.system
async def test_disk_full(tmp_path: Path) -> None:
    real = os.write

    def full(handle: int, data: bytes) -> int:
        if Path(f"/proc/self/fd/{handle}").readlink().name == "decisions.jsonl":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(handle, data)

    async with running(tmp_path) as run:
        with patch.object(os, "write", full):
            answer = await run.ask(METADATA)
            assert (answer.status, answer.reasons) == (503, ["audit-unavailable"])
            assert not (await run.gateway.ready())["record"]
            await run.gateway.audit.tick()
            assert (await run.ask(METADATA)).status == 503, "still full"
        await run.gateway.audit.tick()
        assert await run.alive(), "nothing had to be restarted"
        kinds = [line["kind"] for line in run.record("event")]
        assert "record-reopened" in kinds
    assert lost(tmp_path) == []


async def shown(run: Running) -> bytes | None:
    """Return the certificate that the door shows."""
    _, writer = await asyncio.open_connection(run.https.host, run.https.port, ssl=run.bare, server_hostname=HOST)
    found: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return found


@pytest.mark.system
async def test_certificate_expired(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        config, tls = tmp_path / "leadglass.yaml", tmp_path / "tls"

        async def said() -> list[str]:
            with patch.object(checker, "prepare", quick_prepare):
                found = await checker.check(config, run.clock, offline=True)
            return [one.problem for one in found if one.level == "error" and "listen.tls" in one.where]

        for now, faults in ((run.clock.now() - YEARS, ["has expired"]), (run.clock.now(), [])):
            make_server_files(tls, (HOST, "127.0.0.1"), now)
            assert await said() == faults
            run.gateway.listener.reload(force=False)
            first = (tls / "server.pem").read_text().partition("-----END CERTIFICATE-----")
            assert await shown(run) == ssl.PEM_cert_to_DER_cert(first[0] + first[1])
            assert await run.alive()
    assert lost(tmp_path) == []


@pytest.mark.system
async def test_clock_wrong(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        token = run.token()
        run.clock.step(7200)
        ahead = await run.ask(METADATA, token=token)
        assert ahead.status in {401, 403}
        assert set(ahead.reasons) <= {"user-unauthenticated", "device-certificate-expired"}
        run.clock.step(-7200)
        assert (await run.ask(METADATA, token=token)).status == 200, "nothing had to be restarted"
    assert lost(tmp_path) == []


@pytest.mark.system
async def test_restore_to_new_hardware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "_COST", {"n": 2, "r": 8, "p": 1})
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    async with running(here) as run:
        assert await run.alive()
        places = Places(run.gateway.settings.store, run.gateway.settings.audit.file)
        manifest = await asyncio.to_thread(back_up, places, tmp_path / "backup")
        await run.gateway.devices.inventory.revoke(run.agent.id, "lost", ADMIN)
        assert not await run.alive()
        agent, context = run.agent, run.context

    def restored(folder: Path) -> None:
        put_back(Places(folder / "var/leadglass.db", folder / "var/decisions.jsonl"), tmp_path / "backup")

    async with running(there, change=restored) as run:
        device = run.gateway.devices.registry.get(agent.id)
        assert device is not None, "the device need not enrol anew"
        assert device.active, "what was revoked after the backup has to be revoked again, as the runbook says"
        run.context, run.agent = context, agent
        assert "posture-missing" in (await run.ask(METADATA)).reasons, "what was reported before vouches for nothing"
        agent.nonce = run.gateway.devices.nonces.new()
        await run.tell()
        assert await run.alive(), "its certificate is good, since the CA came along"
        (event,) = [line["fields"] for line in run.record("event") if line["kind"] == "restored"]
        assert manifest.head is not None
        assert event["head"]["seq"] == manifest.head.seq
        assert not (there / "var/decisions.jsonl.restored").exists()
    (said,) = lost(there)
    assert f"the chain {manifest.head.chain}, up to line {manifest.head.seq} at least, is not in it" in said


@pytest.mark.system
async def test_an_older_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was ended after the backup is ended in what is put back: as the gateway's own store has it."""
    monkeypatch.setattr(backup, "_COST", {"n": 2, "r": 8, "p": 1})
    async with site(tmp_path, events=True) as place:
        gateway = place.run.gateway
        held, ended = [await place.signed_in() for _ in range(2)]
        sessions = [gateway.browsers.sessions.known(one.cookies["__Host-leadglass"]) for one in (held, ended)]
        lifted = await gateway.revocations.revoke("user", "dr.back", "gone", None, ADMIN)
        used, withdrawn, kept = await gateway.browsers.codes.make(3, None, 86_400.0, ADMIN)
        places = Places(gateway.settings.store, gateway.settings.audit.file)
        await asyncio.to_thread(back_up, places, tmp_path / "backup")
        place.run.clock.advance(60)
        await gateway.revocations.revoke("user", "dr.gone", "left", 86_400.0, ADMIN)
        await gateway.revocations.lift(lifted.id, ADMIN)
        await gateway.browsers.sessions.end(sessions[1] or "", "lost", ADMIN)
        await gateway.browsers.emergency.begin(used["code"] or "", "Ann", "all is down", peer())
        await gateway.browsers.codes.withdraw(withdrawn["id"] or "", "torn", ADMIN)
        for number, (event, says) in enumerate(EVENTS.items()):
            now, whom = place.run.clock.now(), Whom(place.oidc.url, (frozenset({("sub", f"s{number}")}),))
            signal = Signal(place.oidc.url, f"j{number}", f"urn:{event}", event, now, now, whom, says)
            await gateway.standings.take(signal, signals._told(signal, peer()))
        await gateway.devices.inventory.revoke(place.run.agent.id, "lost", ADMIN)
    meant = rows(places.store)
    done = put_back(places, tmp_path / "backup", older="the disk died")
    assert isinstance(done, Restored)
    assert (done.since.known, done.since.missed) == (True, {"revocation-lifted": 1})
    found = rows(places.store)
    assert [row for row in found["revocations"] if row[0] != lifted.id] == meant["revocations"], "none is given back"
    for table in ("emergency_codes", "signals", "devices", "device_certificates"):
        assert found[table] == meant[table], table
    assert (kept["id"] or "?") in str(found["emergency_codes"])
    assert [row[0] for row in found["sessions"]] == [sessions[0]], "of the others nobody's cookie opens anything"


@pytest.mark.system
async def test_an_upgrade_from_the_first_release(tmp_path: Path) -> None:
    """Whatever the first release kept is read by whoever keeps it now."""

    def first(folder: Path) -> None:
        put_first(folder / "var")

    async with running(tmp_path, change=first) as run:
        gateway = run.gateway
        assert await run.alive()
        assert [held.value for held in gateway.revocations.all()] == ["dr.gone"]
        assert [device.name for device in gateway.devices.registry if device.id != run.agent.id] == ["reading-room-1"]
        gateway.standings.believe([EVENTS_FROM])
        gone = Subject("person", "dr.gone", EVENTS_FROM, b"", 2e9, sub="dr.gone", issued=1.0)
        with pytest.raises(Refusal, match="user-unauthenticated"):
            gateway.standings.of(gone, None)
        assert len(rows(gateway.settings.store)["emergency_codes"]) == 1
    assert lost(tmp_path) == []
