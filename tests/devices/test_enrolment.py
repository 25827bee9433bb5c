"""Enrolment: authenticated both ways by the code, once, within five tries and fifteen minutes."""

import asyncio
import base64
import hashlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leadglass.model.errors import Refusal
from support.device import ADMIN, ISSUER, Agent, Key, Site, b64u, device_site, peer


async def code_for(site: Site, owner: str = "dr.smith") -> str:
    return (await site.devices.codes.make(owner, ISSUER, ADMIN))["code"]


def content(folder: Path) -> bytes:
    """Return everything that stands in the store's files."""
    return b"".join(path.read_bytes() for path in folder.glob("leadglass.db*"))


async def refused(site: Site, form: dict[str, Any]) -> str:
    """Return the detail of the refusal that `form` gets."""
    with pytest.raises(Refusal, match=r"^enrolment-refused$") as caught:
        await site.devices.enrolment.enrol(form, peer())
    return caught.value.detail


async def test_a_device_becomes_known_and_may_be_used(site: Site) -> None:
    agent, code = Agent(), await code_for(site)
    told = agent.enrolled(await site.devices.enrolment.enrol(agent.enrolment(code), peer()))
    ca = base64.b32decode(code.replace("-", "")[3:])[16:48]
    assert hashlib.sha256(base64.b64decode("".join(told["ca"].splitlines()[1:-1]))).digest() == ca
    assert told["owner"] == "dr.smith"
    assert len(told["device_id"]) == 23
    assert told["trust"] == []
    device = site.present(agent)
    assert (device.id, device.owner, device.owner_issuer) == (agent.id, "dr.smith", ISSUER)
    assert (device.name, device.key_protection) == ("ws-17", "software")
    assert device.received is None
    assert site.events.kinds == ["device-code-issued", "device-enrolled"]
    assert site.epoch(agent) == 1


async def test_the_record_and_the_store_never_hold_the_code(site: Site, tmp_path: Path) -> None:
    code = await code_for(site)
    secret = base64.b32decode(code.replace("-", "")[3:])[:16]
    stored = content(tmp_path)
    assert secret not in stored
    assert code[:15].encode() not in stored
    assert code[:15] not in repr(site.events.lines)


async def test_devices_are_told_whom_to_trust(tmp_path: Path) -> None:
    async with device_site(tmp_path, trust=lambda: ("PEM",)) as site:
        agent = Agent()
        reply = await site.devices.enrolment.enrol(agent.enrolment(await code_for(site)), peer())
        assert agent.enrolled(reply)["trust"] == ["PEM"]


async def test_a_code_serves_once(site: Site) -> None:
    code = await code_for(site)
    await site.devices.enrolment.enrol(Agent().enrolment(code), peer())
    assert await refused(site, Agent().enrolment(code)) == "no such code, or it is over"


async def test_two_at_once_with_one_code_enrol_one(site: Site) -> None:
    code = await code_for(site)
    forms = [Agent().enrolment(code) for _ in range(4)]
    results = await asyncio.gather(
        *(site.devices.enrolment.enrol(form, peer()) for form in forms), return_exceptions=True
    )
    assert sum(isinstance(result, dict) for result in results) == 1
    assert len(site.devices.registry) == 1


@pytest.mark.parametrize(("seconds", "good"), [(899, True), (900, False)])
async def test_a_code_ends_after_fifteen_minutes(site: Site, seconds: int, good: bool) -> None:  # noqa: FBT001 - rows of a table
    code = await code_for(site)
    site.clock.advance(seconds)
    if good:
        await site.devices.enrolment.enrol(Agent().enrolment(code), peer())
    else:
        await refused(site, Agent().enrolment(code))


async def test_five_wrong_tries_end_a_code(site: Site) -> None:
    code, agent = await code_for(site), Agent()
    form = agent.enrolment(code)
    for number in range(5):
        guess = b64u(number.to_bytes(32))
        assert await refused(site, {**form, "mac": guess}) == "MAC"
    assert await refused(site, form) == "no such code, or it is over"
    refusals = [fields for kind, fields in site.events.lines if kind == "enrolment-refused"]
    assert [fields["tries_left"] for fields in refusals] == [4, 3, 2, 1, 0]


async def test_parallel_tries_count_as_well(site: Site) -> None:
    form = Agent().enrolment(await code_for(site))
    guesses = [{**form, "mac": b64u(number.to_bytes(32))} for number in range(20)]
    details = await asyncio.gather(*(refused(site, guess) for guess in guesses))
    assert details.count("MAC") == 5


async def test_tries_are_counted_across_a_restart(site: Site) -> None:
    form = Agent().enrolment(await code_for(site))
    for _ in range(5):
        await refused(site, {**form, "mac": b64u(b"\0" * 32)})
        await site.restart()
    assert await refused(site, form) == "no such code, or it is over"


async def test_the_mac_of_another_code_is_refused(site: Site) -> None:
    one, two = Agent().enrolment(await code_for(site)), Agent().enrolment(await code_for(site))
    assert await refused(site, {**one, "mac": two["mac"]}) == "MAC"
    assert await refused(site, {**one, "request": two["request"]}) == "MAC"
    assert await refused(site, {**one, "code_id": two["code_id"]}) == "MAC"


async def test_a_key_that_did_not_sign_is_refused(site: Site) -> None:
    assert await refused(site, Agent().enrolment(await code_for(site), signer=Key())) == "request: signature"


CHANGES: dict[str, dict[str, Any]] = {
    "session key is device key": {"session_jwk": None},
    "private device key": {"device_jwk": {**Key().jwk, "d": "AA"}},
    "no session key": {"session_jwk": {}},
    "hostname with a line": {"hostname": "ws\n17"},
    "hostname empty": {"hostname": ""},
    "hostname no text": {"hostname": ["ws"]},
    "os with escape": {"os": "\x1b[2J"},
    "os too long": {"os": "x" * 129},
    "protection unknown": {"key_protection": "yubikey"},
    "protection a list": {"key_protection": ["tpm"]},
    "another claim": {"owner": "somebody.else"},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_claims_out_of_bounds_are_refused(site: Site, change: dict[str, Any]) -> None:
    agent = Agent()
    if change == {"session_jwk": None}:
        change = {"session_jwk": agent.key.jwk}
    await refused(site, agent.enrolment(await code_for(site), **change))
    assert len(site.devices.registry) == 0


FORMS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "mac no text": lambda form: {**form, "mac": 7},
    "mac no base64url": lambda form: {**form, "mac": "!"},
    "mac empty": lambda form: {**form, "mac": ""},
    "id no text": lambda form: {**form, "code_id": None},
    "id unknown": lambda form: {**form, "code_id": "0" * 32},
    "id upper case": lambda form: {**form, "code_id": "A" + form["code_id"][1:]},
    "request no text": lambda form: {**form, "request": {}},
    "request beyond ASCII": lambda form: {**form, "request": "ä"},
}


@pytest.mark.parametrize("change", FORMS.values(), ids=FORMS)
async def test_other_forms_are_refused(site: Site, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    await refused(site, change(dict(Agent().enrolment(await code_for(site)))))


async def test_a_device_key_enrols_once_even_after_revocation(site: Site) -> None:
    agent = await site.enrol()
    assert "already" in await refused(site, agent.enrolment(await code_for(site)))
    await site.devices.inventory.revoke(agent.id, "lost", ADMIN)
    await site.restart()
    assert "already" in await refused(site, agent.enrolment(await code_for(site)))


async def test_what_cannot_be_recorded_does_not_happen(site: Site) -> None:
    form = Agent().enrolment(await code_for(site))
    site.events.broken = True
    with pytest.raises(Refusal, match="audit-unavailable"):
        await site.devices.enrolment.enrol(form, peer())
    site.events.broken = False
    await site.restart()
    assert len(site.devices.registry) == 0
    await site.devices.enrolment.enrol(form, peer())


async def test_a_locked_store_is_said_and_passes(site: Site, tmp_path: Path) -> None:
    form = Agent().enrolment(await code_for(site))
    other = sqlite3.connect(tmp_path / "leadglass.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(Refusal, match="store-unavailable"):
            await site.devices.enrolment.enrol(form, peer())
    finally:
        other.close()
    await site.devices.enrolment.enrol(form, peer())
