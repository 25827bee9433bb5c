"""The device of a browser's session, through a whole gateway: bound, lived on, and cut when it falls silent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from leadglass.limits import DEVICE_PROOF_SECONDS
from support.device import ADMIN, Agent, peer
from support.gateway import CT, HOST, Answer, Client
from support.oidc import DEVICE, ORIGIN, V1, Browser, Site, site
from support.trickle import trickle

METADATA = f"/dicom-web/studies/{CT.uid}/metadata"
FRAMES = f"/dicom-web/studies/{CT.uid}/series/{CT.series}/instances/{CT.instances[0].sop}/frames/1"
SECONDS = 10


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as opened:
        yield opened


async def tab(place: Site, *, proven: bool = True) -> Browser:
    """Sign in with a browser, whose connections show no certificate."""
    browser = await place.signed_in()
    browser.device = False
    if proven:
        answer = await browser.prove(place.run.agent)
        assert answer.status == 200, answer.body
    return browser


async def said(browser: Browser) -> tuple[int, list[str]]:
    answer = await browser.ask(METADATA)
    return answer.status, [] if answer.status == 200 else answer.reasons


async def another_agent(place: Site, owner: str = "dr.demo") -> Agent:
    agent, devices = Agent(), place.run.gateway.devices
    code = await devices.codes.make(owner, place.oidc.url, ADMIN)
    agent.enrolled(await devices.enrolment.enrol(agent.enrolment(code["code"]), peer()))
    await devices.posture.take(agent.statement(place.run.clock.now()), peer(agent.id))
    return agent


async def test_a_tab_is_no_device_until_the_agent_says_which(place: Site) -> None:
    browser = await tab(place, proven=False)
    refused = await browser.look(METADATA)
    assert (refused.status, b"device-required" in refused.body) == (403, True)
    assert f'href="{DEVICE}?return=%2Fdicom-web'.encode() in refused.body
    assert b"Check this device" in refused.body
    answer = await browser.prove(place.run.agent)
    assert answer.json["device"]["id"] == place.run.agent.id
    assert answer.json["renew_in"] == 240
    seen = await browser.ask(METADATA)
    assert seen.status == 200, seen.body
    (line,) = place.run.about(seen)
    assert (line["device"]["id"], line["device"]["binding"]) == (place.run.agent.id, "proof")
    (bound,) = place.events("session-device-bound")
    assert (bound["device"]["owner"], bound["session"]["subject"]) == ("dr.demo", "dr.demo")
    told = (await browser.ask(V1 + "session")).json
    assert told["device"]["id"] == place.run.agent.id
    assert not told["device"]["silent"]


async def test_many_requests_stand_on_one_decision(place: Site) -> None:
    browser = await tab(place)
    answers = [await browser.ask(METADATA) for _ in range(4)]
    assert [answer.status for answer in answers] == [200] * 4
    assert [place.run.about(answer)[0]["type"] for answer in answers] == ["decision", "use", "use", "use"]


async def test_a_connection_with_a_certificate_is_that_device(place: Site) -> None:
    browser = await tab(place)
    browser.device = True
    seen = await browser.ask(METADATA)
    assert place.run.about(seen)[0]["device"]["binding"] == "mtls"


async def test_posture_counts_as_ever(place: Site) -> None:
    browser = await tab(place)
    assert await said(browser) == (200, [])
    await place.run.tell("fail")
    assert await said(browser) == (403, ["posture-failed"])
    await place.run.tell("pass")
    place.run.clock.advance(121)
    assert await said(browser) == (403, ["posture-stale"])


async def test_the_device_of_somebody_else_binds_and_policy_says_no(place: Site) -> None:
    browser = await tab(place, proven=False)
    assert (await browser.prove(await another_agent(place, "dr.other"))).status == 200
    assert await said(browser) == (403, ["device-not-owned"])


# --- attacks ----------------------------------------------------------------------------------------------------------
async def refused(place: Site, answer: Answer, code: str, error: str | None) -> None:
    """Check that a proof was refused so, and that nothing was bound."""
    assert answer.status == 403, answer.body
    assert (answer.reasons, answer.json.get("error")) == ([code], error)
    assert answer.json["remediation"]
    assert place.events("session-device-bound") == []


async def test_a_replayed_proof_and_one_of_another_session(place: Site) -> None:
    mine, theirs = await tab(place, proven=False), await tab(place, proven=False)
    agent, now = place.run.agent, place.run.clock.now()
    foreign = agent.proof(now, ORIGIN, await theirs.challenge())
    await refused(place, await mine.show(foreign), "statement-invalid", "claims")
    once = agent.proof(now, ORIGIN, await mine.challenge())
    assert (await mine.show(once)).status == 200
    answer = await mine.show(once)
    assert (answer.status, answer.json["error"]) == (403, "nonce")
    assert "nonce" not in answer.json  # one of statements would be no use to a page
    told = place.events("statement-refused")[-1]
    assert (told["path"], told["fault"]) == (DEVICE, "nonce")
    assert told["session"]["id"] == place.events("session-device-bound")[0]["session"]["id"]
    assert await said(theirs) == (403, ["device-required"])


async def test_an_expired_challenge_and_a_foreign_origin(place: Site) -> None:
    browser = await tab(place, proven=False)
    agent, challenge = place.run.agent, await browser.challenge()
    await refused(
        place, await browser.show(agent.proof(place.run.clock.now(), "https://evil.example", challenge)),
        "statement-invalid", "claims",
    )  # fmt: skip
    place.run.clock.advance(121)
    late = agent.proof(place.run.clock.now(), ORIGIN, challenge)
    await refused(place, await browser.show(late), "statement-invalid", "nonce")


async def test_a_withdrawn_device_proves_nothing(place: Site) -> None:
    browser = await tab(place, proven=False)
    await place.run.gateway.devices.inventory.revoke(place.run.agent.id, "lost", ADMIN)
    await refused(place, await browser.prove(place.run.agent), "statement-invalid", "revoked")
    await refused(place, await browser.prove(Agent()), "statement-invalid", "invalid")


async def test_another_device_is_refused_until_the_person_signs_in_anew(place: Site) -> None:
    browser, other = await tab(place), await another_agent(place)
    answer = await browser.prove(other)
    assert (answer.status, answer.reasons) == (403, ["device-changed"])
    assert place.events("session-device-refused")[-1]["bound_to"] == place.run.agent.id
    assert (await browser.ask(METADATA)).status == 200
    browser.device = True
    await browser.sign_in()
    browser.device = False
    assert (await browser.prove(other)).status == 200
    assert place.run.about(await browser.ask(METADATA))[0]["device"]["id"] == other.id


CROSS = [
    ("GET", ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors")),
    ("GET", ("Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: no-cors")),
    ("POST", ("Sec-Fetch-Site: same-origin", "Origin: null")),
    ("POST", ("Sec-Fetch-Site: cross-site", f"Origin: {ORIGIN}")),
    ("POST", ("Origin: https://evil.example",)),
    ("POST", ()),
]


async def test_another_sites_page_gets_no_challenge_and_binds_nothing(place: Site) -> None:
    browser = await tab(place, proven=False)
    for method, fields in CROSS:
        more = ("Content-Type: application/json",) if method == "POST" else ()
        body = b'{"proof": "x"}' if method == "POST" else None
        answer = await browser.ask(DEVICE, *more, *fields, method=method, body=body)
        assert (answer.status, answer.reasons) == (403, ["origin-refused"]), (method, fields)


async def test_without_session_there_is_no_challenge(place: Site) -> None:
    browser = place.browser()
    assert (await browser.ask(DEVICE)).reasons == ["user-unauthenticated"]
    assert (await browser.show("x")).reasons == ["user-unauthenticated"]
    token = await place.run.ask(DEVICE)  # a token has no session
    assert token.reasons == ["user-unauthenticated"]


BODIES = [b"", b"[]", b"{}", b'{"proof": "x", "more": 1}', b'{"proof": "x", "proof": "y"}', b"\xff"]


async def test_what_is_no_form_is_refused(place: Site) -> None:
    browser = await tab(place, proven=False)
    for body in BODIES:
        given = ("Content-Type: application/json", f"Origin: {ORIGIN}")
        answer = await browser.ask(DEVICE, *given, method="POST", body=body)
        assert (answer.status, answer.reasons) == (400, ["http-malformed"]), body


# --- what runs --------------------------------------------------------------------------------------------------------
@asynccontextmanager
async def looking(place: Site, browser: Browser) -> AsyncIterator[Client]:
    """Read frames that do not end by themselves."""
    place.run.archive.replaced[FRAMES] = trickle
    cookie = browser.cookies["__Host-leadglass"]
    async with asyncio.timeout(30), place.run.client(device=False) as client:
        await client.send(
            f"GET {FRAMES} HTTP/1.1\r\nHost: {HOST}\r\nCookie: __Host-leadglass={cookie}\r\n\r\n".encode()
        )
        assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        await client.reader.readexactly(4096)
        yield client


async def keep_healthy(place: Site, seconds: float, step: float = 60) -> None:
    """Let time pass in which the device reports, so that its posture stays fresh."""
    while seconds > 0:
        place.run.clock.advance(min(step, seconds))
        seconds -= step
        await place.run.tell()
        await asyncio.sleep(0.12)  # what runs is looked at ten times a second


async def falls_silent(place: Site, _: Browser) -> None:
    await keep_healthy(place, DEVICE_PROOF_SECONDS)


async def is_withdrawn(place: Site, _: Browser) -> None:
    await place.run.gateway.devices.inventory.revoke(place.run.agent.id, "lost", ADMIN)


async def is_revoked_for_a_time(place: Site, _: Browser) -> None:
    await place.run.gateway.revocations.revoke("device", place.run.agent.id, "lost", 60, ADMIN)


async def fails_posture(place: Site, _: Browser) -> None:
    await place.run.tell("fail")


async def is_another(place: Site, browser: Browser) -> None:
    """After a fresh sign-in on another machine, whose device is somebody else's."""
    await browser.sign_in()
    assert (await browser.prove(await another_agent(place, "dr.other"))).status == 200


Act = Callable[[Site, Browser], Awaitable[None]]
CUTS: list[tuple[Act, str]] = [
    (falls_silent, "device-required"),
    (is_withdrawn, "statement-invalid"),
    (is_revoked_for_a_time, "access-revoked"),
    (fails_posture, "posture-failed"),
    (is_another, "device-not-owned"),
]


@pytest.mark.parametrize(("act", "code"), CUTS, ids=[act.__name__ for act, _ in CUTS])
async def test_what_runs_is_cut_when_the_device(tmp_path: Path, act: Act, code: str) -> None:
    async with site(tmp_path, seconds=86_400) as place:
        browser = await tab(place)
        async with looking(place, browser) as client:
            await act(place, browser)
            async with asyncio.timeout(SECONDS):
                with pytest.raises(ConnectionError):
                    await client.reader.read()  # to the end, which is a reset and no end
        completions = place.run.record("completion")
        assert [line["cut_by"] for line in completions if line.get("cut_by")] == [code]
        if act is falls_silent:
            await place.run.gateway.browsers.bindings.look()
            assert len(place.events("session-device-silent")) == 1
            assert await said(browser) == (403, ["device-required"])
            assert (await browser.prove(place.run.agent)).status == 200
            assert await said(browser) == (200, [])


async def test_what_runs_goes_on_while_the_page_renews(tmp_path: Path) -> None:
    async with site(tmp_path, seconds=86_400) as place:
        browser = await tab(place)
        async with looking(place, browser) as client:
            for _ in range(3):
                await keep_healthy(place, 240)
                assert (await browser.prove(place.run.agent)).status == 200
            await client.reader.readexactly(64 * 1024)
            assert len(place.run.gateway.live) == 1
        assert len(place.events("session-device-bound")) == 1


async def test_a_device_that_is_withdrawn_while_the_reply_is_judged(tmp_path: Path) -> None:
    """It happens after the device was looked up and before the reply is registered."""
    async with site(tmp_path, seconds=86_400) as place:
        browser = await tab(place)
        upstream = place.run.gateway.parts.archives["main"].upstream
        opened = upstream.open

        async def slow(*arguments: object) -> object:
            reply = await opened(*arguments)  # type: ignore[arg-type]  # handed through
            await is_withdrawn(place, browser)
            return reply

        upstream.open = slow  # type: ignore[method-assign,assignment]  # the moment a test needs
        cookie = browser.cookies["__Host-leadglass"]
        place.run.archive.replaced[FRAMES] = trickle
        refused = await place.run.ask(FRAMES, f"Cookie: __Host-leadglass={cookie}", device=False, token=None)
        assert (refused.status, refused.reasons) == (403, ["statement-invalid"])


async def test_a_restart_keeps_the_device_of_a_session(place: Site) -> None:
    browser = await tab(place)
    gateway = place.run.gateway
    again = await type(gateway.browsers).open(
        gateway.store, place.run.folder / "var/session.key", gateway.audit,
        clock=place.run.clock, epochs=gateway._epochs, tasks=gateway._tasks, providers=lambda: gateway.parts.providers,
        devices=gateway.devices,
    )  # fmt: skip
    name = again.sessions.all()[0]["id"]
    device = again.bindings.device(name)
    assert device is not None
    assert device.id == place.run.agent.id
    assert (await browser.ask(METADATA)).status == 200
