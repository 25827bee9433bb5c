import pytest

from leadglass.model.ask import Ask
from leadglass.upstream.heads import Heads
from support.upstreams import settings


def lines(kind: str, ask: Ask, *, body: bool = False, links: str = "forwarded") -> list[str]:
    head = Heads(settings("http://pacs:8042", kind=kind, links=links), ["https://a.example", "https://h:8443"]).build(
        ask, body=body
    )
    return head.decode().split("\r\n")


@pytest.mark.parametrize(
    ("kind", "authority", "expected"),
    [
        ("orthanc", "h:8443", ["Forwarded: host=h:8443;proto=https"]),
        ("orthanc", "a.example:443", ["Forwarded: host=a.example;proto=https"]),
        ("orthanc", "a.example", ["Forwarded: host=a.example;proto=https"]),
        ("generic", "h:8443", ['Forwarded: host="h:8443";proto=https']),
        (
            "dcm4chee",
            "h:8443",
            ["X-Forwarded-Host: h:8443", "X-Forwarded-Proto: https", "X-Forwarded-Port: 8443"],
        ),
        ("orthanc", "evil.example", []),
        ("orthanc", "", []),
    ],
)
def test_forwarded(kind: str, authority: str, expected: list[str]) -> None:
    got = lines(kind, Ask("GET", "dicomweb", "/studies", authority=authority))
    assert got == [
        "GET /dicom-web/studies HTTP/1.1",
        "Host: pacs:8042",
        "Accept: */*",
        "Accept-Encoding: identity",
        *expected,
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("length", "framing"), [(None, "Transfer-Encoding: chunked"), (0, "Content-Length: 0"), (7, "Content-Length: 7")]
)
def test_bodies(length: int | None, framing: str) -> None:
    ask = Ask("POST", "wado-uri", "", content_type="a/b", length=length)
    got = lines("orthanc", ask, body=True)
    assert got[0] == "POST /wado HTTP/1.1"
    assert got[-4:] == ["Content-Type: a/b", framing, "", ""]
    assert lines("orthanc", ask)[-3:] == ["Content-Length: 0", "", ""]


@pytest.mark.parametrize("kind", ["orthanc", "dcm4chee", "generic"])
def test_an_archive_whose_links_are_rewritten_is_told_nothing_to_build_them_from(kind: str) -> None:
    got = lines(kind, Ask("GET", "dicomweb", "/studies", authority="h:8443"), links="rewrite")
    assert "Forwarded" not in str(got)
