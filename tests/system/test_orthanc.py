"""A real Orthanc behind the gateway, alone and with nginx and Keycloak around it: stored through it, read back byte for byte, and every link leads back to it."""

import asyncio
import hashlib
import io
import struct
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pydicom
import pytest
import pytest_asyncio
import requests
from dicomweb_client.api import DICOMwebClient
from requests.adapters import HTTPAdapter

from leadglass.audit.verify import verify
from leadglass.hazmat.hashchain import HeadKeys
from support.composed import composed
from support.gateway import HOST, OWNER, Running, running
from support.orthanc import Orthanc
from support.part10files import IMPLICIT, ITEM_END, SEQUENCE_END, UNDEFINED, dataset, element, file, item, meta
from support.studies import SeededInstance, SeededStudy, instance

pytestmark = [
    pytest.mark.system,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning"),  # its clock is the test's own
]
PUBLIC = f"https://{HOST}"
LOADED = "1.2.826.0.1.3680043.10.1491.500"


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["alone", "composed"])
async def run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, orthanc: Orthanc
) -> AsyncIterator[Running]:
    """The gateway by itself; and nginx before it, with the people of a real Keycloak."""
    folder = tmp_path_factory.mktemp("site")
    if request.param == "alone":
        async with running(folder, upstream=orthanc.url, kind="orthanc") as run:
            yield run
    else:
        async with composed(folder, request.getfixturevalue("keycloak"), orthanc) as run:
            yield run


class _ToTheGateway(HTTPAdapter):
    """Sends what is meant for the public address to where the gateway listens, with the device's certificate."""

    def __init__(self, run: Running) -> None:
        self._run = run
        super().__init__()

    def send(self, request: Any, *args: Any, **more: Any) -> Any:  # noqa: ANN401 - as requests has it
        address = self._run.https
        request.headers["Host"] = HOST
        request.url = request.url.replace(PUBLIC, f"https://{address}", 1)
        more["verify"] = False
        more["cert"] = (str(self._run.folder / "client.pem"), str(self._run.folder / "client.key"))
        return super().send(request, *args, **more)


def client(run: Running, *roles: str) -> DICOMwebClient:
    session = requests.Session()
    session.mount(PUBLIC, _ToTheGateway(run))
    session.headers["Authorization"] = f"Bearer {run.token(*roles)}"
    return DICOMwebClient(url=f"{PUBLIC}/dicom-web", session=session)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def part_bodies(kind: str, body: bytes) -> list[bytes]:
    """Split a multipart reply by its boundary, without any code of ours."""
    boundary = b"--" + kind.split("boundary=")[1].strip('"').encode()
    parts = body.split(boundary)[1:-1]
    return [part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n") for part in parts]


def direct(orthanc: Orthanc, one: SeededInstance) -> bytes:
    """Return the instance as Orthanc itself gives it."""
    path = f"/dicom-web/studies/{one.study}/series/{one.series}/instances/{one.sop}"
    status, fields, body = orthanc.request(
        "GET", path, headers={"Accept": 'multipart/related; type="application/dicom"'}
    )
    assert status == 200
    (part,) = part_bodies(fields["content-type"], body)
    return part


def loaded(run: Running) -> SeededStudy:
    """Return a study that nobody has stored yet."""
    uid = f"{LOADED}.{len(run.doors)}"
    series = f"{uid}.1"
    made = tuple(
        SeededInstance(
            uid, series, f"{series}.{n}",
            instance(study=uid, series=series, sop=f"{series}.{n}", patient_id="P500", number=n),
        )
        for n in range(1, 6)
    )  # fmt: skip
    return SeededStudy(uid, series, "CT", "P500", made)


async def test_what_is_stored_through_the_gateway_is_read_back_byte_for_byte(run: Running, orthanc: Orthanc) -> None:
    study = loaded(run)
    technologist, radiologist = client(run, "technologist"), client(run, "radiologist")
    datasets = [pydicom.dcmread(io.BytesIO(one.part10)) for one in study.instances]
    await asyncio.to_thread(technologist.store_instances, datasets)
    rows = await asyncio.to_thread(radiologist.search_for_instances, study.uid)
    assert len(rows) == len(study.instances)
    through: dict[str, str] = {}
    answer = await run.ask(f"/dicom-web/studies/{study.uid}", 'Accept: multipart/related; type="application/dicom"')
    assert answer.status == 200
    for part in part_bodies(answer.headers["content-type"], answer.body):
        through[pydicom.dcmread(io.BytesIO(part)).SOPInstanceUID] = sha256(part)
    assert through == {one.sop: sha256(direct(orthanc, one)) for one in study.instances}
    retrieved = await asyncio.to_thread(radiologist.retrieve_study, study.uid)
    assert sorted(dataset.SOPInstanceUID for dataset in retrieved) == sorted(through)
    stored = [line for line in run.record("completion") if line.get("stored", {}).get("studies")]
    assert stored[-1]["stored"]["studies"] == [{"study_uid": study.uid, "patient_id": "P500"}]


@pytest.mark.parametrize("name", ["ct", "us", "sr"])
async def test_seeds_are_the_same_through_the_gateway_as_from_orthanc(
    run: Running, orthanc: Orthanc, name: str
) -> None:
    reader = client(run, "radiologist")
    one = orthanc.studies[name].instances[0]
    got = await asyncio.to_thread(reader.retrieve_instance, one.study, one.series, one.sop)
    assert got.SOPInstanceUID == one.sop
    path = f"/dicom-web/studies/{one.study}/series/{one.series}/instances/{one.sop}"
    answer = await run.ask(path, 'Accept: multipart/related; type="application/dicom"')
    (part,) = part_bodies(answer.headers["content-type"], answer.body)
    assert sha256(part) == sha256(direct(orthanc, one))


async def test_searches_show_what_may_be_seen_and_link_to_the_gateway(run: Running, orthanc: Orthanc) -> None:
    reader = client(run, "radiologist")
    rows = await asyncio.to_thread(reader.search_for_studies)
    shown = {row["0020000D"]["Value"][0] for row in rows}
    assert orthanc.studies["mr"].uid not in shown
    assert {orthanc.studies[name].uid for name in ("ct", "us", "sr")} <= shown
    for target in ("/dicom-web/studies", "/dicom-web/series", "/dicom-web/instances"):
        answer = await run.ask(target)
        assert answer.status == 200
        links = [row["00081190"]["Value"][0] for row in answer.json if "00081190" in row]
        assert links
        assert all(link.startswith(f"{PUBLIC}/dicom-web/studies/") for link in links)
        assert b"127.0.0.1" not in answer.body
    oncologist = client(run, "radiologist", "oncologist")
    everything = await asyncio.to_thread(oncologist.search_for_studies)
    assert orthanc.studies["mr"].uid in {row["0020000D"]["Value"][0] for row in everything}


async def test_a_hidden_study_and_an_absent_one_are_alike_here_too(run: Running, orthanc: Orthanc) -> None:
    hidden = await run.ask(f"/dicom-web/studies/{orthanc.studies['mr'].uid}/metadata")
    absent = await run.ask("/dicom-web/studies/1.2.826.0.1.3680043.10.1491.999/metadata")
    assert hidden.status == absent.status == 404
    assert hidden.body.replace(hidden.decision_id.encode(), b"") == absent.body.replace(
        absent.decision_id.encode(), b""
    )


def _links(value: object) -> list[str]:
    if isinstance(value, Mapping):
        found = [str(value["BulkDataURI"])] if "BulkDataURI" in value else []
        return found + [link for item in value.values() for link in _links(item)]
    return [link for item in value for link in _links(item)] if isinstance(value, list) else []


async def test_metadata_is_whole_and_its_bulk_data_is_to_be_had_through_the_gateway(
    run: Running, orthanc: Orthanc
) -> None:
    ct = orthanc.studies["ct"]
    reader = client(run, "radiologist")
    rows = await asyncio.to_thread(reader.retrieve_study_metadata, ct.uid)
    assert len(rows) == len(ct.instances)
    links = _links(rows)
    assert links
    assert all(link.startswith(f"{PUBLIC}/dicom-web/") for link in links)
    answer = await run.ask(links[0].removeprefix(PUBLIC), "Accept: */*")
    assert answer.status == 200
    assert len(answer.body) >= 64 * 64 * 2


async def test_frames_are_the_pixels(run: Running, orthanc: Orthanc) -> None:
    one = orthanc.studies["ct"].instances[2]
    reader = client(run, "radiologist")
    (frame,) = await asyncio.to_thread(reader.retrieve_instance_frames, one.study, one.series, one.sop, [1])
    assert bytes(frame) == pydicom.dcmread(io.BytesIO(one.part10)).PixelData


async def test_pictures_come_as_they_were_asked_for(run: Running, orthanc: Orthanc) -> None:
    one = orthanc.studies["ct"].instances[0]
    path = f"/dicom-web/studies/{one.study}/series/{one.series}/instances/{one.sop}"
    for suffix, kind, magic in (
        ("/rendered", "image/jpeg", b"\xff\xd8"),
        ("/frames/1/rendered", "image/png", b"\x89PNG"),
    ):
        answer = await run.ask(path + suffix, f"Accept: {kind}")
        assert (answer.status, answer.headers["content-type"]) == (200, kind)
        assert answer.body.startswith(magic)


async def test_wado_uri_gives_the_object_and_its_picture(run: Running, orthanc: Orthanc) -> None:
    one = orthanc.studies["ct"].instances[0]
    query = f"/wado?requestType=WADO&studyUID={one.study}&seriesUID={one.series}&objectUID={one.sop}"
    whole = await run.ask(f"{query}&contentType=application%2Fdicom")
    assert whole.status == 200
    assert sha256(whole.body) == sha256(direct(orthanc, one))
    picture = await run.ask(f"{query}&contentType=image%2Fjpeg")
    assert picture.body.startswith(b"\xff\xd8")
    foreign = orthanc.studies["mr"].instances[0]
    lie = await run.ask(f"/wado?requestType=WADO&studyUID={one.study}&seriesUID={one.series}&objectUID={foreign.sop}")
    assert lie.status == 404


async def test_an_instance_that_exists_is_not_stored_again(run: Running, orthanc: Orthanc) -> None:
    one = orthanc.studies["ct"].instances[0]
    from support.gateway import multipart

    kind, body = multipart(one.part10)
    answer = await run.ask("/dicom-web/studies", kind, method="POST", body=body, token=run.token("technologist"))
    assert (answer.status, answer.reasons) == (409, ["instance-exists"])


async def test_a_file_that_would_end_orthanc_does_not_reach_it(run: Running, orthanc: Orthanc) -> None:
    from support.gateway import multipart

    deep = b""
    for _ in range(20_000):  # the depth at which Orthanc 1.10.1 and dcmdump 3.6.7 run out of stack (tried)
        deep = element(0x0040A730, "SQ", item(deep, UNDEFINED) + ITEM_END, UNDEFINED) + SEQUENCE_END
    uid = f"{LOADED}.9{len(run.doors)}"
    sound = instance(study=uid, series=f"{uid}.1", sop=f"{uid}.1.1", patient_id="P500")
    at = sound.index(struct.pack("<HH", 0x7FE0, 0x0010))
    kind, body = multipart(sound[:at] + deep + sound[at:])
    answer = await run.ask("/dicom-web/studies", kind, method="POST", body=body, token=run.token("technologist"))
    assert (answer.status, answer.reasons) == (400, ["store-unreadable"])
    status, _, found = orthanc.request("GET", f"/dicom-web/studies?StudyInstanceUID={uid}")
    assert (status, found.strip()) == (200, b"[]")


async def test_nobody_hides_another_study_in_a_private_sequence_that_orthanc_knows(
    run: Running, orthanc: Orthanc
) -> None:
    from support.gateway import multipart

    uid = f"{LOADED}.8{len(run.doors)}"
    hidden = element(0x00100020, "LO", b"EVIL", syntax=IMPLICIT) + element(
        0x0020000D, "UI", uid.encode(), syntax=IMPLICIT
    )
    assert not len(uid) % 2
    private: dict[int, tuple[str, bytes] | None] = {
        0x00090010: ("LO", b"CARDIO-D.R. 1.0 "),
        0x00091040: ("UN", SEQUENCE_END + hidden),
    }  # without it: stored as `uid`
    kind, body = multipart(file(dataset(private, IMPLICIT), meta(IMPLICIT)))
    answer = await run.ask("/dicom-web/studies", kind, method="POST", body=body, token=run.token("technologist"))
    assert (answer.status, answer.reasons) == (400, ["store-unreadable"])
    status, _, found = orthanc.request("GET", f"/dicom-web/studies?StudyInstanceUID={uid}")
    assert (status, found.strip()) == (200, b"[]")


async def test_orthancs_own_doors_stay_shut(run: Running) -> None:
    for path in ("/system", "/instances", "/app/explorer.html", "/dicom-web/servers", "/dicom-web/app/"):
        answer = await run.ask(path)
        assert answer.status in {400, 403}


async def test_the_record_names_what_left_the_archive_and_proves_itself(run: Running, orthanc: Orthanc) -> None:
    study = orthanc.studies["ct"]
    read = await run.ask(f"/dicom-web/studies/{study.uid}/metadata")
    found = await run.ask(f"/dicom-web/studies?StudyInstanceUID={study.uid}")
    assert (read.status, found.status) == (200, 200)
    (line,) = [line for line in run.about(read) if line["type"] in {"decision", "use"}]
    judged = line.get("leased_from", line["decision_id"])
    (decision,) = [line for line in run.record("decision") if line["decision_id"] == judged]
    assert (decision["resource"]["study_uid"], decision["subject"]["id"]) == (study.uid, OWNER)
    (completion,) = [line for line in run.about(found) if line["type"] == "completion"]
    assert [one["study_uid"] for one in completion["disclosed"]["studies"]] == [study.uid]
    file = run.folder / "var/decisions.jsonl"
    keys = HeadKeys.from_pem(file.with_name("decisions.jsonl.pub").read_bytes())
    assert verify(file, keys).lines >= len(run.record())
