import asyncio
import gzip

import pytest

from leadglass.limits import FACTS_BYTES
from leadglass.model.errors import FactsUnavailable
from support.orthanc import Orthanc
from support.rawupstream import raw_upstream, reply
from support.upstreams import opened

JSON = "Content-Type: application/dicom+json"


def value(row: dict[str, dict[str, list[str]]], tag: str) -> list[str]:
    return row[tag]["Value"]


async def test_targets() -> None:
    async with raw_upstream(reply(b"[]", fields=[JSON])) as archive, opened(archive.url) as upstream:
        await upstream.facts.studies(["1.2", "1.3"])
        await upstream.facts.series(["1.2", "1.3"])
        await upstream.facts.series(["1.2"])
        await upstream.facts.instances("1.2", "1.2.3")
        await upstream.facts.instance_anywhere("1.2.3.4")
        await upstream.facts.workitem("1.2.5")
        assert [head.split()[1].split(b"&")[0] for head in archive.heads] == [
            b"/dicom-web/studies?StudyInstanceUID=1.2,1.3",
            b"/dicom-web/series?StudyInstanceUID=1.2,1.3",
            b"/dicom-web/studies/1.2/series?includefield=00080060",
            b"/dicom-web/studies/1.2/series/1.2.3/instances?includefield=00080016",
            b"/dicom-web/instances?SOPInstanceUID=1.2.3.4",
            b"/dicom-web/workitems/1.2.5",
        ]


@pytest.mark.parametrize(
    "warning", ['299 pacs "There are 7 additional results that can be requested"', "199 a b, 299 c d"]
)
async def test_a_list_with_rows_left_out_is_no_fact(warning: str) -> None:
    said = reply(b'[{"a":1}]', fields=[JSON, f"Warning: {warning}"])
    async with raw_upstream(said) as archive, opened(archive.url) as upstream:
        with pytest.raises(FactsUnavailable, match="left rows out"):
            await upstream.facts.series(["1.2"])


async def test_a_kind_that_matches_lists_is_asked_once() -> None:
    async with raw_upstream(reply(b"[]", fields=[JSON])) as archive:
        async with opened(archive.url, kind="dcm4chee") as upstream:
            await upstream.facts.studies([f"1.{n}" for n in range(9)])
        assert len(archive.heads) == 1


async def test_other_kinds_are_asked_one_by_one() -> None:
    async with raw_upstream(reply(b'[{"a":1}]', fields=[JSON])) as archive:
        async with opened(archive.url, kind="generic") as upstream:
            assert len(await upstream.facts.studies([f"1.{n}" for n in range(9)])) == 9
        assert len(archive.heads) == 9
        assert 1 < archive.connections <= 4


@pytest.mark.parametrize(
    ("raw", "rows"),
    [
        pytest.param(reply(b'[{"a":1}]', fields=[JSON]), [{"a": 1}], id="rows"),
        pytest.param(reply(b"", status="204 No Content"), [], id="204"),
        pytest.param(reply(b"no", status="404 Not Found"), [], id="404"),
        pytest.param(reply(gzip.compress(b"[]"), fields=[JSON, "Content-Encoding: gzip"]), [], id="gzip"),
    ],
)
async def test_answers(raw: bytes, rows: list[object]) -> None:
    async with raw_upstream(raw) as archive, opened(archive.url) as upstream:
        assert await upstream.facts.studies(["1.2"]) == rows


BOMB = gzip.compress(b" " * (FACTS_BYTES + 1))


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(reply(b"[]", status="500 X"), id="500"),
        pytest.param(reply(b"[]", status="302 X"), id="302"),
        pytest.param(reply(b"[]", fields=["Content-Type: text/html"]), id="html"),
        pytest.param(reply(b"[", fields=[JSON]), id="not json"),
        pytest.param(reply(b"{}", fields=[JSON]), id="no list"),
        pytest.param(reply(b"[1]", fields=[JSON]), id="no rows"),
        pytest.param(reply(b"[]", fields=[JSON, "Content-Encoding: br"]), id="br"),
        pytest.param(reply(b"[]", fields=[JSON, "Content-Encoding: gzip"]), id="not gzip"),
        pytest.param(reply(BOMB, fields=[JSON, "Content-Encoding: gzip"]), id="bomb"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n", id="too large"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n[]", id="broken"),
        pytest.param(b"", id="gone"),
    ],
)
async def test_unavailable(raw: bytes) -> None:
    async with raw_upstream(raw) as archive, opened(archive.url) as upstream, asyncio.timeout(5):
        with pytest.raises(FactsUnavailable):
            await upstream.facts.studies(["1.2"])
        assert upstream.pool.running == 0


@pytest.mark.parametrize("uid", ["", "1.2,1.3", "*", "1.2&x=y", "1" * 65, "1.2\r\n"])
async def test_only_uids_are_asked_for(uid: str) -> None:
    async with raw_upstream(reply(b"[]", fields=[JSON])) as archive, opened(archive.url) as upstream:
        for question in (
            upstream.facts.studies([uid]),
            upstream.facts.series(["1.2", uid]),
            upstream.facts.instances("1.2", uid),
            upstream.facts.instance_anywhere(uid),
        ):
            with pytest.raises(FactsUnavailable):
                await question
        assert not archive.heads


@pytest.mark.system
async def test_orthanc(orthanc: Orthanc) -> None:
    ct, mr = orthanc.studies["ct"], orthanc.studies["mr"]
    async with opened(orthanc.url) as upstream, asyncio.timeout(30):
        facts = upstream.facts
        studies = {value(row, "0020000D")[0]: row for row in await facts.studies([ct.uid, mr.uid])}
        assert set(studies) == {ct.uid, mr.uid}
        assert value(studies[mr.uid], "00100020") == ["P002"]
        assert value(studies[mr.uid], "00100021") == ["DEMO"]
        assert value(studies[mr.uid], "00080061") == ["MR"]
        assert value(studies[mr.uid], "00081030") == ["MR head, staging"]
        assert "00080090" in studies[mr.uid]
        for rows in (await facts.series([ct.uid, mr.uid]), await facts.series([mr.uid])):
            row = next(row for row in rows if value(row, "0020000D") == [mr.uid])
            assert value(row, "00080060") == ["MR"]
            assert value(row, "00180015") == ["HEAD"]
            assert value(row, "00080080") == ["Demo Hospital"]
            assert value(row, "0020000E") == [mr.series]
        listed = await facts.instances(ct.uid, ct.series)
        assert {value(row, "00080018")[0] for row in listed} == {item.sop for item in ct.instances}
        assert await facts.instances(mr.uid, ct.series) == []
        (anywhere,) = await facts.instance_anywhere(ct.instances[2].sop)
        assert value(anywhere, "0020000D") == [ct.uid]
        assert await facts.studies(["1.2.3.4.5"]) == []
        assert await facts.series(["1.2.3.4.5"]) == []
