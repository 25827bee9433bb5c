"""Attacks on other people's studies by storing: races, late attributes, facts that cannot be had, trust that has ended."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from support.door import QUICK
from support.gateway import CT, MR, Answer, Client, Running, multipart, running
from support.part10files import dataset, element, file
from support.studies import BASIC_TEXT_SR, instance

STORE = "/dicom-web/studies"
NEW = "1.2.826.0.1.3680043.10.1491.99"
HOST = "pacs.example.org"


@pytest.fixture
async def patient(tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway that does not mind how long a client takes."""
    async with running(tmp_path, bounds=replace(QUICK, stall_seconds=100_000.0)) as run:
        yield run


def ct(patient: str, number: int = 1, study: str = NEW) -> bytes:
    return instance(study=study, series=f"{study}.1", sop=f"{study}.1.{number}", patient_id=patient, number=number)


def report(study: str, patient: str, sop: str = "7.1") -> bytes:
    return instance(
        study=study, series=f"{study}.{sop[0]}", sop=f"{study}.{sop}", sop_class=BASIC_TEXT_SR, modality="SR",
        patient_id=patient, size=0, body_part="",
    )  # fmt: skip


async def store(run: Running, *parts: bytes, role: str = "technologist") -> Answer:
    kind, body = multipart(*parts)
    return await run.ask(STORE, kind, method="POST", token=run.token(role), body=body)


async def begin(run: Running, client: Client, first: bytes, *, role: str = "technologist") -> bytes:
    """Send the head of a store and its first part, and return the rest, which is not sent."""
    kind, body = multipart(first)
    at = body.index(first) + len(first)
    token = run.token(role)
    head = f"POST {STORE} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token}\r\n{kind}\r\n"
    await client.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:at])
    return body[at:]


async def judged(run: Running, count: int) -> None:
    """Wait until so many parts have been judged."""
    async with asyncio.timeout(5):
        while sum(1 for line in run.record("decision") if line["resource"].get("sop_class")) < count:  # noqa: ASYNC110 - another task writes it
            await asyncio.sleep(0.01)


async def test_two_stores_at_once_cannot_begin_one_study_under_two_patients(run: Running) -> None:
    async with run.client() as first:
        rest = await begin(run, first, ct("P001"))
        await judged(run, 1)
        second = await store(run, ct("P002", number=2))
        assert second.status == 404, second.body
        assert run.about(second)[-1]["type"] in {"completion", "decision"}
        await first.send(rest)
        assert (await first.answer()).status == 200
    assert (await store(run, ct("P001", number=3))).status == 200  # and nothing is left behind


async def test_two_stores_at_once_cannot_write_one_instance(run: Running) -> None:
    async with run.client() as first:
        rest = await begin(run, first, ct("P001"))
        await judged(run, 1)
        assert (await store(run, ct("P001"))).reasons == ["instance-exists"]
        await first.send(rest)
        assert (await first.answer()).status == 200


async def test_a_study_whose_patient_cannot_be_told_takes_no_part(run: Running) -> None:
    async def half(request: web.Request) -> web.Response:
        """Say nothing of studies, and take whatever comes."""
        if request.method == "GET":
            return web.Response(status=500)
        await request.read()
        return web.json_response({}, content_type="application/dicom+json")

    run.archive.replaced[STORE] = half
    refused = await store(run, ct("P999", study=CT.uid, number=77))
    assert (refused.status, refused.reasons) == (502, ["upstream-unreachable"])
    (line,) = [line for line in run.about(refused) if line["type"] == "completion"]
    assert "whose the study is" in str(line)


async def test_a_part_without_patient_id_is_refused_since_one_may_follow_out_of_order(run: Running) -> None:
    late = dataset({0x00100020: None}) + element(0x00100020, "LO", b"P002")
    assert (await store(run, file(late))).reasons == ["store-unreadable"]
    assert (await store(run, file(dataset({0x00100020: ("LO", b"")})))).status == 200


async def test_a_store_ends_when_its_device_is_revoked(run: Running) -> None:
    async with run.client() as client:
        kind, body = multipart(ct("P001"), ct("P001", number=2))
        at = body.index(ct("P001")) + len(ct("P001"))
        head = (
            f"POST {STORE} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {run.token('technologist')}\r\n{kind}\r\n"
        )
        await client.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:at])
        await judged(run, 1)
        await run.gateway.devices.inventory.revoke(run.agent.id, "lost", {"uid": 0, "user": "root"})
        await client.send(body[at:])
        answer = await client.answer()
    assert (answer.status, answer.reasons) == (403, ["statement-invalid"])


async def test_a_store_ends_with_its_token(patient: Running) -> None:
    run = patient
    async with run.client() as client:
        kind, body = multipart(ct("P001"), ct("P001", number=2))
        at = body.index(ct("P001")) + len(ct("P001"))
        token = run.token("technologist", exp=int(run.clock.now()) + 100)
        head = f"POST {STORE} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token}\r\n{kind}\r\n"
        await client.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:at])
        await judged(run, 1)
        for _ in range(3):
            run.clock.advance(60)
            await run.tell()
        await client.send(body[at:])
        answer = await client.answer()
    assert (answer.status, answer.reasons) == (401, ["user-unauthenticated"])


async def test_a_long_store_goes_on_while_its_device_reports(patient: Running) -> None:
    run = patient
    async with run.client() as client:
        kind, body = multipart(ct("P001"), ct("P001", number=2))
        at = body.index(ct("P001")) + len(ct("P001"))
        head = (
            f"POST {STORE} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {run.token('technologist')}\r\n{kind}\r\n"
        )
        await client.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:at])
        await judged(run, 1)
        for _ in range(3):
            run.clock.advance(60)
            await run.tell()
        await client.send(body[at:])
        assert (await client.answer()).status == 200


async def test_a_reader_cannot_tell_a_hidden_study_from_none_by_storing_a_report(run: Running) -> None:
    hidden = await store(run, report(MR.uid, "P002"), role="radiologist")
    absent = await store(run, report(NEW, "P002"), role="radiologist")
    own = await store(run, report(CT.uid, "P001"), role="radiologist")
    assert (hidden.status, absent.status, own.status) == (404, 404, 200), (hidden.body, absent.body, own.body)
