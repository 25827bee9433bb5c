"""Proofs of sessions: what the device key signed for this session, at this origin, once."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from leadglass.devices.faults import StatementRefused
from support.device import ADMIN, Agent, Key, Site, peer

ORIGIN = "https://pacs.example.org"
SESSION = "0123456789abcdef"


def take(site: Site, signed: object, *, session: str = SESSION, origin: str = ORIGIN) -> str:
    return site.devices.proof.take({"proof": signed}, session, origin).id


def fault(site: Site, signed: object, **where: str) -> str:
    with pytest.raises(StatementRefused) as caught:
        take(site, signed, **where)
    return str(caught.value.fault)


def signed(site: Site, agent: Agent, session: str = SESSION, **changes: Any) -> str:  # noqa: ANN401 - claims
    return agent.proof(site.clock.now(), ORIGIN, site.devices.proof.challenge(session), **changes)


async def test_a_proof_names_the_device_once(site: Site) -> None:
    agent = await site.enrol()
    made = signed(site, agent)
    assert take(site, made) == agent.id
    assert fault(site, made) == "nonce"


async def test_a_proof_of_a_device_whose_certificates_are_over_is_as_good(site: Site) -> None:
    agent = await site.enrol()
    site.clock.advance(90_000)
    assert take(site, signed(site, agent)) == agent.id


CLAIMS: list[tuple[str, dict[str, Any], str]] = [
    ("foreign-aud", {"aud": "https://evil.example"}, "claims"),
    ("aud-suffix", {"aud": ORIGIN + ".evil.example"}, "claims"),
    ("aud-slash", {"aud": ORIGIN + "/"}, "claims"),
    ("aud-list", {"aud": [ORIGIN]}, "claims"),
    ("foreign-sid", {"sid": "A" * 43}, "claims"),
    ("foreign-ueid", {"ueid": "another"}, "claims"),
    ("no-jti", {"jti": ...}, "claims"),
    ("empty-jti", {"jti": ""}, "claims"),
    ("long-jti", {"jti": "j" * 65}, "claims"),
    ("a-claim-more", {"htm": "GET"}, "claims"),
    ("iat-text", {"iat": "1"}, "claims"),
    ("old", {"iat": 1_800_000_000 - 151}, "clock"),
    ("early", {"iat": 1_800_000_000 + 151}, "clock"),
    ("no-nonce", {"nonce": "AAAA"}, "nonce"),
    ("nonce-number", {"nonce": 7}, "nonce"),
]


@pytest.mark.parametrize(("changes", "told"), [row[1:] for row in CLAIMS], ids=[row[0] for row in CLAIMS])
async def test_a_claim_that_is_wrong(site: Site, changes: dict[str, Any], told: str) -> None:
    assert fault(site, signed(site, await site.enrol(), **changes)) == told


async def test_a_challenge_is_its_sessions(site: Site) -> None:
    agent = await site.enrol()
    desk, now = site.devices.proof, site.clock.now()
    foreign = desk.challenge("another")
    assert fault(site, agent.proof(now, ORIGIN, foreign)) == "claims"  # sid
    mixed = {**desk.challenge(SESSION), "nonce": foreign["nonce"]}
    assert fault(site, agent.proof(now, ORIGIN, mixed)) == "nonce"
    assert take(site, agent.proof(now, ORIGIN, foreign), session="another") == agent.id


async def test_a_challenge_expires(site: Site) -> None:
    agent = await site.enrol()
    challenge = site.devices.proof.challenge(SESSION)
    site.clock.advance(120)
    assert fault(site, agent.proof(site.clock.now(), ORIGIN, challenge)) == "nonce"


async def test_a_restart_makes_challenges_void(site: Site) -> None:
    agent = await site.enrol()
    made = signed(site, agent)
    await site.restart()
    assert fault(site, made) == "nonce"


async def test_a_page_of_another_of_our_origins_shows_no_proof_of_this_one(site: Site) -> None:
    assert fault(site, signed(site, await site.enrol()), origin="https://pacs2.example.org") == "claims"


async def test_nonces_of_statements_are_no_challenges_and_the_other_way_round(site: Site) -> None:
    agent = await site.enrol()
    posture = {**site.devices.proof.challenge(SESSION), "nonce": site.devices.nonces.new()}
    assert fault(site, agent.proof(site.clock.now(), ORIGIN, posture)) == "nonce"
    assert not site.devices.nonces.spend(site.devices.proof.challenge(SESSION)["nonce"])


Forge = Callable[[Agent, dict[str, Any]], object]
FORGED: list[tuple[str, Forge]] = [
    ("posture-typ", lambda a, c: a.key.jws("leadglass-posture+jwt", c, a.id)),
    ("renewal-typ", lambda a, c: a.key.jws("leadglass-renewal+jwt", c, a.id)),
    ("dpop-typ", lambda a, c: a.key.jws("dpop+jwt", c, a.id)),
    ("typ-case", lambda a, c: a.key.jws("Leadglass-Device+jwt", c, a.id)),
    ("alg-none", lambda a, c: a.key.sign({"alg": "none", "typ": "leadglass-device+jwt", "kid": a.id}, c)),
    ("jwk", lambda a, c: (k := Key()).sign(
        {"alg": "ES256", "typ": "leadglass-device+jwt", "kid": a.id, "jwk": k.jwk}, c)),
    ("no-kid", lambda a, c: a.key.jws("leadglass-device+jwt", c)),
    ("another-kid", lambda a, c: a.key.jws("leadglass-device+jwt", c, "nobody")),
    ("session-key", lambda a, c: a.session.jws("leadglass-device+jwt", c, a.id)),
    ("thief", lambda a, c: Key().jws("leadglass-device+jwt", c, a.id)),
    ("oversize", lambda a, c: a.key.jws("leadglass-device+jwt", json.dumps(c).encode() + b" " * 70_000, a.id)),
    ("text", lambda _a, _c: "x"),
    ("number", lambda _a, _c: 7),
    ("nothing", lambda _a, _c: None),
]  # fmt: skip


@pytest.mark.parametrize("forge", [row[1] for row in FORGED], ids=[row[0] for row in FORGED])
async def test_what_the_device_key_did_not_sign_as_a_proof(site: Site, forge: Forge) -> None:
    agent = await site.enrol()
    claims = agent.proves(site.clock.now(), ORIGIN, site.devices.proof.challenge(SESSION))
    assert fault(site, forge(agent, claims)) == "invalid"
    assert take(site, agent.key.jws("leadglass-device+jwt", claims, agent.id)) == agent.id  # nothing was spent


async def test_a_proof_is_no_statement_and_no_renewal(site: Site) -> None:
    agent = await site.enrol()
    made, shown = signed(site, agent), peer(agent.id)
    statement = site.devices.posture.take({"statement": made}, shown)
    renewal = site.devices.renewal.renew({"request": made}, shown)
    for answer in await asyncio.gather(statement, renewal, return_exceptions=True):
        assert isinstance(answer, StatementRefused)
        assert answer.fault == "invalid"


async def test_a_device_that_was_withdrawn_proves_nothing(site: Site) -> None:
    agent = await site.enrol()
    made = signed(site, agent)
    await site.devices.inventory.revoke(agent.id, "lost", ADMIN)
    assert fault(site, made) == "revoked"
