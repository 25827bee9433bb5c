"""The agent that ships and the control side that ships understand each other."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from leadglass.gateways.control.metrics import TcpServer
from leadglass.model.request import Headers
from leadglass_agent.checks.base import Result
from leadglass_agent.daemon import Reporter
from leadglass_agent.enrol import EnrolmentError, enrol, parse_code
from leadglass_agent.gateway import Gateway, tls
from leadglass_agent.keys import SoftwareKey
from leadglass_agent.member import Member, Revoked
from leadglass_agent.state import Folder, State
from support.control import Control, request
from support.device import ADMIN, ISSUER, peer


@dataclass
class Door:
    """A door that relays everything, and says which device is at the other end."""

    control: Control
    url: str = ""
    device_id: str | None = None

    async def handle(self, got: web.Request) -> web.Response:
        headers = Headers({name.lower(): value for name, value in got.headers.items()})
        asked = request(got.path, got.method, headers=headers)
        reply = await self.control.relay.ask(asked, await got.read(), peer(self.device_id))
        return web.Response(
            status=reply.status, body=reply.body, headers={k.decode(): v.decode() for k, v in reply.headers}
        )

    async def enrol(self, folder: Path) -> tuple[SoftwareKey, State]:
        made = await self.control.site.devices.codes.make("dr.smith", ISSUER, ADMIN)
        key = SoftwareKey.create(folder / "device.key")
        state = await enrol(self.url, parse_code(made["code"].lower()), key, os_name="Debian", hostname="ws 17")
        self.device_id = state.device_id
        return key, state


@pytest.fixture
async def door(control: Control) -> AsyncIterator[Door]:
    door, app = Door(control), web.Application()
    app.router.add_route("*", "/{tail:.*}", door.handle)
    server = TcpServer(app, "127.0.0.1", 0)
    await server.start()
    door.url = f"http://127.0.0.1:{server.addresses[0][1]}"
    yield door
    await server.close()


async def test_it_enrols_renews_and_reports(door: Door, tmp_path: Path) -> None:
    key, state = await door.enrol(tmp_path)
    clock, folder = door.control.site.clock, Folder(tmp_path / "agent")
    folder.prepare()
    async with Gateway(door.url, tls(())) as gateway:
        member = Member(state, key, gateway, clock.now)
        await member.renew()
        assert member.certificate_ends == clock.now() + 3600
        reporter = Reporter(member, folder, clock.now)
        await reporter.report({"firewall": Result("fail", value={"backend": "nft"}, reason="no rules")})
        clock.advance(121)  # the nonce it holds is over: it must fetch another and go on
        await reporter.report({"firewall": Result("pass")})
        stored = door.control.site.devices.registry.get(state.device_id)
        assert stored is not None
        assert stored.posture is not None
        assert (stored.name, stored.posture.checks) == ("ws-17", {"firewall": {"status": "pass"}})
        await door.control.site.devices.inventory.revoke(state.device_id, "lost", ADMIN)
        with pytest.raises(Revoked):
            await reporter.report({})


async def test_a_lost_number_is_found_again(door: Door, tmp_path: Path) -> None:
    key, state = await door.enrol(tmp_path)
    clock, folder = door.control.site.clock, Folder(tmp_path / "agent")
    folder.prepare()
    async with Gateway(door.url, tls(())) as gateway:
        member = Member(state, key, gateway, clock.now)
        for _ in range(3):
            await Reporter(member, folder, clock.now).report({})
        member.state = folder.advance(member.state, 0)
        await Reporter(member, folder, clock.now).report({})
        assert member.state.seq == 4


async def test_a_code_that_is_over_is_said_in_words(door: Door, tmp_path: Path) -> None:
    code = parse_code((await door.control.site.devices.codes.make("dr.smith", ISSUER, ADMIN))["code"])
    door.control.site.clock.advance(901)
    with pytest.raises(EnrolmentError, match="not valid"):
        await enrol(door.url, code, SoftwareKey.create(tmp_path / "k"), os_name="Debian")
