"""The path that takes events, over the wire. Each rule of a SET: tests/identity/test_transmitters.py."""

from pathlib import Path
from typing import Any

import pytest

from leadglass.limits import TOKEN_BYTES
from support.gateway import CT, OWNER
from support.oidc import site
from support.signals import AUDIENCE, SECRET, Transmitter, receiving

METADATA = f"/dicom-web/studies/{CT.uid}/metadata"

REFUSED: dict[str, tuple[dict[str, Any], tuple[str, ...], str]] = {
    "not a SET": ({"typ": "JWT"}, (), "invalid_request"),
    "audience": ({"aud": f"{AUDIENCE}/"}, (), "invalid_audience"),
    "issuer": ({"iss": "https://evil.example"}, (), "invalid_issuer"),
    "no secret": ({}, ("X: y",), "authentication_failed"),
    "another secret": ({}, (f"Authorization: {SECRET}x",), "authentication_failed"),
}


@pytest.mark.parametrize(("claims", "fields", "error"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_set_that_is_none_does_nothing(
    tmp_path: Path, claims: dict[str, Any], fields: tuple[str, ...], error: str
) -> None:
    async with receiving(tmp_path) as (run, transmitter):
        answer = await transmitter.send(run, transmitter.sign("session-revoked", **claims), *fields)
        assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
        assert answer.headers["content-language"] == "en"
        assert answer.json.keys() == {"err", "description"}
        assert answer.json["err"] == error
        assert (await run.ask(METADATA)).status == 200
        (line,) = run.about(answer)[:1]
        assert line["decision"]["reasons"][0]["code"] == "signal-refused"


async def test_bad_events_of_one_source_are_slowed_down(tmp_path: Path) -> None:
    async with receiving(tmp_path, strangers="2/s") as (run, transmitter):
        answers = [await transmitter.send(run, "x") for _ in range(4)]
        assert [answer.status for answer in answers] == [400, 400, 429, 429]
        run.clock.advance(2)
        assert (await transmitter.send(run, transmitter.sign("session-revoked"))).status == 202


@pytest.mark.parametrize("kind", ["application/jwt", "application/json", "text/plain"])
async def test_a_body_of_another_kind(tmp_path: Path, kind: str) -> None:
    async with receiving(tmp_path) as (run, transmitter):
        answer = await transmitter.send(run, transmitter.sign("session-revoked"), kind=kind)
        assert (answer.status, answer.json["err"]) == (400, "invalid_request")
        assert (await run.ask(METADATA)).status == 200


async def test_garbage_of_any_size(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (run, transmitter):
        for body in ("", "x", "é", "A" * TOKEN_BYTES, "A" * (TOKEN_BYTES + 1), "A" * 200_000):
            answer = await transmitter.send(run, body)
            assert (answer.status, answer.json["err"]) == (400, "invalid_request")


async def test_a_person_s_own_token_is_no_event_and_its_digest_goes_nowhere_else(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (run, transmitter):
        answer = await transmitter.send(run, run.token(), f"Authorization: Bearer {run.token()}")
        assert (answer.status, answer.json["err"]) == (400, "invalid_issuer")


async def test_a_logout_token_is_no_event_and_an_event_no_logout_token(tmp_path: Path) -> None:
    async with site(tmp_path, events=True) as place:
        assert place.transmitter is not None
        browser = await place.signed_in()
        answer = await place.transmitter.send(place.run, place.oidc.logout_token())
        assert (answer.status, answer.json["err"]) == (400, "invalid_issuer")
        own = Transmitter(place.run.clock, place.oidc.key, place.oidc.url)
        user = {"format": "iss_sub", "iss": place.oidc.url, "sub": f"sub-{OWNER}"}
        event = own.sign("session-revoked", aud="gateway", sub_id=user)
        told = await browser.post("/.leadglass/v1/backchannel-logout", {"logout_token": event})
        assert (told.status, told.json["error"]) == (400, "invalid_request")
        assert (await browser.ask(METADATA)).status == 200


async def test_other_methods_are_not_there(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (run, _):
        assert (await run.ask("/.leadglass/v1/signals", token=None)).status == 403
