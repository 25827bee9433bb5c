"""Rendered pictures with the regions of a device's mask painted black."""

import io
from collections.abc import AsyncIterator

import numpy as np
import pytest
from PIL import Image

from leadglass.codec.multipart import ContentType
from leadglass.deid.instance import Header
from leadglass.deid.risk import Region
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code
from leadglass.obligations.masked import masked, uncropped, wanted
from leadglass.obligations.occasion import Content
from support.matches import code, placed

INSTANCE = "/dicom-web/studies/1.2.3/series/4/instances/5"
WADO = "/wado?requestType=WADO&studyUID=1.2&seriesUID=3&objectUID=4"
HEADER = Header("1.2", rows=48, columns=64)
REGIONS = (Region(0, 0, 64, 8), Region(50, 30, 10, 10))


async def body(picture: Image.Image, form: str = "PNG") -> AsyncIterator[bytes]:
    out = io.BytesIO()
    picture.save(out, form)
    yield out.getvalue()


def white(size: tuple[int, int] = (64, 48)) -> Image.Image:
    return Image.new("RGB", size, "white")


async def through(picture: Image.Image, fit: tuple[int, int] | None = None) -> Image.Image:
    content = await masked(Content(ContentType("image/png", {}), body(picture)), HEADER, REGIONS, fit)
    return Image.open(io.BytesIO(b"".join([piece async for piece in content.body])))


async def test_the_regions_are_black_and_nothing_else() -> None:
    found = np.asarray(await through(white())).min(axis=2)
    expected = np.full((48, 64), 255)
    expected[:8], expected[30:40, 50:60] = 0, 0
    assert np.array_equal(found, expected)


async def test_it_is_made_as_small_as_it_was_wanted() -> None:
    found = await through(white(), (32, 99))
    assert found.size == (32, 24)
    assert np.asarray(found)[:3].max() == 0
    assert np.asarray(found)[10].min() == 255


@pytest.mark.parametrize("size", [(63, 48), (64, 49), (128, 96), (48, 64), (1, 1)])
async def test_a_picture_of_another_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(Refusal) as caught:
        await through(white(size))
    assert code(caught) == Code.UPSTREAM_INVALID


@pytest.mark.parametrize(
    ("target", "path", "query", "fit"),
    [
        (INSTANCE + "/rendered", "/rendered", "", None),
        (INSTANCE + "/rendered?viewport=300,200&quality=90", "/rendered", "quality=90", (300, 200)),
        (INSTANCE + "/frames/2/rendered?window=40,400,linear", "/frames/2/rendered", "window=40,400,linear", None),
        (INSTANCE + "/thumbnail", "/rendered", "", (128, 128)),
        (INSTANCE + "/frames/2/thumbnail?viewport=64,64", "/frames/2/rendered", "", (64, 64)),
    ],
)
def test_the_archive_is_asked_for_the_whole_picture(
    target: str, path: str, query: str, fit: tuple[int, int] | None
) -> None:
    match = placed(target)
    asked = uncropped(match)
    assert asked.ask.path == INSTANCE.removeprefix("/dicom-web") + path
    assert asked.ask.query == query
    assert wanted(match) == fit


def test_wado_uri_likewise() -> None:
    match = placed(WADO + "&rows=100&frameNumber=2")
    assert "rows" not in uncropped(match).ask.query
    assert "frameNumber=2" in uncropped(match).ask.query
    fit = wanted(match)
    assert fit is not None
    assert fit[1] == 100


@pytest.mark.parametrize(
    "target", [INSTANCE + "/rendered?viewport=64,64,10,10,20,20", WADO + "&region=0.1,0.1,0.5,0.5"]
)
def test_a_part_of_a_picture_is_refused(target: str) -> None:
    with pytest.raises(Refusal) as caught:
        uncropped(placed(target))
    assert code(caught) == Code.VIEW_REFUSED
