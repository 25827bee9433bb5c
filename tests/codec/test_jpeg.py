import io
import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from leadglass.codec.jpeg import JpegCleaner
from leadglass.codec.picture import PictureError

GREY = np.add.outer(np.arange(40), np.arange(30)).astype("uint8") * 3
SECRET = b"SECRET^NAME"


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


def jpeg(**options: Any) -> bytes:  # noqa: ANN401 - of Pillow
    held = io.BytesIO()
    Image.fromarray(GREY).convert(options.pop("mode", "RGB")).save(held, "JPEG", **options)
    return held.getvalue()


def dirty(picture: bytes) -> bytes:
    """Put a name wherever one fits."""
    told = segment(0xFE, SECRET) + segment(0xE1, b"Exif\0\0" + SECRET) + segment(0xE2, b"ICC_PROFILE\0" + SECRET)
    told += (
        segment(0xED, SECRET)
        + segment(0xEE, b"Adobe" + SECRET)
        + segment(0xE8, SECRET)
        + segment(0xE0, b"JFIF\0" + SECRET[:9])
    )
    return picture[:2] + told + picture[2:]


def cleaned(data: bytes, step: int = 0) -> bytes:
    cleaner = JpegCleaner()
    step = step or len(data) or 1
    out = [cleaner.feed(data[at : at + step]) for at in range(0, len(data), step)]
    return b"".join([*out, cleaner.finish()])


def opened(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"mode": "L"}, {"mode": "CMYK"}, {"restart_marker_rows": 1}]
)
@pytest.mark.parametrize("step", [0, 1, 3])
def test_what_is_told_goes_and_the_picture_stays(options: dict[str, object], step: int) -> None:
    picture = jpeg(**options)
    out = cleaned(dirty(picture), step)
    assert len(out) == len(dirty(picture))
    assert b"SECRET" not in out
    assert b"Exif" not in out
    assert np.array_equal(opened(out), opened(picture))


def test_several_pictures_one_behind_the_other() -> None:
    picture = dirty(jpeg())
    out = cleaned(picture + SECRET + b"\xff" + SECRET + b"\0" + picture)
    assert b"SECRET" not in out
    assert np.array_equal(opened(out[len(picture) + 2 * len(SECRET) + 2 :]), opened(picture))
    assert b"SECRET" not in cleaned(picture[:-2] + picture)  # the end of the first is missing


def test_a_picture_without_anything_told_is_left_alone() -> None:
    picture = jpeg()
    jfif = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
    plain = picture[:2] + jfif + picture[20:]
    assert cleaned(plain) == plain


def test_a_segment_that_has_no_meaning_yet_is_emptied() -> None:
    assert b"SECRET" not in cleaned(b"\xff\xd8" + segment(0xF3, SECRET) + b"\xff\xd9")


@pytest.mark.parametrize("length", [5, 12])
def test_how_colours_are_decoded_stays(length: int) -> None:
    body = {5: b"mrfx\1", 12: b"Adobe\0d\0\0\0\0\2"}[length]
    marker = {5: 0xE8, 12: 0xEE}[length]
    out = cleaned(b"\xff\xd8" + segment(marker, body) + b"\xff\xd9")
    assert body in out
    assert SECRET[-1:] not in cleaned(b"\xff\xd8" + segment(marker, body[:-1] + SECRET[-1:]) + b"\xff\xd9")


@pytest.mark.parametrize(
    "data",
    [
        SECRET,
        b"\xff\xe1" + SECRET,
        b"\xff\xd8" + SECRET,
        b"\xff\xd8\xff\xfe\0\1" + SECRET,
        b"\xff\xd8\xff\0" + SECRET,
        b"\xff\xd8\xff\xfe\0\x40ab",
    ],
)
def test_what_is_no_jpeg_is_an_error(data: bytes) -> None:
    with pytest.raises(PictureError):
        cleaned(data)


def test_a_frame_that_begins_within_another_is_an_error() -> None:
    cleaner = JpegCleaner()
    cleaner.feed(b"\xff\xd8" + segment(0xDB, bytes(60))[:20])
    with pytest.raises(PictureError):
        cleaner.fragment(b"\xff\xd8\xff\xe0")
    cleaner.fragment(b"\0\0\0\0")  # the rest of it


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.lists(st.integers(1, 9), max_size=12))
def test_whatever_comes_is_cleaned_alike_in_pieces_or_is_an_error(tail: bytes, sizes: list[int]) -> None:
    data = b"\xff\xd8" + tail
    try:
        whole = cleaned(data)
    except PictureError:
        return
    cleaner = JpegCleaner()
    edges = [0, *itertools.accumulate(sizes), len(data)]
    assert b"".join(cleaner.feed(data[a:b]) for a, b in itertools.pairwise(edges) if a < b) == whole
