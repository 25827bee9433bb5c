"""Referring physicians in front of a real Orthanc: pictures with a watermark, and nothing else of an image."""

import io
import os
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import orjson
import pytest
import pytest_asyncio
from PIL import Image

from support.gateway import Running, running
from support.orthanc import Orthanc

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def run(tmp_path_factory: pytest.TempPathFactory, orthanc: Orthanc) -> AsyncIterator[Running]:
    async with running(tmp_path_factory.mktemp("site"), upstream=orthanc.url, kind="orthanc") as run:
        yield run


def instance_path(orthanc: Orthanc) -> str:
    one = orthanc.studies["ct"].instances[0]
    return f"/dicom-web/studies/{one.study}/series/{one.series}/instances/{one.sop}"


def opened(body: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(body)).convert("L")).astype(int)


@pytest.mark.parametrize("kind", ["image/jpeg", "image/png"])
@pytest.mark.parametrize("tail", ["/rendered", "/frames/1/rendered", "/thumbnail", "/rendered?viewport=400,400"])
async def test_a_referring_physician_sees_a_watermark_and_a_radiologist_none(
    run: Running, orthanc: Orthanc, kind: str, tail: str
) -> None:
    path = instance_path(orthanc) + tail
    plain = await run.ask(path, f"Accept: {kind}")
    marked = await run.ask(path, f"Accept: {kind}", "Leadglass-Purpose: TREAT", token=run.token("referring"))
    assert (plain.status, marked.status) == (200, 200)
    assert marked.headers["content-type"] == kind
    change = np.abs(opened(marked.body) - opened(plain.body))
    assert change.max() > 20
    assert np.median(change) <= 3  # most of it is the picture as it was
    if "PICTURES" in os.environ:
        form = tail.strip("/").replace("/", "-").replace("?", "-")
        (Path(os.environ["PICTURES"]) / f"{form}.{kind[6:]}").write_bytes(marked.body)


async def test_wado_uri_pictures_bear_it_too(run: Running, orthanc: Orthanc) -> None:
    one = orthanc.studies["ct"].instances[0]
    query = f"/wado?requestType=WADO&studyUID={one.study}&seriesUID={one.series}&objectUID={one.sop}"
    plain = await run.ask(query)
    marked = await run.ask(query, token=run.token("referring"))
    assert (plain.headers["content-type"], marked.headers["content-type"]) == (
        "image/png",
        "image/jpeg",
    )  # Orthanc 1.10
    assert not np.array_equal(opened(plain.body), opened(marked.body))
    whole = await run.ask(f"{query}&contentType=application%2Fdicom", token=run.token("referring"))
    assert whole.status == 403


@pytest.mark.parametrize("tail", ["", "/frames/1", "/bulk/PixelData"])
async def test_what_lies_behind_the_pictures_is_not_given_out(run: Running, orthanc: Orthanc, tail: str) -> None:
    assert (await run.ask(instance_path(orthanc) + tail)).status == 200
    refused = await run.ask(instance_path(orthanc) + tail, token=run.token("referring"))
    assert refused.status == 403
    assert set(refused.reasons) & {"not-granted", "render-only", "watermark-impossible"}


async def test_a_role_that_grants_more_is_still_held_to_pictures(tmp_path: Path, orthanc: Orthanc) -> None:
    """The obligations by themselves, without the role table, keep the images back."""
    data = tmp_path / "site" / "policies" / "data"
    data.mkdir(parents=True)
    (data / "referring.yaml").write_text("roles: [radiologist]\nwatermark: {show: [time], note: City, strength: 20}\n")
    async with running(tmp_path / "site", upstream=orthanc.url, kind="orthanc") as run:
        for tail in ("", "/frames/1", "/bulk/PixelData"):
            refused = await run.ask(instance_path(orthanc) + tail)
            assert (refused.status, refused.reasons) in [(403, ["watermark-impossible"]), (403, ["render-only"])]
        assert (await run.ask(instance_path(orthanc) + "/rendered", "Accept: image/png")).status == 200


async def test_attributes_name_no_bulk_data(run: Running, orthanc: Orthanc) -> None:
    path = f"/dicom-web/studies/{orthanc.studies['ct'].instances[0].study}/metadata"
    plain = await run.ask(path)
    less = await run.ask(path, token=run.token("referring"))
    assert (plain.status, less.status) == (200, 200)
    assert b"BulkDataURI" in plain.body
    assert b"BulkDataURI" not in less.body
    assert len(orjson.loads(less.body)) == len(orjson.loads(plain.body))
