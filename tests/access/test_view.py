"""A research view through the whole gateway: every way to the archive says the same, and none says who the patient is."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pydicom
import pytest

from leadglass.deid.pseudonyms import Patient
from leadglass.model.reasons import Code
from support.gateway import CT, MR, SR, US, multipart
from support.views import BY, Viewing, viewing

TELLING = (b"P001", b"Demo^Patient", b"Demo", CT.uid.encode(), CT.series.encode(), CT.instances[0].sop.encode())


@pytest.fixture
async def view(tmp_path: Path) -> AsyncIterator[Viewing]:
    async with viewing(tmp_path) as view:
        yield view


def value(row: dict[str, Any], tag: str) -> Any:  # noqa: ANN401 - as JSON is
    return row[tag]["Value"][0]


async def ct(view: Viewing) -> dict[str, Any]:
    """Return the row of the one study with CT in it."""
    (row,) = [row for row in await view.studies() if "CT" in str(row.get("00080061"))]
    return row


async def test_all_ways_say_the_same(view: Viewing) -> None:
    row = await ct(view)
    uid, patient = value(row, "0020000D"), value(row, "00100020")
    assert uid.startswith("2.25.")
    found = await view.studies(f"?PatientID={patient}")
    assert [value(one, "0020000D") for one in found if "CT" in str(one.get("00080061"))] == [uid]
    base = f"/dicom-web/studies/{uid}"
    (series,) = (await view.ask(f"{base}/series")).json
    metadata = (await view.ask(f"{base}/metadata")).json
    assert len(metadata) == len(CT.instances)
    assert {value(one, "00100020") for one in metadata} == {patient}
    assert {value(one, "0020000E") for one in metadata} == {value(series, "0020000E")}
    whole = await view.ask(base)
    assert whole.status == 200
    instance = f"{base}/series/{value(series, '0020000E')}/instances/{value(metadata[0], '00080018')}"
    alone = await view.ask(
        f"/wado?requestType=WADO&studyUID={uid}&seriesUID={value(series, '0020000E')}"
        f"&objectUID={value(metadata[0], '00080018')}&contentType=application/dicom"
    )
    assert alone.status == 200, alone.body
    dataset = pydicom.dcmread(io.BytesIO(alone.body))
    assert dataset.PatientID == patient
    assert dataset.StudyInstanceUID == uid
    assert dataset.SOPInstanceUID == dataset.file_meta.MediaStorageSOPInstanceUID == value(metadata[0], "00080018")
    assert dataset.StudyDate == value(metadata[0], "00080020") == value(row, "00080020")
    ohif = "Accept: multipart/related; type=application/octet-stream; transfer-syntax=*"
    frame = await view.ask(f"{instance}/frames/1", ohif)
    assert dataset.PixelData in frame.body
    for answer in (whole, alone, frame):
        assert answer.status == 200
        assert not [one for one in TELLING if one in answer.body]


REFUSED = {
    "a real UID": (f"/dicom-web/studies/{CT.uid}/metadata", "GET", Code.STUDY_NOT_VISIBLE),
    "a UID of nothing": ("/dicom-web/studies/1.2.3.4.5/metadata", "GET", Code.STUDY_NOT_VISIBLE),
    "a pseudonym of nothing": ("/dicom-web/studies/2.25.1234/metadata", "GET", Code.STUDY_NOT_VISIBLE),
    "a real UID as a key": (f"/dicom-web/studies?StudyInstanceUID={CT.uid}", "GET", Code.STUDY_NOT_VISIBLE),
    "the patient's name as a key": ("/dicom-web/studies?PatientBirthDate=19700101", "GET", Code.SEARCH_KEY_HIDDEN),
}


@pytest.mark.parametrize(("target", "method", "said"), REFUSED.values(), ids=REFUSED)
async def test_what_is_refused(view: Viewing, target: str, method: str, said: Code) -> None:
    await view.studies()
    answer = await view.ask(target, method=method)
    assert answer.reasons == [said]


async def test_a_handle_opens_nothing_that_the_profile_does_not_show(view: Viewing) -> None:
    """The profile may have been another when the handle was made."""
    base = f"/dicom-web/studies/{value(await ct(view), '0020000D')}"
    assert (await view.ask(f"{base}/metadata")).status == 200
    projects = view.run.gateway.projects
    names = projects.pseudonyms(projects.get("lung"), Patient("", "", "-"), 0)
    series, sop = names.uid(CT.series), names.uid(CT.instances[0].sop)
    for path, said in (("7FE00010", 200), ("00420011", 404), ("00880200/1/7FE00010", 404)):
        handle = names.uid(f"{CT.instances[0].sop}/{path}")
        await projects.keep(projects.get("lung"), names.take())
        view.run.archive.answer(
            f"{PLACE}/series/{CT.series}/instances/{CT.instances[0].sop}/bulkdata/{path}",
            b"\0" * 16,
            Content_Type="application/octet-stream",
        )
        answer = await view.ask(f"{base}/series/{series}/instances/{sop}/handles/{handle}")
        assert answer.status == said
        if said != 200:
            assert answer.reasons == [Code.STUDY_NOT_VISIBLE]


async def test_a_real_uid_costs_the_archive_no_more_than_one_of_nothing(view: Viewing) -> None:
    """However long it took, and whatever was asked for it, it tells nothing."""
    asked = []
    for study in (CT.uid, "1.2.3.4.5"):
        view.run.archive.clear()
        target = f"/dicom-web/studies/{study}/series/{study}.1/instances/{study}.1.1/metadata"
        assert (await view.ask(target)).reasons == [Code.STUDY_NOT_VISIBLE]
        asked.append(sorted(one.replace(study, "UID") for one in view.run.archive.asked))
    assert asked[0] == asked[1]
    assert asked[0]


async def test_nothing_is_stored_into_a_view(view: Viewing) -> None:
    kind, body = multipart(CT.instances[0].part10)
    answer = await view.ask("/dicom-web/studies", kind, method="POST", body=body)
    assert answer.reasons[0] in {Code.VIEW_READ_ONLY, "not-granted"}
    both = await view.run.ask(
        "/dicom-web/studies", "Leadglass-Purpose: HRESCH", kind, method="POST", body=body,
        token=view.run.token("researcher-lung", "technologist"),
    )  # fmt: skip
    assert both.reasons == [Code.VIEW_READ_ONLY]


async def test_projects_and_profiles_that_are_not_there(view: Viewing) -> None:
    for role, said in (("nowhere", Code.PROJECT_UNKNOWN), ("strange", Code.PROFILE_UNKNOWN)):
        answer = await view.ask("/dicom-web/studies", role=f"researcher-{role}")
        assert answer.reasons == [said]


async def test_a_pseudonym_opens_nothing_outside_of_its_view(view: Viewing) -> None:
    uid = value(await ct(view), "0020000D")
    for role in ("researcher-heart", "radiologist"):
        assert (await view.ask(f"/dicom-web/studies/{uid}/metadata", role=role)).reasons == [Code.STUDY_NOT_VISIBLE]
    assert value(await ct(view), "0020000D") == uid
    (other,) = [row for row in await view.studies(role="researcher-heart") if "CT" in str(row.get("00080061"))]
    assert value(other, "0020000D") != uid


async def test_a_pseudonym_outside_of_its_view_costs_what_one_of_nothing_does(view: Viewing) -> None:
    """Or somebody who may see the study by its own name could tell which of theirs it is."""
    uid = await known(view)
    token = view.run.token("radiologist")
    assert (await view.run.ask(f"/dicom-web/studies/{CT.uid}/metadata", token=token)).status == 200  # known by now
    view.run.archive.clear()
    answer = await view.run.ask(f"/dicom-web/studies/{uid}/series/{CT.series}/instances/1.2.9/metadata", token=token)
    assert answer.reasons == [Code.STUDY_NOT_VISIBLE]
    assert view.run.archive.asked == []


async def test_what_may_show_the_patient_is_not_in_the_view(view: Viewing) -> None:
    for study in (US, SR):
        rows = [row for row in await view.studies() if study.modality in str(row.get("00080061"))]
        (uid,) = {value(row, "0020000D") for row in rows}
        assert (await view.ask(f"/dicom-web/studies/{uid}/series")).json == []
        for path in ("", "/metadata"):
            answer = await view.ask(f"/dicom-web/studies/{uid}{path}")
            assert answer.reasons == [Code.STUDY_NOT_VISIBLE]


# --- an archive that lies ---

PLACE = f"/dicom-web/studies/{CT.uid}"
KIND = 'multipart/related; type="application/dicom"; boundary=bb'


def parts(*bodies: bytes, fields: bytes = b"Content-Type: application/dicom") -> bytes:
    return b"".join(b"--bb\r\n" + fields + b"\r\n\r\n" + one + b"\r\n" for one in bodies) + b"--bb--\r\n"


async def known(view: Viewing) -> str:
    """Return how the view calls the CT, all that is to be known of it being known."""
    uid: str = value(await ct(view), "0020000D")
    assert (await view.ask(f"/dicom-web/studies/{uid}")).status == 200
    return uid


async def test_parts_that_were_not_asked_for_do_not_leave(view: Viewing) -> None:
    uid = await known(view)
    view.run.archive.answer(PLACE, parts(MR.instances[0].part10), Content_Type=KIND)
    answer = await view.ask(f"/dicom-web/studies/{uid}")
    assert answer.reasons == [Code.UPSTREAM_INVALID]
    view.run.archive.answer(PLACE, parts(CT.instances[0].part10, MR.instances[0].part10), Content_Type=KIND)
    answer = await view.ask(f"/dicom-web/studies/{uid}")
    assert not answer.whole
    assert view.run.about(answer)[-1]["cut_by"] == Code.PART_MISMATCH
    assert b"P002" not in answer.body


@pytest.mark.parametrize(
    "broken", [b"no DICOM at all" * 50, CT.instances[0].part10[:-100]], ids=["no DICOM", "cut short"]
)
async def test_what_cannot_be_read_does_not_leave(view: Viewing, broken: bytes) -> None:
    uid = await known(view)
    view.run.archive.answer(PLACE, parts(broken), Content_Type=KIND)
    answer = await view.ask(f"/dicom-web/studies/{uid}")
    assert answer.status >= 400 or not answer.whole
    assert not [one for one in TELLING if one in answer.body]


async def test_metadata_of_others_does_not_leave(view: Viewing) -> None:
    uid = await known(view)
    other = (await view.run.ask(f"/dicom-web/studies/{MR.uid}/metadata")).json
    view.run.archive.answer(PLACE, other)
    answer = await view.ask(f"/dicom-web/studies/{uid}/metadata")
    assert not answer.whole or answer.status >= 400
    assert b"P002" not in answer.body
    for lie in (b"[{", b'{"00080018": 1}', [{"0020000D": {"vr": "UI", "Value": [CT.uid]}}]):
        view.run.archive.answer(PLACE, lie)
        answer = await view.ask(f"/dicom-web/studies/{uid}/metadata")
        assert not answer.whole or answer.status >= 400


async def test_headers_and_errors_of_the_archive_do_not_leave(view: Viewing) -> None:
    uid = await known(view)
    told = f"Content-Type: application/dicom; name={CT.uid}\r\nContent-Location: /studies/{CT.uid}\r\nX-Patient: Demo".encode()
    view.run.archive.answer(
        PLACE, parts(CT.instances[0].part10, fields=told), Content_Type=KIND, Content_Location=CT.uid, X_Patient="Demo"
    )
    answer = await view.ask(f"/dicom-web/studies/{uid}")
    assert answer.status == 200
    assert not [one for one in TELLING if one in answer.body + repr(answer.headers).encode()]
    view.run.archive.answer(PLACE, f"no {CT.uid} of Demo^Patient".encode(), status=500)
    answer = await view.ask(f"/dicom-web/studies/{uid}")
    assert answer.status >= 400
    assert not [one for one in TELLING if one in answer.body + repr(answer.headers).encode()]


JPEG = (
    b"\xff\xd8\xff\xfe\x00\x0eDemo^Patient\xff\xe1\x00\x06Demo"
    b"\xff\xc0\x00\x0b\x08\x00\x01\x00\x01\x01\x01\x11\x00\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00\x11\xff\xd9"
)


async def frame_of(view: Viewing) -> str:
    uid = value(await ct(view), "0020000D")
    (series,) = (await view.ask(f"/dicom-web/studies/{uid}/series")).json
    base = f"/dicom-web/studies/{uid}/series/{value(series, '0020000E')}"
    (first, *_) = (await view.ask(f"{base}/instances")).json
    instance = f"{base}/instances/{value(first, '00080018')}"
    for path in ("frames/1",):
        assert (await view.ask(f"{instance}/{path}")).status == 200
    return instance


async def test_comments_beside_pixels_do_not_leave(view: Viewing) -> None:
    instance = await frame_of(view)
    body = b"--bb\r\nContent-Type: image/jpeg\r\nContent-Location: /Demo\r\n\r\n" + JPEG + b"\r\n--bb--\r\n"
    for kind in ("image/jpeg",):
        view.run.archive.answer(PLACE, body, Content_Type=f'multipart/related; type="{kind}"; boundary=bb')
        answer = await view.ask(f"{instance}/frames/1", f'Accept: multipart/related; type="{kind}"')
        assert answer.status == 200
        assert b"Demo" not in answer.body
        assert b"\xff\xda" in answer.body
    view.run.archive.answer(PLACE, JPEG, Content_Type="image/jpeg")
    answer = await view.ask(f"{instance}/rendered", "Accept: image/jpeg")
    assert answer.status == 200
    assert b"Demo" not in answer.body


@pytest.mark.parametrize("kind", ["video/mp4", "image/jxl", "text/html"])
async def test_what_cannot_be_cleaned_does_not_leave(view: Viewing, kind: str) -> None:
    instance = await frame_of(view)
    body = f"--bb\r\nContent-Type: {kind}\r\n\r\nDemo\r\n--bb--\r\n".encode()
    view.run.archive.answer(PLACE, body, Content_Type='multipart/related; type="application/octet-stream"; boundary=bb')
    answer = await view.ask(f"{instance}/frames/1")
    assert answer.status >= 400 or not answer.whole
    assert b"Demo" not in answer.body


async def test_a_closed_project_shows_nothing_from_then_on(view: Viewing) -> None:
    uid = value(await ct(view), "0020000D")
    await view.run.gateway.projects.close("lung", BY)
    assert (await view.ask(f"/dicom-web/studies/{uid}/metadata")).reasons[0] in {
        Code.PROJECT_CLOSED,
        Code.STUDY_NOT_VISIBLE,
    }
    assert (await view.ask("/dicom-web/studies")).reasons == [Code.PROJECT_CLOSED]
