import pytest

from leadglass.deid.opening import MARKERS, SPECIAL
from support.deid import read, refused, rewritten
from support.part10files import SEQUENCE_END, UNDEFINED, dataset, element, file, item, meta

RLE = "1.2.840.10008.1.2.5"
ROWS = element(0x00280010, "US", b"\4\0")


@pytest.mark.parametrize("before", [b"", element(0x00120010, "LO", b"SECRET")])
@pytest.mark.parametrize("behind", [b"", ROWS, element(0x00540081, "US", b"\7\0")])
def test_marks_stand_where_they_belong(before: bytes, behind: bytes) -> None:
    changes = {0x0020000D: None, 0x0020000E: None}
    found = read(rewritten(file(dataset(changes) + before + behind)))
    tags = [int(one.tag) for one in found]
    assert tags == sorted(tags)
    assert set(tags) >= MARKERS


def test_the_number_of_frames_is_a_number() -> None:
    assert refused(file(dataset() + element(0x00280008, "IS", b"-1"))) == "a number of frames that is none"
    assert read(rewritten(file(dataset() + element(0x00280008, "IS", b"")))).NumberOfFrames is None


def test_an_instance_without_a_uid_gets_that_of_its_file_meta() -> None:
    found = read(rewritten(file(dataset({0x00080018: None}))))
    assert found.file_meta.MediaStorageSOPInstanceUID.startswith("2.25.")


def test_what_is_special_is_not_a_mark() -> None:
    assert not SPECIAL & MARKERS


IMAGE = b"".join((
    element(0x00280002, "US", b"\1\0"), element(0x00280004, "CS", b"MONOCHROME2 "), ROWS, element(0x00280011, "US", b"\4\0"),
    element(0x00280100, "US", b"\x10\0"), element(0x00280101, "US", b"\x0c\0"), element(0x00280102, "US", b"\x0b\0"),
    element(0x00280103, "US", b"\0\0"),
))  # fmt: skip
PIXELS = element(0x7FE00010, "OW", b"\xff\xff" * 16)


@pytest.mark.parametrize(
    ("group", "bits", "position", "left"),
    [(0x6000, 16, 12, 0x0FFF), (0x601E, 16, 12, 0x0FFF), (0x6002, 1, 15, 0x0FFF), (0x6000, 1, 0, 0xFFFF)],
)
def test_an_overlay_among_the_pixels_leaves_with_the_rest(group: int, bits: int, position: int, left: int) -> None:
    told = element(group << 16 | 0x0100, "US", bits.to_bytes(2, "little"))
    told += element(group << 16 | 0x0102, "US", position.to_bytes(2, "little"))
    found = read(rewritten(file(dataset() + IMAGE + told + PIXELS)))
    assert found.PixelData == left.to_bytes(2, "little") * 16
    assert (group << 16 | 0x0102) not in found


class Packed:
    """Packs frames anew."""

    transfer_syntax: str | None = None
    changes: dict[int, list[str] | None] = {}  # noqa: RUF012 - it changes nothing else

    def native(self, data: bytes) -> bytes:
        return data

    def frame(self, data: bytes) -> bytes:
        return data[:2]


def test_tables_of_frames_that_change_do_not_stay() -> None:
    frames = element(0x7FE00010, "OB", item(b"") + item(bytes(64)), UNDEFINED) + SEQUENCE_END
    data = file(
        dataset() + element(0x7FE00001, "OV", bytes(8)) + element(0x7FE00002, "OV", bytes(8)) + frames, meta(RLE)
    )
    assert 0x7FE00001 in read(rewritten(data))
    assert 0x7FE00001 not in read(rewritten(data, pixels=lambda _: Packed()))
