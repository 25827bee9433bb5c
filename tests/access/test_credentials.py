"""Bound tokens through a whole gateway: what is asked of each request, and what never leaves."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.dpop import Client
from support.gateway import CT, HOST, OWNER, Answer, Running, running
from support.tokens import b64

TARGET = f"/dicom-web/studies/{CT.uid}/metadata"
HTU = f"https://{HOST}{TARGET}"
CLIENT = Client()


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path) as run:
        yield run


def proof(gateway: Running, token: str, nonce: str | None = None) -> str:
    said = ... if nonce is None else nonce
    return CLIENT.proof(token, htu=HTU, iat=int(gateway.clock.now()), nonce=said)


async def ask(gateway: Running, token: str, *proofs: str, target: str = TARGET, scheme: str = "DPoP") -> Answer:
    fields = [f"DPoP: {one}" for one in proofs]
    return await gateway.ask(target, f"Authorization: {scheme} {token}", *fields, token=None)


async def nonce_for(gateway: Running, token: str) -> str:
    asked = await ask(gateway, token, proof(gateway, token))
    assert asked.status == 401
    assert asked.headers["www-authenticate"].startswith('DPoP realm="leadglass", algs="ES256 ')
    assert asked.headers["www-authenticate"].endswith('error="use_dpop_nonce"')
    return asked.headers["dpop-nonce"]


async def test_a_dpop_bound_token_from_challenge_to_lease(gateway: Running) -> None:
    token = gateway.token(cnf={"jkt": CLIENT.jkt})
    nonce = await nonce_for(gateway, token)
    answers = [await ask(gateway, token, proof(gateway, token, nonce)) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 200]
    lines = [line for answer in answers for line in gateway.about(answer) if line["type"] == "decision"]
    assert len(lines) == 1  # one decision, two leases
    with_query = await ask(gateway, token, proof(gateway, token, nonce), target=f"{TARGET}?x=1")
    assert with_query.status != 401  # htu has no query
    for head in gateway.archive.heads:
        assert not {name.lower() for name in head} & {"authorization", "dpop", "cookie"}
        assert CLIENT.jkt not in str(head)


async def test_a_replayed_proof_is_refused_and_the_record_says_so(gateway: Running) -> None:
    token = gateway.token(cnf={"jkt": CLIENT.jkt})
    once = proof(gateway, token, await nonce_for(gateway, token))
    assert (await ask(gateway, token, once)).status == 200
    again = await ask(gateway, token, once)
    assert (again.status, again.reasons) == (401, ["user-unauthenticated"])
    assert again.headers["www-authenticate"].endswith('error="invalid_dpop_proof"')
    assert b"jti" not in again.body


async def test_two_proofs_and_downgrades_are_refused(gateway: Running) -> None:
    token = gateway.token(cnf={"jkt": CLIENT.jkt})
    nonce = await nonce_for(gateway, token)
    two = await ask(gateway, token, proof(gateway, token, nonce), proof(gateway, token, nonce))
    assert (two.status, two.reasons) == (400, ["http-malformed"])
    for proofs in ((), (proof(gateway, token, nonce),)):
        bearer = await ask(gateway, token, *proofs, scheme="Bearer")
        assert bearer.status == 401
        assert bearer.headers["www-authenticate"].startswith("DPoP ")
    plain = gateway.token()
    assert (await ask(gateway, plain, proof(gateway, plain, nonce))).status == 401
    assert (await ask(gateway, plain)).status == 401


async def test_host_with_a_default_port_has_the_same_htu(gateway: Running) -> None:
    token = gateway.token(cnf={"jkt": CLIENT.jkt})
    made = proof(gateway, token, await nonce_for(gateway, token))
    async with gateway.client() as client:
        head = f"GET {TARGET} HTTP/1.1\r\nHost: {HOST}:443\r\nAuthorization: DPoP {token}\r\nDPoP: {made}\r\n\r\n"
        await client.send(head.encode())
        assert (await client.answer()).status == 200


async def test_a_certificate_bound_token_goes_with_its_connection(gateway: Running) -> None:
    bound = {"x5t#S256": b64(hashlib.sha256(gateway.agent.certificate).digest())}
    token = gateway.token(cnf=bound)
    for _ in range(2):
        assert (await gateway.ask(TARGET, token=token)).status == 200
    bare = await gateway.ask(TARGET, token=token, device=False)
    assert (bare.status, bare.reasons) == (401, ["user-unauthenticated"])
    other = gateway.token(cnf={"x5t#S256": b64(hashlib.sha256(b"another").digest())})
    assert (await gateway.ask(TARGET, token=other)).status == 401


async def test_asking_for_a_nonce_is_no_failed_sign_in(tmp_path: Path) -> None:
    async with running(tmp_path, strangers="1/s") as gateway:
        token = gateway.token(cnf={"jkt": CLIENT.jkt})
        answers = [await ask(gateway, token, proof(gateway, token)) for _ in range(4)]
        assert [answer.status for answer in answers] == [401] * 4
        assert all("dpop-nonce" in answer.headers for answer in answers)
        answers = [await ask(gateway, token) for _ in range(4)]
        assert answers[-1].status == 429


async def test_a_nonce_is_asked_for_while_the_gateway_observes_too(tmp_path: Path) -> None:
    """Else who is known would be taken for nobody, for as long as nobody tells them the nonce."""

    def change(folder: Path) -> None:
        file = folder / "leadglass.yaml"
        file.write_text(file.read_text() + 'mode: {observe_until: "2027-01-15T09:00:00Z"}\n')

    async with running(tmp_path, change=change) as gateway:
        token = gateway.token(cnf={"jkt": CLIENT.jkt})
        answer = await ask(gateway, token, proof(gateway, token, await nonce_for(gateway, token)))
        assert answer.status == 200
        (line, *_) = gateway.about(answer)
        assert (line["observed"], line["subject"]["id"]) == ("allow", OWNER)
