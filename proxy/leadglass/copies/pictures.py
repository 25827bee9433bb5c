"""Small pictures of copies, for people who look whether anything is left in them."""

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from leadglass.apart import APART, ApartError
from leadglass.copies.ahead import quietly
from leadglass.copies.bounds import REPORT_PICTURE_SIDE
from leadglass.limits import PICTURE_PIXELS

if TYPE_CHECKING:
    from numpy import ndarray

_QUALITY: Final = 80
_LOW, _HIGH = 1, 99  # percentiles that are black and white where the file names no window
_COLOUR: Final = 3


def picture(path: Path) -> str | None:
    """Return the middle frame of a file as the `data:` URI of a JPEG; None when it has none that can be shown.

    The file has been walked, and is of those that were copied. Its pixels are opened in a process apart: a decoder that
    fails, hangs or takes too much means no picture.
    """
    try:
        return APART.do(taken, path)
    except ApartError:
        return None


def taken(path: Path) -> str | None:
    """Return what `picture` does, by decoders of this process."""
    try:
        with quietly():
            found = dcmread(path, defer_size="1 MB")
            if not _showable(found):
                return None
            return _jpeg(_grey(found, _frame(found)))
    except Exception:  # noqa: BLE001 - pixels and decoders fail in every way; a report without a picture is one still
        return None


def _showable(found: Dataset) -> bool:
    sides = int(found.get("Rows", 0) or 0), int(found.get("Columns", 0) or 0)
    size = sides[0] * sides[1] * int(found.get("SamplesPerPixel", 1) or 1)
    return "PixelData" in found and 0 < size <= PICTURE_PIXELS


def _frame(found: Dataset) -> "ndarray":
    from pydicom.pixels import pixel_array

    middle = (int(found.get("NumberOfFrames", 1) or 1) - 1) // 2
    shown: ndarray = pixel_array(found, index=middle)
    return shown


def _grey(found: Dataset, frame: "ndarray") -> "ndarray":
    """Return a frame as bytes, as a viewer would show it first: by the window in the file, else by what is in it."""
    import numpy as np

    if frame.ndim == _COLOUR:
        scaled = frame.astype(np.float32) * (255 / max(1, 2 ** int(found.get("BitsStored", 8) or 8) - 1))
        coloured: ndarray = np.clip(scaled, 0, 255).astype(np.uint8)
        return coloured
    values = frame.astype(np.float32)
    low, high = _window(found) or (float(np.percentile(values, _LOW)), float(np.percentile(values, _HIGH)))
    grey = np.clip((values - low) / max(high - low, 1e-6), 0, 1) * 255
    shown: ndarray = (255 - grey if found.get("PhotometricInterpretation") == "MONOCHROME1" else grey).astype(np.uint8)
    return shown


def _window(found: Dataset) -> tuple[float, float] | None:
    """Return the first window in stored values: what the rescale makes of them is taken back."""
    centre, width = (_first(found.get(name)) for name in ("WindowCenter", "WindowWidth"))
    slope, intercept = _first(found.get("RescaleSlope")) or 1.0, _first(found.get("RescaleIntercept")) or 0.0
    if centre is None or not width or width < 1:
        return None
    low, high = sorted(((centre + side * width / 2) - intercept) / slope for side in (-1, 1))
    return low, high


def _first(value: object) -> float | None:
    one = value[0] if isinstance(value, MultiValue) and len(value) else value
    try:
        return float(one)  # type: ignore[arg-type]  # what is no number says so
    except (TypeError, ValueError):
        return None


def _jpeg(pixels: "ndarray") -> str:
    from PIL import Image

    image = Image.fromarray(pixels)
    image.thumbnail((REPORT_PICTURE_SIDE, REPORT_PICTURE_SIDE), Image.Resampling.BILINEAR)
    held = io.BytesIO()
    image.convert("RGB" if image.mode not in {"L", "RGB"} else image.mode).save(held, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(held.getvalue()).decode()}"
