import pytest

from leadglass.upstream.probe import probe
from support.orthanc import Orthanc, free_port
from support.rawupstream import raw_upstream, reply
from support.upstreams import settings

PUBLIC = ("https://pacs.example.org",)
JSON = "Content-Type: application/dicom+json"


def row(link: str) -> bytes:
    return reply(b'[{"00081190":{"vr":"UR","Value":["%b"]}}]' % link.encode(), fields=[JSON])


@pytest.mark.parametrize(
    ("raw", "faults"),
    [
        pytest.param(row("https://pacs.example.org/dicom-web/studies/1.2"), [], id="right"),
        pytest.param(reply(b"[]", fields=[JSON]), [], id="empty"),
        pytest.param(reply(status="204 No Content"), [], id="204"),
        pytest.param(row("http://127.0.0.1:8042/dicom-web/studies/1.2"), ["links"], id="past the gateway"),
        pytest.param(row("https://pacs.example.org.evil/dicom-web/x"), ["links"], id="another host"),
        pytest.param(reply(status="401 X"), ["dicomweb"], id="credentials"),
        pytest.param(reply(status="404 X"), ["dicomweb"], id="no dicomweb"),
        pytest.param(reply(b"<html>"), ["dicomweb"], id="html"),
        pytest.param(b"SSH-2.0\r\n\r\n", ["reachable"], id="not http"),
    ],
)
async def test_findings(raw: bytes, faults: list[str]) -> None:
    async with raw_upstream(raw) as archive:
        findings = await probe(settings(archive.url), PUBLIC)
    assert [finding.name for finding in findings if not finding.ok] == faults
    assert all(finding.problem and finding.hint for finding in findings if not finding.ok)


@pytest.mark.parametrize(
    ("link", "bases", "faults"),
    [
        ("{url}/dicom-web/studies/1.2", [], []),
        ("/dicom-web/studies/1.2", [], []),
        ("https://pacs.example.org/dicom-web/studies/1.2", [], []),
        ("http://other.test/rs/studies/1.2", [], ["links"]),
        ("http://other.test/rs/studies/1.2", ["http://other.test/rs"], []),
        ("{url}/elsewhere/studies/1.2", [], ["links"]),
    ],
)
async def test_links_that_the_gateway_leads_itself(link: str, bases: list[str], faults: list[str]) -> None:
    async with raw_upstream(reply()) as archive:
        archive.steps[0] = row(link.format(url=archive.url))
        found = await probe(settings(archive.url, links="rewrite", link_bases=bases), PUBLIC)
        assert b"Forwarded" not in archive.heads[0]
    assert [finding.name for finding in found if not finding.ok] == faults
    assert all("1.2" not in finding.problem for finding in found)


async def test_nobody_there() -> None:
    findings = await probe(settings(f"http://127.0.0.1:{free_port()}"), PUBLIC)
    assert [finding.name for finding in findings if not finding.ok] == ["reachable"]


@pytest.mark.system
async def test_orthanc(orthanc: Orthanc) -> None:
    assert [finding for finding in await probe(settings(orthanc.url), PUBLIC) if not finding.ok] == []
