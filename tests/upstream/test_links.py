import logging

import pytest

from leadglass.limits import LINK_HOSTS
from leadglass.model.ask import Ask
from leadglass.telemetry.metrics import LINKS_REMOVED
from leadglass.upstream.links import bases_of, links_of
from support.rawupstream import raw_upstream, reply
from support.upstreams import opened, permit, settings

URL = "http://127.0.0.1:8042"
PUBLIC = ("https://gate.test", "https://gate.test:8443")


@pytest.mark.parametrize(
    ("link", "led"),
    [
        (f"{URL}/rs/studies/1", "https://gate.test/dicom-web/studies/1"),
        (f"{URL}/wado?requestType=WADO", "https://gate.test/objects?requestType=WADO"),
        ("/rs/studies/1", "https://gate.test/dicom-web/studies/1"),
        ("http://pacs.test:8080/rs/studies/1", "https://gate.test/dicom-web/studies/1"),
        ("http://pacs.test:8080/wado?x=1", "https://gate.test/objects?x=1"),
        ("https://front.test/other/root/studies/1", "https://gate.test/dicom-web/studies/1"),
        ("https://front.test/wado?x=1", None),
        ("https://gate.test:8443/dicom-web/studies/1", "https://gate.test/dicom-web/studies/1"),
        ("https://gate.test/dicom-web/studies/1", "https://gate.test/dicom-web/studies/1"),
        ("https://gate.test/rs/studies/1", None),
        (f"{URL}/instances/1", None),
    ],
)
def test_bases_of_an_archive(link: str, led: str | None) -> None:
    archive = settings(
        URL, kind="generic", dicomweb="/rs", wado_mount="/objects",
        link_bases=["http://pacs.test:8080", "https://front.test/other/root/"],
    )  # fmt: skip
    assert bases_of(archive, PUBLIC[0], PUBLIC).lead(link) == led


def test_links_to_archives_beside_it_lead_to_the_gateway_too() -> None:
    one = settings(URL, kind="generic")
    other = settings("http://second.test:8042", kind="orthanc", mount="/second", wado_mount="/second-wado")
    lead = links_of(one, PUBLIC, (one, other))["gate.test"].lead
    assert lead("http://second.test:8042/dicom-web/studies/1") == "https://gate.test/second/studies/1"
    assert lead("https://gate.test:8443/second/studies/1") == "https://gate.test/second/studies/1"
    assert lead(f"{URL}/dicom-web/studies/1") == "https://gate.test/dicom-web/studies/1"
    assert lead("/dicom-web/studies/1") == "https://gate.test/dicom-web/studies/1"
    assert links_of(one, PUBLIC)["gate.test"].lead("http://second.test:8042/dicom-web/studies/1") is None


def test_each_authority_has_its_own() -> None:
    links = links_of(settings(URL, kind="generic"), PUBLIC)
    assert {name: one.lead(f"{URL}/dicom-web/x") for name, one in links.items()} == {
        "gate.test": "https://gate.test/dicom-web/x", "gate.test:443": "https://gate.test/dicom-web/x",
        "gate.test:8443": "https://gate.test:8443/dicom-web/x",
    }  # fmt: skip
    assert links_of(settings(URL), PUBLIC) == {}


def test_what_leads_elsewhere_is_counted_and_told_once_by_its_host_alone(caplog: pytest.LogCaptureFixture) -> None:
    links = links_of(settings(URL, kind="generic"), PUBLIC)
    before = LINKS_REMOVED.values.get((), 0)
    with caplog.at_level(logging.WARNING, "leadglass.upstream"):
        for one in links.values():
            assert one.lead("https://evil.test/studies/1.2.3?PatientID=7") is None
            assert one.lead("https://evil.test/studies/4.5.6") is None
            assert one.lead("urn:x", data=True) == "urn:x"
    assert LINKS_REMOVED.values[()] == before + 2 * len(links)
    (line,) = caplog.messages
    assert "https://evil.test " in line
    assert "1.2.3" not in line
    with caplog.at_level(logging.WARNING, "leadglass.upstream"):
        for number in range(LINK_HOSTS + 10):
            links["gate.test"].lead(f"https://evil-{number}.test/")
    assert len(caplog.messages) == LINK_HOSTS


async def test_replies_know_where_their_links_lead() -> None:
    async with raw_upstream(reply(b"[]"), reply(b"[]")) as archive:
        for mode, leads in (("forwarded", False), ("rewrite", True)):
            async with opened(archive.url, links=mode) as upstream:
                answer = await upstream.open(permit(), Ask("GET", "dicomweb", "/studies", authority="pacs.example.org"))
                assert (answer.links is not None) == leads
                answer.abort()
