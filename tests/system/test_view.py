"""A research view in front of a real Orthanc, read by dicomweb-client: every way says the same, and no byte says who the patient is."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import pydicom
import pytest
import pytest_asyncio
import requests
from dicomweb_client.api import DICOMwebClient
from PIL import Image
from pydicom.uid import ExplicitVRLittleEndian
from requests.adapters import HTTPAdapter

from leadglass.model.reasons import Code
from support.gateway import HOST, multipart, running
from support.orthanc import Orthanc
from support.studies import US_IMAGE, instance
from support.views import BY, Viewing, write_projects

pytestmark = [
    pytest.mark.system,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning"),  # its clock is the test's own
]
PUBLIC = f"https://{HOST}"
STUDY, SERIES, RISKY = (f"1.2.826.0.1.3680043.10.1491.700{end}" for end in ("", ".1", ".2"))
T = TypeVar("T")
NAMES = {
    "PatientName": "Quastenflosser^Ottilie", "PatientID": "QF-4711", "AccessionNumber": "ACC-0815-X",
    "ReferringPhysicianName": "Zimtstern^Emil", "InstitutionName": "Klinikum Wolkenheim", "StudyID": "STUDYID77",
    "OperatorsName": "Hutmacher^Ida", "PatientBirthDate": "19530217",
    "PatientComments": "lives in Wolkenheim", "PatientAddress": "Milchstrasse 12", "StudyDate": "20260102",
    "RequestingPhysician": "Federkiel^Ute",
}  # fmt: skip
TELLING = [
    *(word.encode() for value in NAMES.values() for word in value.split("^") if len(word) > 3),
    STUDY.encode(), b"Quasten", b"DEMO", b"AETOFWOLKEN", b"OTTILIE",
]  # fmt: skip


def stored(number: int, *, series: str = SERIES, **changes: Any) -> bytes:  # noqa: ANN401 - values of attributes
    dataset = pydicom.dcmread(io.BytesIO(instance(study=STUDY, series=series, sop=f"{series}.{number}", number=number)))
    for name, value in {**NAMES, **changes}.items():
        setattr(dataset, name, value)
    dataset.StudyDescription = "CT chest of Ottilie Quastenflosser"
    dataset.SeriesDescription = "thin, for Dr. Zimtstern"
    dataset.FrameOfReferenceUID = f"{STUDY}.9"
    dataset.add_new(0x00091010, "LO", "OTTILIE PRIVATE")
    dataset.add_new(0x60003000, "OW", b"Quastenflosser" * 100)
    inner = pydicom.Dataset()
    inner.ReferencedSOPInstanceUID, inner.PatientName = f"{series}.{number}", NAMES["PatientName"]
    dataset.SourceImageSequence = [inner]
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.SourceApplicationEntityTitle = "AETOFWOLKEN"
    dataset.preamble = b"II*\0" + b"Quastenflosser".ljust(124, b"\0")
    out = io.BytesIO()
    pydicom.dcmwrite(out, dataset)
    return out.getvalue()


class _Captured(HTTPAdapter):
    """Sends what is meant for the public address to the gateway, and keeps every byte of the answers, gunzipped too."""

    def __init__(self, view: Viewing) -> None:
        self._view = view
        self.bytes = bytearray()
        super().__init__()

    def send(self, request: Any, *args: Any, **more: Any) -> Any:  # noqa: ANN401 - as requests has it
        run = self._view.run
        request.headers["Host"] = HOST
        request.url = request.url.replace(PUBLIC, f"https://{run.https}", 1)
        more["verify"] = False
        more["cert"] = (str(run.folder / "client.pem"), str(run.folder / "client.key"))
        answer = super().send(request, *args, **more)
        self.bytes += repr(dict(answer.headers)).encode() + answer.content
        return answer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def view(tmp_path_factory: pytest.TempPathFactory, orthanc: Orthanc) -> AsyncIterator[Viewing]:
    for number in (1, 2, 3):
        orthanc.upload(stored(number))
    orthanc.upload(stored(1, series=RISKY, Modality="US", SOPClassUID=US_IMAGE))
    folder = tmp_path_factory.mktemp("site")
    async with running(folder, upstream=orthanc.url, kind="orthanc", change=write_projects) as run:
        for name in ("lung", "heart"):
            await run.gateway.projects.create(name, name, "research", BY)
        yield Viewing(run)


@pytest.fixture
def captured(view: Viewing) -> _Captured:
    return _Captured(view)


@pytest.fixture
def client(view: Viewing, captured: _Captured) -> DICOMwebClient:
    session = requests.Session()
    session.mount(PUBLIC, captured)
    session.headers["Authorization"] = f"Bearer {view.run.token('researcher-lung')}"
    session.headers["Leadglass-Purpose"] = "HRESCH"
    return DICOMwebClient(url=f"{PUBLIC}/dicom-web", session=session)


async def off(call: Callable[..., T], *args: Any, **more: Any) -> T:  # noqa: ANN401 - of whatever it is
    return await asyncio.to_thread(call, *args, **more)


def value(row: dict[str, Any], tag: str) -> Any:  # noqa: ANN401 - as JSON is
    return row[tag]["Value"][0]


async def mine(client: DICOMwebClient) -> dict[str, Any]:
    """Return the row of the study of this module: its patient is the only one of that age."""
    rows = await off(client.search_for_studies, search_filters={"ModalitiesInStudy": "CT"}, fields=["StudyDescription"])
    (row,) = [row for row in rows if "00081030" in row and value(row, "00081030") == "CT chest of"]
    return dict(row)


async def test_a_study_read_in_every_way(client: DICOMwebClient, captured: _Captured, view: Viewing) -> None:
    row = await mine(client)
    uid, patient = value(row, "0020000D"), value(row, "00100020")
    date = value(row, "00080020")
    by_id = await off(client.search_for_studies, search_filters={"PatientID": patient})
    by_date = await off(client.search_for_studies, search_filters={"StudyDate": f"{date}-{date}"})
    by_uid = await off(client.search_for_studies, search_filters={"StudyInstanceUID": uid})
    for rows in (by_id, by_date, by_uid):
        assert uid in {value(one, "0020000D") for one in rows}
        assert all(value(one, "00080020") == date for one in rows if value(one, "0020000D") == uid)
    (series,) = await off(client.search_for_series, uid)
    series_uid = value(series, "0020000E")
    listed = await off(client.search_for_instances, uid, series_uid)
    metadata = await off(client.retrieve_series_metadata, uid, series_uid)
    sops = {value(one, "00080018") for one in listed}
    assert len(sops) == 3
    assert sops == {value(one, "00080018") for one in metadata}
    datasets = await off(client.retrieve_series, uid, series_uid)
    assert sops == {one.SOPInstanceUID for one in datasets}
    for one in (*datasets, *(pydicom.Dataset.from_json(one, lambda *_: b"") for one in metadata)):
        assert (one.PatientID, one.PatientName, one.StudyInstanceUID, one.StudyDate) == (patient, patient, uid, date)
        assert one.StudyDescription == "CT chest of"
        assert one.PatientIdentityRemoved == "YES"
        assert one.SourceImageSequence[0].ReferencedSOPInstanceUID in sops
    first = datasets[0]
    frames = await off(client.retrieve_instance_frames, uid, series_uid, first.SOPInstanceUID, [1])
    assert frames[0] == first.PixelData
    alone = await off(client.retrieve_instance, uid, series_uid, first.SOPInstanceUID)
    assert alone.PixelData == first.PixelData
    for kind in ("image/jpeg", "image/png"):
        picture = await off(
            client.retrieve_instance_rendered, uid, series_uid, first.SOPInstanceUID, media_types=(kind,)
        )
        assert Image.open(io.BytesIO(picture)).size == (64, 64)
    place = f"/studies/{uid}/series/{series_uid}/instances/{first.SOPInstanceUID}"
    wado = f"requestType=WADO&studyUID={uid}&seriesUID={series_uid}&objectUID={first.SOPInstanceUID}"
    for path in (
        f"/dicom-web{place}/thumbnail",
        f"/dicom-web{place}/frames/1/rendered",
        f"/wado?{wado}&contentType=image/jpeg",
        f"/dicom-web/studies/{uid}/series/{series_uid}/thumbnail",
    ):
        answer = await view.ask(path)
        assert answer.status == 200, (path, answer.body)
        captured.bytes += repr(answer.headers).encode() + answer.body
        with Image.open(io.BytesIO(answer.body)) as picture:
            assert max(picture.size) <= 128
    answer = await view.ask(f"/wado?{wado}&contentType=application/dicom")
    captured.bytes += repr(answer.headers).encode() + answer.body
    assert pydicom.dcmread(io.BytesIO(answer.body)).PixelData == first.PixelData
    assert captured.bytes
    assert [word for word in TELLING if word in captured.bytes] == []


async def test_bulk_data_is_reached_by_handles_alone(
    client: DICOMwebClient, captured: _Captured, view: Viewing
) -> None:
    uid = value(await mine(client), "0020000D")
    metadata = await off(client.retrieve_study_metadata, uid)
    uris = [one["7FE00010"]["BulkDataURI"] for one in metadata]
    assert all("/handles/2.25." in uri and uid in uri for uri in uris)
    (pixels,) = await off(client.retrieve_bulkdata, uris[0])
    assert len(pixels) == 64 * 64 * 2
    path = uris[0].removeprefix(PUBLIC)
    place, _, handle = path.rpartition("/handles/")
    for wrong in (
        f"{place}/handles/2.25.77",
        f"{place}/bulk/7FE00010",
        uris[1].removeprefix(PUBLIC).rpartition("/")[0] + f"/{handle}",
    ):
        assert (await view.ask(wrong)).status in {403, 404}
    assert (await view.ask(path, role="radiologist")).reasons == [Code.STUDY_NOT_VISIBLE]
    assert [word for word in TELLING if word in captured.bytes] == []


async def test_the_tour_of_refusals(client: DICOMwebClient, view: Viewing) -> None:
    uid = value(await mine(client), "0020000D")
    (series,) = await off(client.search_for_series, uid)
    (first, *_) = await off(client.search_for_instances, uid, value(series, "0020000E"))
    instance_path = f"/dicom-web/studies/{uid}/series/{value(series, '0020000E')}/instances/{value(first, '00080018')}"
    kind, body = multipart(stored(9))
    for target, fields, said in (
        (f"/dicom-web/studies/{STUDY}/metadata", (), Code.STUDY_NOT_VISIBLE),
        (f"/dicom-web/studies/{uid}/series/{SERIES}/metadata", (), Code.STUDY_NOT_VISIBLE),
        (f"/dicom-web/studies/{uid}/series/{RISKY}", (), Code.STUDY_NOT_VISIBLE),
        (f"/dicom-web/studies/{uid}/metadata", ("Accept: application/dicom+xml",), Code.NOT_ACCEPTABLE),
        (f"/dicom-web/studies/{uid}/metadata", ('Accept: multipart/related; type="application/dicom+xml"',), Code.NOT_ACCEPTABLE),
        (f"{instance_path}/rendered?annotation=patient", (), Code.VIEW_REFUSED),
        ("/dicom-web/studies?PatientName=Quasten*", (), "query-refused"),
        ("/dicom-web/studies?PatientBirthDate=19530217", (), Code.SEARCH_KEY_HIDDEN),
    ):  # fmt: skip
        answer = await view.ask(target, *fields)
        assert answer.reasons == [said], target
        assert not [word for word in TELLING if word in answer.body]
    token = view.run.token("researcher-lung", "technologist")
    answer = await view.run.ask(
        "/dicom-web/studies", "Leadglass-Purpose: HRESCH", kind, method="POST", body=body, token=token
    )
    assert answer.reasons == [Code.VIEW_READ_ONLY]


async def test_a_real_patient_id_finds_nothing(view: Viewing) -> None:
    assert await view.studies(f"?PatientID={NAMES['PatientID']}") == []
    assert await view.studies(f"?AccessionNumber={NAMES['AccessionNumber']}") == []


async def test_a_picture_at_risk_is_in_no_list_and_in_no_reply(client: DICOMwebClient) -> None:
    uid = value(await mine(client), "0020000D")
    assert {value(one, "00080060") for one in await off(client.search_for_series, uid)} == {"CT"}
    assert {one.Modality for one in await off(client.retrieve_study, uid)} == {"CT"}
    assert {value(one, "00080060") for one in await off(client.retrieve_study_metadata, uid)} == {"CT"}
    assert len(await off(client.search_for_instances, uid)) == 3


async def test_what_is_real_stands_in_the_record(client: DICOMwebClient, view: Viewing) -> None:
    uid = value(await mine(client), "0020000D")
    answer = await view.ask(f"/dicom-web/studies/{uid}/series")
    lines = view.run.about(answer)
    assert {line["view"] for line in lines if line["type"] == "decision"} == {"lung"}
    assert STUDY in str(lines)
    assert uid not in str(lines)
