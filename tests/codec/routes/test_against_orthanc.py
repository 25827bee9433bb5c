"""What the table asks in its canonical spelling, a real archive understands, and the parsers read what it answers."""

import pytest

from leadglass.codec.dicomjson import Row, parse_rows
from leadglass.codec.multipart import Event, Parser, PartBegin, PartData, Writer, parse_content_type
from leadglass.codec.part10 import HeaderReader
from leadglass.codec.routes import RouteMatch, Table
from leadglass.codec.target import parse_target
from leadglass.model.errors import UpstreamBroken
from leadglass.model.request import CleanRequest, Headers
from support.orthanc import Orthanc

pytestmark = pytest.mark.system
DICOM = 'multipart/related; type="application/dicom"'


def ask(archive: Orthanc, target: str, accept: str | None = None) -> tuple[RouteMatch, dict[str, str], bytes]:
    path, segments, query = parse_target(target.encode())
    headers = Headers({} if accept is None else {"accept": accept})
    found = Table(kind="orthanc").match(CleanRequest("GET", path, segments, query, "pacs.example.org", headers))
    root = "/wado" if found.ask.service == "wado-uri" else "/dicom-web"
    upstream = root + found.ask.path + (f"?{found.ask.query}" if found.ask.query else "")
    status, fields, body = archive.request("GET", upstream, headers={"Accept": found.ask.accept})
    assert status == 200, (upstream, found.ask.accept, body[:200])
    return found, dict(fields), body


def events(fields: dict[str, str], body: bytes) -> list[Event]:
    content_type = parse_content_type(fields["content-type"], UpstreamBroken)
    assert content_type.boundary is not None
    parser = Parser(content_type.boundary, fault=UpstreamBroken)
    found = [event for at in range(0, len(body), 1000) for event in parser.feed(body[at : at + 1000])]
    parser.finish()
    return found


def uid(row: Row, tag: str) -> str:
    (value,) = row[tag]["Value"]
    return str(value)


def instance_of(archive: Orthanc, name: str = "ct") -> tuple[str, str, str, bytes]:
    first = archive.studies[name].instances[0]
    header = HeaderReader().feed(first.part10)
    assert header is not None
    return header.study_uid, header.series_uid, header.sop_instance_uid, first.part10


@pytest.mark.parametrize(
    "accept",
    [None, "*/*", "application/json", "application/dicom+json, application/json;q=0.9", "image/png, */*;q=0.1"],
)
def test_searches_answer_rows_that_name_their_study(orthanc: Orthanc, accept: str | None) -> None:
    study, series, *_ = instance_of(orthanc)
    for target in (
        "/dicom-web/studies?PatientName=*&includefield=00081030,ModalitiesInStudy",
        "/dicom-web/series?limit=5",
        "/dicom-web/instances?limit=5",
        f"/dicom-web/studies/{study}/series",
        f"/dicom-web/studies/{study}/instances",
        f"/dicom-web/studies/{study}/series/{series}/instances",
        f"/dicom-web/studies?StudyInstanceUID={study},1.2.3",
        f"/dicom-web/studies?StudyInstanceUID={study}%5C1.2.3",
    ):
        _, _, body = ask(orthanc, target, accept)
        rows = parse_rows(body)
        assert rows
        assert all(uid(row, "0020000D") for row in rows)
        if study in target:
            assert {uid(row, "0020000D") for row in rows} == {study}


@pytest.mark.parametrize("value", ["Demo%5EChest", "Demo*", "Demo%5E*", "%44emo%5EChest"])
def test_names_are_found_although_orthanc_decodes_nothing(orthanc: Orthanc, value: str) -> None:
    _, _, body = ask(orthanc, f"/dicom-web/studies?PatientName={value}")
    assert orthanc.studies["ct"].uid in {uid(row, "0020000D") for row in parse_rows(body)}


def test_an_instance_comes_back_as_its_own(orthanc: Orthanc) -> None:
    study, series, instance, part10 = instance_of(orthanc)
    target = f"/dicom-web/studies/{study}/series/{series}/instances/{instance}"
    for accept in (None, DICOM, f"{DICOM}; transfer-syntax=*", "multipart/related; type=application/dicom"):
        _, fields, body = ask(orthanc, target, accept)
        got = b"".join(event.data for event in events(fields, body) if isinstance(event, PartData))
        assert got == part10


def test_frames_metadata_pictures_and_attributes_are_served(orthanc: Orthanc) -> None:
    study, series, instance, _ = instance_of(orthanc)
    target = f"/dicom-web/studies/{study}/series/{series}/instances/{instance}"
    _, fields, body = ask(
        orthanc, target + "/frames/1", "multipart/related; type=application/octet-stream; transfer-syntax=*"
    )
    assert sum(isinstance(event, PartBegin) for event in events(fields, body)) == 1
    (row,) = parse_rows(ask(orthanc, target + "/metadata")[2])
    assert uid(row, "00080018") == instance
    assert ask(orthanc, target + "/rendered", "image/png")[1]["content-type"] == "image/png"
    found, fields, body = ask(orthanc, target + "/bulk/PatientName")
    assert found.resource.attribute == "00100010"
    assert [event for event in events(fields, body) if isinstance(event, PartData)]
    wado = f"/wado?requestType=WADO&studyUID={study}&seriesUID={series}&objectUID={instance}"
    found, fields, _ = ask(orthanc, wado)
    assert fields["content-type"] in found.route.media  # Orthanc answers PNG whatever picture is asked for
    assert ask(orthanc, wado + "&contentType=application/dicom")[2][128:132] == b"DICM"


def test_a_body_framed_anew_is_stored(orthanc: Orthanc) -> None:
    *_, part10 = instance_of(orthanc)
    writer = Writer("application/dicom")
    body = writer.part([("Content-Type", "application/dicom")]) + part10 + writer.end()
    status, _, reply = orthanc.request(
        "POST", "/dicom-web/studies", body, {"Content-Type": writer.content_type, "Accept": "application/dicom+json"}
    )
    assert status == 200, reply
