import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.codec.jpeg2000 import CodestreamCleaner
from leadglass.codec.picture import PictureError

SECRET = b"SECRET^NAME"


def segment(marker: int, body: bytes) -> bytes:
    return marker.to_bytes(2, "big") + (len(body) + 2).to_bytes(2, "big") + body


def codestream(
    data: bytes = b"\1\2\xff\x4f\3", *, told: bool = True, length: int | None = 0, end: bytes = b"\xff\xd9"
) -> bytes:
    """Return what has the form of a codestream; `length` is off by so much, or None for one that is not told."""
    size, coding = segment(0xFF51, bytes(38)), segment(0xFF52, bytes(10))
    comment = segment(0xFF64, b"\0\1" + SECRET) + segment(0xFF70, SECRET)
    inner = (segment(0xFF64, b"\0\1" + SECRET) if told else b"") + b"\xff\x93" + data
    part = 0 if length is None else 12 + len(inner) + length
    start = segment(0xFF90, b"\0\0" + part.to_bytes(4, "big") + b"\0\1")
    return b"\xff\x4f" + size + coding + (comment if told else b"") + start + inner + end


def cleaned(data: bytes, step: int = 0) -> bytes:
    cleaner = CodestreamCleaner()
    step = step or len(data) or 1
    out = [cleaner.feed(data[at : at + step]) for at in range(0, len(data), step)]
    return b"".join([*out, cleaner.finish()])


@pytest.mark.parametrize("length", [0, None])
@pytest.mark.parametrize("step", [0, 1, 3])
def test_comments_become_zeros_where_they_stand(length: int | None, step: int) -> None:
    data = codestream(length=length)
    out = cleaned(data + b"\0" + data, step)
    assert b"SECRET" not in out
    assert len(out) == 2 * len(data) + 1
    assert out.count(b"\1\2\xff\x4f\3\xff\xd9") == 2
    plain = codestream(told=False, length=length)
    assert cleaned(plain, step) == plain


def test_what_stands_between_two_becomes_zero() -> None:
    out = cleaned(codestream() + SECRET + b"\xff" + SECRET + codestream())
    assert b"SECRET" not in out


@pytest.mark.parametrize(
    "data",
    [
        SECRET,
        b"\0\0\0\x0cjP  \r\n\x87\n" + SECRET,
        b"\xff\x4f" + SECRET,
        b"\xff\x4f\xff\x64\0\1" + SECRET,
        codestream(length=-10),
        codestream(b"\xff\xa0" + SECRET, length=None),
    ],
)
def test_what_is_no_codestream_is_an_error(data: bytes) -> None:
    with pytest.raises(PictureError):
        cleaned(data)


@pytest.mark.parametrize("first", [codestream(length=1000)[:-2], codestream(length=None, end=b"")])
def test_a_codestream_that_hides_the_next_is_an_error(first: bytes) -> None:
    cleaner = CodestreamCleaner()
    cleaner.feed(first)
    with pytest.raises(PictureError):
        cleaner.fragment(codestream()[:4])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.lists(st.integers(1, 9), max_size=12))
def test_whatever_comes_is_cleaned_alike_in_pieces_or_is_an_error(tail: bytes, sizes: list[int]) -> None:
    data = codestream(length=None, end=b"") + tail
    try:
        whole = cleaned(data)
    except PictureError:
        return
    cleaner = CodestreamCleaner()
    edges = [0, *itertools.accumulate(sizes), len(data)]
    assert b"".join(cleaner.feed(data[a:b]) for a, b in itertools.pairwise(edges) if a < b) == whole
