import asyncio
import struct
from collections.abc import AsyncIterator

import pytest

from leadglass.codec.multipart import Parser, PartBegin, PartData, parse_content_type
from leadglass.codec.part10 import InstanceHeader
from leadglass.model.errors import Refusal, refuse
from leadglass.model.reasons import Code
from leadglass.obligations.store_body import StoreBody
from support.part10files import DEFLATED, dataset, deflate, element, file, item, meta
from support.studies import instance

KIND = 'multipart/related; type="application/dicom"; boundary=bb'
ONE = instance(study="1.2.3", series="1.2.3.1", sop="1.2.3.1.1")
TWO = instance(study="1.2.4", series="1.2.4.1", sop="1.2.4.1.1")


class Source:
    def __init__(self, body: bytes, step: int) -> None:
        self._body, self._step = body, step

    async def chunks(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._body), self._step):
            yield self._body[start : start + self._step]


def multipart(*parts: bytes, close: bytes = b"--bb--\r\n", kind: str = "Content-Type: application/dicom") -> bytes:
    return b"".join(b"--bb\r\n%b\r\n\r\n%b\r\n" % (kind.encode(), part) for part in parts) + close


class Stored:
    """What went on, and what the judge saw."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int]] = []
        self.sent = b""
        self.refused: str | None = None
        self.parts: list[bytes] = []

    async def judge(self, header: InstanceHeader, index: int) -> None:
        if header.patient_id == "DENIED":
            raise refuse(Code.PATIENT_CONFLICT)
        self.seen.append((header.sop_instance_uid, index))


async def store(body: bytes, *, study: str | None = None, step: int = 1 << 20) -> Stored:
    stored = Stored()
    out = StoreBody(Source(body, step), parse_content_type(KIND), study, stored.judge)
    try:
        async for chunk in out.chunks():
            assert chunk
            stored.sent += chunk
    except Refusal as refusal:
        stored.refused = str(refusal.causes[0].reason.code)
        return stored
    assert out.parts == len(stored.seen)
    kind = parse_content_type(out.content_type)
    assert kind.boundary not in {None, "bb"}
    parser = Parser(kind.boundary or "")
    for event in parser.feed(stored.sent):
        if isinstance(event, PartBegin):
            assert event.headers == {"content-type": "application/dicom"}
            stored.parts.append(b"")
        elif isinstance(event, PartData):
            stored.parts[-1] += event.data
    parser.finish()
    return stored


@pytest.mark.parametrize("step", [1, 100, 5000, 1 << 20])
async def test_parts_go_on_as_they_are(step: int) -> None:
    stored = await store(multipart(ONE, TWO), step=step)
    assert stored.parts == [ONE, TWO]
    assert stored.seen == [("1.2.3.1.1", 0), ("1.2.4.1.1", 1)]


@pytest.mark.parametrize("step", [1, 5000])
async def test_nothing_of_a_refused_part_goes_on(step: int) -> None:
    denied = instance(study="1.2.5", series="1.2.5.1", sop="1.2.5.1.1", patient_id="DENIED", patient_name="Secret^Name")
    stored = await store(multipart(ONE, denied, TWO), step=step)
    assert stored.refused == Code.PATIENT_CONFLICT
    assert b"Secret^Name" not in stored.sent
    assert b"1.2.4.1.1" not in stored.sent
    assert stored.seen == [("1.2.3.1.1", 0)]


def before_pixels(more: bytes) -> bytes:
    at = ONE.index(struct.pack("<HH", 0x7FE0, 0x0010))
    return ONE[:at] + more + ONE[at:]


@pytest.mark.parametrize("step", [1, 64, 1 << 20])
async def test_the_end_of_a_part_that_does_not_hold_together_is_not_handed_on(step: int) -> None:
    deep = b""
    for _ in range(40):
        deep = element(0x0040A730, "SQ", item(deep))
    stored = await store(multipart(before_pixels(deep)), step=step)
    assert stored.refused == Code.STORE_UNREADABLE
    assert struct.pack("<HH", 0x7FE0, 0x0010) not in stored.sent


@pytest.mark.parametrize(
    "slow",
    [
        before_pixels(element(0x0040A730, "SQ", item(b"") * 6_000)),
        file(dataset({0x00081140: ("SQ", item(b"") * 6_000)})),
        file(deflate(dataset() + element(0x0040A730, "SQ", item(b"") * 30_000)), meta(DEFLATED)),
    ],
    ids=["behind its header", "in its header", "deflated"],
)
async def test_others_get_their_turn_while_a_file_of_nothing_but_items_is_walked(slow: bytes) -> None:
    body, turns = multipart(slow), 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    assert (await store(body)).refused is None
    task.cancel()
    assert turns >= 2


async def test_preambles() -> None:
    executable = b"MZ" + b"\x90" * 126 + ONE[128:]
    tiff = b"II*\0" + b"x" * 124 + TWO[128:]
    stored = await store(multipart(executable, tiff), step=7)
    assert stored.parts == [ONE, tiff]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(multipart(TWO), Code.PART_MISMATCH, id="another study"),
        pytest.param(multipart(ONE, TWO), Code.PART_MISMATCH, id="another study second"),
        pytest.param(multipart(b"no dicom" * 99), Code.STORE_UNREADABLE, id="no dicom"),
        pytest.param(multipart(b""), Code.STORE_UNREADABLE, id="empty part"),
        pytest.param(multipart(ONE[:-2]), Code.STORE_UNREADABLE, id="part cut short in its pixels"),
        pytest.param(
            multipart(ONE + element(0x00100021, "LO", b"EVIL")), Code.STORE_UNREADABLE, id="issuer at the end"
        ),
        pytest.param(multipart(ONE[:200]), Code.STORE_UNREADABLE, id="part cut short"),
        pytest.param(multipart(ONE, close=b""), Code.STORE_UNREADABLE, id="not closed"),
        pytest.param(multipart(ONE) + b"more", Code.STORE_UNREADABLE, id="epilogue"),
        pytest.param(multipart(), Code.STORE_UNREADABLE, id="no part"),
        pytest.param(b"", Code.STORE_UNREADABLE, id="nothing"),
        pytest.param(multipart(b"{}", kind="Content-Type: application/json"), Code.MEDIA_TYPE_REFUSED, id="json"),
        pytest.param(multipart(ONE, kind="X: y"), Code.MEDIA_TYPE_REFUSED, id="no type"),
    ],
)
@pytest.mark.parametrize("step", [1, 1 << 20])
async def test_refused(body: bytes, code: Code, step: int) -> None:
    stored = await store(body, study="1.2.3", step=step)
    assert stored.refused == code
    assert b"--\r\n" not in stored.sent[-4:]  # the closing delimiter is for whole bodies


@pytest.mark.parametrize(
    "kind",
    [
        "application/dicom",
        'multipart/related; type="application/dicom+json"; boundary=b',
        "multipart/related; boundary=b",
    ],
)
def test_other_bodies(kind: str) -> None:
    with pytest.raises(Refusal) as caught:
        StoreBody(Source(b"", 1), parse_content_type(kind), None, Stored().judge)
    assert caught.value.causes[0].reason.code == Code.MEDIA_TYPE_REFUSED
