import io
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from PIL import Image

from leadglass.codec.multipart import parse_content_type
from leadglass.deid.instance import Header
from leadglass.deid.risk import Region
from leadglass.model.errors import Refusal, UpstreamBroken
from leadglass.model.reasons import Code
from leadglass.obligations.occasion import Content
from leadglass.obligations.viewframes import frames, rendered
from support.matches import code

HEADER = Header("", rows=4, columns=4, samples=1, bits_allocated=8, bits_stored=8, photometric="MONOCHROME2")
OCTETS = 'multipart/related; type="application/octet-stream"; boundary=bb'
REGIONS = (Region(0, 0, 4, 1),)


async def body(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 5):
        yield data[at : at + 5]


def parts(kind: str, *bodies: bytes) -> bytes:
    head = f"--bb\r\nContent-Type: {kind}\r\nContent-Location: /Demo\r\n\r\n".encode()
    return b"".join(head + one + b"\r\n" for one in bodies) + b"--bb--\r\n"


async def made(data: bytes, kind: str = OCTETS, regions: tuple[Region, ...] = (), asked: str = "") -> tuple[str, bytes]:
    content = frames(Content(parse_content_type(kind), body(data)), HEADER, regions, asked)
    return content.kind.media, b"".join([piece async for piece in content.body])


def jpeg() -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").save(out, "JPEG", comment=b"Demo^Patient", exif=b"Exif\0\0Demo")
    return out.getvalue()


async def test_native_frames_pass_and_their_headers_do_not() -> None:
    media, told = await made(parts("application/octet-stream", bytes(range(16)), bytes(16)))
    assert media == "multipart/related"
    assert bytes(range(16)) in told
    assert told.count(b"Content-Type: application/octet-stream\r\n\r\n") == 2
    assert b"Demo" not in told


async def test_masked_frames() -> None:
    _, told = await made(parts("application/octet-stream", bytes(range(1, 17))), regions=REGIONS)
    assert bytes(4) + bytes(range(5, 17)) in told
    assert bytes(range(1, 5)) not in told
    with pytest.raises(Refusal) as caught:
        await made(parts("application/octet-stream", bytes(15)), regions=REGIONS)
    assert code(caught) == Code.PIXELS_AT_RISK


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("image/jpeg", ""),
        ("image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50", ""),
        ("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.50", ""),
        ("application/octet-stream", "1.2.840.10008.1.2.4.50"),
        ("application/octet-stream", "*"),
        ("application/octet-stream", ""),  # whatever it is called
    ],
)
async def test_what_is_written_beside_compressed_pixels_is_gone(kind: str, asked: str) -> None:
    _, told = await made(parts(kind, jpeg()), asked=asked)
    assert b"Demo" not in told
    assert b"\xff\xda" in told


@pytest.mark.parametrize(
    "kind",
    [
        "video/mp4",
        "image/jxl",
        "text/xml",
        "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.102",
        "application/octet-stream; transfer-syntax=any",
        "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.90",
        "multipart/related; boundary=cc",
    ],
)
async def test_what_cannot_be_cleaned_does_not_leave(kind: str) -> None:
    with pytest.raises((UpstreamBroken, Refusal)):
        await made(parts(kind, b"Demo"))


async def test_pixels_that_are_not_what_they_are_called() -> None:
    for broken in (b"\xff\xd8\xff\xfe\x00", b"no JPEG"):
        with pytest.raises(UpstreamBroken):
            await made(parts("image/jpeg", broken))


async def test_one_frame_without_multipart() -> None:
    assert await made(b"0123456789012345", "application/octet-stream") == (
        "application/octet-stream",
        b"0123456789012345",
    )


async def test_rendered_pictures() -> None:
    content = await rendered(Content(parse_content_type("image/png"), body(jpeg())))
    told = b"".join([piece async for piece in content.body])
    assert content.kind.media == "image/jpeg"  # as its bytes say
    assert b"Demo" not in told
    with Image.open(io.BytesIO(told)) as picture, Image.open(io.BytesIO(jpeg())) as before:
        assert picture.tobytes() == before.tobytes()
    for broken in (b"<html>Demo", jpeg()[:30]):
        with pytest.raises(Refusal) as caught:
            await rendered(Content(parse_content_type("image/jpeg"), body(broken)))
        assert code(caught) == Code.UPSTREAM_INVALID


@pytest.mark.parametrize(("signed", "left"), [(0, 0x0FFF), (1, 0xFFFF), (None, 0xFFFF)])
@pytest.mark.parametrize("regions", [(), REGIONS])
async def test_bits_that_are_none_of_a_value_do_not_leave(
    signed: int | None, left: int, regions: tuple[Region, ...]
) -> None:
    header = Header("1.2", rows=4, columns=4, samples=1, bits_allocated=16, bits_stored=12, high_bit=11, signed=signed)
    content = Content(parse_content_type(OCTETS), body(parts("application/octet-stream", b"\xff" * 32)))
    told = b"".join([piece async for piece in frames(content, header, regions, "").body])
    black = bytes(8) if regions else b""
    assert black + left.to_bytes(2, "little") * (12 if regions else 16) in told


async def test_bytes_behind_the_last_frame_of_bulk_data_do_not_leave() -> None:
    for frames_told, left in ((1, b"x" * 16 + bytes(16)), (2, b"x" * 16 + b"Demo^Patient    ")):
        header = replace(HEADER, frames=frames_told)
        content = Content(
            parse_content_type(OCTETS), body(parts("application/octet-stream", b"x" * 16 + b"Demo^Patient    "))
        )
        told = b"".join([piece async for piece in frames(content, header, (), "", whole=True).body])
        assert left in told
        assert (b"Demo" in told) is (frames_told > 1)
