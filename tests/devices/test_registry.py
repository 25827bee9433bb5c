"""What a certificate stands for is judged on every request, against what is active now."""

from collections.abc import Callable
from pathlib import Path

import pytest

from leadglass.hazmat.statement import DeviceKey
from leadglass.hazmat.x509 import DeviceAuthority, make_ca
from leadglass.model.errors import Refusal
from support.device import ADMIN, Agent, Key, Site, device_site


def refused(site: Site, certificate: bytes, code: str) -> str:
    with pytest.raises(Refusal, match=f"^{code}$") as caught:
        site.devices.registry.present(certificate, site.clock.now())
    return caught.value.detail


async def test_no_certificate_is_no_device(site: Site) -> None:
    assert site.devices.registry.present(None, site.clock.now()) is None


async def test_the_same_value_is_given_until_something_changes(site: Site) -> None:
    agent = await site.enrol()
    first = site.present(agent)
    assert site.present(agent) is first
    await site.tell(agent)
    assert site.present(agent) is not first


async def test_revocation_holds_on_the_next_request_and_for_good(site: Site) -> None:
    agent, other = await site.enrol(), await site.enrol("dr.jones")
    site.present(agent)
    before = site.epoch(agent)
    assert await site.devices.inventory.revoke(agent.id, "lost", ADMIN)
    assert refused(site, agent.certificate, "statement-invalid") == "certificate: not-active"
    assert site.epoch(agent) > before
    await site.restart()
    refused(site, agent.certificate, "statement-invalid")
    assert site.present(other).owner == "dr.jones"


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(-61, "statement-invalid"), (3600, "device-certificate-expired"), (1e6, "device-certificate-expired")],
)
async def test_validity_is_judged_now(site: Site, seconds: float, code: str) -> None:
    agent = await site.enrol()
    site.present(agent)
    site.clock.advance(seconds)
    refused(site, agent.certificate, code)
    await site.restart()
    refused(site, agent.certificate, code)


async def test_one_that_was_issued_and_is_not_stored_is_not_active(site: Site) -> None:
    agent = await site.enrol()
    issued = site.devices.authority.issue(DeviceKey(Key().jwk), agent.id, site.clock.now())
    assert refused(site, issued.der, "statement-invalid") == "certificate: not-active"
    site.clock.advance(3600)
    refused(site, issued.der, "device-certificate-expired")


STRANGERS: dict[str, Callable[[Agent], bytes]] = {
    "garbage": lambda _: b"garbage",
    "empty": lambda _: b"",
    "trailing byte": lambda agent: agent.certificate + b"\0",
    "last byte changed": lambda agent: agent.certificate[:-1] + bytes([agent.certificate[-1] ^ 1]),
}


@pytest.mark.parametrize("make", STRANGERS.values(), ids=STRANGERS)
async def test_strangers_are_refused(site: Site, make: Callable[[Agent], bytes]) -> None:
    agent = await site.enrol()
    assert refused(site, make(agent), "statement-invalid").startswith("certificate: ")


async def test_another_cas_certificate_is_refused(site: Site) -> None:
    agent = await site.enrol()
    foreign = DeviceAuthority(*make_ca("Leadglass device CA", site.clock.now()))
    issued = foreign.issue(DeviceKey(Key().jwk), agent.id, site.clock.now())
    assert refused(site, issued.der, "statement-invalid") == "certificate: not-issued-by-device-ca"


async def test_stored_certificates_of_a_replaced_ca_are_not_believed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with device_site(tmp_path) as site:
        agent = await site.enrol()
    for file in (tmp_path / "device-ca").iterdir():
        file.unlink()
    async with device_site(tmp_path) as site:
        refused(site, agent.certificate, "statement-invalid")
        assert "must enrol again" in caplog.text
        assert len(site.devices.registry) == 1


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    async with device_site(tmp_path) as site:
        agent = await site.enrol()
        await site.tell(agent)
        before = site.present(agent)
    async with device_site(tmp_path) as site:
        after = site.present(agent)
        assert (after.id, after.owner, after.expires, after.checks) == (
            before.id,
            before.owner,
            before.expires,
            before.checks,
        )
        stored = site.devices.registry.get(agent.id)
        assert stored is not None
        assert stored.posture is not None
        assert stored.posture.seq == 1


async def test_a_device_that_signed_is_given_as_it_is_now(site: Site) -> None:
    agent = await site.enrol()
    registry = site.devices.registry
    first = registry.proven(agent.id)
    assert (first.binding, first.owner, first.received) == ("proof", "dr.smith", None)
    assert registry.proven(agent.id) is first
    await site.tell(agent)
    told = registry.proven(agent.id)
    assert (told.received, dict(told.checks)) == (site.clock.monotonic(), dict(site.present(agent).checks))
    site.clock.advance(30)
    await site.tell(agent)
    assert registry.proven(agent.id).age(site.clock.monotonic()) == 0
    site.clock.advance(7)
    await site.restart()  # its posture is as old as it was
    assert site.devices.registry.proven(agent.id).age(site.clock.monotonic()) == 7


async def test_a_device_that_was_withdrawn_or_never_was_is_refused(site: Site) -> None:
    agent = await site.enrol()
    site.devices.registry.proven(agent.id)
    await site.devices.inventory.revoke(agent.id, "lost", ADMIN)
    for name in (agent.id, "nobody"):
        with pytest.raises(Refusal, match="statement-invalid"):
            site.devices.registry.proven(name)
