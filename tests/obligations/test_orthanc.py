"""Plans on what a real archive answers. The module under test is `plan`; the archive is what is real here."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest

from leadglass.codec.multipart import parse_content_type
from leadglass.codec.part10 import InstanceHeader
from leadglass.model.ask import Ask
from leadglass.model.errors import Cut, Refusal, refuse
from leadglass.model.permit import Sealed
from leadglass.model.reasons import Code
from leadglass.obligations.page import read_page
from leadglass.obligations.plan import Plan
from leadglass.obligations.store_body import StoreBody
from leadglass.upstream.upstream import Upstream
from support.matches import decided, placed
from support.orthanc import Orthanc
from support.studies import instance
from support.upstreams import ListSink, opened, permit

pytestmark = pytest.mark.system


async def body_of(sealed: Sealed) -> bytes:
    if isinstance(sealed.body, bytes):
        return sealed.body
    if isinstance(sealed.body, AsyncIterator):
        return b"".join([piece async for piece in sealed.body])
    sink = ListSink()
    await sealed.body.relay(sink)
    return sink.body


async def retrieved(upstream: Upstream, target: str, accept: str | None = None) -> tuple[Sealed, bytes]:
    match = placed(target, accept)
    sealed = Plan.of(decided(), match).seal(await upstream.open(permit(), match.ask))
    return sealed, await body_of(sealed)


async def test_retrieve_and_render(orthanc: Orthanc) -> None:
    study = orthanc.studies["ct"]
    root = f"/dicom-web/studies/{study.uid}"
    one = f"{root}/series/{study.series}/instances/{study.instances[0].sop}"
    async with opened(orthanc.url) as upstream, asyncio.timeout(60):
        for target in (root, f"{root}/series/{study.series}"):
            _, body = await retrieved(upstream, target)
            assert all(item.part10 in body for item in study.instances)
        assert study.instances[0].part10 in (await retrieved(upstream, one))[1]
        assert len((await retrieved(upstream, f"{one}/frames/1"))[1]) > 64 * 64 * 2
        for target in (root, f"{root}/series/{study.series}", one):
            sealed, body = await retrieved(upstream, f"{target}/metadata")
            assert sealed.headers[0] == (b"Content-Type", b"application/dicom+json")
            assert {row["0020000D"]["Value"][0] for row in orjson.loads(body)} == {study.uid}
        assert (await retrieved(upstream, f"{one}/rendered"))[1].startswith(b"\xff\xd8")
        assert (await retrieved(upstream, f"{one}/rendered", "image/png"))[1].startswith(b"\x89PNG")
        assert (await retrieved(upstream, f"{one}/bulk/7FE00010"))[1]
        wado = (
            f"/wado?requestType=WADO&studyUID={study.uid}&seriesUID={study.series}&objectUID={study.instances[0].sop}"
        )
        assert (await retrieved(upstream, f"{wado}&contentType=application/dicom"))[1] == study.instances[0].part10
        assert (await retrieved(upstream, wado))[1].startswith(b"\xff\xd8")


async def test_another_study_is_cut(orthanc: Orthanc) -> None:
    asked, got = orthanc.studies["ct"], orthanc.studies["mr"]
    match = placed(f"/dicom-web/studies/{asked.uid}")
    async with opened(orthanc.url) as upstream, asyncio.timeout(30):
        wrong = match.ask._replace(path=f"/studies/{got.uid}")  # an archive that answers for another study
        sealed = Plan.of(decided(), match).seal(await upstream.open(permit(), wrong))
        sink = ListSink()
        assert not isinstance(sealed.body, bytes | AsyncIterator)
        with pytest.raises(Cut):
            await sealed.body.relay(sink)
        assert b"Cancer" not in sink.body
        assert upstream.pool.running == 0


async def test_search(orthanc: Orthanc) -> None:
    match = placed("/dicom-web/studies?includefield=StudyDescription")
    async with opened(orthanc.url) as upstream, asyncio.timeout(30):
        page = await read_page(await upstream.open(permit(), match.ask), match, 200)
        hidden = page.studies.index(orthanc.studies["mr"].uid)
        sealed = await Plan.seal_rows([await Plan.of(decided(hidden=(hidden,)), match).show(page, page.studies)])
        body = await body_of(sealed)
        assert orthanc.studies["ct"].uid.encode() in body
        assert orthanc.studies["mr"].uid.encode() not in body
        match = placed("/dicom-web/instances?limit=5")
        page = await read_page(await upstream.open(permit(), match.ask), match, 200)
        assert len(page.rows) == 5


class Source:
    def __init__(self, *parts: bytes) -> None:
        self._parts = parts

    async def chunks(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield b"--bb\r\nContent-Type: application/dicom\r\n\r\n"
            yield part
            yield b"\r\n"
        yield b"--bb--\r\n"


async def stored(orthanc: Orthanc, *parts: bytes) -> bytes:
    async def judge(header: InstanceHeader, _: int) -> None:
        if header.patient_id == "DENIED":
            raise refuse(Code.PATIENT_CONFLICT)

    kind = parse_content_type('multipart/related; type="application/dicom"; boundary=bb')
    body = StoreBody(Source(*parts), kind, None, judge)
    ask = Ask("POST", "dicomweb", "/studies", accept="application/dicom+json", content_type=body.content_type)
    async with opened(orthanc.url) as upstream, asyncio.timeout(30):
        return await (await upstream.open(permit(), ask, body.chunks())).read(1 << 20)


async def test_store(orthanc: Orthanc) -> None:
    uid = "1.2.826.0.1.3680043.10.1491.601"
    parts = [instance(study=uid, series=f"{uid}.1", sop=f"{uid}.1.{n}", number=n) for n in (1, 2)]
    answer = orjson.loads(await stored(orthanc, *parts))
    assert len(answer["00081199"]["Value"]) == 2
    _, _, listed = orthanc.request("GET", f"/dicom-web/studies/{uid}/instances")
    assert len(orjson.loads(listed)) == 2


async def test_nothing_of_a_refused_part_is_stored(orthanc: Orthanc) -> None:
    uid = "1.2.826.0.1.3680043.10.1491.602"
    good = instance(study=uid, series=f"{uid}.1", sop=f"{uid}.1.1")
    denied = instance(study=uid, series=f"{uid}.1", sop=f"{uid}.1.2", patient_id="DENIED")
    with pytest.raises(Refusal):
        await stored(orthanc, good, denied)
    _, _, listed = orthanc.request("GET", f"/dicom-web/instances?SOPInstanceUID={uid}.1.2")
    assert orjson.loads(listed) == []
