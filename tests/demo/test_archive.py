"""The embedded archive: enough of DICOMweb for a viewer, answered as the archives it stands for do."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from support.gateway import CT, MR, SR, US, fake_archive, multipart
from support.studies import instance

SERIES = f"/dicom-web/studies/{CT.uid}/series/{CT.series}"
ONE = CT.instances[0]


@pytest.fixture
async def get() -> AsyncIterator[aiohttp.ClientSession]:
    async with fake_archive() as archive, aiohttp.ClientSession(archive.url) as session:
        yield session


async def test_searches_at_every_level(get: aiohttp.ClientSession) -> None:
    async with get.get("/dicom-web/studies") as reply:
        studies = await reply.json(content_type="application/dicom+json")
    assert {row["0020000D"]["Value"][0] for row in studies} == {CT.uid, MR.uid, US.uid, SR.uid}
    assert next(r for r in studies if r["0020000D"]["Value"][0] == CT.uid)["00201208"]["Value"] == [12]
    async with get.get(f"{SERIES}/instances") as reply:
        assert len(await reply.json(content_type="application/dicom+json")) == 12


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("PatientID=P001", 2),
        ("00100020=P002", 1),
        ("PatientName=Demo^C*", 3),
        (f"StudyInstanceUID={CT.uid},{MR.uid}", 2),
        ("ModalitiesInStudy=MR", 1),
        ("limit=2", 2),
        ("limit=2&offset=3", 1),
        ("PatientID=nobody", 0),
        ("Frobnicate=1", 4),  # unknown keys are ignored, as Orthanc does
    ],
)
async def test_matching(get: aiohttp.ClientSession, query: str, count: int) -> None:
    async with get.get(f"/dicom-web/studies?{query}") as reply:
        assert len(await reply.json(content_type="application/dicom+json")) == count


async def test_what_was_stored_comes_back_byte_for_byte(get: aiohttp.ClientSession) -> None:
    part = instance(study="1.2.3", series="1.2.3.1", sop="1.2.3.1.1")
    kind, body = multipart(part)
    async with get.post("/dicom-web/studies", data=body, headers=dict([kind.split(": ", 1)])) as reply:
        assert reply.status == 200
    async with get.get("/dicom-web/studies/1.2.3") as reply:
        assert part in await reply.read()
    async with get.get("/wado?requestType=WADO&studyUID=1.2.3&seriesUID=1.2.3.1&objectUID=1.2.3.1.1") as reply:
        assert await reply.read() == part


async def test_metadata_leaves_pixels_behind_and_frames_bring_them(get: aiohttp.ClientSession) -> None:
    async with get.get(f"{SERIES}/metadata") as reply:
        rows = await reply.json(content_type="application/dicom+json")
    assert rows[0]["7FE00010"]["BulkDataURI"].endswith("/bulk/7fe00010")
    async with get.get(f"{SERIES}/instances/{ONE.sop}/frames/1") as reply:
        assert len(await reply.read()) > 64 * 64 * 2


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/dicom-web/studies/1.2.999/metadata", 404),
        (f"{SERIES}/instances/{ONE.sop}/frames/2", 404),
        ("/dicom-web/studies/x/metadata", 400),
        ("/wado?objectUID=1.2", 404),
        ("/nix", 404),
    ],
)
async def test_what_is_not_there(get: aiohttp.ClientSession, path: str, status: int) -> None:
    async with get.get(path) as reply:
        assert reply.status == status
