"""The order of stages, and that every way out of it is a refusal with a record and nothing forwarded."""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leadglass.access import pipeline, read, search
from leadglass.access.services import Services
from leadglass.attributes.context import ContextFacts
from leadglass.attributes.studies import StudyFacts
from leadglass.audit.scope import Scope
from leadglass.audit.service import Audit
from leadglass.codec.routes import Table
from leadglass.devices.registry import Registry
from leadglass.gateways.http.reply import HttpReply
from leadglass.identity.identity import Identity
from leadglass.model.errors import refuse
from leadglass.model.reasons import Code
from leadglass.obligations.plan import Plan
from leadglass.policy.decide import Policy
from leadglass.upstream.upstream import Upstream
from support.gateway import CT, HOST, MR, Running, running

METADATA = f"/dicom-web/studies/{CT.uid}/metadata"
SECRET = "Somebody^Real"  # what an exception might quote


async def until(condition: Any) -> None:  # noqa: ANN401 - any callable
    """Wait for something that another task brings about."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the other task has no event for it
            await asyncio.sleep(0.005)


async def test_the_stages_run_in_the_order_of_the_design(run: Running) -> None:
    answer = await run.ask(METADATA)
    (line,) = run.about(answer)
    assert list(line["timing_us"]) == ["hygiene", "route", "identity", "device", "attributes", "decision", "plan"]
    listed = await run.ask("/dicom-web/studies")
    assert list(run.about(listed)[1]["timing_us"])[-2:] == ["upstream", "rows"]


async def test_the_decision_is_written_before_the_archive_is_asked(
    run: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    ask, write = Upstream.open, Audit.write

    async def opened(self: Upstream, *args: Any) -> Any:  # noqa: ANN401 - passed through
        events.append("archive")
        return await ask(self, *args)

    def written(self: Audit, body: bytes) -> None:
        events.append("record")
        write(self, body)

    monkeypatch.setattr(Upstream, "open", opened)
    monkeypatch.setattr(Audit, "write", written)
    await run.ask(METADATA)
    assert events == ["record", "archive"]


# --- a crash is a refusal ----------------------------------------------------------------------------------------------
BEFORE = [
    pytest.param(pipeline, "clean", METADATA, id="hygiene"),
    pytest.param(Table, "match", METADATA, id="route"),
    pytest.param(Identity, "cached", METADATA, id="identity-cached"),
    pytest.param(Identity, "authenticate", METADATA, id="identity"),
    pytest.param(Registry, "present", METADATA, id="device"),
    pytest.param(Services, "degraded", METADATA, id="degraded"),
    pytest.param(ContextFacts, "build", METADATA, id="context"),
    pytest.param(StudyFacts, "cached", METADATA, id="facts-cached"),
    pytest.param(StudyFacts, "gather", METADATA, id="facts"),
    pytest.param(Policy, "cached", METADATA, id="lease"),
    pytest.param(Policy, "decide", METADATA, id="decision"),
    pytest.param(Policy, "permit", METADATA, id="permit"),
    pytest.param(Policy, "decide", "/dicom-web/studies", id="search-decision"),
]
AFTER = [
    pytest.param(Plan, "of", METADATA, id="plan"),
    pytest.param(Upstream, "open", METADATA, id="upstream"),
    pytest.param(Plan, "seal", METADATA, id="seal"),
    pytest.param(read, "takes_gzip", METADATA, id="accept-encoding"),
    pytest.param(search, "read_page", "/dicom-web/studies", id="page"),
    pytest.param(StudyFacts, "gather", "/dicom-web/studies", id="rows-facts"),
    pytest.param(Plan, "seal_rows", "/dicom-web/studies", id="seal-rows"),
    pytest.param(HttpReply, "forward", METADATA, id="forward"),
]


def break_it(monkeypatch: pytest.MonkeyPatch, run: Running, owner: Any, name: str) -> None:  # noqa: ANN401 - a class or module
    def crash(*_: object, **__: object) -> None:
        raise ZeroDivisionError(SECRET)

    if owner is Services:  # a field of a frozen value
        changed = replace(run.gateway.pipeline.services, **{name: crash})  # type: ignore[arg-type]  # that is the point
        monkeypatch.setattr(run.gateway.pipeline, "services", changed)
    else:
        monkeypatch.setattr(owner, name, crash)


@pytest.mark.parametrize(("owner", "name", "target"), BEFORE)
async def test_a_crash_before_the_archive_is_asked_is_a_refusal(
    run: Running,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    owner: Any,  # noqa: ANN401 - a class or module
    name: str,
    target: str,
) -> None:
    with monkeypatch.context() as patched, caplog.at_level(logging.ERROR):
        break_it(patched, run, owner, name)
        answer = await run.ask(target)
    assert (answer.status, answer.reasons) == (500, ["internal-fault"])
    assert SECRET.encode() not in answer.body
    assert SECRET not in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert run.archive.relayed == []
    (line,) = run.about(answer)
    assert line["decision"]["allow"] is False
    assert line["decision"]["reasons"][0]["code"] == "internal-fault"
    assert SECRET not in str(line)
    assert await run.alive()


@pytest.mark.parametrize(("owner", "name", "target"), AFTER)
async def test_a_crash_after_the_decision_is_a_refusal_too(
    run: Running,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,  # noqa: ANN401 - a class or module
    name: str,
    target: str,
) -> None:
    with monkeypatch.context() as patched:
        break_it(patched, run, owner, name)
        answer = await run.ask(target)
    assert (answer.status, answer.reasons) == (500, ["internal-fault"])
    assert b"CT chest" not in answer.body
    lines = run.about(answer)
    told = lines[-1]
    if told["type"] == "completion":
        assert (told["status"], told["reasons"][0]["code"]) == (500, "internal-fault")
    else:
        assert told["decision"]["reasons"][0]["code"] == "internal-fault"
    assert await run.alive()
    assert run.gateway.parts.archives["main"].upstream.pool.running == 0


# --- cancellation ------------------------------------------------------------------------------------------------------
AWAITS = [
    pytest.param(Identity, "authenticate", METADATA, id="identity"),
    pytest.param(StudyFacts, "gather", METADATA, id="facts"),
    pytest.param(Policy, "decide", METADATA, id="decision"),
    pytest.param(Scope, "decided", METADATA, id="record"),
    pytest.param(Upstream, "open", METADATA, id="upstream"),
    pytest.param(HttpReply, "forward", METADATA, id="forward"),
    pytest.param(StudyFacts, "gather", "/dicom-web/studies", id="rows"),
    pytest.param(Plan, "seal_rows", "/dicom-web/studies", id="seal-rows"),
]


@pytest.mark.parametrize(("owner", "name", "target"), AWAITS)
async def test_a_client_that_leaves_at_any_await_is_recorded(
    run: Running,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,  # noqa: ANN401 - a class
    name: str,
    target: str,
) -> None:
    reached = asyncio.Event()

    async def hang(*_: object, **__: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, hang)
        async with run.client() as client:
            await client.send(
                f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {run.token()}\r\n\r\n".encode()
            )
            await asyncio.wait_for(reached.wait(), 5)
        await until(run.record)
        await until(lambda: run.gateway.parts.archives["main"].upstream.pool.running == 0)
    told = run.record()[-1]
    if told["type"] == "completion":
        assert told["cut_by"] == "client-gone"
    else:
        assert told["decision"]["allow"] is False
        assert "client-gone" in told["decision"]["detail"]
    assert await run.alive()


# --- the record --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("target", [METADATA, "/dicom-web/studies", "/nix", "/.leadglass/v1/nonce"])
async def test_a_record_that_is_closed_refuses_everything(
    run: Running, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    def closed(_: Audit) -> None:
        raise refuse(Code.AUDIT_UNAVAILABLE, "no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Audit, "check", closed)
        answer = await run.ask(target)
    assert (answer.status, answer.reasons) == (503, ["audit-unavailable"])
    assert run.archive.asked == []
    assert run.record() == []
    assert await run.alive()


@pytest.mark.parametrize("target", [METADATA, "/dicom-web/studies"])
async def test_a_decision_that_cannot_be_written_is_not_acted_on(
    run: Running, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    def full(_: Audit, __: bytes) -> None:
        raise refuse(Code.AUDIT_UNAVAILABLE, "no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Audit, "write", full)
        answer = await run.ask(target)
    assert (answer.status, answer.reasons) == (503, ["audit-unavailable"])
    assert run.archive.relayed == []
    assert await run.alive()


async def test_a_leased_request_that_cannot_be_written_is_not_served(
    run: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = run.token()
    assert (await run.ask(METADATA, token=token)).status == 200
    run.archive.clear()

    def full(_: Audit, __: bytes) -> None:
        raise refuse(Code.AUDIT_UNAVAILABLE, "no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Audit, "write", full)
        answer = await run.ask(METADATA, token=token)
    assert answer.status == 503
    assert run.archive.asked == []
    assert (await run.ask(METADATA, token=token)).status == 200


# --- who is told what --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "target",
    [
        "/nix",
        "/dicom-web/nix",
        "/dicom-web/studies/1.2.x",
        "/dicom-web/studies?PatientFoo=1",
        "/dicom-web/servers",
        f"{METADATA}?x=1",
    ],
)
async def test_what_routes_there_are_is_told_to_nobody_who_is_unknown(run: Running, target: str) -> None:
    refused = await run.ask(target, token=None)
    assert (refused.status, refused.reasons) == (401, ["user-unauthenticated"])
    assert refused.headers["www-authenticate"].startswith("Bearer")
    known = await run.ask(target)
    assert known.status in {400, 403}
    assert known.reasons[0] in {"route-unknown", "uid-malformed", "query-refused", "transaction-disabled"}
    assert run.archive.asked == []


async def test_malformed_is_told_before_anyone_is_asked_who_they_are(run: Running) -> None:
    answer = await run.ask("/dicom-web/studies/..%2f", token=None)
    assert (answer.status, answer.reasons) == (400, ["http-malformed"])


async def test_no_device_is_refused_in_words_that_say_how_to_enrol(run: Running) -> None:
    answer = await run.ask(METADATA, device=False)
    assert (answer.status, answer.reasons) == (403, ["device-required"])
    assert answer.json["remediation"]


async def test_a_device_certificate_that_is_over_is_told_so(run: Running) -> None:
    run.clock.advance(2 * 3600)
    answer = await run.ask(METADATA)
    assert (answer.status, answer.reasons) == (403, ["device-certificate-expired"])
    (line,) = run.about(answer)
    assert line["subject"]["id"] == "dr.demo"


async def test_step_up_says_what_would_do(run: Running) -> None:
    answer = await run.ask(METADATA, token=run.token("radiologist", mfa=False))
    assert (answer.status, answer.reasons) == (401, ["mfa-required"])
    challenge = answer.headers["www-authenticate"]
    assert 'error="insufficient_user_authentication"' in challenge
    assert 'acr_values="mfa"' in challenge


async def test_a_persons_page_is_html_and_says_the_same(run: Running) -> None:
    answer = await run.ask(f"/dicom-web/studies/{MR.uid}/metadata", "Accept: text/html,*/*;q=0.8")
    assert answer.headers["content-type"].startswith("text/html")
    assert b"There is no such study, or you may not see it." in answer.body
    assert b"ncolog" not in answer.body


# --- rates -------------------------------------------------------------------------------------------------------------
async def test_strangers_are_slowed_down_and_those_who_are_known_are_not(tmp_path: Path) -> None:
    async with running(tmp_path, strangers="3/s") as run:
        token = run.token()
        assert (await run.ask(METADATA, token=token)).status == 200
        statuses = [(await run.ask(METADATA, token="x.y.z")).status for _ in range(5)]
        assert statuses == [401, 401, 401, 429, 429]
        assert (await run.ask(METADATA, token=run.token("oncologist"))).status == 429  # as yet unknown
        assert (await run.ask(METADATA, token=token)).status == 200
        slowed = await run.ask(METADATA, token=None)
        assert slowed.headers["retry-after"] == "1"
        run.clock.advance(1)
        assert (await run.ask(METADATA, token=None)).status == 401


async def test_one_person_cannot_ask_for_more_than_their_rate(tmp_path: Path) -> None:
    async with running(tmp_path, per_subject="3/s") as run:
        token = run.token()
        statuses = [(await run.ask(METADATA, token=token)).status for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        other = run.token("radiologist", preferred_username="dr.other")
        assert (await run.ask(METADATA, token=other)).reasons == ["device-not-owned"]  # judged, not slowed
        run.clock.advance(1)
        assert (await run.ask(METADATA, token=token)).status == 200


async def test_a_reload_leaves_a_running_exchange_on_what_it_began_with(
    run: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go = asyncio.Event(), asyncio.Event()
    gather = StudyFacts.gather

    async def slow(self: StudyFacts, *args: Any, **more: Any) -> Any:  # noqa: ANN401 - passed through
        reached.set()
        await go.wait()
        return await gather(self, *args, **more)

    monkeypatch.setattr(StudyFacts, "gather", slow)
    asking = asyncio.ensure_future(run.ask(METADATA))
    await reached.wait()
    before = run.gateway.pipeline.services
    await run.gateway.reload()
    assert run.gateway.pipeline.services is not before
    go.set()
    assert (await asking).status == 200
