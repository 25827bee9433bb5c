"""Files made to carry a name through, or to cost much: the rows on DICOM files of the attack list."""

import time
from collections.abc import Callable

import pydicom.data
import pytest

from leadglass.model.errors import Refusal
from support.deid import read, refused, rewritten, values
from support.part10files import EXPLICIT, ITEM_END, SEQUENCE_END, UNDEFINED, dataset, element, file, item, meta, uid

SECRET = b"SECRET"
JPEG = "1.2.840.10008.1.2.4.50"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"
TEXT = element(0x0040A160, "UT", SECRET)
ICON = element(0x00280010, "US", b"\1\0") + element(0x7FE00010, "OB", SECRET)
IMAGE = element(0x00280010, "US", b"\2\0") + element(0x00280011, "US", b"\2\0") + element(0x00280100, "US", b"\x08\0")
SIGNED = element(0x04000005, "US", b"\1\0") + element(0x04000120, "OB", SECRET)

HIDDEN: dict[str, bytes] = {
    "overlay": element(0x60000010, "US", b"\1\0") + element(0x60000022, "LO", SECRET) + element(0x60003000, "OW", SECRET),
    "overlay comments": element(0x601E4000, "LT", SECRET),
    "curve": element(0x50000022, "LO", SECRET) + element(0x50003000, "OW", SECRET),
    "icon": element(0x00880200, "SQ", item(ICON)),
    "document": element(0x00420011, "OB", SECRET),
    "report": element(0x0040A730, "SQ", item(element(0x0040A040, "CS", b"TEXT") + TEXT)),
    "report, deeper": element(0x0040A730, "SQ", item(element(0x0040A730, "SQ", item(TEXT)))),
    "private bytes": element(0x00290010, "LO", b"NOBODY") + element(0x00291001, "OB", SECRET) + element(0x00291002, "UN", SECRET),
    "private without creator": element(0x00291001, "OB", SECRET),
    "private sequence of nobody": element(0x00291002, "UN", item(TEXT), UNDEFINED) + SEQUENCE_END,
    "signature": element(0xFFFAFFFA, "SQ", item(SIGNED)),
    "encrypted attributes": element(0x04000500, "SQ", item(element(0x04000520, "OB", SECRET))),
    "original attributes": element(0x04000561, "SQ", item(element(0x04000550, "SQ", item(element(0x00100010, "PN", SECRET))))),
    "profile of colours": IMAGE + element(0x00282000, "OB", SECRET),
    "behind the frame": IMAGE + element(0x7FE00010, "OB", bytes(4) + SECRET),
    "padding": element(0xFFFCFFFC, "OB", SECRET),
    "an attribute of tomorrow": element(0x0028FFFE, "LO", SECRET) + element(0x7FE1FFFE, "OB", SECRET),
}  # fmt: skip


@pytest.mark.parametrize("profile", ["basic", "research"])
@pytest.mark.parametrize("name", HIDDEN)
def test_a_name_does_not_pass(name: str, profile: str) -> None:
    data = file(dataset() + HIDDEN[name])
    assert SECRET not in rewritten(data, values(profile))
    read(rewritten(data, values(profile)))


def test_a_name_does_not_pass_in_a_frame() -> None:
    frame = b"\xff\xd8\xff\xfe\0\x08SECRET\xff\xe1\0\x0eExif\0\0SECRET\xff\xd9"
    data = file(dataset() + element(0x7FE00010, "OB", item(b"") + item(frame), UNDEFINED) + SEQUENCE_END, meta(JPEG))
    assert SECRET not in rewritten(data)


def test_a_directory_of_media_loses_its_records() -> None:
    record = element(0x00041430, "CS", b"PATIENT ") + element(0x00100010, "PN", SECRET)
    data = file(element(0x00041220, "SQ", item(record)) + dataset())
    assert SECRET not in rewritten(data)
    for path in pydicom.data.get_testdata_files("DICOMDIR*"):
        with open(path, "rb") as held:  # noqa: PTH123 - as pydicom names it
            assert b"Doe^" not in rewritten(held.read())


def test_numbers_that_overflow_are_only_numbers() -> None:
    image = (
        element(0x00280002, "US", b"\xff\xff")
        + element(0x00280008, "IS", b"2147483647")
        + element(0x00280010, "US", b"\xff\xff")
    )
    image += element(0x00280011, "US", b"\xff\xff") + element(0x00280100, "US", b"\xff\xff")
    out = rewritten(file(dataset() + image + element(0x7FE00010, "OW", bytes(16))))
    assert out.endswith(element(0x7FE00010, "OW", bytes(16)))


MANY = 1_000_000
COSTLY: dict[str, Callable[[], bytes]] = {
    "a million items that stay": lambda: element(0x52009230, "SQ", item(b"") * MANY),
    "a million elements that go": lambda: b"".join(element(0x00290000 + number, "UN", b"") for number in range(0x100, 0x10000)) * 1,
    "a million items that go": lambda: element(0x00400275, "SQ", (item(b"", UNDEFINED) + ITEM_END) * MANY, UNDEFINED) + SEQUENCE_END,
    "a million fragments": lambda: element(0x7FE00010, "OB", item(b"") + item(b"") * MANY, UNDEFINED) + SEQUENCE_END,
}  # fmt: skip


@pytest.mark.parametrize("name", COSTLY)
def test_what_is_all_heads_costs_no_more_than_its_bytes(name: str) -> None:
    data = file(dataset() + COSTLY[name](), meta("1.2.840.10008.1.2.5" if "fragments" in name else EXPLICIT))
    begun = time.process_time()
    rewritten(data, sizes=[65536] * (len(data) // 65536))
    assert time.process_time() - begun < 30


def test_a_value_that_comes_in_crumbs_is_not_copied_over_and_over() -> None:
    data = file(dataset() + element(0x00204000, "UT", b"x" * (8 << 20)))
    begun = time.process_time()
    assert rewritten(data, sizes=[1024] * (len(data) // 1024))
    assert time.process_time() - begun < 5


def test_implicit_and_explicit_are_not_mixed() -> None:
    mixed = dataset() + element(0x00280010, "US", b"\4\0", syntax="1.2.840.10008.1.2")
    assert refused(file(mixed)) == "unknown value representation"


def test_two_uids_are_not_one() -> None:
    data = file(dataset({0x00080018: ("UI", uid("1.3") + b"\\1.9")}))
    try:
        found = read(rewritten(data))
    except Refusal:
        return
    assert "1.9" not in str(found)
