"""1 GB of an enhanced multi-frame in a process of its own: what it holds, and when the first byte leaves."""

import subprocess
import sys
from pathlib import Path

import pytest

MIB = 1024 * 1024
ROOT = Path(__file__).parents[2]
RUN = """
import sys
from pathlib import Path
from support.deid import values
from support.part10files import SEQUENCE_END, UNDEFINED, dataset, element, file, item, meta
from leadglass.deid.part10 import Part10Rewriter

syntax, frames, size = sys.argv[1], 2000, 512 * 1024
plane = element(0x00209113, "SQ", item(element(0x00200032, "DS", b"1\\\\2\\\\3 ")))
each = item(element(0x00209111, "SQ", item(element(0x00189074, "DT", b"20260101101010 "[:14]))) + plane)
groups = element(0x52009230, "SQ", each * frames)
facts = element(0x00280008, "IS", b"2000") + element(0x00280010, "US", b"\\0\\2") + element(0x00280011, "US", b"\\0\\2")
facts += element(0x00280100, "US", b"\\20\\0")
native = syntax.endswith("1.2.1")
head = element(0x7FE00010, "OW", b"", frames * size) if native else element(0x7FE00010, "OB", item(b""), UNDEFINED)
frame = bytes(range(256)) * (size // 256) if native else item(b"\\xff\\xd8\\xff\\xda\\0\\2" + b"\\x55" * (size - 8) + b"\\xff\\xd9")

def highest():
    told = Path("/proc/self/status").read_text()
    return int(told.partition("VmHWM:")[2].split()[0])

rewriter = Part10Rewriter(values())
rewriter.feed(file(dataset(), meta(syntax)))
begun = highest()
first = came = left = 0
pieces = [facts, groups, head, *[frame] * frames, b"" if native else SEQUENCE_END]
for piece in pieces:
    for at in range(0, len(piece), 65536):
        came += len(piece[at:at + 65536])
        out = sum(map(len, rewriter.feed(piece[at:at + 65536])))
        left += out
        first = first or (came if out else 0)
left += sum(map(len, rewriter.finish()))
grown = (highest() - begun) * 1024
print(first, came, left, grown)
"""


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"])
def test_a_gigabyte_passes_through_little(syntax: str) -> None:
    places = [str(ROOT / name) for name in ("proxy", "agent", "tests")]
    run = [sys.executable, "-c", f"import sys; sys.path[:0] = {places}\n" + RUN, syntax]
    done = subprocess.run(run, check=True, capture_output=True, text=True, timeout=100)
    first, came, left, grown = map(int, done.stdout.split())
    assert came > 1000 * MIB
    assert left > 1000 * MIB
    assert first < MIB  # in, when the first byte was out
    assert grown < 64 * MIB
