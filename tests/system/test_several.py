"""A real Orthanc behind two mounts and another archive beside it: each answers at its own, and its links stay there."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.gateway import CT, HOST, Running, fake_archive, running
from support.orthanc import Orthanc
from support.studies import instance

pytestmark = pytest.mark.system
TWIN = instance(study=CT.uid, series=CT.series, sop=CT.instances[0].sop, patient_id="P009")
MORE = "{{again: {{kind: orthanc, url: '{orthanc}', links: rewrite, mount: /again/rs, wado_mount: /again/wado}}, vna: {{kind: generic, url: '{vna}', mount: /vna/rs, wado_mount: /vna/wado}}, "


@pytest.fixture
async def run(tmp_path: Path, orthanc: Orthanc) -> AsyncIterator[Running]:
    def add(folder: Path) -> None:
        file = folder / "leadglass.yaml"
        more = MORE.format(orthanc=orthanc.url, vna=vna.url)
        file.write_text(file.read_text().replace("upstreams: {", f"upstreams: {more}", 1))

    async with (
        fake_archive([TWIN]) as vna,
        running(tmp_path, upstream=orthanc.url, kind="orthanc", change=add) as run,
    ):
        yield run


async def test_links_lead_to_the_mount_that_was_asked(run: Running) -> None:
    for mount in ("/dicom-web", "/again/rs"):
        (row,) = (await run.ask(f"{mount}/studies?StudyInstanceUID={CT.uid}")).json
        assert row["00081190"]["Value"] == [f"https://{HOST}{mount}/studies/{CT.uid}"]


async def test_each_mount_has_its_own_patient_under_one_uid(run: Running) -> None:
    patients = {}
    for mount in ("/dicom-web", "/vna/rs", "/again/rs"):
        (row,) = (await run.ask(f"{mount}/studies?StudyInstanceUID={CT.uid}")).json
        patients[mount] = row["00100020"]["Value"]
    assert patients == {"/dicom-web": ["P001"], "/vna/rs": ["P009"], "/again/rs": ["P001"]}


async def test_what_orthanc_does_not_offer_is_asked_in_another_way_or_refused_in_words(run: Running) -> None:
    small = await run.ask(f"/dicom-web/studies/{CT.uid}/thumbnail", "Accept: image/png")
    assert (small.status, small.body[:4]) == (200, b"\x89PNG")
    refused = await run.ask(f"/dicom-web/studies/{CT.uid}/pixeldata")
    assert (refused.status, refused.reasons) == (501, ["transaction-unsupported"])
    assert (await run.ask(f"/dicom-web/studies/{CT.uid}/pixeldata", token=None)).status == 401
