"""Each compression undone and done again gives the samples that it came from. What frames of real files become is in test_frames."""

import numpy as np
import pytest

from leadglass.deid.codecs import CODECS, PAINTERS
from leadglass.deid.frames import AS_CODED, REPACKED
from leadglass.deid.instance import Header
from leadglass.deid.native import Layout

SEEDS = {
    "1.2.840.10008.1.2.5": [(8, 8), (16, 12), (32, 32)],
    "1.2.840.10008.1.2.8.1": [(8, 8), (16, 16)],
}


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize(("syntax", "bits"), [(syntax, bits) for syntax, sizes in SEEDS.items() for bits in sizes])
def test_what_is_packed_comes_back(syntax: str, bits: tuple[int, int], samples: int) -> None:
    allocated, stored = bits
    layout = Layout(Header(syntax, rows=7, columns=11, samples=samples, bits_allocated=allocated, bits_stored=stored))
    given = np.random.default_rng(4).integers(0, 1 << stored, (7, 11, samples)).astype(f"<u{allocated // 8}")
    codec = CODECS[syntax]
    assert np.array_equal(codec.unpack(codec.pack(given, b"", layout), layout), given)


def test_what_is_painted_is_what_is_said_to_be() -> None:
    assert set(CODECS) == REPACKED
    assert set(PAINTERS) == AS_CODED
