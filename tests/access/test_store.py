"""Stores: judged at the head and part by part, each before it goes on; what was stored is told at the end."""

import asyncio
import io
from pathlib import Path
from typing import Any

import pydicom
import pytest
from aiohttp import web

from support.gateway import CT, HOST, MR, Running, multipart, running
from support.studies import BASIC_TEXT_SR, CT_IMAGE, instance

NEW = "1.2.826.0.1.3680043.10.1491.77"


def image(number: int = 1, **changes: Any) -> bytes:  # noqa: ANN401 - arguments of `instance`
    values: dict[str, Any] = {
        "study": NEW, "series": f"{NEW}.1", "sop": f"{NEW}.1.{number}", "patient_id": "P077", "number": number, **changes,
    }  # fmt: skip
    return instance(**values)


def report(number: int = 1, **changes: Any) -> bytes:  # noqa: ANN401 - arguments of `instance`
    values: dict[str, Any] = {
        "study": CT.uid, "series": f"{CT.uid}.9", "sop": f"{CT.uid}.9.{number}", "sop_class": BASIC_TEXT_SR,
        "modality": "SR", "patient_id": "P001", "size": 0, **changes,
    }  # fmt: skip
    return instance(**values)


async def store(run: Running, *parts: bytes, role: str = "technologist", path: str = "/dicom-web/studies") -> Any:  # noqa: ANN401 - Answer
    kind, body = multipart(*parts)
    return await run.ask(path, kind, method="POST", body=body, token=run.token(role))


def posts(run: Running) -> list[str]:
    return [asked for asked in run.archive.asked if asked.startswith("POST")]


async def test_a_technologist_stores_a_new_study_and_reads_it_back_unchanged(run: Running) -> None:
    sent = [image(1), image(2)]
    answer = await store(run, *sent)
    assert answer.status == 200
    completion = run.about(answer)[-1]
    assert completion["stored"]["studies"] == [{"study_uid": NEW, "patient_id": "P077"}]
    back = await run.ask(f"/dicom-web/studies/{NEW}", 'Accept: multipart/related; type="application/dicom"')
    assert all(part in back.body for part in sent)


async def test_every_part_has_a_decision_of_its_own(run: Running) -> None:
    answer = await store(run, image(1), image(2))
    decisions = [line for line in run.about(answer) if line["type"] == "decision"]
    assert [line["resource"].get("instance_uid") for line in decisions] == [None, f"{NEW}.1.1", f"{NEW}.1.2"]
    assert all(line["input"]["resource"]["exists"] is False for line in decisions[1:])


async def test_a_radiologist_stores_a_report_and_no_image(run: Running) -> None:
    assert (await store(run, report(), role="radiologist")).status == 200
    run.archive.clear()
    run.clock.advance(40)
    refused = await store(run, image(study=CT.uid, patient_id="P001"), role="radiologist")
    assert (refused.status, refused.reasons) == (403, ["store-refused", "not-granted"])


async def test_a_report_on_a_study_one_may_not_read_is_refused_as_if_it_were_not_there(run: Running) -> None:
    part = report(study=MR.uid, patient_id="P002")
    refused = await store(run, part, role="radiologist")
    assert (refused.status, refused.reasons) == (404, ["study-not-visible"])


REFUSED = {
    "patient-conflict": (image(study=CT.uid, patient_id="P999"), {404, 409}, "patient-conflict"),
    "issuer-conflict": (
        image(study=CT.uid, patient_id="P001").replace(b"DEMO", b"OTHR"),
        {404, 409},
        "patient-conflict",
    ),
    "instance-exists": (CT.instances[0].part10, {409}, "instance-exists"),
    "instance-elsewhere": (image(sop=CT.instances[0].sop), {409}, "instance-exists"),
    "not-dicom": (b"hello", {400}, "store-unreadable"),
    "cut-header": (image()[:200], {400}, "store-unreadable"),
}


@pytest.mark.parametrize(("part", "statuses", "code"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_may_not_be_stored_reaches_the_archive_in_no_part(
    run: Running, part: bytes, statuses: set[int], code: str
) -> None:
    answer = await store(run, part)
    assert answer.status in statuses
    assert code in str(run.about(answer))
    assert (await run.ask(f"/dicom-web/studies/{NEW}/metadata")).status == 404
    there = await run.ask(f"/dicom-web/studies/{CT.uid}/instances")
    assert len(there.json) == len(CT.instances)


async def test_a_study_in_the_address_binds_every_part(run: Running) -> None:
    answer = await store(run, image(), path=f"/dicom-web/studies/{CT.uid}")
    assert (answer.status, answer.reasons) == (400, ["part-mismatch"])


async def test_two_parts_with_one_uid_are_refused(run: Running) -> None:
    answer = await store(run, image(1), image(1))
    assert (answer.status, answer.reasons) == (400, ["part-mismatch"])


async def test_one_study_cannot_be_begun_under_two_patients_in_one_store(run: Running) -> None:
    answer = await store(run, image(1), image(2, patient_id="P078"))
    assert answer.status in {404, 409}
    assert "patient-conflict" in str(run.about(answer))


async def test_a_preamble_that_could_be_a_program_leaves_as_zeros(run: Running) -> None:
    whole = image()
    hostile = b"\x7fELF" + b"A" * 124 + whole[128:]
    assert (await store(run, hostile)).status == 200
    back = await run.ask(f"/dicom-web/studies/{NEW}", 'Accept: multipart/related; type="application/dicom"')
    assert b"\x7fELF" not in back.body
    assert b"\0" * 128 + whole[128:] in back.body


async def test_a_refused_second_part_aborts_the_body_and_the_record_says_what_went_on(tmp_path: Path) -> None:
    """The archive gets no closing delimiter, so it cannot take what came for the whole."""
    async with running(tmp_path) as run:
        bodies: list[tuple[bytes, bool]] = []
        served = run.archive.replaced

        async def take(request: web.Request) -> web.StreamResponse:
            if request.method != "POST":
                wanted = request.query.get("StudyInstanceUID") or request.query.get("SOPInstanceUID")
                assert wanted or "series" in request.path
                return web.json_response([], content_type="application/dicom+json")
            got = bytearray()
            whole = False
            try:
                async for piece in request.content.iter_any():
                    got += piece
                whole = True
            finally:
                bodies.append((bytes(got), whole))
            return web.json_response({}, content_type="application/dicom+json")

        served["/dicom-web"] = take
        first, second = image(1, size=512), b"not a DICOM file" * 100
        answer = await store(run, first, second)
        assert (answer.status, answer.reasons) == (400, ["store-unreadable"])
        async with asyncio.timeout(5):
            while not bodies:  # noqa: ASYNC110 - the archive's task
                await asyncio.sleep(0.01)
        got, whole = bodies[0]
        assert not whole
        assert b"not a DICOM" not in got
        completion = run.about(answer)[-1]
        assert completion["stored"]["studies"] == [{"study_uid": NEW, "patient_id": "P077"}]
        assert completion["reasons"][0]["code"] == "store-unreadable"


@pytest.mark.parametrize("role", ["radiologist", "researcher", "nobody"])
async def test_who_may_not_store_sends_no_byte_to_the_archive(run: Running, role: str) -> None:
    kind, body = multipart(image())
    answer = await run.ask(
        "/dicom-web/studies", kind, "Leadglass-Purpose: HRESCH", method="POST", body=body, token=run.token(role)
    )
    assert answer.status in {403, 404}
    assert f"{NEW}.1.1" not in {str(line) for line in posts(run)}
    assert (await run.ask(f"/dicom-web/studies/{NEW}/metadata")).status == 404


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("Content-Type: application/dicom", 415),
        ('Content-Type: multipart/related; type="application/dicom+json"; boundary=B', 415),
        ("Content-Type: multipart/form-data; boundary=B", 415),
        ("X-A: 1", 415),
    ],
)
async def test_a_body_of_another_type_is_refused(run: Running, kind: str, status: int) -> None:
    _, body = multipart(image())
    answer = await run.ask("/dicom-web/studies", kind, method="POST", body=body, token=run.token("technologist"))
    assert answer.status == status
    assert posts(run) == []


async def test_a_client_that_leaves_in_the_middle_of_a_store_leaves_no_whole_body(run: Running) -> None:
    kind, body = multipart(image(1, size=512), image(2, size=512))
    head = (
        f"POST /dicom-web/studies HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {run.token('technologist')}\r\n"
        f"{kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    async with run.client() as client:
        await client.send(head.encode() + body[: len(body) // 2])
        async with asyncio.timeout(5):
            while len(run.record("decision")) < 2:  # noqa: ASYNC110 - another task writes it
                await asyncio.sleep(0.01)
    async with asyncio.timeout(5):
        while not run.record("completion"):  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.01)
    completion = run.record("completion")[-1]
    assert completion["cut_by"] == "client-gone"
    assert completion["stored"]["studies"]
    assert (await run.ask(f"/dicom-web/studies/{NEW}/metadata")).status == 404


async def test_facts_that_cannot_be_had_refuse_the_store(run: Running) -> None:
    run.archive.answer("/dicom-web/instances", b"broken", status=500)
    answer = await store(run, image())
    assert answer.status in {403, 502}
    assert (await run.ask(f"/dicom-web/studies/{NEW}/metadata")).status == 404


async def test_what_is_stored_is_seen_at_once(run: Running) -> None:
    assert (await run.ask(f"/dicom-web/studies/{NEW}/metadata")).status == 404
    assert (await store(run, image())).status == 200
    answer = await run.ask(f"/dicom-web/studies/{NEW}/metadata")
    assert answer.status == 200


def test_the_parts_of_these_tests_are_what_they_are_called() -> None:
    header = pydicom.dcmread(io.BytesIO(image()))
    assert (header.SOPClassUID, header.PatientID) == (CT_IMAGE, "P077")
