"""The wire protocol, whole: through the relay, over the socket, as docs/device-protocol.md says."""

import asyncio
import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from leadglass.codec.control import ROUTES
from leadglass.gateways.control.peer import HEADER, PeerSeal
from leadglass.model.request import Headers
from support.control import V1, Control, request
from support.device import ADMIN, ISSUER, Agent, Key, peer

DOCS = Path(__file__).parents[4] / "docs"
PAGE = "".join(
    (DOCS / page).read_text(encoding="utf-8")
    for page in (
        "device-protocol.md",
        "sign-in.md",
        "signals.md",
        "emergency.md",
        "break-glass.md",
        "explain.md",
        "projects.md",
    )
)


async def enrolled(control: Control) -> Agent:
    agent, made = Agent(), await control.site.devices.codes.make("dr.smith", ISSUER, ADMIN)
    status, reply = await control.post("enrol", agent.enrolment(made["code"]))
    assert status == 201
    agent.enrolled(reply)
    return agent


def posture(agent: Agent, control: Control, **changes: Any) -> dict[str, str]:  # noqa: ANN401 - claims of any JSON type
    return agent.statement(control.site.clock.now(), **changes)


async def test_a_device_enrols_reports_and_renews(control: Control) -> None:
    agent = await enrolled(control)
    status, reply = await control.post("posture", posture(agent, control), peer(agent.id))
    assert (status, set(reply)) == (200, {"received", "nonce"})
    agent.nonce = reply["nonce"]
    status, reply = await control.post("renew", agent.renewal())
    assert (status, set(reply)) == (200, {"certificate", "ca", "trust", "not_after", "nonce"})
    agent.renewed(reply)
    assert control.site.present(agent).checks["firewall"]["status"] == "pass"
    assert control.site.events.kinds == [
        "device-code-issued",
        "device-enrolled",
        "posture-changed",
        "device-certificate-renewed",
    ]


async def test_nonces_are_given(control: Control) -> None:
    agent = await enrolled(control)
    status, reply = await control.get("nonce")
    assert (status, reply["expires_in"]) == (200, 120)
    assert len(reply["nonce"]) <= 128
    agent.nonce = reply["nonce"]
    assert (await control.post("posture", posture(agent, control), peer(agent.id)))[0] == 200


async def test_public_keys_are_published(control: Control) -> None:
    status, reply = await control.get("jwks.json")
    assert status == 200
    ca, record = reply["keys"]
    assert hashlib.sha256(base64.b64decode(ca["x5c"][0])).digest() == control.site.devices.authority.fingerprint
    assert record["kid"] == "record"
    assert "d" not in ca


async def test_refusals_are_problem_documents(control: Control) -> None:
    status, told = await control.post("enrol", {"code_id": "0" * 32, "request": "x", "mac": "x"})
    assert status == 403
    assert told["type"] == "urn:leadglass:reason:enrolment-refused"
    assert told["reasons"] == ["enrolment-refused"]
    assert told["decision_id"] == "01J"
    assert "error" not in told


async def test_faults_tell_the_device_what_to_do_with_a_fresh_nonce(control: Control) -> None:
    agent = await enrolled(control)
    form = posture(agent, control)
    await control.post("posture", form, peer(agent.id))
    status, told = await control.post("posture", form, peer(agent.id))
    assert (status, told["reasons"], told["error"]) == (403, ["statement-invalid"], "nonce")
    agent.nonce = told["nonce"]
    _, told = await control.post("posture", posture(agent, control, seq=1), peer(agent.id))
    assert (told["error"], told["last_seq"]) == ("sequence", 1)
    agent.nonce, agent.seq = told["nonce"], told["last_seq"]
    assert (await control.post("posture", posture(agent, control), peer(agent.id)))[0] == 200
    refused = [fields["fault"] for kind, fields in control.site.events.lines if kind == "statement-refused"]
    assert refused == ["nonce", "sequence"]


async def test_strangers_are_told_nothing_and_write_nothing(control: Control) -> None:
    agent = await enrolled(control)
    agent.key = Key()
    status, told = await control.post("posture", posture(agent, control), peer(agent.id))
    assert (status, told["error"]) == (403, "invalid")
    assert "nonce" not in told
    assert "statement-refused" not in control.site.events.kinds


async def test_a_revoked_device_is_told_to_stop(control: Control) -> None:
    agent = await enrolled(control)
    await control.site.devices.inventory.revoke(agent.id, "lost", ADMIN)
    _, told = await control.post("renew", agent.renewal())
    assert told["error"] == "revoked"
    assert "nonce" not in told


async def test_a_posture_needs_a_device_even_past_the_pipeline(control: Control) -> None:
    agent = await enrolled(control)
    status, told = await control.post("posture", posture(agent, control), peer())
    assert (status, told["reasons"]) == (403, ["device-required"])


BODIES: dict[str, bytes] = {
    "empty": b"",
    "no object": b"[]",
    "no JSON": b"{",
    "member missing": b"{}",
    "member more": b'{"request":"x","more":1}',
    "member twice": b'{"request":"x","request":"y"}',
    "not UTF-8": b'{"request":"\xff"}',
    "deep": b'{"request":' + b"[" * 1000,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_malformed_bodies_are_refused(control: Control, body: bytes) -> None:
    status, told = await control.post("renew", body)
    assert (status, told["reasons"]) == (400, ["http-malformed"])


@pytest.mark.parametrize("media", [None, "text/plain", "application/x-www-form-urlencoded"])
async def test_other_media_are_refused(control: Control, media: str | None) -> None:
    headers = Headers({} if media is None else {"content-type": media})
    reply = await control.relay.ask(request(V1 + "renew", headers=headers), b'{"request":"x"}', peer())
    assert reply.status == 400


@pytest.mark.parametrize("value", [None, "forged", "e30.AAAA"])
async def test_nobody_passes_the_relay_by(control: Control, value: str | None) -> None:
    connector = aiohttp.UnixConnector(path=str(control.public))
    headers = {} if value is None else {HEADER: value}
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(f"http://x{V1}nonce", headers=headers) as reply,
    ):
        assert reply.status == 403
        assert await reply.read() == b""


async def test_a_seal_of_another_start_is_refused(control: Control) -> None:
    other = PeerSeal().seal(peer("AQ"), "GET", f"{V1}nonce")
    connector = aiohttp.UnixConnector(path=str(control.public))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(f"http://x{V1}nonce", headers={HEADER: other}) as reply,
    ):
        assert reply.status == 403


async def test_a_fault_of_ours_is_a_refusal(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise LookupError

    monkeypatch.setattr(type(control.site.devices.nonces), "new", lambda _: broken())
    status, told = await control.get("nonce")
    assert (status, told["reasons"]) == (500, ["internal-fault"])


async def test_a_statement_that_cannot_be_recorded_is_refused(control: Control) -> None:
    agent = await enrolled(control)
    control.site.events.broken = True
    status, told = await control.post("posture", posture(agent, control), peer(agent.id))
    assert (status, told["reasons"]) == (503, ["audit-unavailable"])


async def test_many_devices_report_at_once(control: Control) -> None:
    agents = [await enrolled(control) for _ in range(10)]
    replies = await asyncio.gather(
        *(control.post("posture", posture(agent, control), peer(agent.id)) for agent in agents)
    )
    assert [status for status, _ in replies] == [200] * 10


def test_every_route_stands_in_the_protocol_page() -> None:
    for route in ROUTES:
        assert re.search(rf"`{re.escape(route.path)}` \| {route.method} \| {route.needs}\b", PAGE), route


def test_what_travels_is_plain_json() -> None:
    assert orjson.loads(orjson.dumps(Agent().statement(0.0)))
