"""Fixtures of the agent: a gateway on loopback TLS, a device enrolled with it, and its folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from leadglass_agent.enrol import enrol, parse_code
from leadglass_agent.gateway import Gateway, tls
from leadglass_agent.keys import SoftwareKey
from leadglass_agent.loopback import Loopback
from leadglass_agent.member import Member
from leadglass_agent.state import KEY, Folder
from leadglass_agent.token import FileToken
from support.clock import FakeClock
from support.enrolled import Enrolled
from support.fakegateway import FakeGateway, fake_gateway
from support.viewer import PAGE, SECRET, Open


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[FakeGateway]:
    async with fake_gateway(tmp_path) as gateway:
        yield gateway


@pytest.fixture
async def enrolled(gateway: FakeGateway, tmp_path: Path) -> AsyncIterator[Enrolled]:
    folder, clock = Folder(tmp_path / "agent"), FakeClock()
    folder.prepare()
    key = SoftwareKey.create(folder.path / KEY)
    state = await enrol(gateway.url, parse_code(gateway.make_code()), key, os_name="Debian", hostname="ws 17")
    folder.save(state)
    async with Gateway(state.gateway, tls(state.trust)) as opened:
        yield Enrolled(folder, Member(state, key, opened, clock.now, folder), clock)


@pytest.fixture
async def opened(enrolled: Enrolled, tmp_path: Path) -> AsyncIterator[Open]:
    token = tmp_path / "token"
    token.write_text("the-token")
    door = Loopback(enrolled.member, FileToken(token), 0, secret=SECRET, origins=(PAGE,))
    await door.start()
    yield Open(door, door.port, token)
    await door.close()
