import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.model.errors import UpstreamBroken
from leadglass.upstream.framing import Framing, parse_head
from support.replies import SOUND


def test_head_values() -> None:
    twice = b"CONTENT-Encoding: a\r\nContent-encoding: b\r\nX: 1\r\n"  # what nobody reads is not taken over
    head = parse_head(b"HTTP/1.1 206 \r\nContent-Type:  a/b \r\n" + twice + b"Content-Length: 7\r\n\r\n")
    assert dict(head.headers) == {"content-type": "a/b", "content-encoding": "a, b", "content-length": "7"}
    assert (head.framing, head.length, head.keep) == (Framing.LENGTH, 7, True)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_mutated(data: st.DataObject) -> None:
    """Whatever is done to a sound reply, parsing ends in a head or in UpstreamBroken, and nothing else."""
    raw = bytearray(data.draw(st.sampled_from([row[0] for row in SOUND.values()])))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    end = raw.find(b"\r\n\r\n")
    try:
        head = parse_head(bytes(raw[: end + 4]))
    except UpstreamBroken:
        return
    assert 100 <= head.status <= 599
    assert head.length is None or 0 <= head.length < 10**15


@pytest.mark.parametrize("control", [*range(9), *range(10, 32), 127])
def test_controls(control: int) -> None:
    for head in (
        b"HTTP/1.1 200 O%bK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a%bb\r\nContent-Length: 0\r\n\r\n",
    ):
        with pytest.raises(UpstreamBroken):
            parse_head(head % bytes([control]))
