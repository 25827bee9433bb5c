"""Requests are placed by their mounts, wherever those lie."""

import pytest

from leadglass.codec.routes import Places, Table
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code
from leadglass.model.request import CleanRequest, Headers

STUDY = "1.2.3"
PLACES = Places(
    [
        Table("/dicom-web", "/wado", upstream="main"),
        Table("/vna/rs", "/vna/wado", {"delete.study"}, "dcm4chee", "vna"),
        Table("/sites/b/rs", "/b", upstream="b"),
    ],
    ("/", "/viewer"),
)
WADO = f"?requestType=WADO&studyUID={STUDY}&seriesUID=1.2.3.4&objectUID=1.2.3.4.5"


def request(target: str, method: str = "GET") -> CleanRequest:
    path, _, query = target.partition("?")
    pairs = tuple((key, value) for key, _, value in (pair.partition("=") for pair in query.split("&") if pair))
    segments = tuple(path.strip("/").split("/"))
    return CleanRequest(method, path, segments, pairs, "pacs.example.org", Headers({"host": "pacs.example.org"}))


@pytest.mark.parametrize(
    ("target", "upstream"),
    [
        ("/dicom-web/studies", "main"),
        (f"/dicom-web/studies/{STUDY}/metadata", "main"),
        (f"/vna/rs/studies/{STUDY}", "vna"),
        (f"/sites/b/rs/studies/{STUDY}/rendered", "b"),
        (f"/wado{WADO}", "main"),
        (f"/vna/wado{WADO}", "vna"),
        (f"/b{WADO}", "b"),
    ],
)
def test_the_mount_says_which_archive(target: str, upstream: str) -> None:
    found = PLACES.match(request(target))
    assert (found.resource.upstream, found.resource.mount) == (upstream, None)


@pytest.mark.parametrize(
    ("target", "mount", "path"),
    [
        ("/", "/", ""),
        ("/viewer/app.js", "/viewer", "app.js"),
        ("/dicom-webx/studies", "/", "dicom-webx/studies"),
        ("/vna/studies", "/", "vna/studies"),
        ("/wado/deeper", "/", "wado/deeper"),
        ("/sites/b", "/", "sites/b"),
    ],
)
def test_everything_else_is_a_file(target: str, mount: str, path: str) -> None:
    found = PLACES.match(request(target))
    assert (found.resource.mount, found.resource.upstream, found.ask.path) == (mount, None, path)


@pytest.mark.parametrize(
    ("target", "method", "code"),
    [
        (f"/dicom-web/studies/{STUDY}", "DELETE", Code.TRANSACTION_DISABLED),
        ("/dicom-web/nothing", "GET", Code.ROUTE_UNKNOWN),  # of an archive's mount, never a file
        ("/viewer/x", "POST", Code.ROUTE_UNKNOWN),
        (f"/wado{WADO}", "POST", Code.ROUTE_UNKNOWN),
    ],
)
def test_what_has_no_place_is_refused(target: str, method: str, code: Code) -> None:
    with pytest.raises(Refusal) as caught:
        PLACES.match(request(target, method))
    assert caught.value.causes[0].reason.code == code


def test_what_is_enabled_is_enabled_for_its_archive_alone() -> None:
    assert PLACES.match(request(f"/vna/rs/studies/{STUDY}", "DELETE")).resource.upstream == "vna"


def test_folders_stand_with_their_slash() -> None:
    assert PLACES.folders == {"/viewer/"}
