"""An ultrasound with names in its pixels, in a real Orthanc: a researcher sees it masked in every way there is, and never the names."""

import io
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import pytest_asyncio
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom.uid import ExplicitVRLittleEndian

from support.gateway import running
from support.orthanc import Orthanc
from support.studies import US_IMAGE, instance
from support.views import BY, Viewing, write_projects

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="module")]
ROOT = "1.2.826.0.1.3680043.10.1491.710"
ROWS, COLUMNS, BAR = 240, 320, 32
MASKS = f"""\
version: 1
masks:
- manufacturer: Acme Medical*
  model: Sonic 3
  columns: {COLUMNS}
  rows: {ROWS}
  remove:
  - {{left: 0, top: 0, width: {COLUMNS}, height: {BAR}}}
"""
PACKED = {"native": None, "baseline": ["dcmcjpeg", "+eb"], "lossless": ["dcmcjpeg", "+e1"], "jpeg-ls": ["dcmcjpls"], "rle": ["dcmcrle"]}  # fmt: skip


def picture() -> Image.Image:
    """Return an image with a name in a bar at its top."""
    rough = np.random.default_rng(11).integers(60, 200, (ROWS // 16, COLUMNS // 16), np.uint8)
    found = Image.fromarray(rough).resize((COLUMNS, ROWS), Image.Resampling.BICUBIC).convert("RGB")
    pen = ImageDraw.Draw(found)
    pen.rectangle((0, 0, COLUMNS, BAR - 1), fill="black")
    pen.text((4, 4), "QUASTENFLOSSER^OTTILIE", font=ImageFont.load_default(20), fill="white")
    return found


def ultrasound(name: str, folder: Path, number: int) -> bytes:
    study = f"{ROOT}.{number}"
    dataset = pydicom.dcmread(io.BytesIO(instance(
        study=study, series=f"{study}.1", sop=f"{study}.1.1", sop_class=US_IMAGE, modality="US", patient_id=f"QF-{number}",
    )))  # fmt: skip
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.Manufacturer, dataset.ManufacturerModelName = "ACME MEDICAL", "Sonic 3" if name != "other" else "Sonic 4"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = ROWS, COLUMNS, 3
    dataset.PhotometricInterpretation, dataset.PlanarConfiguration = "RGB", 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.BurnedInAnnotation = 7, "YES"
    dataset.PixelData = picture().tobytes()
    source, packed = folder / f"{name}.dcm", folder / f"{name}-packed.dcm"
    dataset.save_as(source)
    command = PACKED.get(name)
    if command is None:
        return source.read_bytes()
    subprocess.run([*command, source, packed], check=True, capture_output=True)
    return packed.read_bytes()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def view(tmp_path_factory: pytest.TempPathFactory, orthanc: Orthanc) -> AsyncIterator[Viewing]:
    folder = tmp_path_factory.mktemp("images")
    for number, name in enumerate((*PACKED, "other"), start=1):
        orthanc.upload(ultrasound(name, folder, number))

    def change(site: Path) -> None:
        write_projects(site)
        (site / "masks.yaml").write_text(MASKS)
        config = site / "leadglass.yaml"
        config.write_text(config.read_text() + "deid: {masks: masks.yaml}\n")

    async with running(tmp_path_factory.mktemp("site"), upstream=orthanc.url, kind="orthanc", change=change) as run:
        await run.gateway.projects.create("lung", "lung", "research", BY)
        yield Viewing(run)


async def found(view: Viewing) -> dict[str, Any]:
    """Return the path of each of these instances that is in the view, with its attributes."""
    paths = {}
    for row in await view.studies("?ModalitiesInStudy=US"):
        uid = row["0020000D"]["Value"][0]  # type: ignore[index]  # as JSON is
        answer = await view.ask(f"/dicom-web/studies/{uid}/instances?includefield=00280010")
        for one in answer.json:
            if one.get("00280010", {}).get("Value") == [ROWS]:
                series, sop = one["0020000E"]["Value"][0], one["00080018"]["Value"][0]
                path = f"/dicom-web/studies/{uid}/series/{series}/instances/{sop}"
                metadata = (await view.ask(f"{path}/metadata")).json[0]
                paths[path] = metadata
    return paths


def parts(answer: Any) -> list[tuple[str, bytes]]:  # noqa: ANN401 - an answer
    boundary = b"--" + answer.headers["content-type"].split("boundary=")[1].split(";")[0].strip('"').encode()
    told = []
    for part in answer.body.split(boundary)[1:-1]:
        head, _, body = part.partition(b"\r\n\r\n")
        told.append((head.decode("latin-1"), body.removesuffix(b"\r\n")))
    return told


def looked(pixels: NDArray[Any]) -> None:
    """Hold a picture in the size of the instance to the mask: the name is gone, the image is there."""
    given = np.asarray(picture()).astype(int)
    values = pixels.reshape(ROWS, COLUMNS, -1).astype(int)
    assert values[: BAR - 2].max() <= 12
    assert np.abs(values[BAR + 2 :] - given[BAR + 2 :, :, : values.shape[2]]).mean() < 6


def unpack(source: Path, opened: Path) -> None:
    """Have dcmtk open what it can."""
    for command in ("dcmdjpeg", "dcmdjpls", "dcmdrle"):
        if subprocess.run([command, source, opened], check=False, capture_output=True).returncode == 0:
            source.write_bytes(opened.read_bytes())


async def test_only_what_has_a_mask_is_in_the_view(view: Viewing) -> None:
    assert len(await found(view)) == len(PACKED)


async def test_attributes_say_that_pixels_were_cleaned(view: Viewing) -> None:
    for metadata in (await found(view)).values():
        assert metadata["00280301"]["Value"] == ["NO"]
        assert "113101" in {one["00080100"]["Value"][0] for one in metadata["00120064"]["Value"]}


async def test_instances_leave_masked_in_the_syntax_that_the_archive_has(view: Viewing, tmp_path: Path) -> None:
    seen = set()
    for path in await found(view):
        answer = await view.ask(path, 'Accept: multipart/related; type="application/dicom"; transfer-syntax=*')
        assert answer.status == 200
        ((_, body),) = parts(answer)
        dataset = pydicom.dcmread(io.BytesIO(body))
        assert dataset.BurnedInAnnotation == "NO"
        seen.add(str(dataset.file_meta.TransferSyntaxUID).removeprefix("1.2.840.10008.1.2."))
        source, opened = tmp_path / "masked.dcm", tmp_path / "opened.dcm"
        source.write_bytes(body)
        unpack(source, opened)
        plain = pydicom.dcmread(source)
        assert plain.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        pixels = np.frombuffer(plain.PixelData, np.uint8)
        if plain.get("PlanarConfiguration") == 1:
            pixels = np.moveaxis(pixels.reshape(3, ROWS, COLUMNS), 0, -1)
        looked(pixels)
    assert seen == {"1", "4.50", "4.70", "4.80", "5"}


@pytest.mark.parametrize("syntax", ["", "; transfer-syntax=*"])
async def test_frames_leave_masked(view: Viewing, syntax: str) -> None:
    told = set()
    for path in await found(view):
        answer = await view.ask(
            f"{path}/frames/1", f'Accept: multipart/related; type="application/octet-stream"{syntax}'
        )
        assert answer.status == 200, answer.body
        ((head, body),) = parts(answer)
        told.add(head.split("Content-Type:")[1].split("\r\n")[0].strip())
        if len(body) == ROWS * COLUMNS * 3:
            looked(np.frombuffer(body, np.uint8))
        elif body.startswith(b"\xff\xd8") and "4.50" in head:
            looked(np.asarray(Image.open(io.BytesIO(body))))
        else:
            assert syntax, head
    assert told


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg"])
async def test_pictures_are_rendered_masked(view: Viewing, kind: str) -> None:
    for number, path in enumerate(await found(view)):
        answer = await view.ask(f"{path}/rendered", f"Accept: {kind}")
        assert (answer.status, answer.headers["content-type"]) == (200, kind)
        looked(np.asarray(Image.open(io.BytesIO(answer.body)).convert("RGB")))
        if "PICTURES" in os.environ:
            (Path(os.environ["PICTURES"]) / f"masked-{number}.{kind[6:]}").write_bytes(answer.body)
        small = await view.ask(f"{path}/rendered?viewport=160,160", f"Accept: {kind}")
        assert Image.open(io.BytesIO(small.body)).size == (160, 120)
        assert np.asarray(Image.open(io.BytesIO(small.body)))[: BAR // 2 - 2].max() <= 12
        thumbnail = await view.ask(f"{path}/thumbnail", f"Accept: {kind}")
        assert Image.open(io.BytesIO(thumbnail.body)).size == (128, 96)
        assert np.asarray(Image.open(io.BytesIO(thumbnail.body)))[:9].max() <= 12


async def test_a_part_of_a_masked_picture_is_refused(view: Viewing) -> None:
    path = next(iter(await found(view)))
    assert (await view.ask(f"{path}/rendered?viewport=64,64,0,0,64,64")).reasons == ["view-refused"]
