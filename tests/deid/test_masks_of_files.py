"""Files of a masked device, packed by dcmtk, rewritten, and opened by dcmtk: the regions are black, and all else is what it was."""

import io
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from leadglass.deid.masks import Mask, Masks, Rectangle
from leadglass.deid.pixels import Pixels
from leadglass.deid.risk import PixelSettings
from leadglass.model.errors import Refusal
from support.deid import rewritten

pytestmark = pytest.mark.system
ROWS, COLUMNS, FRAMES = 60, 80, 3
MASKS = Masks([
    Mask(manufacturer="Acme", model="S*", columns=COLUMNS, rows=ROWS, remove=(Rectangle(left=0, top=0, width=COLUMNS, height=16), Rectangle(left=48, top=32, width=16, height=16)))
])  # fmt: skip
PIXELS = Pixels(PixelSettings(), MASKS)


def ultrasound(path: Path, samples: int = 3, **more: object) -> Path:
    """Write an ultrasound of some frames."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.3.1"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "1.2.3.4"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.Modality = "1.2", "1.2.3", "US"
    dataset.PatientName, dataset.PatientID = "A^B", "P1"
    dataset.Manufacturer, dataset.ManufacturerModelName = "ACME", "S3"
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames, dataset.SamplesPerPixel = ROWS, COLUMNS, FRAMES, samples
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation, dataset.BurnedInAnnotation = 7, 0, "YES"
    dataset.PhotometricInterpretation = "RGB" if samples == 3 else "MONOCHROME2"
    if samples == 3:
        dataset.PlanarConfiguration = 0
    rng = np.random.default_rng(10)
    rough = rng.integers(0, 256, (FRAMES, ROWS // 4, COLUMNS // 4, samples), np.uint8)
    dataset.PixelData = rough.repeat(4, 1).repeat(4, 2).tobytes()
    for name, value in more.items():
        setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def pixels(path: Path) -> NDArray[np.int64]:
    found = pydicom.dcmread(path)
    return np.frombuffer(found.PixelData, np.uint8).reshape(FRAMES, ROWS, COLUMNS, -1).astype(np.int64)


def ran(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True)


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize(
    ("pack", "unpack", "exact"),
    [
        (None, None, True), (("dcmcrle",), ("dcmdrle",), True), (("dcmcjpls",), ("dcmdjpls",), True), (("dcmcjpls", "+en"), ("dcmdjpls",), False),
        (("dcmcjpeg", "+e1"), ("dcmdjpeg",), True), (("dcmcjpeg", "+eb"), ("dcmdjpeg",), False), (("dcmcjpeg", "+ee"), ("dcmdjpeg",), False),
    ],
    ids=["native", "rle", "jpeg-ls", "near-lossless", "lossless jpeg", "baseline", "extended"],
)  # fmt: skip
def test_what_dcmtk_packed_it_opens_again(
    tmp_path: Path,
    pack: tuple[str, ...] | None,
    unpack: tuple[str, ...] | None,
    exact: bool,  # noqa: FBT001 - of a table
    samples: int,
) -> None:
    source, packed = ultrasound(tmp_path / "source.dcm", samples), tmp_path / "packed.dcm"
    before, after = tmp_path / "before.dcm", tmp_path / "after.dcm"
    masked = tmp_path / "masked.dcm"
    if pack is None or unpack is None:
        packed = before = source
        after = masked
    else:
        ran(*pack, source, packed)
        ran(*unpack, packed, before)
    masked.write_bytes(rewritten(packed.read_bytes(), sizes=[100, 5_000, 7], pixels=PIXELS))
    if unpack is not None:
        ran(*unpack, masked, after)
    first, second = pixels(before), pixels(after)
    assert first[:, :16].max() > 100
    assert second[:, :16].max() <= (0 if exact else 60)  # at the edges, see below
    assert second[:, :14].max() <= (0 if exact else 12)
    assert second[:, 34:46, 50:62].max() <= (0 if exact else 12)
    kept = np.ones((ROWS, COLUMNS), bool)
    # Where chrominance is halved, a decoder blends it with that of the next pixels.
    (
        kept[: 16 if exact else 18],
        kept[32 if exact else 30 : 48 if exact else 50, 48 if exact else 46 : 64 if exact else 66],
    ) = False, False
    assert np.array_equal(second[:, kept], first[:, kept])
    found = pydicom.dcmread(io.BytesIO(masked.read_bytes()))
    assert found.file_meta.TransferSyntaxUID == pydicom.dcmread(packed).file_meta.TransferSyntaxUID
    assert found.BurnedInAnnotation == "NO"
    assert "113101" in {one.CodeValue for one in found.DeidentificationMethodCodeSequence}
    assert ("LossyImageCompression" in found) == ("LossyImageCompression" in pydicom.dcmread(packed))


def test_another_model_is_kept_back(tmp_path: Path) -> None:
    other = ultrasound(tmp_path / "other.dcm", ManufacturerModelName="T1")
    with pytest.raises(Refusal) as caught:
        rewritten(other.read_bytes(), pixels=PIXELS)
    assert caught.value.causes[0].reason.code == "pixels-at-risk"
