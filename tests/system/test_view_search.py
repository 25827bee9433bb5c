"""Searches in a research view of a real Orthanc: what matches is what is shown, and no more can be asked."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pydicom
import pytest
import pytest_asyncio

from support.gateway import running
from support.orthanc import Orthanc
from support.studies import instance
from support.views import BY, Viewing, write_projects

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="module")]

ROOT = "1.2.826.0.1.3680043.10.1491.7432"
PATIENTS, DAYS = 6, ("20250110", "20250111", "20250601", "20251231", "20260101")
COUNT = PATIENTS * len(DAYS)
KIND = "ModalitiesInStudy=NM"  # nobody else's here
STUDY, PATIENT, DATE, ACCESSION = "0020000D", "00100020", "00080020", "00080050"


def stored(number: int, patient: int, day: str) -> bytes:
    uid = f"{ROOT}.{number}"
    data = instance(
        study=uid, series=f"{uid}.1", sop=f"{uid}.1.1", modality="NM", patient_id=f"NUC-{patient}-QX",
        patient_name=f"Nuklear^Nummer{patient}", size=0,
    )  # fmt: skip
    dataset = pydicom.dcmread(io.BytesIO(data))
    dataset.StudyDate, dataset.AccessionNumber = day, f"NUCACC{number}"
    out = io.BytesIO()
    pydicom.dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()


@pytest.fixture(scope="module")
def scans(orthanc: Orthanc) -> Orthanc:
    places = [(patient, day) for patient in range(PATIENTS) for day in DAYS]
    for number, (patient, day) in enumerate(places):
        orthanc.upload(stored(number, patient, day))
    return orthanc


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def view(scans: Orthanc, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Viewing]:
    folder = tmp_path_factory.mktemp("view")
    async with running(folder, upstream=scans.url, kind="orthanc", change=write_projects) as run:
        assert await run.gateway.projects.create("lung", "Lung", "research", BY) is not None
        yield Viewing(run)


def value(row: dict[str, Any], tag: str) -> str:
    found: str = row[tag]["Value"][0]
    return found


async def listed(view: Viewing) -> list[dict[str, Any]]:
    rows = await view.studies(f"?{KIND}&limit=200")
    assert len(rows) == COUNT
    assert len({value(row, PATIENT) for row in rows}) == PATIENTS
    return rows


async def found(view: Viewing, query: str, level: str = "studies") -> list[dict[str, Any]]:
    answer = await view.ask(f"/dicom-web/{level}?{query}")
    assert answer.status == 200, answer.body
    rows: list[dict[str, Any]] = answer.json
    return rows


async def test_dates_match_as_they_are_shown(view: Viewing) -> None:
    rows = await listed(view)
    days = sorted({value(row, DATE) for row in rows})
    assert not set(days) <= set(DAYS)  # they are moved
    for low, high in ((days[0], days[0]), (days[3], days[9]), ("", days[5]), (days[-2], ""), ("19000101", "19991231")):
        asked = low if low == high else f"{low}-{high}"
        wanted = {value(row, STUDY) for row in rows if (low or "0") <= value(row, DATE) <= (high or "9")}
        assert {value(row, STUDY) for row in await found(view, f"{KIND}&StudyDate={asked}&limit=200")} == wanted, asked


async def test_a_patient_is_found_by_the_pseudonym_at_every_level(view: Viewing) -> None:
    rows = await listed(view)
    patient = value(rows[0], PATIENT)
    mine = {value(row, STUDY) for row in rows if value(row, PATIENT) == patient}
    assert len(mine) == len(DAYS)
    for level in ("studies", "series", "instances"):
        kind = "" if level == "studies" else "Modality=NM&"
        got = await found(view, f"{kind}PatientID={patient}", level)
        if level == "studies":
            assert {value(row, STUDY) for row in got} == mine
        else:
            assert {value(row, STUDY) for row in got} <= mine
    accession = value(rows[0], ACCESSION)
    (row,) = await found(view, f"AccessionNumber={accession}")
    assert value(row, STUDY) == value(rows[0], STUDY)


@pytest.mark.parametrize(
    "query",
    ["PatientID=NUC-0-QX", "AccessionNumber=NUCACC1", "PatientID=AAAAAAAAAAAAAAAA", f"StudyInstanceUID={ROOT}.1"],
)
async def test_what_is_real_finds_nothing(view: Viewing, query: str) -> None:
    answer = await view.ask(f"/dicom-web/studies?{query}")
    if "UID" in query:
        assert answer.reasons == ["study-not-visible"]
    else:
        assert (answer.status, answer.body) == (200, b"[]")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("PatientID=NUC*", "query-refused"),
        ("PatientName=N*", "query-refused"),
        ("AccessionNumber=N*", "query-refused"),
        ("StudyDate=2025*", "query-refused"),
        ("PatientBirthDate=19700101", "search-key-hidden"),
        ("StudyDescription=*Nuklear*", "search-key-hidden"),
        ("InstitutionName=D*", "search-key-hidden"),
    ],
)
async def test_no_more_can_be_asked(view: Viewing, query: str, reason: str) -> None:
    answer = await view.ask(f"/dicom-web/studies?{query}")
    assert reason in answer.reasons


async def test_pages_of_a_view_hold_every_row_once(view: Viewing, scans: Orthanc) -> None:
    rows = await listed(view)
    days = sorted(value(row, DATE) for row in rows)
    wanted = {value(row, STUDY) for row in rows if value(row, DATE) >= days[4]}
    walked, offset, more = list[str](), 0, 0
    token = view.run.token("researcher-lung")
    while True:
        answer = await view.run.ask(
            f"/dicom-web/studies?{KIND}&StudyDate={days[4]}-&limit=5&offset={offset}", "Leadglass-Purpose: HRESCH", token=token
        )  # fmt: skip
        page = [value(row, STUDY) for row in answer.json]
        if not page:
            break
        walked += page
        offset += len(page)
        for _ in range(2 if more < 6 else 0):
            await asyncio.to_thread(scans.upload, stored(900 + more, 0, "20250601"))
            more += 1
    try:
        assert len(walked) == len(set(walked))
        assert wanted <= set(walked)
    finally:
        for number in range(900, 900 + more):
            _, _, told = scans.request("POST", "/tools/lookup", f"{ROOT}.{number}".encode())
            for one in paths(told):
                scans.request("DELETE", one)


def paths(told: bytes) -> list[str]:

    return [one["Path"] for one in json.loads(told)]
