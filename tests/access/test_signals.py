"""Security events end to end: what each does to requests, to what runs, to sessions, and what a restart keeps."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from leadglass.telemetry import metrics
from support.clock import FakeClock
from support.gateway import CT, OWNER, Running
from support.oidc import Site, site
from support.signals import USER, Transmitter, receiving
from support.streams import SECONDS, completion, ended, streaming

METADATA = f"/dicom-web/studies/{CT.uid}/metadata"
ANOTHER = {**USER, "sub": "dr.other"}
LOWER = {"namespace": "NIST-AAL", "current_level": "nist-aal1", "previous_level": "nist-aal2"}
CHANGE = {"credential_type": "password", "change_type": "update"}


async def asked(run: Running, token: str) -> tuple[int, list[str]]:
    """Return status and reasons of a request for metadata."""
    answer = await run.ask(METADATA, token=token)
    return answer.status, [] if answer.status == 200 else answer.reasons


# --- each event ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("event", "payload"), [("session-revoked", {}), ("credential-change", CHANGE)])
async def test_a_sign_in_is_ended_and_a_newer_one_is_not(tmp_path: Path, event: str, payload: dict[str, Any]) -> None:
    async with receiving(tmp_path) as (run, transmitter):
        old, other = run.token(), run.token(sub="dr.other", preferred_username="dr.other")
        run.clock.advance(10)
        assert (await asked(run, old))[0] == 200
        await transmitter.tell(run, event, payload)
        answer = await run.ask(METADATA, token=old)
        assert (answer.status, answer.reasons) == (401, ["user-unauthenticated"])
        assert 'max_age="0"' in answer.headers["www-authenticate"]
        refreshed = run.token(auth_time=int(run.clock.now()) - 60)
        assert (await asked(run, refreshed))[0] == 401  # the issuer vouches anew, for a sign-in that was ended
        run.clock.advance(5)
        assert (await asked(run, run.token()))[0] == 200
        assert (await asked(run, other))[1] != ["user-unauthenticated"]


async def test_a_token_that_does_not_say_when_is_ended(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (run, transmitter):
        token = run.token(iat=..., auth_time=...)
        assert (await asked(run, token))[0] == 200
        await transmitter.tell(run, "session-revoked")
        run.clock.advance(5)
        assert (await asked(run, token))[0] == 401


async def test_one_session_ends_and_others_do_not(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (run, transmitter):
        ours, other, unsaid = run.token(sid="s1"), run.token(sid="s2"), run.token()
        session = {"format": "complex", "user": USER, "session": {"format": "opaque", "id": "s1"}}
        await transmitter.tell(run, "session-revoked", sub_id=session)
        assert [(await asked(run, token))[0] for token in (ours, other, unsaid)] == [401, 200, 401]


async def test_a_simple_opaque_identifier_is_a_person_or_a_session(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (run, transmitter):
        token = run.token(sid="s1")
        await transmitter.tell(run, "session-revoked", sub_id={"format": "opaque", "id": "s2"})
        assert (await asked(run, token))[0] == 200
        await transmitter.tell(run, "session-revoked", sub_id={"format": "opaque", "id": "s1"})
        assert (await asked(run, token))[0] == 401


async def test_an_address_names_whom_the_issuer_verified(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (run, transmitter):
        good = run.token(email="Demo@Example.org", email_verified=True)
        other = run.token(email="demo@example.org")
        await transmitter.tell(run, "session-revoked", sub_id={"format": "email", "email": "demo@EXAMPLE.org"})
        assert [(await asked(run, token))[0] for token in (good, other)] == [401, 200]


async def test_changed_claims_count_until_a_newer_token(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (run, transmitter):
        token = run.token()
        assert (await asked(run, token))[0] == 200
        await transmitter.tell(run, "token-claims-change", {"claims": {"roles": []}})
        assert await asked(run, token) == (403, ["not-granted"])
        await transmitter.tell(run, "token-claims-change", {"claims": {"department": "x"}})
        assert (await asked(run, token))[0] == 403  # the first change still holds
        run.clock.advance(5)
        assert (await asked(run, run.token()))[0] == 200
        await transmitter.tell(run, "token-claims-change", {"claims": {"roles": ["radiologist"]}})
        assert (await asked(run, token))[0] == 200


async def test_changed_claims_of_a_wrong_type_leave_nobody(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (run, transmitter):
        token = run.token()
        await transmitter.tell(run, "token-claims-change", {"claims": {"roles": "radiologist"}})
        assert await asked(run, token) == (401, ["user-unauthenticated"])


async def test_who_somebody_is_and_how_they_signed_in_is_for_tokens_to_say(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (run, transmitter):
        token = run.token(mfa=False)
        changed = {"amr": ["otp"], "acr": "mfa", "preferred_username": "dr.other", "aud": "x", "exp": 2_000_000_000}
        await transmitter.tell(run, "token-claims-change", {"claims": changed})
        assert await asked(run, token) == (401, ["mfa-required"])


async def test_a_lower_assurance_takes_the_second_factor_away(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (run, transmitter):
        token = run.token()
        await transmitter.tell(run, "assurance-level-change", {**LOWER, "change_direction": "increase"})
        assert (await asked(run, token))[0] == 200
        await transmitter.tell(run, "assurance-level-change", LOWER)
        assert await asked(run, token) == (401, ["mfa-required"])
        run.clock.advance(5)
        assert (await asked(run, run.token()))[0] == 200


async def test_a_higher_assurance_raises_nobody(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (run, transmitter):
        token = run.token(mfa=False)
        await transmitter.tell(run, "assurance-level-change", {**LOWER, "change_direction": "increase"})
        assert (await asked(run, token))[0] == 401


@pytest.mark.parametrize("by", ["id", "name"])
async def test_a_device_is_as_its_management_says(tmp_path: Path, by: str) -> None:
    async with receiving(tmp_path, f", device_by: {by}") as (run, transmitter):
        (device,) = run.gateway.devices.registry
        opaque = {"format": "opaque", "id": device.id if by == "id" else device.name}
        names = [opaque, {"format": "complex", "user": USER, "device": opaque}]
        if by == "id":
            names.append({"format": "uri", "uri": f"urn:leadglass:device:{device.id}"})
        for sub_id in names:
            for status, answer in (("not-compliant", (403, ["posture-failed"])), ("compliant", (200, []))):
                await transmitter.tell(run, "device-compliance-change", {"current_status": status}, sub_id=sub_id)
                assert await asked(run, run.token()) == answer
                run.clock.advance(1)
        line = next(line for line in run.record("decision") if not line["decision"]["allow"])
        assert line["device"]["posture"]["fail"] == ["compliance"]


async def test_a_device_cannot_speak_for_its_management(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (run, transmitter):
        (device,) = run.gateway.devices.registry
        sub_id = {"format": "opaque", "id": device.id}
        await transmitter.tell(run, "device-compliance-change", {"current_status": "not-compliant"}, sub_id=sub_id)
        good = {"status": "pass", "value": True, "reason": "says the device"}
        await run.tell(checks={"firewall": good, "compliance": good})
        assert await asked(run, run.token()) == (403, ["posture-failed"])


async def test_an_unknown_device_of_somebody_does_not_save_them(tmp_path: Path) -> None:
    """What cannot be told apart ends together."""
    async with receiving(tmp_path) as (run, transmitter):
        token = run.token()
        sub_id = {"format": "complex", "user": USER, "device": {"format": "opaque", "id": "MDM-4711"}}
        await transmitter.tell(run, "session-revoked", sub_id=sub_id)
        assert (await asked(run, token))[0] == 401


@pytest.mark.parametrize("whose", ["user", "session", "device"])
async def test_a_high_risk_is_refused_until_it_is_lower(tmp_path: Path, whose: str) -> None:
    async with receiving(tmp_path) as (run, transmitter):
        (device,) = run.gateway.devices.registry
        token = run.token(sid="s1")
        sub_id = {
            "user": USER,
            "session": {"format": "opaque", "id": "s1"},
            "device": {"format": "opaque", "id": device.id},
        }
        for level, answer in (("MEDIUM", (200, [])), ("HIGH", (403, ["risk-too-high"])), ("LOW", (200, []))):
            run.clock.advance(1)
            said = {"principal": whose.upper(), "current_level": level}
            await transmitter.tell(run, "risk-level-change", said, sub_id=sub_id[whose])
            assert await asked(run, token) == answer
        lines = [line for line in run.record("decision") if not line["decision"]["allow"]]
        assert lines[-1]["input"]["context"]["risk"] == {whose: "HIGH"}


async def test_of_two_events_the_later_one_counts_in_whatever_order_they_come(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (run, transmitter):
        now = int(run.clock.now())
        high, low = ({"principal": "USER", "current_level": level} for level in ("HIGH", "LOW"))
        await transmitter.tell(run, "risk-level-change", {**low, "event_timestamp": now})
        await transmitter.tell(run, "risk-level-change", {**high, "event_timestamp": now - 60})
        assert (await asked(run, run.token()))[0] == 200
        await transmitter.tell(run, "risk-level-change", {**high, "event_timestamp": now})
        assert (await asked(run, run.token()))[0] == 403


# --- what runs -------------------------------------------------------------------------------------------------------
Cut = tuple[str, dict[str, Any], object, str]
CUTS: dict[str, Cut] = {
    "session revoked": ("session-revoked", {}, USER, "user-unauthenticated"),
    "by session": ("session-revoked", {}, {"format": "opaque", "id": "s1"}, "user-unauthenticated"),
    "credential changed": ("credential-change", CHANGE, USER, "user-unauthenticated"),
    "role taken": ("token-claims-change", {"claims": {"roles": []}}, USER, "not-granted"),
    "assurance lowered": ("assurance-level-change", LOWER, USER, "mfa-required"),
    "device not compliant": (
        "device-compliance-change",
        {"current_status": "not-compliant"},
        "device",
        "posture-failed",
    ),
    "risk": ("risk-level-change", {"principal": "USER", "current_level": "HIGH"}, USER, "risk-too-high"),
}


@pytest.mark.parametrize(("event", "payload", "whom", "code"), CUTS.values(), ids=CUTS.keys())
async def test_a_running_reply_is_cut(
    tmp_path: Path, event: str, payload: dict[str, Any], whom: object, code: str
) -> None:
    async with receiving(tmp_path) as (run, transmitter):
        (device,) = run.gateway.devices.registry
        sub_id = {"format": "opaque", "id": device.id} if whom == "device" else whom
        async with streaming(run, run.token(sid="s1")) as client:
            await transmitter.tell(run, event, payload, sub_id=sub_id)
            async with asyncio.timeout(SECONDS):
                assert await ended(client)
        assert (await completion(run))["cut_by"] == code


async def test_events_about_others_cut_nothing(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (run, transmitter), streaming(run, run.token(sid="s1")) as client:
        await transmitter.tell(run, "session-revoked", sub_id=ANOTHER)
        await transmitter.tell(run, "session-revoked", sub_id={"format": "opaque", "id": "s2"})
        await transmitter.tell(run, "risk-level-change", {"principal": "USER", "current_level": "HIGH"}, sub_id=ANOTHER)
        await client.reader.readexactly(64 * 1024)
        assert len(run.gateway.live) == 1


# --- browser sessions ------------------------------------------------------------------------------------------------
@asynccontextmanager
async def signing(folder: Path) -> AsyncIterator[tuple[Site, Transmitter, dict[str, str]]]:
    """A site whose browser sessions a transmitter knows of."""
    async with site(folder, events=True) as place:
        assert place.transmitter is not None
        yield place, place.transmitter, {"format": "iss_sub", "iss": place.oidc.url, "sub": f"sub-{OWNER}"}


@pytest.mark.parametrize("event", ["session-revoked", "credential-change"])
async def test_browser_sessions_end(tmp_path: Path, event: str) -> None:
    async with signing(tmp_path) as (place, transmitter, user):
        browser, sessions = await place.signed_in(), place.run.gateway.browsers.sessions
        place.run.clock.advance(5)
        await transmitter.tell(place.run, event, CHANGE, sub_id={**user, "sub": "sub-x"})
        assert len(sessions) == 1
        await transmitter.tell(place.run, event, CHANGE, sub_id=user)
        assert len(sessions) == 0
        assert place.events("session-ended")[-1]["why"] == f"event {event}"
        assert (await browser.ask(METADATA)).status == 401
        place.run.clock.advance(5)
        assert (await (await place.signed_in()).ask(METADATA)).status == 200


async def test_a_sign_in_that_was_under_way_is_ended_too(tmp_path: Path) -> None:
    async with signing(tmp_path) as (place, transmitter, user):
        browser = place.browser()
        back = await browser.login()
        place.oidc.auth_age = 5
        await transmitter.tell(place.run, "session-revoked", sub_id=user)
        assert (await browser.look(back)).status == 303
        page = await browser.look(METADATA)
        assert page.status == 401
        assert b"max_age=0" in page.body.replace(b"&amp;", b"&")


async def test_changed_claims_renew_browser_sessions(tmp_path: Path) -> None:
    async with signing(tmp_path) as (place, transmitter, user):
        browser = await place.signed_in()
        before = len(place.oidc.asked)
        place.oidc.roles = ()
        place.run.clock.advance(5)
        await transmitter.tell(place.run, "token-claims-change", {"claims": {"roles": []}}, sub_id=user)
        assert (await browser.ask(METADATA)).reasons == ["not-granted"]
        async with asyncio.timeout(SECONDS):
            while not any(kind == "token" for kind, _ in place.oidc.asked[before:]):  # noqa: ASYNC110 - the provider has no event
                await asyncio.sleep(0.01)


# --- once, late, and after a restart ---------------------------------------------------------------------------------
async def test_an_event_counts_once_and_a_replay_undoes_nothing(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (run, transmitter):
        high, low = (
            transmitter.sign("risk-level-change", {"principal": "USER", "current_level": level})
            for level in ("HIGH", "LOW")
        )
        for token, status in ((low, 200), (high, 403), (low, 403), (high, 403)):
            answer = await transmitter.send(run, token)
            assert (answer.status, answer.body) == (202, b"")  # RFC 8935 section 2: as if for the first time
            assert (await asked(run, run.token()))[0] == status
        assert len([line for line in run.record("event") if line["kind"] == "signal"]) == 2


async def test_the_same_event_twice_at_once_counts_once(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (run, transmitter):
        token = transmitter.sign("session-revoked")
        answers = await asyncio.gather(*(transmitter.send(run, token) for _ in range(5)))
        assert [answer.status for answer in answers] == [202] * 5
        assert len([line for line in run.record("event") if line["kind"] == "signal"]) == 1


async def test_a_restart_forgets_neither_what_holds_nor_what_was_seen(tmp_path: Path) -> None:
    clock = FakeClock()
    transmitter = Transmitter(clock)
    async with receiving(tmp_path, clock=clock, transmitter=transmitter) as (run, _):
        low = transmitter.sign("risk-level-change", {"principal": "USER", "current_level": "LOW"})
        assert (await transmitter.send(run, low)).status == 202
        clock.advance(1)
        await transmitter.tell(run, "risk-level-change", {"principal": "USER", "current_level": "HIGH"})
        clock.advance(1)
        late = transmitter.sign(
            "risk-level-change", {"principal": "USER", "current_level": "LOW"}, iat=int(clock.now()) - 2
        )
        old = run.token()
        clock.advance(1)
        await transmitter.tell(run, "session-revoked")
    async with receiving(tmp_path, clock=clock, transmitter=transmitter) as (run, _):
        assert (await asked(run, old))[0] == 401
        for token in (low, late):
            assert (await transmitter.send(run, token)).status == 202
            clock.advance(1)
            assert await asked(run, run.token()) == (403, ["risk-too-high"])


async def test_what_a_transmitter_said_goes_with_it(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (run, transmitter):
        await transmitter.tell(run, "risk-level-change", {"principal": "USER", "current_level": "HIGH"})
        assert (await asked(run, run.token()))[0] == 403
        file = run.folder / "leadglass.yaml"
        file.write_text("\n".join(line for line in file.read_text().splitlines() if "events:" not in line))
        await run.gateway.reload()
        assert (await asked(run, run.token()))[0] == 200


async def test_what_is_taken_is_recorded_and_counted_and_says_no_more_than_needed(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (run, transmitter):
        before = metrics.SIGNALS.values.get(("token-claims-change", "taken"), 0)
        await transmitter.tell(run, "token-claims-change", {"claims": {"roles": ["secret-role"]}})
        (line,) = (line["fields"] for line in run.record("event") if line["kind"] == "signal")
        assert (line["event"], line["transmitter"], line["effect"]) == (
            "token-claims-change",
            transmitter.name,
            "claims",
        )
        assert line["whom"] == [[["sub", OWNER]]]
        assert line["says"] == {"claims": ["roles"]}
        assert "secret-role" not in (run.folder / "var/decisions.jsonl").read_text()
        assert metrics.SIGNALS.values["token-claims-change", "taken"] == before + 1


async def test_streams_are_verified_and_watched(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (run, transmitter):
        stream = {"format": "opaque", "id": "stream-1"}
        await transmitter.tell(run, "verification", {"state": "abc"}, sub_id=stream)
        await transmitter.tell(run, "stream-updated", {"status": "paused", "reason": "licence"}, sub_id=stream)
        status = run.gateway.status()["transmitters"][transmitter.name]
        assert (status["keys"], status["stream"]) == ("ok", "paused")
        assert status["verified"] == status["last"]
        events = [line["fields"]["says"] for line in run.record("event") if line["kind"] == "signal"]
        assert events == [{"state": "abc"}, {"status": "paused", "reason": "licence"}]


async def test_an_event_that_is_not_understood_is_acknowledged_and_recorded(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (run, transmitter):
        token = transmitter.sign("session-revoked", events={"https://example.org/event/other": {}}, sub_id=...)
        assert (await transmitter.send(run, token)).status == 202
        (line,) = (line["fields"] for line in run.record("event") if line["kind"] == "signal")
        assert (line["event"], line["effect"]) == ("https://example.org/event/other", "none")
