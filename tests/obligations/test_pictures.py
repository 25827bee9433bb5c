"""Rendered pictures opened, painted and packed again."""

import io
import struct
import zlib
from collections.abc import AsyncIterator

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from leadglass.codec.multipart import ContentType
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code
from leadglass.obligations import pictures
from leadglass.obligations.occasion import Content
from leadglass.obligations.pictures import painted, repaint
from support.matches import code

SECRET = b"DOE^JANE"


def nothing(picture: Image.Image) -> None:
    assert picture.info == {}


def packed(picture: Image.Image, form: str, **how: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **how)
    return out.getvalue()


def opened(body: bytes) -> Image.Image:
    return Image.open(io.BytesIO(body))


def noise(mode: str = "RGB", size: tuple[int, int] = (64, 48)) -> Image.Image:
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    values = np.random.default_rng(5).integers(1, 256, shape, np.uint8)
    return Image.fromarray(values.astype(np.uint16) * 200 if mode == "I;16" else values)


async def pieces(body: bytes, size: int = 100) -> AsyncIterator[bytes]:
    for at in range(0, len(body), size):
        yield body[at : at + size]


async def through(body: bytes, media: str = "image/png") -> bytes:
    content = await painted(Content(ContentType(media, {"x": "y"}), pieces(body)), Image.Image.getbands)
    return b"".join([piece async for piece in content.body])


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16"])
def test_png_comes_back_pixel_for_pixel(mode: str) -> None:
    before = noise(mode)
    after = opened(repaint(packed(before, "PNG"), "PNG", nothing))
    assert after.mode == mode
    assert np.array_equal(np.asarray(after), np.asarray(before))


@pytest.mark.parametrize("quality", [30, 95])
def test_jpeg_keeps_the_quality_that_was_asked_for(quality: int) -> None:
    before = packed(noise(), "JPEG", quality=quality, subsampling=0)
    after = repaint(before, "JPEG", nothing)
    assert getattr(opened(after), "quantization", 1) == getattr(opened(before), "quantization", 2)
    assert np.abs(np.asarray(opened(after)).astype(int) - np.asarray(opened(before)).astype(int)).mean() < 8


def test_nothing_but_pixels_leaves() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("PatientName", SECRET.decode())
    text.add_itxt("Description", SECRET.decode())
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    png = packed(noise(), "PNG", pnginfo=text, exif=exif, icc_profile=SECRET, dpi=(72, 72))
    jpeg = packed(noise(), "JPEG", exif=exif, comment=SECRET, icc_profile=SECRET)
    for body, form in ((png, "PNG"), (jpeg, "JPEG")):
        assert SECRET in body
        assert SECRET not in repaint(body, form, nothing)
        assert SECRET not in repaint(body + SECRET, form, nothing)


@pytest.mark.parametrize("mode", ["1", "LA", "P", "RGBA"])
def test_other_modes_become_one_that_can_be_painted(mode: str) -> None:
    assert opened(repaint(packed(noise().convert(mode), "PNG"), "PNG", nothing)).mode in {"L", "RGB"}


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16"])
@pytest.mark.parametrize(("fit", "size"), [((32, 32), (32, 24)), ((128, 10_000), (128, 96)), ((1, 1), (1, 1))])
def test_a_picture_fits_into_what_was_wanted(mode: str, fit: tuple[int, int], size: tuple[int, int]) -> None:
    assert opened(repaint(packed(noise(mode), "PNG"), "PNG", nothing, fit)).size == size


def test_a_picture_is_not_made_larger_than_the_bound() -> None:
    with pytest.raises(Refusal, match="upstream-invalid"):
        repaint(packed(noise(), "PNG"), "PNG", nothing, (99_999, 99_999))


async def test_a_picture_is_painted_as_it_streams_in() -> None:
    body = packed(noise(), "PNG")
    assert np.array_equal(np.asarray(opened(await through(body))), np.asarray(noise()))


@pytest.mark.parametrize("said", ["image/png", "image/jpeg"])
@pytest.mark.parametrize(("form", "media"), [("PNG", "image/png"), ("JPEG", "image/jpeg")])
async def test_a_picture_leaves_as_what_it_is_whatever_the_archive_says(form: str, media: str, said: str) -> None:
    content = await painted(Content(ContentType(said, {"x": "y"}), pieces(packed(noise(), form))), Image.Image.getbands)
    assert content.kind == ContentType(media, {})


def boasting(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = b"".join((struct.pack(">I", 13), b"IHDR", head, struct.pack(">I", zlib.crc32(b"IHDR" + head))))
    return b"\x89PNG\r\n\x1a\n" + chunk + packed(noise(), "PNG")[33:]


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"", "image/png"), (b"no picture", "image/png"), (packed(noise(), "PNG")[:-200], "image/png"), (boasting(60_000, 60_000), "image/png"),
        (packed(noise(), "GIF"), "image/png"), (packed(noise(), "GIF"), "image/gif"),
        (packed(noise(), "PNG", save_all=True, append_images=[noise("RGB").rotate(90)]), "image/png"),
        (packed(noise().convert("CMYK"), "JPEG"), "image/jpeg"),
    ],
    ids=["empty", "text", "cut", "boasting", "gif as png", "gif", "moving", "cmyk"],
)  # fmt: skip
async def test_what_is_no_picture_of_the_form_does_not_leave(body: bytes, media: str) -> None:
    with pytest.raises(Refusal) as caught:
        await through(body, media)
    assert code(caught) == Code.UPSTREAM_INVALID


async def test_a_picture_beyond_the_bound_is_not_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "PICTURE_BYTES", 1_000)
    with pytest.raises(Refusal, match="upstream-invalid"):
        await through(packed(noise(), "PNG"))
