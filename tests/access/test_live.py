"""Running replies end when what they stand on ends; the client sees a reset, never a short whole."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from leadglass.access.live import _known
from leadglass.model.decision import Obligation
from leadglass.model.facts import Study
from leadglass.model.reasons import Code
from leadglass.revocation.revocations import token_value
from support.facts import element, series_row, study_row
from support.gateway import CT, HOST, MR, OWNER, Client, Running, multipart, running
from support.streams import FRAMES, SECONDS, completion, ended, streaming, until

BY: dict[str, str | int] = {"uid": 0, "user": "root"}
Act = Callable[[Running, str], Awaitable[object]]


async def revoke_user(gateway: Running, _: str) -> None:
    await gateway.gateway.revocations.revoke("user", OWNER, "left", None, BY)


async def revoke_token(gateway: Running, token: str) -> None:
    await gateway.gateway.revocations.revoke("token", token_value(token), "lost", 60, BY)


async def revoke_device(gateway: Running, _: str) -> None:
    await gateway.gateway.revocations.revoke("device", gateway.agent.id, "stolen", 60, BY)


async def withdraw_device(gateway: Running, _: str) -> None:
    assert await gateway.gateway.devices.inventory.revoke(gateway.agent.id, "stolen", BY)


async def fail_posture(gateway: Running, _: str) -> None:
    await gateway.tell("fail")


async def tighten_policy(gateway: Running, _: str) -> None:
    table = gateway.folder / "policies/data/posture.yaml"
    table.write_text(table.read_text().replace("required: [firewall]", "required: [firewall, vpn]").replace(
        "{firewall:", "{vpn: Connect., firewall:"))  # fmt: skip
    await gateway.gateway.reload()


async def end_token(gateway: Running, _: str) -> None:
    gateway.clock.advance(3600 + 31)


CUTS: dict[str, tuple[Act, str]] = {
    "user revoked": (revoke_user, "access-revoked"),
    "token revoked": (revoke_token, "access-revoked"),
    "device revoked for a time": (revoke_device, "access-revoked"),
    "device withdrawn": (withdraw_device, "statement-invalid"),
    "posture fails": (fail_posture, "posture-failed"),
    "policy is tightened": (tighten_policy, "posture-failed"),
    "token ends": (end_token, "user-unauthenticated"),
}


@pytest.mark.parametrize(("act", "code"), CUTS.values(), ids=CUTS.keys())
async def test_a_running_reply_is_cut_when_its_trust_ends(tmp_path: Path, act: Act, code: str) -> None:
    async with running(tmp_path) as gateway:
        token = gateway.token()
        async with streaming(gateway, token) as client:
            assert len(gateway.gateway.live) == 1
            await act(gateway, token)
            async with asyncio.timeout(SECONDS):
                assert await ended(client), "the reply ended as if it were whole"
        assert (await completion(gateway))["cut_by"] == code
        assert len(gateway.gateway.live) == 0


async def test_a_reply_whose_terms_change_is_cut(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway, streaming(gateway, gateway.token()) as client:
        for one in gateway.gateway.live._running:
            terms = (Obligation("deidentify", {"project": "lung", "profile": "basic"}),)
            one.standings = tuple(standing._replace(terms=terms) for standing in one.standings)
        gateway.gateway._epochs.bump("config")
        async with asyncio.timeout(SECONDS):
            assert await ended(client), "what was to be de-identified until now went on as it is"
        assert (await completion(gateway))["cut_by"] == Code.VIEW_CHANGED


async def another_device(gateway: Running, _: str) -> None:
    gateway.gateway._epochs.bump("device:another")


async def another_user(gateway: Running, _: str) -> None:
    await gateway.gateway.revocations.revoke("user", "dr.other", "left", None, BY)


async def healthy_again(gateway: Running, _: str) -> None:
    await gateway.tell("pass", seq=gateway.agent.seq + 2)


async def lease_ends(gateway: Running, _: str) -> None:
    for _turn in range(4):
        gateway.clock.advance(6)
        await asyncio.sleep(0.15)


@pytest.mark.parametrize("act", [another_device, another_user, healthy_again, lease_ends], ids=lambda act: act.__name__)
async def test_what_does_not_concern_a_reply_leaves_it_running(tmp_path: Path, act: Act) -> None:
    async with running(tmp_path) as gateway:
        token = gateway.token()
        async with streaming(gateway, token) as client:
            await act(gateway, token)
            await client.reader.readexactly(64 * 1024)
            assert len(gateway.gateway.live) == 1


ONE_FRAME = b"--b\r\nContent-Type: application/octet-stream\r\n\r\nPIXELS\r\n--b--\r\n"
BEFORE_A_BYTE = {name: CUTS[name] for name in ("user revoked", "device withdrawn", "posture fails", "token ends")}


@pytest.mark.parametrize("moment", ["asked", "answered"])
@pytest.mark.parametrize(("act", "code"), BEFORE_A_BYTE.values(), ids=BEFORE_A_BYTE.keys())
async def test_trust_that_ends_while_the_archive_works_lets_no_byte_of_its_reply_out(
    tmp_path: Path, act: Act, code: str, moment: str
) -> None:
    """However small: a reply that is here whole leaves in one turn of the loop."""
    async with running(tmp_path) as gateway:
        token = gateway.token()
        served = gateway.gateway.parts.archives["main"].upstream.open
        asked = asyncio.Event()

        async def hold(_: web.Request) -> web.Response:
            asked.set()
            if moment == "asked":
                await asyncio.Event().wait()
            kind = 'multipart/related; type="application/octet-stream"; boundary=b'
            return web.Response(body=ONE_FRAME, headers={"Content-Type": kind})

        async def slow(*arguments: object) -> object:
            reply = await served(*arguments)  # type: ignore[arg-type] # handed through
            await act(gateway, token)
            return reply

        gateway.archive.replaced[FRAMES] = hold
        if moment == "answered":
            gateway.gateway.parts.archives["main"].upstream.open = slow  # type: ignore[method-assign,assignment] # the moment a test needs
        async with asyncio.timeout(SECONDS):
            asking = asyncio.ensure_future(gateway.ask(FRAMES, token=token))
            await asked.wait()
            if moment == "asked":
                await act(gateway, token)
            answer = await asking
        assert answer.status in {401, 403}
        assert code in answer.reasons
        assert len(gateway.gateway.live) == gateway.gateway.parts.archives["main"].upstream.pool.running == 0


async def test_the_connection_of_a_refused_reply_serves_on(tmp_path: Path) -> None:
    """It did not: the cancellation that nothing waited for any more met the next request."""
    async with running(tmp_path) as gateway:
        token, other = gateway.token(), gateway.token(jti="another")
        served = gateway.gateway.parts.archives["main"].upstream.open

        async def slow(*arguments: object) -> object:
            reply = await served(*arguments)  # type: ignore[arg-type] # handed through
            gateway.gateway.parts.archives["main"].upstream.open = served  # type: ignore[method-assign]  # the moment a test needs
            await revoke_token(gateway, token)
            return reply

        gateway.gateway.parts.archives["main"].upstream.open = slow  # type: ignore[method-assign,assignment] # the moment a test needs
        path = f"/dicom-web/studies/{CT.uid}/metadata"
        async with asyncio.timeout(SECONDS), gateway.client() as client:
            statuses = []
            for shown in (token, other):
                head = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {shown}\r\n\r\n"
                await client.send(head.encode())
                statuses.append((await client.answer()).status)
        assert statuses == [403, 200]


@asynccontextmanager
async def taking_slowly(gateway: Running, uid: str, patient: str, modality: str) -> AsyncIterator[Client]:
    """Search for a page that is more than any buffer holds, and read no more than its head."""
    row = study_row(uid, patient_id=patient, modalities=[modality])

    async def page(request: web.Request) -> web.Response:
        long = {**row, "00081048": {"vr": "PN", "Value": ["x" * 100_000]}}
        many = [{**long, "0020000E": element("UI", f"1.2.{n}")} for n in range(100)]
        rows = many if "limit" in request.query else [row]  # facts are asked for without
        return web.json_response(rows, content_type="application/dicom+json")

    gateway.archive.replaced["/dicom-web/studies"] = page
    gateway.archive.answer(f"/dicom-web/studies/{uid}/series", [series_row(uid, modality=modality)])
    async with asyncio.timeout(20), gateway.client() as client:
        head = f"GET /dicom-web/studies HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {gateway.token()}\r\n\r\n"
        await client.send(head.encode())
        await client.reader.readuntil(b"\r\n\r\n")
        assert len(gateway.gateway.live) == 1
        yield client


async def test_a_page_that_a_client_takes_slowly_is_cut_like_any_reply(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway, taking_slowly(gateway, CT.uid, "P001", "CT") as client:
        await revoke_user(gateway, "")
        assert await ended(client), "the page ended as if it were whole"
        assert (await completion(gateway))["cut_by"] == "access-revoked"


async def test_a_page_is_cut_when_one_of_its_rows_may_no_longer_be_seen(tmp_path: Path) -> None:
    """The search is as allowed as ever; the patient of a row got a diagnosis."""
    async with running(tmp_path) as gateway:
        conditions = gateway.folder / "facts/conditions.yaml"
        diagnosis = conditions.read_text()
        conditions.write_text("conditions: []\n")
        await gateway.gateway.parts.sources.maintain()
        async with taking_slowly(gateway, MR.uid, "P002", "MR") as client:
            conditions.write_text(diagnosis)
            await gateway.gateway.parts.sources.maintain()
            assert await ended(client), "the page ended as if it were whole"
            assert (await completion(gateway))["cut_by"] == "study-not-visible"


async def test_an_upload_is_refused_in_words(tmp_path: Path) -> None:
    async with running(tmp_path, instances=[]) as gateway:
        token = gateway.token("technologist")
        kind, body = multipart(CT.instances[0].part10)
        head = f"POST /dicom-web/studies HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token}\r\n{kind}\r\n"
        async with asyncio.timeout(20), gateway.client() as client:
            await client.send(head.encode() + f"Content-Length: {len(body) + 1000}\r\n\r\n".encode() + body[:-60])
            await until(lambda: len(gateway.gateway.live) == 1)
            await revoke_user(gateway, token)
            async with asyncio.timeout(SECONDS):
                answer = await client.answer()
        assert (answer.status, answer.reasons) == (403, ["access-revoked"])
        assert gateway.archive.bodies == []


async def test_after_a_revocation_nothing_new_passes_and_after_lifting_it_does(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        path = f"/dicom-web/studies/{CT.uid}/metadata"
        assert (await gateway.ask(path)).status == 200
        made = await gateway.gateway.revocations.revoke("user", OWNER, "on leave", 7200, BY)
        refused = await gateway.ask(path)
        assert (refused.status, refused.reasons) == (403, ["access-revoked"])
        await gateway.gateway.revocations.lift(made.id, BY)
        assert (await gateway.ask(path)).status == 200


OUTLIVE = "policies/data/outlive.yaml"


def outliving(folder: Path) -> None:
    (folder / OUTLIVE).write_text("actions: {retrieve: 100}\n")


async def late(gateway: Running, seconds: float) -> None:
    """Let time pass, until what runs was judged for it or is gone."""
    gateway.clock.advance(seconds)
    await gateway.tell("pass", seq=gateway.agent.seq + 2)  # the device goes on reporting
    running = gateway.gateway.live._running
    await until(lambda: all(one.valid_until > gateway.clock.now() and not one.due for one in running))


async def test_a_reply_outlives_its_token_where_policy_says_so_and_no_longer(tmp_path: Path) -> None:
    async with running(tmp_path, change=outliving) as gateway:
        token = gateway.token(exp=int(gateway.clock.now()) + 60)
        async with streaming(gateway, token) as client:
            await late(gateway, 60 + 31)
            await client.reader.readexactly(64 * 1024)
            assert (await gateway.ask(f"/dicom-web/studies/{CT.uid}/metadata", token=token)).status == 401
            await late(gateway, 95)
            await client.reader.readexactly(64 * 1024)
            await late(gateway, 10)
            async with asyncio.timeout(SECONDS):
                assert await ended(client)
        assert (await completion(gateway))["cut_by"] == "user-unauthenticated"


async def test_what_outlives_its_token_is_still_cut_by_all_else(tmp_path: Path) -> None:
    async with running(tmp_path, change=outliving) as gateway:
        token = gateway.token(exp=int(gateway.clock.now()) + 60)
        async with streaming(gateway, token) as client:
            await late(gateway, 60 + 31)
            await client.reader.readexactly(64 * 1024)
            await revoke_user(gateway, token)
            async with asyncio.timeout(SECONDS):
                assert await ended(client)
        assert (await completion(gateway))["cut_by"] == "access-revoked"


async def test_a_rule_that_is_withdrawn_ends_what_it_let_go_on(tmp_path: Path) -> None:
    async with running(tmp_path, change=outliving) as gateway:
        token = gateway.token(exp=int(gateway.clock.now()) + 60)
        async with streaming(gateway, token) as client:
            await late(gateway, 60 + 31)
            await client.reader.readexactly(64 * 1024)
            (gateway.folder / OUTLIVE).write_text("actions: {}\n")
            await gateway.gateway.reload()
            async with asyncio.timeout(SECONDS):
                assert await ended(client)


async def test_what_is_missing_of_a_study_stays_its_own_when_another_is_gone() -> None:
    gone, here, yet = Study("1.1", patient_id="P001"), Study("1.2"), Study("1.3", exists=False, patient_id="P003")

    async def gather(_: list[str]) -> tuple[dict[str, Study], tuple[str, ...]]:
        return {"1.2": here}, ("studies[0].conditions",)

    def enrich(study: Study) -> tuple[Study, tuple[str, ...]]:
        return study, ("care_team",)

    archive: Any = SimpleNamespace(studies=SimpleNamespace(gather=gather, enrich=enrich))
    studies, missing = await _known(archive, (gone, here, yet))
    assert studies == (Study("1.1", exists=False), here, yet)
    assert missing == ("studies[1].conditions", "studies[2].care_team")
