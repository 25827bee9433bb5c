"""Posture statements: only from the device itself, on its own certificate, fresh, in order; kept with the gateway's time."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadglass.devices.faults import StatementRefused
from leadglass.model.errors import Refusal
from support.device import ADMIN, Agent, Key, Site, peer

PASS = {"firewall": {"status": "pass"}}
FAIL = {"firewall": {"status": "fail"}}


async def fault(site: Site, form: dict[str, Any], on: Agent) -> dict[str, str | int]:
    """Return the problem members of the refusal that `form` gets on the connection of `on`."""
    with pytest.raises(StatementRefused, match="statement-invalid") as caught:
        await site.devices.posture.take(form, peer(on.id))
    return caught.value.members


async def test_a_statement_becomes_facts_with_the_gateways_time(site: Site) -> None:
    agent = await site.enrol()
    reply = await site.devices.posture.take(agent.statement(site.clock.now() - 100), peer(agent.id))
    assert reply["received"] == "2027-01-15T08:00:00.000000Z"
    site.clock.advance(7)
    device = site.present(agent)
    assert device.age(site.clock.monotonic()) == 7
    assert device.checks["firewall"]["status"] == "pass"


async def test_only_a_change_of_checks_moves_the_epoch(site: Site) -> None:
    agent = await site.enrol()
    await site.tell(agent, checks=PASS)
    before, first = site.epoch(agent), site.present(agent)
    site.clock.advance(30)
    await site.tell(agent, checks=PASS)
    assert site.epoch(agent) == before
    assert site.present(agent).age(site.clock.monotonic()) == 0
    assert first.age(site.clock.monotonic()) == 30  # the old value stays as it was
    await site.tell(agent, checks=FAIL)
    assert site.epoch(agent) == before + 1
    assert site.present(agent).checks == FAIL


async def test_the_record_says_which_checks_changed_and_no_values(site: Site) -> None:
    agent = await site.enrol()
    await site.tell(agent, checks={**PASS, "vpn": {"status": "unknown", "value": "secret"}})
    await site.tell(agent, checks={**FAIL, "vpn": {"status": "unknown", "value": "other"}})
    changes = [fields for kind, fields in site.events.lines if kind == "posture-changed"]
    assert changes[1]["changed"] == {"firewall": {"from": "pass", "to": "fail"}}
    assert "secret" not in repr(site.events.lines)
    await site.tell(agent, checks={})
    assert site.events.lines[-1][1]["changed"]["firewall"] == {"from": "fail", "to": None}


async def test_the_age_survives_a_restart(site: Site) -> None:
    agent = await site.enrol()
    await site.tell(agent)
    site.clock.advance(40)
    await site.restart()
    assert site.present(agent).age(site.clock.monotonic()) == pytest.approx(40)
    assert site.present(agent).checks["firewall"]["status"] == "pass"


async def test_a_receipt_from_the_future_is_no_posture(site: Site) -> None:
    agent = await site.enrol()
    await site.tell(agent)
    site.clock.step(-50)
    await site.restart()
    assert site.present(agent).received is None


async def test_another_keys_statement_is_refused(site: Site) -> None:
    agent, other = await site.enrol(), await site.enrol()
    agent.key, key = other.key, agent.key
    assert await fault(site, agent.statement(site.clock.now()), agent) == {"error": "invalid"}
    agent.key = Key()
    assert await fault(site, agent.statement(site.clock.now()), agent) == {"error": "invalid"}
    agent.key = key
    await site.tell(agent)


async def test_one_devices_statement_on_anothers_certificate_is_refused(site: Site) -> None:
    one, two = await site.enrol(), await site.enrol()
    form = one.statement(site.clock.now())
    assert await fault(site, form, two) == {"error": "invalid"}
    await site.devices.posture.take(form, peer(one.id))  # its nonce was not spent by the thief


async def test_a_replay_is_refused(site: Site) -> None:
    agent = await site.enrol()
    form = agent.statement(site.clock.now())
    await site.devices.posture.take(form, peer(agent.id))
    assert (await fault(site, form, agent))["error"] == "nonce"


async def test_a_nonce_that_ended_is_refused(site: Site) -> None:
    agent = await site.enrol()
    site.clock.advance(120)
    assert (await fault(site, agent.statement(site.clock.now()), agent))["error"] == "nonce"


@pytest.mark.parametrize(("offset", "good"), [(-151, False), (-150, True), (150, True), (151, False)])
async def test_iat_stands_within_the_leeway(site: Site, offset: int, good: bool) -> None:  # noqa: FBT001 - rows of a table
    agent = await site.enrol()
    form = agent.statement(site.clock.now(), iat=int(site.clock.now()) + offset)
    if good:
        await site.devices.posture.take(form, peer(agent.id))
    else:
        assert (await fault(site, form, agent))["error"] == "clock"


@pytest.mark.parametrize("back", [0, 1, 4])
@pytest.mark.parametrize("restart", [False, True])
async def test_a_sequence_only_grows(site: Site, back: int, restart: bool) -> None:  # noqa: FBT001 - rows of a table
    agent = await site.enrol()
    await site.tell(agent, seq=5)
    if restart:
        await site.restart()
        agent.nonce = site.devices.nonces.new()
    form = agent.statement(site.clock.now(), seq=5 - back)
    assert await fault(site, form, agent) == {"error": "sequence", "last_seq": 5}


async def test_uptime_never_runs_backwards_within_a_boot(site: Site) -> None:
    agent = await site.enrol()
    await site.tell(agent, uptime=500.5)
    form = agent.statement(site.clock.now(), uptime=500.25)
    assert (await fault(site, form, agent))["error"] == "boot"


@pytest.mark.parametrize(("uptime", "good"), [(60, True), (129, True), (131, False), (1e6, False)])
async def test_another_boot_began_after_the_statement_before(site: Site, uptime: float, good: bool) -> None:  # noqa: FBT001 - rows of a table
    agent = await site.enrol()
    await site.tell(agent)
    site.clock.advance(100)
    form = agent.statement(site.clock.now(), boot_id="boot-2", uptime=uptime)
    if good:
        await site.devices.posture.take(form, peer(agent.id))
    else:
        assert (await fault(site, form, agent))["error"] == "boot"


CLAIMS: dict[str, dict[str, Any]] = {
    "no profile": {"eat_profile": ...},
    "another profile": {"eat_profile": "urn:leadglass:posture:2"},
    "another device": {"ueid": "AQAAAAAAAAAAAAAAAAAAAAA"},
    "no checks": {"checks": ...},
    "one claim more": {"nbf": 1},
    "iat a text": {"iat": "1800000000"},
    "iat a float": {"iat": 1800000000.0},
    "iat true": {"iat": True},
    "seq zero": {"seq": 0},
    "seq negative": {"seq": -1},
    "seq too large": {"seq": 2**53},
    "seq a float": {"seq": 1.0},
    "uptime negative": {"uptime": -1},
    "uptime a text": {"uptime": "1"},
    "boot with a space": {"boot_id": "a b"},
    "boot a number": {"boot_id": 7},
    "name empty": {"swname": ""},
    "version with ANSI": {"swversion": "1\x1b[31m"},
}


@pytest.mark.parametrize("changes", CLAIMS.values(), ids=CLAIMS)
async def test_claims_out_of_bounds_are_refused(site: Site, changes: dict[str, Any]) -> None:
    agent = await site.enrol()
    form = agent.statement(site.clock.now(), **changes)
    assert (await fault(site, form, agent))["error"] == "claims"
    assert site.present(agent).received is None


async def test_an_oversize_statement_is_not_read(site: Site) -> None:
    agent = await site.enrol()
    form = agent.statement(site.clock.now(), swname="x" * 70_000)
    assert await fault(site, form, agent) == {"error": "invalid"}


async def test_revocation_holds_at_once(site: Site) -> None:
    agent = await site.enrol()
    await site.devices.inventory.revoke(agent.id, "lost", ADMIN)
    assert (await fault(site, agent.statement(site.clock.now()), agent))["error"] == "revoked"


async def test_what_cannot_be_recorded_does_not_happen(site: Site) -> None:
    agent = await site.enrol()
    await site.tell(agent, checks=FAIL)
    site.events.broken = True
    with pytest.raises(Refusal, match="audit-unavailable"):
        await site.tell(agent, checks=PASS)
    assert site.present(agent).checks == FAIL
    await site.restart()
    assert site.present(agent).checks == FAIL


async def test_a_locked_store_leaves_the_old_facts(site: Site, tmp_path: Path) -> None:
    agent = await site.enrol()
    await site.tell(agent, checks=FAIL)
    other = sqlite3.connect(tmp_path / "leadglass.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(Refusal, match="store-unavailable"):
            await site.tell(agent, checks=PASS)
    finally:
        other.close()
    assert site.present(agent).checks == FAIL


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
async def test_no_mutation_of_a_statement_becomes_facts(site: Site, data: st.DataObject) -> None:
    agent = await site.enrol()
    token = agent.statement(site.clock.now())["statement"]
    position = data.draw(st.integers(0, 399)) % len(token)
    letter = data.draw(st.characters(max_codepoint=255))
    mutated = token[:position] + letter + token[position + 1 :]
    if mutated == token:
        return
    assert await fault(site, {"statement": mutated}, agent) == {"error": "invalid"}
    assert site.present(agent).received is None
