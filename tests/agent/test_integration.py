"""The agent against the gateway's own device side: real codes, certificates, statements and judgement, over real TLS."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from leadglass.gateways.control.peer import PeerSeal
from leadglass.gateways.control.public.app import public_app
from leadglass.gateways.control.relay import ControlRelay
from leadglass.gateways.control.sockets import UnixServer
from leadglass.limits import CERTIFICATES_ACTIVE
from leadglass.model.errors import Refusal
from leadglass.model.request import Headers
from leadglass.tasks import Tasks
from leadglass_agent.checks import platform_checks
from leadglass_agent.checks.base import Surroundings
from leadglass_agent.daemon import Checks, Reporter
from leadglass_agent.enrol import enrol, parse_code
from leadglass_agent.gateway import Gateway, tls
from leadglass_agent.keys import SoftwareKey
from leadglass_agent.member import Member, Revoked
from leadglass_agent.state import KEY, Folder
from support.control import open_browsers, open_receiver, people, request
from support.device import ADMIN, ISSUER, Site, device_site, peer
from support.fakegateway import Authority, problem

_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME: the gateway judges the time itself


@dataclass
class Door:
    """TLS in front of the control side, telling it which device is at the other end; elsewhere it names the device."""

    site: Site
    relay: ControlRelay
    url: str = ""

    async def handle(self, got: web.Request) -> web.Response:
        shown = got.transport.get_extra_info("ssl_object").getpeercert(binary_form=True) if got.transport else None
        headers = Headers({name.lower(): value for name, value in got.headers.items()})
        device_id = None
        if shown is not None and not got.path.endswith(("/renew", "/nonce", "/enrol")):
            try:
                device = self.site.devices.registry.present(shown, self.site.clock.now())
            except Refusal as refusal:
                return problem(403, str(refusal))
            device_id = device.id if device is not None else None
        if not got.path.startswith("/.leadglass/"):
            return web.json_response({"device": device_id})
        asked = request(got.path, got.method, headers=headers)
        reply = await self.relay.ask(asked, await got.read(), peer(device_id))
        return web.Response(
            status=reply.status,
            body=reply.body,
            headers={name.decode(): value.decode() for name, value in reply.headers},
        )


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    serving, key = Authority("serving CA"), ec.generate_private_key(ec.SECP256R1())
    file = tmp_path / "server.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + serving.issue(key.public_key(), "gateway", server=True).public_bytes(serialization.Encoding.PEM)
    )
    async with device_site(tmp_path, trust=lambda: (serving.pem,)) as site:
        seal = PeerSeal()
        tasks = Tasks()
        browsers = await open_browsers(site, tmp_path, tasks)
        receiver = await open_receiver(site, browsers)
        app = public_app(site.devices, seal, site.events, list, people(site, browsers), receiver)
        unix = UnixServer(app, tmp_path / "run" / "public.sock")
        await unix.start()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        context.load_verify_locations(cadata=site.devices.authority.pem)
        context.verify_mode, context.num_tickets = ssl.CERT_OPTIONAL, 0
        context.verify_flags = ssl.VerifyFlags(context.verify_flags | _NO_CHECK_TIME)
        async with ControlRelay(tmp_path / "run" / "public.sock", seal) as relay:
            door, app = Door(site, relay), web.Application()
            app.router.add_route("*", "/{tail:.*}", door.handle)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
            door.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
            yield door
            await runner.cleanup()
        await unix.close()
        await tasks.close()


@dataclass
class Device:
    folder: Folder
    key: SoftwareKey
    door: Door

    def member(self, gateway: Gateway) -> Member:
        return Member(self.folder.load(), self.key, gateway, self.door.site.clock.now, self.folder)

    def open(self) -> Gateway:
        state = self.folder.load()
        return Gateway(state.gateway, tls(state.trust))


@pytest.fixture
async def device(door: Door, tmp_path: Path) -> Device:
    folder = Folder(tmp_path / "agent")
    folder.prepare()
    key = SoftwareKey.create(folder.path / KEY)
    code = await door.site.devices.codes.make("dr.smith", ISSUER, ADMIN)
    folder.save(await enrol(door.url, parse_code(code["code"]), key, os_name="Debian"))
    return Device(folder, key, door)


async def who(member: Member) -> tuple[int, str | None]:
    url = f"{member.gateway.url}/dicom-web/studies"
    async with member.gateway.session() as session, session.get(url) as reply:
        return reply.status, (await reply.json(content_type=None)).get("device")


async def test_what_the_real_checks_say_is_taken(device: Device) -> None:
    site = device.door.site
    checks = Checks(platform_checks(), Surroundings(now=site.clock.now), site.clock.monotonic)
    await checks.run_due()
    async with device.open() as gateway:
        member = device.member(gateway)
        await member.renew()
        await Reporter(member, device.folder, site.clock.now).report(checks.results)
    stored = site.devices.registry.get(member.state.device_id)
    assert stored is not None
    assert stored.posture is not None
    assert stored.posture.checks == {name: result.document() for name, result in checks.results.items()}


async def test_run_and_proxy_share_a_device_for_a_day(device: Device) -> None:
    """Each renews in its own time and is restarted now and then: no request of either is ever refused."""
    site = device.door.site
    async with device.open() as first, device.open() as second:
        run, proxy = device.member(first), device.member(second)
        for step in range(24 * 6):
            if step % 5 == 0:
                proxy = device.member(second)  # a restart: its certificate was in memory
            for member in (run, proxy):
                await member.renew_if_due()
                assert await who(member) == (200, run.state.device_id)
            await Reporter(run, device.folder, site.clock.now).report({})
            site.clock.advance(600)
    assert CERTIFICATES_ACTIVE > 4


async def test_a_certificate_pushed_out_by_others_is_mended_by_the_next_report(device: Device) -> None:
    site = device.door.site
    async with device.open() as first, device.open() as second:
        run, other = device.member(first), device.member(second)
        await run.renew()
        for _ in range(CERTIFICATES_ACTIVE):
            await other.renew()
        assert (await who(run))[0] == 403
        await Reporter(run, device.folder, site.clock.now).report({})
        assert await who(run) == (200, run.state.device_id)


async def test_asleep_over_a_weekend(device: Device) -> None:
    site = device.door.site
    async with device.open() as gateway:
        member = device.member(gateway)
        await member.renew()
        site.clock.advance(60 * 3600)
        assert (await who(member))[0] == 403
        await member.renew_if_due()
        assert (await who(member))[0] == 200


async def test_withdrawn(device: Device) -> None:
    site = device.door.site
    async with device.open() as gateway:
        member = device.member(gateway)
        await member.renew()
        await site.devices.inventory.revoke(member.state.device_id, "lost", ADMIN)
        assert (await who(member))[0] == 403
        with pytest.raises(Revoked):
            await Reporter(member, device.folder, site.clock.now).report({})
