"""What administrators see and do; each act is an event."""

import sqlite3
from pathlib import Path

import pytest

from leadglass.model.errors import Refusal
from support.device import ADMIN, Site


async def test_devices_are_listed_by_owner(site: Site) -> None:
    second = await site.enrol("dr.smith")
    first = await site.enrol("dr.jones")
    await site.tell(second)
    site.clock.advance(3)
    listed = await site.devices.inventory.all(ADMIN)
    assert [device["id"] for device in listed] == [first.id, second.id]
    assert listed[1]["checks"] == {"firewall": "pass"}
    assert listed[1]["posture_age_seconds"] == 3
    assert listed[0]["checks"] is None
    assert site.events.lines[-1] == ("devices-listed", {"by": ADMIN})


async def test_one_is_shown_with_its_certificates(site: Site) -> None:
    agent = await site.enrol()
    await site.tell(agent)
    shown = await site.devices.inventory.one(agent.id, ADMIN)
    assert shown is not None
    assert shown["state"] == "active"
    assert len(shown["certificates"]) == 1
    assert shown["checks"]["firewall"]["reason"] == "nftables drops input"
    assert await site.devices.inventory.one("nobody", ADMIN) is None
    assert site.events.lines[-1][1]["device"] == {"id": "nobody"}


async def test_a_revoked_device_says_when_and_why(site: Site) -> None:
    agent = await site.enrol()
    assert await site.devices.inventory.revoke(agent.id, "stolen from a car", ADMIN)
    assert not await site.devices.inventory.revoke(agent.id, "again", ADMIN)
    assert not await site.devices.inventory.revoke("nobody", "why", ADMIN)
    await site.restart()
    shown = await site.devices.inventory.one(agent.id, ADMIN)
    assert shown is not None
    assert (shown["state"], shown["revoked_reason"], shown["certificates"]) == ("revoked", "stolen from a car", [])
    assert [fields["reason"] for kind, fields in site.events.lines if kind == "device-revoked"] == ["stolen from a car"]


async def test_a_revocation_that_cannot_be_kept_is_not_pretended(site: Site, tmp_path: Path) -> None:
    agent = await site.enrol()
    other = sqlite3.connect(tmp_path / "leadglass.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(Refusal, match="store-unavailable"):
            await site.devices.inventory.revoke(agent.id, "lost", ADMIN)
    finally:
        other.close()
    assert site.present(agent).id == agent.id
    assert await site.devices.inventory.revoke(agent.id, "lost", ADMIN)
