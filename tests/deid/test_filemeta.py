import pytest

from leadglass.deid.filemeta import FileMeta, written
from leadglass.limits import DEID_META_BYTES
from leadglass.model.errors import Refusal
from support.part10files import EXPLICIT, element, file, grouped, meta, uid


@pytest.mark.parametrize("head", [meta(), meta(length=None)])
@pytest.mark.parametrize("step", [1, 7, 4096])
def test_a_file_meta_is_read_with_its_length_and_without(head: bytes, step: int) -> None:
    data, reader = file(head=head), FileMeta()
    at = 0
    while not reader.feed(data[at : at + step]):
        at += step
    assert (reader.transfer_syntax, reader.sop_class_uid, reader.sop_instance_uid) == (EXPLICIT, "1.4", "1.3")
    assert data.endswith(reader.rest + data[at + step :])
    assert (reader.rest + data[at + step :]).startswith(element(0x00080005, "CS", b"ISO_IR 100"))


@pytest.mark.parametrize(
    "head",
    [
        meta(length=2),
        meta(length=-2),
        grouped(element(0x00020010, "UI", uid(EXPLICIT)) * 2),
        grouped(element(0x00020010, "UI", b"1.2")),
        grouped(element(0x00020010, "UI", b"no UID")),
        grouped(element(0x00020102, "OB", bytes(DEID_META_BYTES)) + element(0x00020010, "UI", uid(EXPLICIT))),
    ],
)
def test_a_broken_file_meta_is_refused(head: bytes) -> None:
    with pytest.raises(Refusal):
        FileMeta().feed(file(head=head))


def test_what_is_written_is_read_again() -> None:
    reader = FileMeta()
    assert reader.feed(written("1.4", "1.3", EXPLICIT) + bytes(16))
    assert (reader.transfer_syntax, reader.sop_class_uid, reader.sop_instance_uid) == (EXPLICIT, "1.4", "1.3")
    assert reader.rest == bytes(16)
