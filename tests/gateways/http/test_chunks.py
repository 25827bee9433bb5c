"""The chunked coding undone: whole, byte by byte, with what follows, and mutated."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.gateways.http.chunks import ChunkDecoder
from leadglass.limits import CHUNK_EXTENSION_BYTES, TRAILER_BYTES
from leadglass.model.errors import Refusal
from support.badhttp import CHUNKED

GOOD = {
    "none": (b"0\r\n\r\n", b""),
    "one": (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
    "two": (b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", b"hello!"),
    "hex": (b"aB\r\n" + b"x" * 0xAB + b"\r\n0\r\n\r\n", b"x" * 0xAB),
    "crlf-inside": (b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n"),
    "extension": (b'5 ; a="b c"\r\nhello\r\n0;x=y\r\n\r\n', b"hello"),
    "extension-longest": (b"5;" + b"a" * (CHUNK_EXTENSION_BYTES - 1) + b"\r\nhello\r\n0\r\n\r\n", b"hello"),
    "trailers": (b"0\r\nA: 1\r\nB:\r\n\r\n", b""),
    "trailer-longest": (b"0\r\nA: " + b"x" * (TRAILER_BYTES - 10) + b"\r\n\r\n", b""),
}


def decode(pieces: list[bytes]) -> tuple[bytes, bytes, bool]:
    """Return the body, what followed it, and whether it ended."""
    decoder, body, beyond = ChunkDecoder(), b"", b""
    for piece in pieces:
        if decoder.done:
            beyond += piece
            continue
        out, rest = decoder.feed(piece)
        body += b"".join(out)
        beyond += rest
    return body, beyond, decoder.done


def bytewise(data: bytes) -> list[bytes]:
    return [data[index : index + 1] for index in range(len(data))]


@pytest.mark.parametrize("beyond", [b"", b"\r\n", b"GET / HTTP/1.1\r\n\r\n"], ids=["end", "crlf", "request"])
@pytest.mark.parametrize(("coded", "body"), list(GOOD.values()), ids=list(GOOD))
def test_a_sound_body(coded: bytes, body: bytes, beyond: bytes) -> None:
    assert decode([coded + beyond]) == (body, beyond, True)
    assert decode(bytewise(coded + beyond)) == (body, beyond, True)


@pytest.mark.parametrize("payload", [row[1] for row in CHUNKED], ids=[row[0] for row in CHUNKED])
def test_a_body_with_a_fault(payload: bytes) -> None:
    coded = payload.partition(b"\r\n\r\n")[2]
    with pytest.raises(Refusal):
        decode([coded + b"GET"])
    with pytest.raises(Refusal):
        decode(bytewise(coded[:100_000] + b"GET"))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(list(GOOD.values())), st.data())
def test_cuts_change_nothing_and_no_prefix_is_whole(good: tuple[bytes, bytes], data: st.DataObject) -> None:
    coded, body = good
    at = data.draw(st.integers(0, len(coded)))
    assert decode([coded[:at], coded[at:]]) == (body, b"", True)
    if at < len(coded):
        assert decode([coded[:at]])[2] is False


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(list(GOOD.values())), st.data())
def test_a_mutation_is_refused_or_read_alike_however_it_is_cut(good: tuple[bytes, bytes], data: st.DataObject) -> None:
    coded = bytearray(good[0])
    coded[data.draw(st.integers(0, len(coded) - 1))] = data.draw(st.integers(0, 255))

    def outcome(pieces: list[bytes]) -> object:
        try:
            return decode(pieces)
        except Refusal:
            return "refused"

    assert outcome([bytes(coded)]) == outcome(bytewise(bytes(coded)))
