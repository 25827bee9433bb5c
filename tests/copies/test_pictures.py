import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from leadglass.apart import APART, ApartError
from leadglass.copies import pictures as module
from leadglass.copies.pictures import picture, taken
from support.scans import scan, written


def shown(folder: Path, **changes: Any) -> Image.Image:  # noqa: ANN401 - of attributes
    (folder / "a").write_bytes(written(scan(**changes)))
    uri = taken(folder / "a")
    assert uri is not None
    head, _, data = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_the_window_of_the_file_is_taken(tmp_path: Path) -> None:
    grey = np.asarray(shown(tmp_path))
    assert grey.shape == (32, 32)
    assert grey[0, 0] < 10
    assert grey[31, 31] > 220


def test_monochrome1_is_turned_around(tmp_path: Path) -> None:
    grey = np.asarray(shown(tmp_path, PhotometricInterpretation="MONOCHROME1"))
    assert grey[0, 0] > 220


def test_without_a_window_the_values_say_what_is_black(tmp_path: Path) -> None:
    grey = np.asarray(shown(tmp_path, WindowCenter=None, WindowWidth=None))
    assert (grey[0, 0] < 20, grey[31, 31] > 235) == (True, True)


def test_colours_stay(tmp_path: Path) -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 200
    image = shown(
        tmp_path, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0, BitsAllocated=8, BitsStored=8,
        HighBit=7, PixelData=red.tobytes(),
    )  # fmt: skip
    assert image.mode == "RGB"
    assert np.asarray(image)[16, 16][0] > 190


def test_a_large_picture_becomes_small(tmp_path: Path) -> None:
    pixels = np.zeros((600, 300), "<u2")
    assert shown(tmp_path, Rows=600, Columns=300, PixelData=pixels.tobytes()).size == (128, 256)


def test_the_middle_frame_stands_for_many(tmp_path: Path) -> None:
    frames = np.zeros((3, 32, 32), "<u2")
    frames[1] = 4000
    image = shown(tmp_path, NumberOfFrames=3, PixelData=frames.tobytes())
    assert np.asarray(image).min() > 240


@pytest.mark.parametrize(
    "changes",
    [
        {"PixelData": None},
        {"Rows": 0},
        {"PixelData": b"\0\0"},
        {"BitsAllocated": 7},
        {"PhotometricInterpretation": "RGB"},
    ],
)
def test_what_cannot_be_shown_is_no_picture(tmp_path: Path, changes: dict[str, Any]) -> None:
    (tmp_path / "a").write_bytes(written(scan(**changes)))
    taken(tmp_path / "a")  # nothing is raised
    (tmp_path / "b").write_bytes(b"no DICOM")
    assert taken(tmp_path / "b") is None


def test_a_frame_without_end_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PICTURE_PIXELS", 1000)
    (tmp_path / "a").write_bytes(written(scan()))
    assert taken(tmp_path / "a") is None


def test_decoders_work_in_a_process_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(written(scan()))
    assert (picture(tmp_path / "a") or "").startswith("data:image/jpeg;base64,")

    def crashed(*_: object) -> None:
        raise ApartError("crashed")

    monkeypatch.setattr(APART, "do", crashed)
    assert picture(tmp_path / "a") is None
