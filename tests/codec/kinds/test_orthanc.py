"""How Orthanc is asked, and that the real one can do what its row says and nothing that the row says it cannot."""

import json

import pytest

from leadglass.codec.kinds.orthanc import ORTHANC
from leadglass.codec.routes import ROUTES, Table
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code
from support.matches import asked_as
from support.orthanc import Orthanc

TABLE = Table(kind="orthanc")
I = "/dicom-web/studies/1.2/series/1.2.3/instances/1.2.3.4"  # noqa: E741 - as the route table has it


def code_of(target: str, method: str = "GET", accept: str | None = None, table: Table = TABLE) -> str:
    with pytest.raises(Refusal) as caught:
        table.match(asked_as(target, method, accept))
    return caught.value.causes[0].reason.code


@pytest.mark.parametrize(
    ("target", "method"),
    [
        ("/dicom-web/studies/1.2/pixeldata", "GET"),
        (f"{I}/bulkdata", "GET"),
        (f"{I}/frames/1/rendered3d", "GET"),
        ("/dicom-web/workitems", "GET"),
        ("/dicom-web/studies/1.2", "DELETE"),
        ("/dicom-web/studies", "OPTIONS"),
    ],
)
def test_what_it_does_not_offer_is_refused_in_words(target: str, method: str) -> None:
    assert code_of(target, method) == Code.TRANSACTION_UNSUPPORTED


def test_an_administrator_may_know_better() -> None:
    table = Table(kind="orthanc", enabled={"wado-rs.study-pixeldata"})
    assert table.match(asked_as("/dicom-web/studies/1.2/pixeldata")).route.transaction == "wado-rs.study-pixeldata"
    assert code_of("/dicom-web/studies/1.2/bulkdata", table=table) == Code.TRANSACTION_UNSUPPORTED


@pytest.mark.parametrize("level", ["", "/series/1.2.3", "/series/1.2.3/instances/1.2.3.4"])
def test_a_thumbnail_is_asked_for_as_a_small_picture(level: str) -> None:
    found = TABLE.match(asked_as(f"/dicom-web/studies/1.2{level}/thumbnail"))
    assert (found.ask.path, found.ask.query) == (f"/studies/1.2{level}/rendered", "viewport=128,128")
    assert found.action.transaction.endswith("-thumbnail")
    assert TABLE.match(asked_as(f"{I}/thumbnail?viewport=64,64")).ask.query == "viewport=64,64"


@pytest.mark.parametrize(
    ("target", "accept", "asked"),
    [
        (f"{I}/rendered", "image/gif", None),
        (f"{I}/rendered", "image/gif, image/png", "image/png"),
        (f"{I}/rendered", "*/*", "image/jpeg"),
        (f"{I}/thumbnail", "image/gif", None),
        (f"{I}/frames/1", "application/octet-stream", None),
        (f"{I}/frames/1", "*/*", 'multipart/related; type="application/octet-stream"'),
        (f"{I}/bulk/7FE00010", "application/octet-stream, multipart/related", 'multipart/related; type="application/octet-stream"'),
    ],
)  # fmt: skip
def test_it_is_asked_only_for_media_types_that_it_answers(target: str, accept: str, asked: str | None) -> None:
    if asked is None:
        assert code_of(target, accept=accept) == Code.NOT_ACCEPTABLE
    else:
        assert TABLE.match(asked_as(target, accept=accept)).ask.accept == asked


@pytest.mark.system
def test_the_real_one_is_as_the_row_says(orthanc: Orthanc) -> None:
    first = orthanc.studies["ct"].instances[0]
    words = {
        "study": first.study,
        "series": first.series,
        "instance": first.sop,
        "frames": "1",
        "attribute": "7fe00010",
    }
    table = Table(kind="orthanc", enabled={route.transaction for route in ROUTES})
    told: dict[str, set[int]] = {}
    for route in ROUTES:
        if route.method != "GET" or not route.transaction.startswith("wado-rs.") or "{attribute}" in route.template:
            continue
        if "/handles/" in route.template:  # of research views: the gateway's own
            continue
        ask = table.match(asked_as("/dicom-web" + route.template.format(**words))).ask
        target = f"/dicom-web{ask.path}" + (f"?{ask.query}" if ask.query else "")
        status, *_ = orthanc.request("GET", target, headers={"Accept": ask.accept})
        told.setdefault(route.transaction, set()).add(status)
    assert {name for name, status in told.items() if status == {404}} == {
        name for name in told if not ORTHANC.has(name)
    }
    assert all(status in ({200}, {404}) for status in told.values()), told


@pytest.mark.system
def test_the_real_one_lacks_what_changes_and_tells_nothing(orthanc: Orthanc) -> None:
    uid = orthanc.studies["ct"].uid
    asked = [("OPTIONS", "/studies"), ("GET", "/workitems"), ("GET", "/color-palettes"), ("HEAD", "/studies?limit=1")]
    assert {orthanc.request(method, f"/dicom-web{path}")[0] for method, path in asked} == {404}
    assert orthanc.request("DELETE", "/dicom-web/studies/9.9.9")[0] == 405
    status, fields, body = orthanc.request("GET", "/dicom-web/studies?limit=1", headers={"Range": "bytes=0-9"})
    assert (status, len(json.loads(body)), "accept-ranges" in fields) == (200, 1, False)
    assert uid.encode() + b".7" in orthanc.request("GET", f"/dicom-web/studies/{uid}.7/metadata")[2]


@pytest.mark.system
def test_the_real_one_makes_small_pictures(orthanc: Orthanc) -> None:
    uid = orthanc.studies["ct"].uid
    ask = TABLE.match(asked_as(f"/dicom-web/studies/{uid}/thumbnail", accept="image/png")).ask
    status, _, body = orthanc.request("GET", f"/dicom-web{ask.path}?{ask.query}", headers={"Accept": ask.accept})
    assert (status, body[:4], int.from_bytes(body[16:20])) == (200, b"\x89PNG", 128)
