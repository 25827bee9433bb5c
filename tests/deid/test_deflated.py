import zlib

import pytest

from leadglass.deid.deflated import Deflated
from leadglass.limits import DEID_INFLATED_BYTES
from leadglass.model.errors import Refusal
from support.part10files import deflate


@pytest.mark.parametrize("step", [1, 5, 4096])
def test_what_is_opened_is_closed_again(step: int) -> None:
    data, held = deflate(bytes(range(256)) * 100), Deflated()
    opened = [piece for at in range(0, len(data), step) for piece in held.opened(data[at : at + step])]
    held.finish()
    assert b"".join(opened) == bytes(range(256)) * 100
    closed = [piece for one in opened for piece in held.closed([one])] + held.closed([], last=True)
    assert zlib.decompressobj(-15).decompress(b"".join(closed)) == b"".join(opened)
    assert len(b"".join(closed)) % 2 == 0


def test_a_bomb_a_tail_and_an_early_end_are_refused() -> None:
    for data in (deflate(bytes(DEID_INFLATED_BYTES + 1)), deflate(b"") + bytes(10), b"\xff" * 99):
        with pytest.raises(Refusal):
            list(Deflated().opened(data))
    held = Deflated()
    list(held.opened(deflate(b"abc")[:-1]))
    with pytest.raises(Refusal):
        held.finish()
