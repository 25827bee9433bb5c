import asyncio

import pytest
from aiohttp import web

from leadglass_agent.gateway import Gateway, Refused, Unreachable, tls
from leadglass_agent.member import Member, Revoked
from support.enrolled import Enrolled
from support.fakegateway import Authority, FakeGateway, problem


async def test_it_renews_when_half_of_the_hour_has_passed(gateway: FakeGateway, enrolled: Enrolled) -> None:
    member = enrolled.member
    for after, renewals in ((0, 1), (1799, 1), (2, 2), (1000, 2), (10_000, 3)):
        enrolled.clock.advance(after)
        await member.renew_if_due()
        assert gateway.renewals == renewals
    assert member.generation == 3
    await member.gateway.call("GET", "nonce")


async def test_many_that_ask_at_once_renew_once(gateway: FakeGateway, enrolled: Enrolled) -> None:
    await asyncio.gather(*(enrolled.member.renew_if_due() for _ in range(20)))
    await asyncio.gather(*(enrolled.member.renew(1) for _ in range(20)))
    assert gateway.renewals == 2


async def test_a_clock_that_is_set_changes_nothing(gateway: FakeGateway, enrolled: Enrolled) -> None:
    """Two hours wrong either way: how long the certificate was held is what counts."""
    member = Member(
        enrolled.member.state, enrolled.member.key, enrolled.member.gateway, enrolled.clock.monotonic, enrolled.folder
    )
    await member.renew()
    for step in (7200, -14_400):
        enrolled.clock.step(step)
        await member.renew_if_due()
    assert gateway.renewals == 1


async def test_two_programs_of_a_device_live_side_by_side_for_a_day(gateway: FakeGateway, enrolled: Enrolled) -> None:
    """`run` and `proxy` renew each in its own time; neither takes the other's certificate away."""
    member = enrolled.member
    async with Gateway(gateway.url, tls((gateway.serving.pem,))) as opened:
        other = Member(member.state, member.key, opened, enrolled.clock.now, enrolled.folder)
        await member.renew()
        enrolled.clock.advance(700)
        for _ in range(24 * 6):
            for each in (member, other):
                await each.renew_if_due()
                async with each.gateway.session() as session, session.get(f"{gateway.url}/x") as reply:
                    assert reply.status == 200
            enrolled.clock.advance(600)
    assert 2 * 48 - 4 <= gateway.renewals <= 2 * 49


async def test_a_gateway_that_started_anew_is_asked_again(gateway: FakeGateway, enrolled: Enrolled) -> None:
    gateway.plan("nonce", lambda: web.json_response({"nonce": "of the gateway before"}))
    await enrolled.member.renew()
    assert gateway.renewals == 1


async def test_nonces_that_never_serve_are_given_up(gateway: FakeGateway, enrolled: Enrolled) -> None:
    gateway.plan("renew", *[lambda: problem(403, "statement-invalid", error="nonce", nonce="n")] * 3)
    with pytest.raises(Unreachable, match="none of its own nonces"):
        await enrolled.member.renew()
    assert gateway.asked.count("renew") == 2


async def test_an_old_nonce_is_not_spent(gateway: FakeGateway, enrolled: Enrolled) -> None:
    member = enrolled.member
    member.keep_nonce({"nonce": "kept"})
    assert await member.nonce() == "kept"
    member.keep_nonce({"nonce": "kept"})
    enrolled.clock.advance(91)
    assert await member.nonce() in gateway.nonces
    member.keep_nonce({"nonce": 3})
    assert await member.nonce() in gateway.nonces


async def test_revoked_is_for_good(gateway: FakeGateway, enrolled: Enrolled) -> None:
    gateway.revoked = True
    with pytest.raises(Revoked):
        await enrolled.member.renew()
    asked = len(gateway.asked)
    for call in (enrolled.member.renew, enrolled.member.renew_if_due):
        with pytest.raises(Revoked):
            await call()
    assert len(gateway.asked) == asked


async def test_a_renewal_that_fails_is_borne_while_the_certificate_serves(
    gateway: FakeGateway, enrolled: Enrolled, caplog: pytest.LogCaptureFixture
) -> None:
    await enrolled.member.renew()
    enrolled.clock.advance(2000)
    gateway.plan("renew", *[lambda: problem(503, "store-unavailable")] * 2)
    for _ in range(5):  # asked once in half a minute, not at every request
        await enrolled.member.renew_if_due()
    assert gateway.asked.count("renew") == 2
    assert "not renewed: no: store-unavailable (1600 s are left)" in caplog.text
    enrolled.clock.advance(1601)
    with pytest.raises(Refused, match="store-unavailable"):
        await enrolled.member.renew_if_due()
    await enrolled.member.renew_if_due()
    assert gateway.renewals == 2


async def test_what_to_trust_is_kept_for_the_next_start(gateway: FakeGateway, enrolled: Enrolled) -> None:
    """The gateway announces the authority of its next certificate, and later changes to it."""
    new = Authority("new serving CA")
    gateway.trust = [gateway.serving.pem, new.pem]
    await enrolled.member.renew()
    assert enrolled.folder.load().trust == tuple(gateway.trust)
    await gateway.stop()
    gateway.serving = new
    await gateway.start()
    await enrolled.member.gateway.call("GET", "nonce")
    state = enrolled.folder.load()
    async with Gateway(state.gateway, tls(state.trust)) as opened:
        await Member(state, enrolled.member.key, opened, enrolled.clock.now).renew()


async def test_a_gateway_whose_authority_changed_unannounced_is_not_trusted(
    gateway: FakeGateway, enrolled: Enrolled
) -> None:
    await enrolled.member.renew()
    await gateway.stop()
    gateway.serving = Authority("somebody")
    await gateway.start()
    with pytest.raises(Unreachable, match="does not trust"):
        await enrolled.member.renew()


async def test_a_disk_that_is_full_does_not_stop_a_renewal(
    gateway: FakeGateway, enrolled: Enrolled, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("leadglass_agent.state.write", full)
    gateway.trust = [gateway.serving.pem, Authority("new").pem]
    await enrolled.member.renew()
    assert enrolled.member.state.trust == tuple(gateway.trust)
    assert "No space left" in caplog.text


GOOD = Authority("x").pem


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({}, id="empty"),
        pytest.param({"certificate": "x"}, id="no-certificate"),
        pytest.param({"certificate": 1}, id="no-text"),
        pytest.param({"certificate": "é"}, id="no-ascii"),
        pytest.param({"certificate": GOOD}, id="another-key"),
        pytest.param({"certificate": GOOD, "trust": "x"}, id="trust-no-list"),
        pytest.param({"certificate": GOOD, "trust": [1]}, id="trust-no-text"),
        pytest.param({"certificate": GOOD, "trust": ["x"]}, id="trust-no-certificate"),
    ],
)
async def test_a_reply_that_cannot_be_used_changes_nothing(
    gateway: FakeGateway, enrolled: Enrolled, members: dict[str, object]
) -> None:
    await enrolled.member.renew()
    gateway.plan("renew", lambda: web.json_response(members))
    with pytest.raises(Unreachable, match="cannot be used"):
        await enrolled.member.renew()
    assert enrolled.member.generation == 1
    async with enrolled.member.gateway.session() as session, session.get(f"{gateway.url}/x") as reply:
        assert reply.status == 200


@pytest.mark.parametrize("answer", [{}, {"nonce": None}, {"nonce": 1}])
async def test_a_gateway_without_nonces_is_none(
    gateway: FakeGateway, enrolled: Enrolled, answer: dict[str, object]
) -> None:
    gateway.plan("nonce", lambda: web.json_response(answer))
    with pytest.raises(Unreachable, match="no nonce"):
        await enrolled.member.renew()


async def test_a_certificate_the_handshake_turns_away_does_not_stand_in_the_way(
    gateway: FakeGateway, enrolled: Enrolled
) -> None:
    """The gateway was restored with another device CA: the certificate at hand ends in the handshake, renewal goes on."""
    await enrolled.member.renew()
    await gateway.stop()
    gateway.devices = Authority("another device CA")
    await gateway.start()
    with pytest.raises(Unreachable):
        await enrolled.member.gateway.call("GET", "nonce")
    await enrolled.member.renew()
    await enrolled.member.gateway.call("GET", "nonce")
