"""Renewal: the device key alone decides, over a nonce, also when the certificate is long over."""

from typing import Any

import pytest

from leadglass.devices import registry as registry_module
from leadglass.devices import renewal as renewal_module
from leadglass.devices.faults import StatementRefused
from leadglass.model.errors import Refusal
from support.device import ADMIN, Agent, Key, Site, peer


async def renew(site: Site, agent: Agent) -> None:
    agent.renewed(await site.devices.renewal.renew(agent.renewal(), peer()))


async def fault(site: Site, form: dict[str, Any]) -> dict[str, str | int]:
    with pytest.raises(StatementRefused, match="statement-invalid") as caught:
        await site.devices.renewal.renew(form, peer())
    return caught.value.members


async def test_so_many_of_the_newest_certificates_are_good(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (registry_module, renewal_module):
        monkeypatch.setattr(module, "CERTIFICATES_ACTIVE", 2)
    agent = await site.enrol()
    certificates = [agent.certificate]
    for _ in range(3):
        site.clock.advance(60)
        await renew(site, agent)
        certificates.append(agent.certificate)
    for restart in (False, True):
        if restart:
            await site.restart()
        for old in certificates[:2]:
            with pytest.raises(Refusal, match="statement-invalid"):
                site.devices.registry.present(old, site.clock.now())
        for new in certificates[2:]:
            assert site.devices.registry.present(new, site.clock.now()) is not None
    assert site.events.kinds.count("device-certificate-renewed") == 3


async def test_a_device_that_was_off_for_a_week_renews(site: Site) -> None:
    agent = await site.enrol()
    site.clock.advance(7 * 86400)
    with pytest.raises(Refusal, match="device-certificate-expired"):
        site.present(agent)
    agent.nonce = site.devices.nonces.new()
    await renew(site, agent)
    assert site.present(agent).id == agent.id


async def test_renewal_ends_leases_and_keeps_the_posture(site: Site) -> None:
    agent = await site.enrol()
    await site.tell(agent)
    before, age = site.epoch(agent), site.present(agent).age(site.clock.monotonic() + 5)
    await renew(site, agent)
    assert site.epoch(agent) == before + 1
    assert site.present(agent).age(site.clock.monotonic() + 5) == age == 5


async def test_a_nonce_serves_once(site: Site) -> None:
    agent = await site.enrol()
    form = agent.renewal()
    await site.devices.renewal.renew(form, peer())
    assert (await fault(site, form))["error"] == "nonce"


async def test_a_revoked_device_is_told_so_and_gets_none(site: Site) -> None:
    agent = await site.enrol()
    await site.devices.inventory.revoke(agent.id, "lost", ADMIN)
    assert (await fault(site, agent.renewal()))["error"] == "revoked"
    agent.key = Key()
    assert (await fault(site, agent.renewal()))["error"] == "invalid"


async def test_only_the_device_key_renews(site: Site) -> None:
    agent, other = await site.enrol(), await site.enrol()
    agent.key, key = other.key, agent.key
    assert (await fault(site, agent.renewal()))["error"] == "invalid"
    agent.key = agent.session
    assert (await fault(site, agent.renewal()))["error"] == "invalid"
    agent.key = key
    await renew(site, agent)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"session_jwk": {}}, "claims"),
        ({"session_jwk": {**Key().jwk, "d": "AA"}}, "claims"),
        ({"more": 1}, "claims"),
        ({"nonce": 7}, "nonce"),
        ({"nonce": ""}, "nonce"),
    ],
)
async def test_other_claims_are_refused(site: Site, changes: dict[str, Any], error: str) -> None:
    agent = await site.enrol()
    assert (await fault(site, agent.renewal(**changes)))["error"] == error


async def test_the_device_key_is_no_session_key(site: Site) -> None:
    agent = await site.enrol()
    assert (await fault(site, agent.renewal(session_jwk=agent.key.jwk)))["error"] == "claims"


async def test_a_statement_is_no_renewal(site: Site) -> None:
    agent = await site.enrol()
    token = agent.key.jws("leadglass-posture+jwt", {"nonce": agent.nonce, "session_jwk": Key().jwk}, agent.id)
    assert (await fault(site, {"request": token}))["error"] == "invalid"
    assert (await fault(site, {"request": None}))["error"] == "invalid"


async def test_what_cannot_be_recorded_does_not_happen(site: Site) -> None:
    agent = await site.enrol()
    old = agent.certificate
    site.events.broken = True
    with pytest.raises(Refusal, match="audit-unavailable"):
        await site.devices.renewal.renew(agent.renewal(), peer())
    assert [digest for digest, _ in site.devices.registry.certificates(agent.id)] != []
    assert site.devices.registry.present(old, site.clock.now()) is not None
    await site.restart()
    assert len(site.devices.registry.certificates(agent.id)) == 1
