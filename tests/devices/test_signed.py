"""Nothing is told to somebody who has not signed with the device key."""

from typing import Any

import pytest

from leadglass.devices.faults import StatementRefused
from leadglass.devices.nonces import Nonces
from leadglass.devices.signed import opened, spend
from support.clock import FakeClock
from support.device import ADMIN, Agent, Key, Site

TYP = "leadglass-test+jwt"
CLAIMS = frozenset({"a"})


def fault(site: Site, token: Any) -> str:  # noqa: ANN401 - JSON of any type
    with pytest.raises(StatementRefused) as caught:
        opened(token, TYP, CLAIMS, site.devices.registry)
    return str(caught.value.fault)


async def test_a_known_devices_claims_are_given(site: Site) -> None:
    agent = await site.enrol()
    device, claims = opened(agent.key.jws(TYP, {"a": 1}, agent.id), TYP, CLAIMS, site.devices.registry)
    assert (device.id, claims) == (agent.id, {"a": 1})


async def test_what_is_wrong_is_told_to_the_device_alone(site: Site) -> None:
    agent, thief = await site.enrol(), Key()
    assert fault(site, agent.key.jws(TYP, {"b": 1}, agent.id)) == "claims"
    assert fault(site, agent.key.jws(TYP, b"not json", agent.id)) == "claims"
    assert fault(site, thief.jws(TYP, {"b": 1}, agent.id)) == "invalid"
    assert fault(site, thief.jws(TYP, {"a": 1}, "nobody")) == "invalid"
    assert fault(site, None) == fault(site, "") == "invalid"
    await site.devices.inventory.revoke(agent.id, "lost", ADMIN)
    assert fault(site, agent.key.jws(TYP, {"a": 1}, agent.id)) == "revoked"
    assert fault(site, thief.jws(TYP, {"a": 1}, agent.id)) == "invalid"


def test_a_nonce_is_spent_or_refused() -> None:
    nonces = Nonces(FakeClock())
    nonce = nonces.new()
    spend(nonces, nonce)
    for bad in (nonce, None, 7, ["x"]):
        with pytest.raises(StatementRefused) as caught:
            spend(nonces, bad)
        assert caught.value.members == {"error": "nonce"}


def test_an_agent_signs_as_the_protocol_says() -> None:
    agent = Agent()
    assert agent.statement(0.0)["statement"].count(".") == 2
