from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass.codec.proxyv2 import PREFIX_BYTES, SIGNATURE, ProxyHeaderError, Source, begins, length, source
from support.proxyv2 import LOCAL, REFUSED, header, raw, tlv


def read(data: bytes) -> Source | None:
    prefix, rest = data[:PREFIX_BYTES], data[PREFIX_BYTES:]
    if len(prefix) < PREFIX_BYTES or len(rest) < length(prefix):
        raise ProxyHeaderError("a PROXY header cut short")
    return source(prefix, rest[: length(prefix)])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (header("192.0.2.9", 4711), Source("192.0.2.9", 4711)),
        (header("2001:db8::9", 1), Source("2001:db8::9", 1)),
        (header("::ffff:10.0.0.1"), Source("10.0.0.1", 40_000)),  # mapped is IPv4
        (header("192.0.2.9", more=tlv(4, b"") + tlv(0x20, bytes(70))), Source("192.0.2.9", 40_000)),
        (header("192.0.2.9", more=tlv(4, bytes(2_048 - 12 - 3))), Source("192.0.2.9", 40_000)),  # as large as may be
        (LOCAL, None),
        (raw(bytes(216), command=0x20, family=0x31), None),  # the block of LOCAL is ignored, whatever it is
    ],
)
def test_a_header_names_the_client(data: bytes, said: Source | None) -> None:
    assert read(data) == said


@pytest.mark.parametrize(("data", "why"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_believed_is_refused_in_words(data: bytes, why: str) -> None:
    if not begins(data):
        assert why == "no PROXY v2"
        return
    with pytest.raises(ProxyHeaderError, match=why):
        read(data)


def test_what_begins_otherwise_is_seen_at_its_first_byte() -> None:
    assert all(begins(SIGNATURE[:count]) for count in range(len(SIGNATURE) + 1))
    assert begins(header("192.0.2.9"))
    assert not begins(b"P")
    assert not any(begins(SIGNATURE[:count] + b"\xff") for count in range(len(SIGNATURE)))


@given(st.binary(max_size=300))
def test_nothing_else_is_ever_raised(tail: bytes) -> None:
    with suppress(ProxyHeaderError):
        read(SIGNATURE + tail)
