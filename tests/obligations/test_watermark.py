"""Who sees a picture, when and why, written across it."""

import io

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from leadglass.model.decision import Obligation
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code
from leadglass.obligations.plan import Plan
from leadglass.obligations.watermark import Watermark, WatermarkParams, draw
from support.matches import FakeReply, code, decided
from support.views import asking

MARK = Obligation("watermark", {})
STUDY = "/dicom-web/studies/1.2.3"
INSTANCE = STUDY + "/series/4/instances/5"
TEXT = "rita  2023-11-14 22:13 UTC  HRESCH"


def picture(mode: str = "L", value: int = 128, size: tuple[int, int] = (512, 400)) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.full(size[::-1], value * 256, np.uint16))
    return Image.new(mode, size, (value,) * 3 if mode == "RGB" else value)


def packed(one: Image.Image, form: str = "PNG") -> bytes:
    out = io.BytesIO()
    one.save(out, form)
    return out.getvalue()


def plan(target: str, accept: str | None = None) -> Plan:
    occasion = asking(target, accept=accept)
    return Plan.of(decided(MARK), occasion.match, lambda: occasion)


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16"])
@pytest.mark.parametrize("value", [0, 100, 255])
def test_it_is_seen_on_dark_and_light_and_hides_nothing(mode: str, value: int) -> None:
    before = picture(mode, value)
    after = before.copy()
    draw(after, text=TEXT, strength=20)
    scale = 256 if mode == "I;16" else 1
    change = np.abs(np.asarray(after).astype(int) - np.asarray(before).astype(int)) / scale
    assert change.max() > 15  # seen
    assert change.max() <= 0.36 * 256  # of light and of edge, 20 percent each
    assert 0.005 < (change > 0).mean() < 0.25  # most pixels are as they were
    for rows in np.array_split(change, 3):
        for part in np.array_split(rows, 3, axis=1):
            assert part.any()  # no ninth of it is without


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (128, 96), (40, 2_000)])
def test_pictures_of_any_size_take_it(size: tuple[int, int]) -> None:
    one = picture("RGB", 90, size)
    draw(one, text=TEXT, strength=20)
    assert one.size == size


def test_another_requester_is_another_watermark() -> None:
    first, second = picture(), picture()
    draw(first, text="rita  TREAT", strength=20)
    draw(second, text="adam  TREAT", strength=20)
    assert not np.array_equal(np.asarray(first), np.asarray(second))


@pytest.mark.parametrize("tail", ["/rendered", "/thumbnail", "/frames/1/rendered"])
@pytest.mark.parametrize(("form", "media"), [("PNG", "image/png"), ("JPEG", "image/jpeg")])
async def test_rendered_pictures_bear_it(tail: str, form: str, media: str) -> None:
    body = packed(picture(), form)
    sealed = await plan(INSTANCE + tail, media).treat(FakeReply(body, headers={"content-type": media}, step=99))
    assert not isinstance(sealed.body, bytes)
    left = b"".join([piece async for piece in sealed.body])  # type: ignore[union-attr]  # what a treatment makes is iterated
    expected = picture()
    draw(expected, text=TEXT, strength=20)
    found = np.asarray(Image.open(io.BytesIO(left))).astype(int)
    assert np.abs(found - np.asarray(expected)).mean() < 2
    assert (b"Content-Type", media.encode()) in sealed.headers


@pytest.mark.parametrize(
    ("target", "accept"),
    [
        (INSTANCE, None), (STUDY, None), (INSTANCE + "/frames/1", None), (INSTANCE + "/bulk/PixelData", None),
        (INSTANCE + "/rendered", "image/gif"), (INSTANCE + "/rendered", "video/mp4"), (INSTANCE + "/rendered", "application/pdf"),
        ("/wado?requestType=WADO&studyUID=1.2&seriesUID=3&objectUID=4&contentType=application%2Fdicom", None),
    ],
)  # fmt: skip
def test_what_would_leave_without_one_is_refused(target: str, accept: str | None) -> None:
    with pytest.raises(Refusal) as caught:
        plan(target, accept)
    assert code(caught) == Code.WATERMARK_IMPOSSIBLE
    assert caught.value.causes[0].params["what"]


@pytest.mark.parametrize("target", ["/dicom-web/studies", STUDY + "/metadata"])
async def test_what_shows_no_picture_passes_as_it_is(target: str) -> None:
    made = plan(target)
    if target.endswith("metadata"):
        sealed = await made.treat(FakeReply(b"[]", headers={"content-type": "application/dicom+json"}))
        assert b"".join([piece async for piece in sealed.body]) == b"[]"  # type: ignore[union-attr]  # likewise


def test_it_says_what_it_is_told_to_say() -> None:
    mark = Watermark(WatermarkParams(show=("purpose",), note="City\nHospital"))
    assert mark._text(asking(INSTANCE + "/rendered")) == "City?Hospital  HRESCH"
    assert Watermark(WatermarkParams())._text(asking(INSTANCE + "/rendered")) == TEXT


@pytest.mark.parametrize("params", [{"show": []}, {"show": ["name"]}, {"strength": 90}, {"strength": 0}, {"text": "x"}, {"note": "x" * 61}])  # fmt: skip
def test_parameters_that_would_hide_or_say_nothing_are_refused(params: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WatermarkParams.model_validate(params)


def test_it_describes_itself() -> None:
    assert Watermark(WatermarkParams()).describe().endswith(".")


async def test_a_picture_without_images_behind_it_bears_it_too() -> None:
    occasion = asking(INSTANCE + "/rendered", accept="image/png")
    made = Plan.of(decided(MARK, Obligation("render-only", {})), occasion.match, lambda: occasion)
    sealed = await made.treat(FakeReply(packed(picture()), headers={"content-type": "image/png"}))
    left = b"".join([piece async for piece in sealed.body])  # type: ignore[union-attr]  # likewise
    assert not np.array_equal(np.asarray(Image.open(io.BytesIO(left))), np.asarray(picture()))


def test_parameters_come_as_policy_writes_them() -> None:
    said = {"show": ["requester", "time"], "note": "City", "strength": 20}
    occasion = asking(INSTANCE + "/rendered", accept="image/png")
    assert Plan.of(decided(Obligation("watermark", said)), occasion.match, lambda: occasion).changes
