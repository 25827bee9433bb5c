"""OHIF as it comes over a research view, in front of Orthanc: a researcher reads, and the browser hears nothing of whom."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Page, Response, expect

from leadglass.demo.studies import CT_STUDY, all_instances, encode
from support.browser import answering, chromium, drawn, package, picture, until, visit
from support.gateway import HOST
from support.oidc import ORIGIN, V1, Site, site
from support.orthanc import Orthanc
from support.tapped import Tap, tapped
from support.views import BY, write_projects

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

SLICES = 24
ROOT = "1.2.826.0.1.3680043.10.1491.7431"
STUDY, SERIES, FRAME = f"{ROOT}.1", f"{ROOT}.1.1", f"{ROOT}.1.9"
NAME, REFERRER, OPERATOR = "Zyxwander^Quillian", "Ostrowicz^Halda", "Fjellstad^Quirimund"
# What the browser must not hear, as it is stored. Words of names count each by itself.
TELLING = (
    *NAME.split("^"), *REFERRER.split("^"), *OPERATOR.split("^"), "MRN7781XQ", "VRENELI-EPR", "ACC55120QX", "SID90210Q",
    "19510723", "20260219", "Sankt Vreneli", "Hauptgasse 77", "0041-71-555", "INS-4471-Z", ROOT,
)  # fmt: skip
LOCAL = "window.leadglass = { purpose: 'HRESCH' };\n"


def slices() -> Iterator[bytes]:
    """Yield a CT whose header names the patient wherever a scanner would."""
    scanned = [ds for ds in all_instances() if ds.StudyInstanceUID == CT_STUDY and ds.Modality == "CT"]
    for number, ds in enumerate(scanned[:SLICES], 1):
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = STUDY, SERIES, f"{SERIES}.{number}"
        ds.PatientName, ds.PatientID, ds.IssuerOfPatientID = NAME, "MRN7781XQ", "VRENELI-EPR"
        ds.PatientBirthDate, ds.PatientAddress, ds.PatientTelephoneNumbers = "19510723", "Hauptgasse 77", "0041-71-555"
        ds.OtherPatientIDs, ds.Occupation, ds.PatientComments = "INS-4471-Z", "Quillian's help", f"{NAME}, MRN7781XQ"
        ds.AccessionNumber, ds.StudyID, ds.StudyDate, ds.SeriesDate = "ACC55120QX", "SID90210Q", "20260219", "20260219"
        ds.AcquisitionDateTime, ds.ContentDate = "20260219101500", "20260219"
        ds.InstitutionName, ds.InstitutionAddress = "Sankt Vreneli Klinik", "Hauptgasse 77"
        ds.ReferringPhysicianName, ds.OperatorsName = REFERRER, OPERATOR
        ds.StudyDescription = "CT chest, Zyxwander MRN7781XQ"
        ds.SeriesDescription, ds.ImageComments = "Axial for Ostrowicz", "Quillian moved"
        ds.FrameOfReferenceUID = FRAME
        block = ds.private_block(0x0033, "VRENELI PRIVATE", create=True)
        block.add_new(0x01, "LO", f"{NAME} MRN7781XQ")
        yield encode(ds)


def link_or_copy(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


@dataclass
class Research:
    """A researcher with OHIF, and all that the browser hears."""

    here: Site
    page: Page
    tap: Tap

    async def fetched(self, path: str) -> object:
        """Ask on the page, as the viewer does."""
        return await self.page.evaluate("path => fetch(path).then(reply => reply.json())", path)


@asynccontextmanager
async def researching(folder: Path, orthanc: Orthanc, port: int) -> AsyncIterator[Research]:
    for part10 in slices():
        orthanc.upload(part10)
    viewer = folder / "viewer"
    await asyncio.to_thread(shutil.copytree, package("ohif") / "dist", viewer, copy_function=link_or_copy)
    (viewer / "app-config.local.js").write_text(LOCAL)
    (folder / "site/policies/data").mkdir(parents=True)
    (folder / "site").chmod(0o700)
    write_projects(folder / "site")
    archive = {"upstream": orthanc.url, "kind": "orthanc"}
    async with (
        site(
            folder / "site", sessions=f"{{device_port: {port}}}", gateway=archive, settings=f'static: {{/: "{viewer}"}}\n',
            roles=("researcher-lung",),
        ) as here,
        answering(here.run),
        tapped(here.run) as tap,
        chromium(at={f"{HOST}:443": tap.port}) as browser,
        visit(browser, viewport={"width": 1280, "height": 800}) as page,
    ):  # fmt: skip
        assert await here.run.gateway.projects.create("lung", "Lung nodules", "research", BY) is not None
        yield Research(here, page, tap)


async def test_a_researcher_reads_and_the_browser_hears_nothing_of_whom(
    tmp_path: Path, orthanc: Orthanc, unused_tcp_port: int
) -> None:
    async with researching(tmp_path, orthanc, unused_tcp_port) as research:
        page, tap = research.page, research.tap
        frames: set[str] = set()
        complete = asyncio.Event()

        def came(response: Response) -> None:
            if "/frames/" in response.url and response.status == 200:
                frames.add(response.url)
                if len(frames) == SLICES:
                    complete.set()

        page.on("response", came)
        await page.goto(f"{ORIGIN}{V1}login?return=/")
        await expect(page.get_by_text("CT chest").first).to_be_visible(timeout=60_000)  # the list of studies
        rows = await research.fetched("/dicom-web/studies?ModalitiesInStudy=CT&limit=200")
        assert isinstance(rows, list)
        (uid,) = [row["0020000D"]["Value"][0] for row in rows if row["00201208"]["Value"] == [SLICES]]
        assert uid.startswith("2.25.")
        await page.goto(f"{ORIGIN}/viewer?StudyInstanceUIDs={uid}")
        await drawn(page)
        async with asyncio.timeout(60):
            await complete.wait()
        await page.get_by_text("Skip all").click()
        await page.get_by_text("Confirm and hide").click()
        canvas = page.locator(".cornerstone-canvas").first
        box = await canvas.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        await page.mouse.move(x, y)
        for _ in range(SLICES // 2):  # scrolls
            await page.mouse.wheel(0, 120)
        await page.locator('[data-cy="MeasurementTools-split-button-primary"]').click()
        await page.mouse.move(x - 100, y - 40)
        await page.mouse.down()
        await page.mouse.move(x, y, steps=8)
        await page.mouse.move(x + 90, y + 50, steps=8)
        await page.mouse.up()
        await until(page, "/[0-9.]+ mm/.test(document.querySelector('.svg-layer')?.textContent ?? '')")
        await page.locator('[data-cy="prompt-begin-tracking-yes-btn"]').click()
        await expect(page.get_by_text("54.0 mm").last).to_be_visible()  # in the list of measurements
        assert not await page.get_by_role("alertdialog").is_visible()
        await picture(page, "viewer-research")
        assert {url.split("/studies/")[1].split("/")[0] for url in frames} == {uid}
        heard = tap.told([*TELLING])
        assert not heard, heard
        assert uid in tap.told([uid])
        assert sum(len(stream) for stream in tap.heard) > SLICES * 100_000
        patients = [line for line in research.here.run.record("decision") if line["decision"].get("obligations")]
        assert patients


def test_the_study_would_tell(orthanc: Orthanc) -> None:
    """What the test above looks for is what Orthanc says of the study, one and all but what it never lists."""
    for part10 in slices():
        orthanc.upload(part10)
    tap = Tap(0)
    status, fields, body = orthanc.request("GET", f"/dicom-web/studies/{STUDY}/metadata")
    assert status == 200
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {fields['content-type']}\r\nContent-Length: {len(body)}\r\n\r\n"
    tap.heard.append(bytearray(head.encode() + body))
    assert set(tap.told(TELLING)) == set(TELLING)
