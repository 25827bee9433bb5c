"""Links of an archive, followed from outside: with nginx before the gateway, and Orthanc or a misled archive behind it."""

import asyncio
import gzip
import io
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pydicom
import pytest
import pytest_asyncio
from pydicom.dataset import Dataset

from leadglass.telemetry.metrics import LINKS_REMOVED
from support.composed import PATIENT, behind_nginx, trust
from support.gateway import CT, HOST, Answer, Running, multipart, running
from support.orthanc import Orthanc
from support.studies import instance

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="module")]
PUBLIC = f"https://{HOST}"
EVIL = "https://evil.test/dicom-web/studies/1"
STUDIES = "1.2.826.0.1.3680043.10.1491.61"
METADATA = f"/dicom-web/studies/{CT.uid}/metadata"
INSTANCE = f"/dicom-web/studies/{CT.uid}/series/{CT.instances[0].series}/instances/{CT.instances[0].sop}"
DICOM = 'multipart/related; type="application/dicom"'


def links(value: object, *, retrieve: bool = False) -> Iterator[str]:
    """Yield what a client may follow in a reply."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if name == "BulkDataURI":
                yield item
            yield from links(item, retrieve=name in {"00081190", "0040E010"} or (retrieve and name == "Value"))
    elif isinstance(value, list):
        for item in value:
            yield from links(item, retrieve=retrieve)
    elif retrieve and isinstance(value, str) and value != "UR":
        yield value


# --- Orthanc behind nginx, in both modes -------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["forwarded", "rewrite"])
async def outside(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, orthanc: Orthanc
) -> AsyncIterator[Running]:
    """A gateway between nginx and Orthanc; with `rewrite` at a path of its own."""
    folder, mode = tmp_path_factory.mktemp("links"), request.param
    more = "mount: /pacs/rs, wado_mount: /pacs/wado" if mode == "rewrite" else ""
    async with running(
        folder / "site", upstream=orthanc.url, kind="orthanc", links=mode, upstream_more=more, change=trust, bounds=PATIENT
    ) as run:  # fmt: skip
        with behind_nginx(run, folder):
            yield run


def mount(run: Running) -> str:
    return run.gateway.settings.upstreams["main"].mount


def misleading(uid: str, number: int) -> bytes:
    """Return an instance whose author had viewers look elsewhere."""
    plain = instance(study=uid, series=f"{uid}.1", sop=f"{uid}.1.{number}", patient_id="P610", number=number)
    made = pydicom.dcmread(io.BytesIO(plain))
    made.RetrieveURI = EVIL
    item = Dataset()
    item.RetrieveURL, item.CodingSchemeURL = EVIL, "https://codes.test/"
    made.ReferencedSeriesSequence = [item]
    written = io.BytesIO()
    made.save_as(written)
    return written.getvalue()


async def test_every_link_leads_through_nginx_and_is_served(outside: Running, orthanc: Orthanc) -> None:
    root, uid = mount(outside), orthanc.studies["ct"].uid
    followed: dict[str, Answer] = {}
    for target in ("/studies", "/series", "/instances", f"/studies/{uid}/series", f"/studies/{uid}/metadata"):
        answer = await outside.ask(f"{root}{target}", "Accept-Encoding: gzip")
        assert answer.status == 200, answer.body
        packed = answer.headers.get("content-encoding") == "gzip"
        answer = Answer(200, answer.headers, gzip.decompress(answer.body) if packed else answer.body)
        told = list(links(answer.json))
        assert told, target
        assert str(orthanc.port).encode() not in answer.body
        for link in told:
            assert link.startswith(f"{PUBLIC}{root}/studies/")
        for kind in ("/bulk/", ""):
            link = next((link for link in told if uid in link and kind in link), "")
            if link and link not in followed:
                accept = "*/*" if "/bulk/" in link else DICOM
                followed[link] = await outside.ask(link.removeprefix(PUBLIC), f"Accept: {accept}")
    assert {answer.status for answer in followed.values()} == {200}
    assert any("/bulk/" in link for link in followed)


async def test_what_was_written_into_an_object_does_not_lead_viewers_away(outside: Running) -> None:
    root, rewritten = mount(outside), mount(outside) != "/dicom-web"
    uid = f"{STUDIES}.{int(rewritten)}"
    kind, body = multipart(misleading(uid, 1), misleading(uid, 2))
    stored = await outside.ask(f"{root}/studies", kind, method="POST", token=outside.token("technologist"), body=body)
    assert stored.status == 200
    told = list(links(stored.json))
    assert len(told) >= 2
    assert all(link.startswith(f"{PUBLIC}{root}/studies/{uid}") for link in told)
    before = LINKS_REMOVED.values.get((), 0)
    answer = await outside.ask(f"{root}/studies/{uid}/metadata")
    assert answer.status == 200
    assert answer.body.count(EVIL.encode()) == (0 if rewritten else 4)
    assert LINKS_REMOVED.values.get((), 0) - before == (4 if rewritten else 0)
    assert answer.body.count(b"https://codes.test/") == 2
    assert len(answer.json) == 2


# --- an archive that is led by the gateway alone -------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    folder: Path = tmp_path_factory.mktemp("links")
    async with running(
        folder, kind="dcm4chee", links="rewrite", upstream_more="link_bases: [http://other.test/arc/rs]"
    ) as run:
        yield run


def rows(base: str, count: int = 1) -> list[dict[str, object]]:
    return [
        {
            "0020000D": {"vr": "UI", "Value": [CT.uid]},
            "00081190": {"vr": "UR", "Value": [f"{base}/studies/{CT.uid}"]},
            "7FE00010": {"vr": "OW", "BulkDataURI": f"{base}{INSTANCE.removeprefix('/dicom-web')}/bulkdata/7FE00010"},
            "00081195": {"vr": "UR", "Value": [EVIL]},
            "00104000": {"vr": "LT", "Value": [f"see {base}/studies {n}"]},
        }
        for n in range(count)
    ]


@pytest.mark.parametrize("field", ["", ":443"])
@pytest.mark.parametrize("packed", [False, True])
async def test_metadata_of_an_archive_with_a_name_of_its_own(site: Running, field: str, packed: bool) -> None:  # noqa: FBT001 - a table
    told = rows("http://other.test/arc/rs", 3000)
    body = json.dumps(told).encode()
    coding = "gzip" if packed else "identity"
    site.archive.answer(METADATA, gzip.compress(body) if packed else body, Content_Encoding=coding)
    request = f"GET {METADATA} HTTP/1.1\r\nHost: {HOST}{field}\r\nAuthorization: Bearer {site.token()}\r\n\r\n".encode()
    async with asyncio.timeout(20), site.client() as client:
        for _ in range(2):  # on one connection, whose framing must hold
            await client.send(request)
            answer = await client.answer()
            assert answer.status == 200
            assert answer.headers["transfer-encoding"] == "chunked"
            wanted = rows(f"{PUBLIC}/dicom-web", 3000)
            for row, was in zip(wanted, told, strict=True):
                row["00081195"] = {"vr": "UR"}
                row["00104000"] = was["00104000"]
            assert answer.json == wanted


async def test_searches_are_led_too(site: Running) -> None:
    site.archive.answer("/dicom-web/series", rows(f"{site.archive.url}/dicom-web"))  # where no facts are looked up
    try:
        (row,) = (await site.ask("/dicom-web/series")).json
    finally:
        del site.archive.replaced["/dicom-web/series"]
    assert row["00081190"]["Value"] == [f"{PUBLIC}/dicom-web/studies/{CT.uid}"]
    assert "Value" not in row["00081195"]


async def test_part_headers_are_led_and_pixels_are_not_touched(site: Running) -> None:
    pixels = bytes(range(256)) * 8192 + b'"BulkDataURI":"http://other.test/arc/rs/1"'
    at = f"{site.archive.url}{INSTANCE}/frames/1"
    part = b"--b\r\nContent-Type: application/octet-stream\r\nContent-Location: %b\r\n\r\n%b\r\n--b--\r\n"
    kind = 'multipart/related; type="application/octet-stream"; boundary=b'
    site.archive.answer(f"{INSTANCE}/frames/1", part % (at.encode(), pixels), Content_Type=kind)
    answer = await site.ask(f"{INSTANCE}/frames/1")
    assert answer.status == 200
    assert answer.body == part % (f"{PUBLIC}{INSTANCE}/frames/1".encode(), pixels)


async def test_a_link_without_end_is_a_cut(site: Running) -> None:
    site.archive.answer(METADATA, b'[{"x":"%b"},{"7FE00010":{"BulkDataURI":"%b"}}]' % (b"x" * 99_999, b"/" * 99_999))
    answer = await site.ask(METADATA)
    assert not answer.whole
    assert site.about(answer)[-1]["cut_by"] == "upstream-invalid"


async def test_redirects_are_not_followed_whereto_they_may_lead(site: Running) -> None:
    for target in (EVIL, METADATA, f"{site.archive.url}{METADATA}"):
        site.archive.answer(METADATA, b"", status=307, Location=target)
        site.archive.clear()
        answer = await site.ask(METADATA)
        assert (answer.status, answer.reasons) == (502, ["upstream-invalid"])
        assert "location" not in answer.headers
        assert len(site.archive.relayed) == 1


async def test_the_archive_is_told_no_address_to_write(site: Running) -> None:
    site.archive.clear()
    await site.ask("/dicom-web/series")
    assert site.archive.heads
    assert not any("orwarded" in name for head in site.archive.heads for name in head)
