"""The parts share one registry, so what one does the others see."""

from support.device import Site, peer


async def test_the_parts_are_one(site: Site) -> None:
    agent = await site.enrol()
    agent.renewed(await site.devices.renewal.renew(agent.renewal(), peer()))
    await site.tell(agent)
    assert site.present(agent).received == site.clock.monotonic()
    assert [device.id for device in site.devices.registry] == [agent.id]
