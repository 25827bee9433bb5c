"""What an archive is told: one request, one archive, some seconds, once; who, and nothing about a patient."""

import json
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from leadglass.hazmat.jws import Profile, Unverified, parse_key_set, read_unverified, verify_compact
from leadglass.hazmat.mac import b64u
from leadglass.limits import ASSERTION_SECONDS
from leadglass.model.ask import Ask
from leadglass.model.errors import ConfigurationError
from leadglass.model.facts import Device
from leadglass.model.permit import Permit
from leadglass.upstream.signer import Signer
from support.clock import FakeClock
from support.device import Events
from support.rawupstream import RawUpstream, raw_upstream, reply
from support.tokens import jwks
from support.upstreams import opened, permit

CLOCK = FakeClock()
PATIENT = Ask("GET", "dicomweb", "/studies", "PatientName=DOE%5EJANE", authority="pacs.example.org")
FIXED = {"iss", "aud", "sub", "sub_type", "iat", "exp", "jti", "htm", "path_sha256"}


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path / "assertion.key", CLOCK, Events())


def digest(text: str) -> str:
    return b64u(sha256(text.encode()).digest())


def sent(archive: RawUpstream) -> list[str]:
    """Return the assertions that came in, one a request."""
    found = []
    for head in archive.heads:
        (field,) = [line for line in head.decode().split("\r\n") if line.lower().startswith("leadglass")]
        name, _, value = field.partition(": ")
        assert name == "Leadglass-Assertion"
        found.append(value)
    return found


def read(tokens: Sequence[str], signer: Signer) -> list[dict[str, Any]]:
    """Return the claims, verified against what is published."""
    keys = parse_key_set(jwks(*signer.jwks()))
    profile = Profile("assertion", "leadglass-assertion+jwt", frozenset({"ES256"}))
    return [dict(verify_compact(token, keys, profile).claims) for token in tokens]


def on_behalf(device: str | None = None, **context: str) -> Permit:
    made = permit(study_uid="1.2.3")
    known = device and Device(device, "ws", "demo.reader", "i", "mtls", "tpm", 2e9)
    question = replace(made.question, device=known or None, context=replace(made.question.context, **context))  # type: ignore[arg-type]  # only str fields are given
    return replace(made, question=question)


async def test_on_whose_behalf(signer: Signer) -> None:
    async with raw_upstream(reply(b"[]", fields=["Content-Type: application/dicom+json"])) as archive:
        async with opened(archive.url, clock=CLOCK, signer=signer, auth={"assertion": True}) as upstream:
            await (await upstream.open(on_behalf("DEV1", purpose="TREAT"), PATIENT)).read(9)
            await (await upstream.open(on_behalf(), Ask("DELETE", "wado-uri", ""))).read(9)
            (await upstream.probe(PATIENT)).abort()
            assert await upstream.facts.studies(["1.2.3"]) == []
        person, bare, own, facts = read(sent(archive), signer)
    now = int(CLOCK.now())
    common = {"iss": "https://pacs.example.org", "aud": archive.url, "iat": now, "exp": now + ASSERTION_SECONDS}
    who = {"sub": "demo.reader", "sub_iss": "https://idp.example.org", "sub_type": "person", "decision": "01TEST"}
    assert person.pop("jti") != bare.pop("jti") != own.pop("jti")
    assert person == {
        **common, **who, "device": "DEV1", "purpose": "TREAT", "htm": "GET",
        "path_sha256": digest("/dicom-web/studies"), "query_sha256": digest("PatientName=DOE%5EJANE"),
    }  # fmt: skip
    assert bare == {**common, **who, "htm": "DELETE", "path_sha256": digest("/wado")}
    assert (own["sub"], own["sub_type"], own.keys() - FIXED) == (common["iss"], "gateway", {"query_sha256"})
    assert facts["path_sha256"] == digest("/dicom-web/studies")
    assert "DOE" not in json.dumps([person, own])


async def test_each_try_has_one_of_its_own(signer: Signer) -> None:
    async with raw_upstream(reply(b"[]"), b"", reply(b"[]")) as archive:
        async with opened(archive.url, clock=CLOCK, signer=signer, auth={"assertion": True}) as upstream:
            for _ in range(2):  # the second goes over the kept connection, which dies, and once more
                await (await upstream.open(permit(), PATIENT)).read(9)
        assert len({claims["jti"] for claims in read(sent(archive), signer)}) == len(archive.heads) == 3


async def test_a_store_has_one_too(signer: Signer) -> None:
    async def body() -> Any:  # noqa: ANN401 - an iterator of bytes
        yield b"x"

    ask = Ask("POST", "dicomweb", "/studies", content_type="a/b")
    async with raw_upstream(reply(b"{}")) as archive:
        archive.closing = True
        async with opened(archive.url, clock=CLOCK, signer=signer, auth={"assertion": True}) as upstream:
            await (await upstream.open(permit(), ask, body())).read(9)
        (claims,) = read(sent(archive), signer)
    assert (claims["htm"], claims["path_sha256"]) == ("POST", digest("/dicom-web/studies"))


async def test_one_that_is_read_on_its_way_is_for_this_request(signer: Signer) -> None:
    async with raw_upstream(reply(b"[]")) as archive:
        async with opened(archive.url, clock=CLOCK, signer=signer, auth={"assertion": True}) as upstream:
            for path in ("/studies/1.2", "/studies/1.3"):
                await (await upstream.open(permit(), Ask("GET", "dicomweb", path))).read(9)
        one, other = map(read_unverified, sent(archive))
    assert isinstance(one, Unverified)
    assert one.claims["path_sha256"] != other.claims["path_sha256"]
    assert one.header["typ"] == "leadglass-assertion+jwt"


async def test_none_unless_asked_for(signer: Signer, tmp_path: Path) -> None:
    async with raw_upstream(reply(b"[]")) as archive:
        async with opened(archive.url, clock=CLOCK, signer=signer) as upstream:
            await (await upstream.open(permit(), PATIENT)).read(9)
        assert b"leadglass" not in archive.heads[0].lower()
    assert signer.jwks() == []
    assert not (tmp_path / "assertion.key").exists()


async def test_it_needs_a_key_and_a_name(signer: Signer) -> None:
    for values in ({"signer": None}, {"signer": signer, "public_urls": ()}):
        with pytest.raises(ConfigurationError, match="need a key and a name"):
            async with opened("http://h", auth={"assertion": True}, **values):
                pass
